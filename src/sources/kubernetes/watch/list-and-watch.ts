// Keeps the registry in sync with one kind of object of one cluster: a complete list, then a watch from the end of the list,
// then a watch from the end of that watch, and a new list only when the server has forgotten the version (410). A failure
// changes nothing: known data is served until the server reports otherwise. recovery.ts has the states.
//
// A watch that died silently is detected because every watch is short: the server ends it after at most `watchSeconds`, sends
// a bookmark two seconds before, and the next watch uses the same connection, so that this costs one request every five seconds and
// kind. A server that does not end it in time is unreachable.
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
  /** Called if the server does not have this kind, which is then requested from time to time. */
  readonly absent?: () => void;
  /** Called when the first, and each later, complete list has been applied. */
  readonly listed?: () => void;
  /** The kind is followed from now on, or no longer. */
  readonly followed?: (isFollowed: boolean) => void;
}

/** A server that ends more than this many consecutive watches at once without an event is not followed. */
const CUT_SHORT = 2;
/** A watch with more recent activity need not be verified. */
const JUST_NOW_MS = 1_000;

export class ListAndWatch {
  private readonly context: ListAndWatchContext;
  private readonly rules: RecoveryRules;
  private recovery: Recovery = STARTING;
  /** The resource version up to which everything is known; the next watch begins there. */
  private place = '';
  private following = false;
  private reached = false;
  /** Monotonic time of the last activity, and of the last confirmation: an event, a bookmark, a list. */
  private heardMs: number;
  private provedMs = Number.NEGATIVE_INFINITY;
  /** The next watch is a short one: its bookmark or its end proves that the kind is served. */
  private isProbing = false;
  /** Monotonic time until which the current probe may take. */
  private probeUntilMs = Number.NEGATIVE_INFINITY;
  private encoding: Encoding;
  private readonly stopping = new AbortController();
  /** Aborts the current list or watch. */
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

  /** A complete list was known and followed at this monotonic time: objects that it did not show did not exist. */
  hasFollowedSince(monotonicMs: number): boolean {
    return this.following && this.provedMs >= monotonicMs;
  }

  /** Requests a proof of life: replaces the current list or watch, or the pause before it, with another one. */
  verify(): void {
    const nowMs = this.context.clock.monotonicMs();
    if (nowMs - this.heardMs < JUST_NOW_MS || nowMs < this.probeUntilMs) return;
    this.isProbing = true;
    this.round.abort();
  }

