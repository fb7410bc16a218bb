// All list-and-watch loops of one source, over one connection to its API server.
import type { Clock, Random } from '../../../clock.ts';
import type { ClusterAccess } from '../../../config/config.ts';
import type { Logger } from '../../../log.ts';
import type { KindReport, SourceReport } from '../../status.ts';
import { connectApiServer } from '../api/api-server.ts';
import { Freshness } from './freshness.ts';
import { watchHeartbeat } from './heartbeat.ts';
import { createKnownObjects, type KnownObjects } from './known-objects.ts';
import { ListAndWatch } from './list-and-watch.ts';
import { DEFAULT_TIMINGS, type WatchTimings } from './timings.ts';
import { labelOf, type WatchedKind } from './watched-kind.ts';

/** Whatever follows a cluster: the source of its names, and others that read or write it. */
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
  /** Whether the server may know more of this kind at this resource version than has been heard. */
  isBehind(resourceVersion: string): boolean;
  verify(): void;
  /** Stops it and takes back what it stated. */
  discard(): Promise<void>;
}

export interface WatchHooks {
  /** The server does not have this kind; without this hook that is an error like others. */
  readonly absent?: () => void;
  /** A complete list was applied. */
  readonly listed?: () => void;
  readonly stop?: () => void;
}

export interface Watches {
  add(kind: WatchedKind, hooks?: WatchHooks): Watch;
  /** Starts those that were added; later ones start at once. */
  start(): void;
  stop(): Promise<void>;
  /** After `stop`: takes back what was stated, except what one of `others` states under the same key. */
  withdraw(others: readonly Pick<Watches, 'knows'>[]): void;
  /** Whether an object of this kind and key is known. */
  knows(resource: string, key: string): boolean;
  knownKeys(): Iterable<{ readonly kind: string; readonly key: string }>;
  /** Before `start`: the keys of a snapshot, for the first list to be compared with. */
  restoreKeys(kind: string, keys: readonly string[]): void;
}

export function createWatches(settings: WatchSettings, log: Logger, source: SourceReport): Watches {
  const { clock, random, timings = DEFAULT_TIMINGS } = settings;
  const server = connectApiServer(settings.config, clock, timings.headersMs);
  const running = new Set<ListAndWatch>();
  const objects = new Map<WatchedKind, KnownObjects>();
  const restoredKeys = new Map<string, readonly string[]>();
  const stopHooks: (() => void)[] = [];
  const freshness = new Freshness(clock, timings.staleMs);
  const stopping = new AbortController();
  let heartbeat: Promise<void> | undefined;
  let waiting: (() => void)[] | undefined = [];

  function add(kind: WatchedKind, { absent, listed, stop }: WatchHooks = {}): Watch {
    const label = labelOf(kind);
    const kindLog = log.child({ kind: label });
    const report = source.kind(label, true);
    let loop: ListAndWatch | undefined;
    // Another kind's watch may have gone on silently from a version that the new history has as well.
    const relistOthers = () => {
      for (const other of running) if (other !== loop) other.relist();
    };
    const known = createKnownObjects(kind, report, kindLog, relistOthers);
    objects.set(kind, known);
    const start = () => {
      const keys = restoredKeys.get(label) ?? [];
      kind.restored?.(keys);
      known.restore(keys);
      const followed = (isFollowed: boolean) => freshness.setFollowed(kind, isFollowed);
      followed(false);
      const context = { kind, known, report, server, clock, random, log: kindLog, timings, absent, listed, followed };
      loop = new ListAndWatch(context);
      running.add(loop);
    };
    if (stop !== undefined) stopHooks.push(stop);
    if (waiting === undefined) start();
    else waiting.push(start);
    return {
      report,
      hasFollowedSince: (monotonicMs) => loop?.hasFollowedSince(monotonicMs) ?? false,
      isBehind: (resourceVersion) => known.isBehind(resourceVersion),
      verify: () => loop?.verify(),
      async discard() {
        if (loop !== undefined) running.delete(loop);
        objects.delete(kind);
        freshness.delete(kind);
        await loop?.stop();
        for (const key of known.keys()) kind.remove(key);
        report.remove();
      },
    };
  }

  return {
    add,
    start() {
      for (const start of waiting ?? []) start();
      waiting = undefined;
      heartbeat = watchHeartbeat(server, timings.heartbeat, clock, stopping.signal, () => {
        for (const loop of running) loop.verify();
      });
    },
    async stop() {
      for (const stop of stopHooks) stop();
      stopping.abort();
      freshness.stop();
      await Promise.all([heartbeat, ...[...running].map((loop) => loop.stop())]);
      server.close();
    },
    withdraw(others) {
      for (const [kind, known] of objects) {
        const own = [...known.keys()].filter((key) => !others.some((other) => other.knows(kind.resource, key)));
        for (const key of own) kind.remove(key);
        kind.abandon?.(own); // also the facts about those that are gone
      }
      objects.clear();
    },
    knows: (resource, key) => [...objects].some(([kind, known]) => kind.resource === resource && known.has(key)),
    *knownKeys() {
      for (const [kind, known] of objects) for (const key of known.keys()) yield { kind: labelOf(kind), key };
    },
    restoreKeys: (kind, keys) => void restoredKeys.set(kind, keys),
  };
}
