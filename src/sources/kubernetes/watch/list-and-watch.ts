// Keeps the registry in step with one kind of object of one cluster, for ever: a complete list, then a watch from where
// the list ended, then a watch from where that watch ended, and a new list only when the server has forgotten the place
// (410). Failure changes nothing: what was known is served until the server reports otherwise. recovery.ts has the states.
//
// A watch that died silently is found because every watch is short: the server is asked to end it after at most
// `watchSeconds`, sends a bookmark two seconds before, and the next watch uses the same connection, so that this costs one
// request a minute and kind. A server that does not end it in time has gone away.
import type { Clock, Random } from '../../../clock.ts';
import type { Logger } from '../../../log.ts';
import type { KindReport } from '../../status.ts';
import { ApiError, type ApiServer } from '../api/api-server.ts';
import { BrokenStream, type Encoding, type EventStream, readEvents } from './event-stream.ts';
import type { KnownObjects } from './known-objects.ts';
import { type PagedList, readPagedList, readPlace } from './paged-list.ts';
import {
  afterContact,
  afterFailure,
  afterList,
  afterWatch,
  type Failure,
  failureOf,
  type Recovery,
  type RecoveryRules,
  STARTING,
  type Step,
  UnconfirmedList,
} from './recovery.ts';
import type { WatchTimings } from './timings.ts';
import { type Watchdog, waitFor } from './watchdog.ts';
import { missingRule, pathOf, selectorOf, type WatchedKind } from './watched-kind.ts';

export interface ListAndWatchContext {
  readonly kind: WatchedKind;
  readonly known: KnownObjects;
  readonly report: KindReport;
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly timings: WatchTimings;
  /** The server may be without this kind; then this is called, and it is asked for again from time to time. */
  readonly absent?: () => void;
  /** Called when the first, and each later, complete list has been applied. */
  readonly listed?: () => void;
}

export class ListAndWatch {
  private readonly context: ListAndWatchContext;
  private readonly rules: RecoveryRules;
  private recovery: Recovery = STARTING;
  /** The place in the server's history up to which all is known; the next watch begins there. */
  private place = '';
  private following = false;
  private reached = false;
  private heardMs: number;
  private encoding: Encoding;
  private readonly stopping = new AbortController();
  /** Aborts the list or watch that is under way. */
  private round = new AbortController();
  private readonly running: Promise<void>;

  constructor(context: ListAndWatchContext) {
    const { kind, timings, random, clock } = context;
    this.context = context;
    this.rules = { timings, random, essential: kind.essential };
    this.heardMs = clock.monotonicMs();
    this.encoding = { protobuf: kind.protobuf };
    this.running = this.run();
  }

  /** A complete list is known and followed: what it does not show does not exist. */
  isFollowing(): boolean {
    return this.following;
  }

  /** The server's history is another one: all is asked for at once, and believed whatever its version. */
  relist(): void {
    this.context.known.forgetVersions();
    this.recovery = { ...this.recovery, phase: 'listing' };
    this.following = false;
    this.round.abort();
  }

  stop(): Promise<void> {
    this.stopping.abort();
    this.round.abort();
    return this.running;
  }

  private async run(): Promise<void> {
    const { clock } = this.context;
    while (!this.stopping.signal.aborted) {
      this.round = new AbortController();
      const startedMs = clock.monotonicMs();
      let step: Step | undefined;
      try {
        if (this.recovery.phase === 'listing' && this.recovery.listBy === 'pages') {
          await this.listPages();
          continue;
        }
        await (this.recovery.phase === 'listing' ? this.streamList() : this.watch());
        step = afterWatch(this.recovery, this.endOfRound(startedMs), this.rules);
      } catch (error) {
        this.following = false;
        if (!this.round.signal.aborted) step = this.failed(error as Error, startedMs);
      }
      if (step === undefined) continue; // stopped, or to be listed at once
      this.recovery = step.next;
      await waitFor(step.pauseMs, clock, this.stopping.signal);
    }
  }

  private endOfRound(startedMs: number) {
    return { startedMs, nowMs: this.context.clock.monotonicMs(), heardMs: this.heardMs };
  }

  private failed(error: Error, startedMs: number): Step {
    const { report, server, known, absent } = this.context;
    const failure = failureOf(error, absent !== undefined);
    const { retryAfterMs = 0 } = error instanceof ApiError ? error : {};
    const step = afterFailure(this.recovery, failure, this.endOfRound(startedMs), this.rules, retryAfterMs);
    const detail = this.describe(error, failure);
    for (const counter of step.counters) report.count(counter);
    if (step.state !== undefined) report.state(step.state, detail);
    if (step.next.trouble?.is !== this.recovery.trouble?.is) this.logTrouble(step.next, detail);
    if (failure === 'unauthorized') server.forgetCredentials();
    if (failure === 'absent') absent?.();
    if (step.abandons) {
      report.waive();
      known.abandon();
    }
    this.rejectProtobuf(error);
    return step;
  }

  private describe(error: Error, failure: Failure): string {
    if (!(error instanceof ApiError) || failure === 'forbidden' || failure === 'absent') return error.message;
    const at = failure === 'misunderstood' ? selectorOf(this.context.kind) : '';
    return `${at}HTTP ${error.status}: ${error.message}`;
  }

  private logTrouble({ trouble }: Recovery, detail: string): void {
    const { log, kind } = this.context;
    if (trouble?.is === 'forbidden') {
      const message = 'the API server refuses this kind: add the missing RBAC rule to the role';
      log.error(message, { rule: missingRule(kind), detail });
    } else if (this.reached) {
      log.warn('lost the API server, serving what was known and trying again', { detail });
    } else {
      log.warn('no answer from the API server yet, trying again', { detail });
    }
  }

