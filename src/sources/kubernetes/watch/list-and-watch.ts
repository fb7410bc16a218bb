// Keeps the registry in step with one kind of object of one cluster, for ever: a complete list, then a watch from where
// the list ended, then a watch from where that watch ended, and a new list only when the server has forgotten the place
// (410). Failure changes nothing: what was known is served until the server says otherwise.
//
// A watch that died silently is found because every watch is short: the server is asked to end it after at most
// `watchSeconds`, tells how far it is two seconds before (a bookmark), and the next watch goes over the same connection,
// so that this costs one request a minute and kind. A server that does not end it in time is not there any more.
import type { Clock, Random } from '../../../clock.ts';
import type { Logger } from '../../../log.ts';
import type { KindReport } from '../../status.ts';
import { ApiError, type ApiServer } from './api-server.ts';
import { BrokenStream, type Encoding, type EventStream, readEvents } from './event-stream.ts';
import type { KnownObjects } from './known-objects.ts';
import { type PagedList, readPagedList, readPlace } from './paged-list.ts';
import { createRecovery, UnconfirmedList } from './recovery.ts';
import type { WatchTimings } from './timings.ts';
import type { Watchdog } from './watchdog.ts';
import { labelOf, pathOf, type WatchedKind } from './watched-kind.ts';

export interface ListAndWatchContext {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly timings: WatchTimings;
  /** The kind may be missing from this server; then `absent` is called, and it is asked for again from time to time. */
  readonly optional?: { readonly absent: () => void };
  /** Called when the first, and each later, complete list has been applied. */
  readonly listed?: () => void;
}

export interface ListAndWatch {
  /** A complete list is known and followed: what it does not show does not exist. */
  isFollowing(): boolean;
  /** The server's history is another one: all is asked for at once, and believed whatever its version. */
  relist(): void;
  stop(): Promise<void>;
}

