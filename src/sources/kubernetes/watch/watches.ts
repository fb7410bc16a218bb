// All list-and-watch loops of one source, over one connection to its API server.
import type { Clock, Random } from '../../../clock.ts';
import type { ClusterAccess } from '../../../config/config.ts';
import type { Logger } from '../../../log.ts';
import type { KindReport, SourceReport } from '../../status.ts';
import { type ApiServer, connectApiServer } from '../api/api-server.ts';
import { Freshness } from './freshness.ts';
import { watchHeartbeat } from './heartbeat.ts';
import { KnownObjects } from './known-objects.ts';
import { ListAndWatch } from './list-and-watch.ts';
import { DEFAULT_TIMINGS, type WatchTimings } from './timings.ts';
import { labelOf, type WatchedKind } from './watched-kind.ts';

/** Everything that follows a cluster: the source of its names, and others that read or write it. */
export interface WatchSettings {
  readonly config: ClusterAccess;
  readonly clock: Clock;
  readonly random: Random;
  /** Shorter ones for tests. */
  readonly timings?: WatchTimings;
}

export interface Watch {
  readonly report: KindReport;
  /** See ListAndWatch. */
  hasFollowedSince(monotonicMs: number): boolean;
  /** Whether the server may have changes of this kind at this resource version that have not arrived. */
  isBehind(resourceVersion: string): boolean;
  verify(): void;
  /** Stops it and withdraws its objects. */
  discard(): Promise<void>;
}

export interface WatchHooks {
  /** The server does not have this kind; without this hook that is an ordinary error. */
  readonly absent?: () => void;
  /** A complete list was applied. */
  readonly listed?: () => void;
  readonly stop?: () => void;
}

export class Watches {
  private readonly settings: Required<WatchSettings>;
  private readonly log: Logger;
  private readonly source: SourceReport;
  private readonly server: ApiServer;
  private readonly freshness: Freshness;
  private readonly running = new Set<ListAndWatch>();
  private readonly objects = new Map<WatchedKind, KnownObjects>();
  private readonly restoredKeys = new Map<string, readonly string[]>();
  private readonly stopHooks: (() => void)[] = [];
  private readonly stopping = new AbortController();
  private waiting: (() => void)[] | undefined = [];
  private heartbeat: Promise<void> | undefined;

  constructor(settings: WatchSettings, log: Logger, source: SourceReport) {
    const { config, clock, timings = DEFAULT_TIMINGS } = settings;
    this.settings = { ...settings, timings };
    this.log = log;
    this.source = source;
    this.server = connectApiServer(config, clock, timings.headersMs);
    this.freshness = new Freshness(clock, timings.staleMs);
  }

  add(kind: WatchedKind, hooks: WatchHooks = {}): Watch {
    const log = this.log.child({ kind: labelOf(kind) });
    const report = this.source.kind(labelOf(kind), true);
    let loop: ListAndWatch | undefined;
    // The watch of another kind may have continued silently from a version that the new history also contains.
    const relistOthers = () => {
      for (const other of this.running) if (other !== loop) other.relist();
    };
    const known = new KnownObjects(kind, report, log, relistOthers);
    this.objects.set(kind, known);
    const start = () => {
      loop = this.follow(kind, known, report, log, hooks);
    };
    if (hooks.stop !== undefined) this.stopHooks.push(hooks.stop);
    if (this.waiting === undefined) start();
    else this.waiting.push(start);
    return {
      report,
      hasFollowedSince: (monotonicMs) => loop?.hasFollowedSince(monotonicMs) ?? false,
      isBehind: (resourceVersion) => known.isBehind(resourceVersion),
      verify: () => loop?.verify(),
      discard: () => this.discard(kind, known, report, loop),
    };
  }

  /** Starts those that were added; later ones start at once. */
  start(): void {
    for (const start of this.waiting ?? []) start();
    this.waiting = undefined;
    const { timings, clock } = this.settings;
    this.heartbeat = watchHeartbeat(this.server, timings.heartbeat, clock, this.stopping.signal, () => {
      for (const loop of this.running) loop.verify();
    });
  }

  async stop(): Promise<void> {
    for (const stop of this.stopHooks) stop();
    this.stopping.abort();
    this.freshness.stop();
    await Promise.all([this.heartbeat, ...[...this.running].map((loop) => loop.stop())]);
    this.server.close();
  }

  /** After `stop`: withdraws all objects, except those with the same key in one of `others`. */
  withdraw(others: readonly Pick<Watches, 'knows'>[]): void {
    for (const [kind, known] of this.objects) {
      const own = [...known.keys()].filter((key) => !others.some((other) => other.knows(kind.resource, key)));
      for (const key of own) kind.remove(key);
      kind.abandon?.(own); // including facts about deleted ones
    }
    this.objects.clear();
  }

  /** Whether an object of this kind and key is known. */
  knows(resource: string, key: string): boolean {
    return [...this.objects].some(([kind, known]) => kind.resource === resource && known.has(key));
  }

  *knownKeys(): Generator<{ readonly kind: string; readonly key: string }> {
    for (const [kind, known] of this.objects) for (const key of known.keys()) yield { kind: labelOf(kind), key };
  }

  /** Before `start`: the keys of a snapshot, for the first list to be compared with. */
  restoreKeys(kind: string, keys: readonly string[]): void {
    this.restoredKeys.set(kind, keys);
  }

  private follow(
    kind: WatchedKind,
    known: KnownObjects,
    report: KindReport,
    log: Logger,
    { absent, listed }: WatchHooks,
  ): ListAndWatch {
    const { server, freshness } = this;
    const { clock, random, timings } = this.settings;
    const keys = this.restoredKeys.get(labelOf(kind)) ?? [];
    kind.restored?.(keys);
    known.restore(keys);
    const followed = (isFollowed: boolean) => freshness.setFollowed(kind, isFollowed);
    followed(false);
    const context = { kind, known, report, server, clock, random, log, timings, absent, listed, followed };
    const loop = new ListAndWatch(context);
    this.running.add(loop);
    return loop;
  }

  private async discard(
    kind: WatchedKind,
    known: KnownObjects,
    report: KindReport,
    loop: ListAndWatch | undefined,
  ): Promise<void> {
    if (loop !== undefined) this.running.delete(loop);
    this.objects.delete(kind);
    this.freshness.delete(kind);
    await loop?.stop();
    for (const key of known.keys()) kind.remove(key);
    report.remove();
  }
}