  private contact(): void {
    const { clock, report, log } = this.context;
    this.heardMs = clock.monotonicMs();
    report.contact();
    if (this.recovery.trouble !== undefined)
      log.info(this.reached ? 'reached the API server again' : 'reached the API server');
    this.recovery = afterContact(this.recovery);
    this.reached = true;
  }

  /** Protobuf that is broken, or that something on the way refuses (406), is not asked for again. */
  private rejectProtobuf(error: Error): void {
    const isRefused = error instanceof ApiError && error.status === 406;
    if (this.encoding.protobuf === undefined || !(isRefused || error instanceof BrokenStream)) return;
    this.encoding = {};
    this.context.log.warn('asking for JSON in place of protobuf from now on', { reason: error.message });
  }

  private async listPages(): Promise<void> {
    const patience = this.beginList();
    this.finishList(await readPagedList(this.paged(patience), this.context.known.upsert));
  }

  /** The list as the beginning of a watch (KEP-3157), which goes on as a watch afterwards. */
  private async streamList(): Promise<void> {
    const { timings, kind } = this.context;
    const patience = this.beginList();
    const parameters = {
      watch: '1',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(timings.listSeconds),
    };
    let complete = false;
    await this.read({
      path: pathOf(kind, parameters),
      allowMs: timings.initialQuietMs,
      contact: (watchdog) => (complete ? this.contact() : patience(watchdog)),
      event: (type, object, watchdog) => {
        this.applyEvent(type, object);
        const place = placeOf(object);
        if (complete) return this.advance(type, place);
        if (type !== 'BOOKMARK') return;
        if (!place.endsInitialEvents) throw new ApiError(422, 'the server does not stream lists');
        complete = true;
        this.finishList(place.resourceVersion!);
        watchdog.leaveAfter(this.watchSeconds() * 1000);
      },
    });
    if (!complete) throw new Error('the server ended the list before it was complete');
  }

  /** What allows a list to go on, at each sign of life, for as long as a list may take in all. */
  private beginList(): (watchdog: Watchdog) => void {
    const { clock, timings, known, report } = this.context;
    report.state('listing');
    report.count('lists');
    known.beginList();
    const endMs = clock.monotonicMs() + timings.listSeconds * 1000;
    return (watchdog) => {
      this.contact();
      watchdog.allow(Math.min(timings.initialQuietMs, Math.max(0, endMs - clock.monotonicMs())));
    };
  }

  private finishList(resourceVersion: string): void {
    const { known, report, listed } = this.context;
    if (!known.endList(resourceVersion)) throw new UnconfirmedList();
    this.place = resourceVersion;
    this.following = true;
    this.recovery = afterList(this.recovery);
    report.state('watching');
    report.synced();
    listed?.();
  }

  /**
   * A server that has not reached the place yet, as after its etcd was restored from a backup, sends nothing at all and no
   * error; one that has sends at least a bookmark before it ends the watch.
   */
  private async watch(): Promise<void> {
    const { clock, timings, known, kind, report } = this.context;
    const seconds = this.watchSeconds();
    const fromMs = clock.monotonicMs();
    let isMute = true;
    report.state('watching');
    report.count('watches');
    const resourceVersion = this.place;
    const parameters = { watch: '1', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds: String(seconds) };
    await this.read({
      path: pathOf(kind, parameters),
      allowMs: seconds * 1000 + timings.graceMs,
      contact: () => {
        this.contact();
        this.following = true;
      },
      event: (type, object) => {
        isMute = false;
        this.applyEvent(type, object);
        this.advance(type, placeOf(object));
      },
    });
    if (!isMute || clock.monotonicMs() - fromMs < seconds * 900) return;
    const place = await readPlace(this.paged((watchdog) => watchdog.allow(timings.initialQuietMs)));
    if (known.isAhead(place)) throw wentBack();
  }

  private applyEvent(type: string, object: unknown): void {
    const { report, known } = this.context;
    report.count('events');
    if (type === 'ADDED' || type === 'MODIFIED') known.upsert(object);
    else if (type === 'DELETED') known.delete(object);
    else if (type !== 'BOOKMARK') this.malformed(`event of unknown type ${type}`);
  }

  /** Notes how far the server is. Throws where it was further on before: all must be asked for again. */
  private advance(type: string, { resourceVersion }: Place): void {
    if (resourceVersion === undefined) return;
    if (this.context.known.advance(resourceVersion)) this.place = resourceVersion;
    else if (type === 'BOOKMARK') throw wentBack();
  }

  private malformed(reason: string): void {
    this.context.report.count('malformed');
    this.context.log.warn('line of the watch left out', { reason });
  }

  private read(stream: Omit<EventStream, 'malformed' | keyof Encoding>): Promise<void> {
    const { server, clock } = this.context;
    const malformed = (reason: string) => this.malformed(reason);
    return readEvents(server, clock, this.round.signal, { ...stream, ...this.encoding, malformed });
  }

  private paged(contact: PagedList['contact']): PagedList {
    const { server, clock, kind } = this.context;
    return { server, clock, kind, encoding: this.encoding, stop: this.round.signal, contact };
  }

  /** Spread out, so that kinds and replicas do not come in step. */
  private watchSeconds(): number {
    const { timings, random } = this.context;
    return Math.max(1, Math.round(timings.watchSeconds * (0.75 + 0.25 * random())));
  }
}

const wentBack = () => new ApiError(410, 'the server is behind what it sent before');

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