  /** The server's history has changed: lists everything at once, and accepts it regardless of its version. */
  relist(): void {
    this.context.known.forgetVersions();
    this.recovery = { ...this.recovery, phase: 'listing' };
    this.follow(false);
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
        const askedMs = await (this.recovery.phase === 'listing' ? this.streamList() : this.watch());
        step = afterWatch(this.recovery, { ...this.endOfRound(startedMs), askedMs }, this.rules);
        if (step.next.failures > CUT_SHORT) this.follow(false);
      } catch (error) {
        if (!this.round.signal.aborted) step = this.failed(error as Error, startedMs);
      }
      if (step === undefined) continue; // stopped, to be listed, or to be verified
      this.recovery = step.next;
      await waitFor(step.pauseMs, clock, this.round.signal);
    }
  }

  private endOfRound(startedMs: number) {
    return { startedMs, nowMs: this.context.clock.monotonicMs(), heardMs: this.heardMs };
  }

  private follow(isFollowed: boolean): void {
    if (isFollowed === this.following) return;
    this.following = isFollowed;
    this.context.followed?.(isFollowed);
  }

  /** Nothing that happened until now is missing. */
  private prove(): void {
    const { clock, report, log } = this.context;
    this.provedMs = clock.monotonicMs();
    this.isProbing = false;
    report.contact();
    if (this.recovery.trouble !== undefined)
      log.info(this.reached ? 'reached the API server again' : 'reached the API server');
    this.recovery = afterContact(this.recovery);
    this.reached = true;
    if (!this.following) report.state('watching');
    this.follow(true);
  }

  private failed(error: Error, startedMs: number): Step {
    const { report, server, known, absent } = this.context;
    this.follow(false);
    this.isProbing = true;
    this.probeUntilMs = Number.NEGATIVE_INFINITY;
    const failure = failureOf(error, absent !== undefined);
    const { retryAfterMs = 0 } = error instanceof ApiError ? error : {};
    const step = afterFailure(this.recovery, failure, this.endOfRound(startedMs), this.rules, retryAfterMs);
    const detail = this.describe(error, failure);
    for (const counter of step.counters) report.count(counter);
    if (step.state !== undefined) report.state(step.state, detail);
    if (step.next.trouble?.is !== this.recovery.trouble?.is) this.logTrouble(step.next, detail);
    if (failure === 'unauthorized') server.forgetCredentials();
    if (failure === 'absent') absent?.();
    // Only a kind that has been read is worth waiting for: perhaps the role is being replaced.
    if (step.abandons || (failure === 'forbidden' && !this.rules.essential && !this.reached)) report.waive();
    if (step.abandons) known.abandon();
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
      const message = 'the API server denies access to this kind: add the missing RBAC rule to the role';
      log.error(message, { rule: missingRule(kind), detail });
    } else if (this.reached) {
      log.warn('lost the API server, serving known data and retrying', { detail });
    } else {
      log.warn('no response from the API server yet, retrying', { detail });
    }
  }

  /** Any byte: headers prove nothing yet. */
  private contact(): void {
    this.heardMs = this.context.clock.monotonicMs();
  }

  /** Protobuf that is malformed, or rejected by a proxy (406), is not requested again. */
  private rejectProtobuf(error: Error): void {
    const isRefused = error instanceof ApiError && error.status === 406;
    if (this.encoding.protobuf === undefined || !(isRefused || error instanceof BrokenStream)) return;
    this.encoding = {};
    this.context.log.warn('requesting JSON instead of protobuf from now on', { reason: error.message });
  }

  private async listPages(): Promise<void> {
    const patience = this.beginList();
    const { known } = this.context;
    this.finishList(await readPagedList(this.paged(patience), (object) => known.upsert(object)));
  }

  /** The list as the beginning of a watch (KEP-3157), which then continues as a watch. */
  private async streamList(): Promise<undefined> {
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
        watchdog.leaveAfter(this.watchMs());
      },
    });
    if (!complete) throw new Error('the server ended the list before it was complete');
    return undefined;
  }

  /** Extends the deadline of a list at each sign of life, up to its maximum duration. */
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
    this.prove();
    this.recovery = afterList(this.recovery);
    report.state('watching');
    report.synced();
    listed?.();
  }

  /**
   * A server that has not reached the version yet, as after its etcd was restored from a backup, sends neither data nor an
   * error; otherwise it sends at least a bookmark before it ends the watch.
   *
   * @returns a watch that lasted so long ended as it was asked to
   */
  private async watch(): Promise<number> {
    const { clock, timings, known, kind, report } = this.context;
    const askedMs = this.watchMs();
    const seconds = askedMs / 1000;
    const dueMs = clock.monotonicMs() + askedMs * LASTED;
    const allowMs = askedMs + (this.isProbing ? timings.graceMs / 2 : timings.graceMs);
    if (this.isProbing) this.probeUntilMs = clock.monotonicMs() + allowMs;
    let isMute = true;
    report.count('watches');
    const resourceVersion = this.place;
    const parameters = { watch: '1', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds: String(seconds) };
    await this.read({
      path: pathOf(kind, parameters),
      allowMs,
      contact: () => this.contact(),
      event: (type, object) => {
        isMute = false;
        this.applyEvent(type, object);
        this.advance(type, placeOf(object));
      },
    });
    if (clock.monotonicMs() < dueMs) return askedMs * LASTED;
    if (isMute) {
      const place = await readPlace(this.paged((watchdog) => watchdog.allow(timings.initialQuietMs)));
      if (known.isAhead(place)) throw wentBack();
    }
    this.prove();
    return askedMs * LASTED;
  }

  private applyEvent(type: string, object: unknown): void {
    const { report, known } = this.context;
    report.count('events');
    if (type === 'ADDED' || type === 'MODIFIED') known.upsert(object);
    else if (type === 'DELETED') known.delete(object);
    else if (type !== 'BOOKMARK') this.malformed(`event of unknown type ${type}`);
    if (this.recovery.phase === 'watching') this.prove();
  }

  /** Records the server's version. Throws if it was at a later one before: everything must be listed again. */
  private advance(type: string, { resourceVersion }: Place): void {
    if (resourceVersion === undefined) return;
    if (this.context.known.advance(resourceVersion)) this.place = resourceVersion;
    else if (type === 'BOOKMARK') throw wentBack();
  }

  private malformed(reason: string): void {
    this.context.report.count('malformed');
    this.context.log.warn('line of the watch skipped', { reason });
  }

  private read(stream: Omit<EventStream, 'malformed' | 'againMs' | keyof Encoding>): Promise<void> {
    const { server, clock, timings } = this.context;
    const malformed = (reason: string) => this.malformed(reason);
    const { againMs } = timings;
    return readEvents(server, clock, this.round.signal, { ...stream, ...this.encoding, againMs, malformed });
  }

  private paged(contact: PagedList['contact']): PagedList {
    const { server, clock, kind, timings } = this.context;
    const { againMs } = timings;
    return { server, clock, kind, encoding: this.encoding, stop: this.round.signal, againMs, contact };
  }

  /** Whole seconds; randomized, so that kinds and replicas do not synchronize. */
  private watchMs(): number {
    const { timings, random } = this.context;
    const seconds = this.isProbing ? timings.probeSeconds : timings.watchSeconds * (0.75 + 0.25 * random());
    return 1000 * Math.max(1, Math.round(seconds));
  }
}

/** Fraction of the requested duration that a properly ended watch lasts. */
const LASTED = 0.9;

const wentBack = () => new ApiError(410, 'the server returned older data than before');

interface EventMetadata {
  readonly resourceVersion?: unknown;
  readonly annotations?: Readonly<Record<string, unknown>> | null;
}

/** The resource version of an event, and whether it ends a streamed list. */
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