export function startListAndWatch(
  kind: WatchedKind,
  known: KnownObjects,
  report: KindReport,
  context: ListAndWatchContext,
): ListAndWatch {
  const { server, clock, random, timings } = context;
  const log = context.log.child({ kind: labelOf(kind) });
  const stopping = new AbortController();
  /** Aborts the list or watch that is under way. */
  let round = new AbortController();
  const recovery = createRecovery({ kind, known, report, log, timings, context });

  /** The place in the server's history up to which all is known; undefined: a list is needed. */
  let cursor: string | undefined;
  let following = false;
  let encoding: Encoding = { protobuf: kind.protobuf, trim: kind.trim };

  const contact = () => {
    report.contact();
    recovery.contact();
  };
  const malformed = (reason: string) => {
    report.count('malformed');
    log.warn('line of the watch left out', { reason });
  };

  function finishList(resourceVersion: string): void {
    if (!known.endList(resourceVersion)) throw new UnconfirmedList();
    cursor = resourceVersion;
    following = true;
    report.state('watching');
    report.synced();
    recovery.listed();
    context.listed?.();
  }

  function applyEvent(type: string, object: unknown): void {
    report.count('events');
    if (type === 'ADDED' || type === 'MODIFIED') known.upsert(object);
    else if (type === 'DELETED') known.delete(object);
    else if (type !== 'BOOKMARK') malformed(`event of unknown type ${type}`);
  }

  /** Takes note of how far the server is. Throws where it was further on before: all must be asked for again. */
  function advance(type: string, { resourceVersion }: Place): void {
    if (resourceVersion === undefined) return;
    if (known.advance(resourceVersion)) cursor = resourceVersion;
    else if (type === 'BOOKMARK') throw wentBack();
  }

  const wentBack = () => new ApiError(410, 'the server has gone back behind what it said before');
  const paged = (patience: PagedList['contact']): PagedList => ({
    ...{ server, clock, kind, encoding, stop: round.signal },
    contact: patience,
  });

  async function list(): Promise<void> {
    report.state('listing');
    report.count('lists');
    known.beginList();
    const endMs = clock.monotonicMs() + timings.listSeconds * 1000;
    const patience = (watchdog: Watchdog) => {
      contact();
      watchdog.allow(Math.min(timings.initialQuietMs, Math.max(0, endMs - clock.monotonicMs())));
    };
    if (recovery.mayStream()) return streamList(patience);
    finishList(await readPagedList(paged(patience), known.upsert));
  }

  /** The list as the beginning of a watch (KEP-3157), which goes on as a watch afterwards. */
  async function streamList(patience: (watchdog: Watchdog) => void): Promise<void> {
    const parameters = {
      watch: '1',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(timings.listSeconds),
    };
    let complete = false;
    await read({
      path: pathOf(kind, parameters),
      allowMs: timings.initialQuietMs,
      contact(watchdog) {
        if (complete) contact();
        else patience(watchdog);
      },
      event(type, object, watchdog) {
        applyEvent(type, object);
        const place = placeOf(object);
        if (complete) return advance(type, place);
        if (type !== 'BOOKMARK') return;
        if (!place.endsInitialEvents) throw new ApiError(422, 'the server streams no lists');
        complete = true;
        finishList(place.resourceVersion!);
        watchdog.leaveAfter(watchSeconds() * 1000);
      },
    });
    if (!complete) throw new Error('the server ended the list before it was complete');
  }

  /**
   * A server that has not reached the place yet, as after its etcd was restored from a backup, sends nothing at all and no
   * error; one that has sends at least a bookmark before it ends the watch.
   */
  async function watch(): Promise<void> {
    let isMute = true;
    const seconds = watchSeconds();
    const fromMs = clock.monotonicMs();
    await streamWatch(seconds, () => {
      isMute = false;
    });
    if (!isMute || clock.monotonicMs() - fromMs < seconds * 900) return;
    const place = await readPlace(paged((watchdog) => watchdog.allow(timings.initialQuietMs)));
    if (known.isAhead(place)) throw wentBack();
  }

  function streamWatch(seconds: number, heard: () => void): Promise<void> {
    report.state('watching');
    report.count('watches');
    const parameters = {
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: cursor!,
      timeoutSeconds: String(seconds),
    };
    return read({
      path: pathOf(kind, parameters),
      allowMs: seconds * 1000 + timings.graceMs,
      contact() {
        contact();
        following = true;
      },
      event(type, object) {
        heard();
        applyEvent(type, object);
        advance(type, placeOf(object));
      },
    });
  }

  const read = (stream: Omit<EventStream, 'malformed' | keyof Encoding>) =>
    readEvents(server, clock, round.signal, { ...stream, ...encoding, malformed });

  /** Protobuf that cannot be read, or that something on the way refuses (406), is not asked for again. */
  function takeJson(error: unknown): void {
    const isRefused = error instanceof ApiError && error.status === 406;
    if (encoding.protobuf === undefined || !(isRefused || error instanceof BrokenStream)) return;
    encoding = { trim: kind.trim };
    log.warn('asking for JSON in place of protobuf from now on', { reason: error.message });
  }

  /** Spread out, so that kinds and replicas do not come in step. */
  const watchSeconds = () => Math.max(1, Math.round(timings.watchSeconds * (0.75 + 0.25 * random())));

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      round = new AbortController();
      const outcome = recovery.begin();
      try {
        await (cursor === undefined ? list() : watch());
        outcome.ended();
      } catch (error) {
        if (stopping.signal.aborted) return;
        following = false;
        if (!round.signal.aborted) {
          takeJson(error);
          if (outcome.failed(error) === 'relist') cursor = undefined;
        }
      }
      if (round.signal.aborted) cursor = undefined;
      await pause(outcome.delayMs());
    }
  }

  function pause(milliseconds: number): Promise<void> {
    if (milliseconds === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        stopping.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = clock.setTimeout(done, milliseconds);
      stopping.signal.addEventListener('abort', done);
    });
  }

  const running = run();
  return {
    isFollowing: () => following,
    relist() {
      known.forgetVersions();
      cursor = undefined;
      following = false;
      round.abort();
    },
    stop() {
      stopping.abort();
      round.abort();
      return running;
    },
  };
}

interface EventMetadata {
  readonly resourceVersion?: unknown;
  readonly annotations?: Readonly<Record<string, unknown>> | null;
}

/** Where in the server's history an event stands, and whether it ends a streamed list. */
interface Place {
  readonly resourceVersion: string | undefined;
  readonly endsInitialEvents: boolean;
}

/** Never throws. */
function placeOf(object: unknown): Place {
  const meta = (object as { metadata?: EventMetadata | null } | null)?.metadata;
  const version = meta?.resourceVersion;
  return {
    resourceVersion: typeof version === 'string' && version !== '' ? version : undefined,
    endsInitialEvents: meta?.annotations?.['k8s.io/initial-events-end'] === 'true',
  };
}
