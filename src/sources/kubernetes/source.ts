// One cluster as a source: a list-and-watch for each kind of object, and a place on the board of sources.
//
// What is not here yet has its place: another kind of object is a file beside services.ts and a line in `kinds` below.
import type { Clock, Random } from '../../clock.ts';
import type { KubernetesConfig, ZoneConfig } from '../../config/config.ts';
import type { Logger } from '../../log.ts';
import type { KindReport, SourceReport, StatusBoard } from '../status.ts';
import { connectApiServer } from './api-server.ts';
import { type Cluster, type Statements, sourceName } from './cluster.ts';
import { endpointSlicesKind } from './endpoint-slices.ts';
import { endpointsKind } from './endpoints.ts';
import { createKnownObjects, type KnownObjects } from './known-objects.ts';
import { type ListAndWatch, startListAndWatch } from './list-and-watch.ts';
import { namespacesKind } from './namespaces.ts';
import { nodesKind } from './nodes.ts';
import { podsKind } from './pods.ts';
import { createPublishedServices } from './published-services.ts';
import { servicesKind } from './services.ts';
import type { WatchTimings } from './timings.ts';
import { labelOf, type WatchedKind } from './watched-kind.ts';

export interface KubernetesSourceSettings {
  readonly config: KubernetesConfig;
  /** The zone that the cluster's names are in. */
  readonly zone: ZoneConfig;
  readonly registry: Statements;
  readonly status: StatusBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Shorter ones for tests. */
  readonly timings?: WatchTimings;
}

export interface Source {
  /** Stops watching; what was stated stays. Resolves when no request is under way any more. */
  stop(): Promise<void>;
  /** After `stop`: takes back what was stated, but for what one of `others` states under the same key. */
  withdraw(others: readonly Source[]): void;
  /** Whether an object of this kind and key is known. */
  knows(kind: string, key: string): boolean;
}

/** Follows a cluster until stopped. Never throws: an unreachable cluster or a bad kubeconfig is tried again for ever. */
export function startKubernetesSource(settings: KubernetesSourceSettings): Source {
  const { config, zone, registry, status, clock } = settings;
  const log = settings.log.child({ source: sourceName(config), zone: zone.name });
  const cluster: Cluster = { config, zone, registry, clock, log };
  const watches = createWatches(settings, log, status.add(sourceName(config), [zone.name]));

  const published = createPublishedServices(cluster);
  const namespaces = config.namespaces.length === 0 ? [undefined] : config.namespaces;
  watches.add(namespacesKind(cluster, published));
  watches.add(nodesKind(cluster));
  for (const namespace of namespaces) {
    watches.add(servicesKind(cluster, published, namespace));
    const pods = podsKind(cluster, () => podWatch.isFollowing(), namespace);
    const podWatch = watches.add(pods, { stop: pods.stop });
    addEndpoints(watches, cluster, endpointSlicesKind(cluster, pods.unseen, namespace), namespace);
  }
  watches.start();
  return { stop: watches.stop, withdraw: watches.withdraw, knows: watches.knows };
}

/** EndpointSlices, or Endpoints for as long as the server has no EndpointSlices. */
function addEndpoints(watches: Watches, cluster: Cluster, slices: WatchedKind, namespace: string | undefined): void {
  let legacy: Watch | undefined;
  const sliceWatch: Watch = watches.add(slices, {
    absent() {
      if (legacy !== undefined) return;
      cluster.log.info('this API server has no EndpointSlices, reading Endpoints');
      legacy = watches.add(endpointsKind(cluster, namespace));
      sliceWatch.report.waive();
    },
    listed() {
      void legacy?.discard();
      legacy = undefined;
    },
  });
}

interface Watch {
  readonly report: KindReport;
  isFollowing(): boolean;
  /** Stops it and takes back what it stated. */
  discard(): Promise<void>;
}

interface Watches {
  add(
    kind: WatchedKind,
    hooks?: { readonly absent?: () => void; readonly listed?: () => void; readonly stop?: () => void },
  ): Watch;
  /** Starts those that were added; later ones start at once. */
  start(): void;
  stop(): Promise<void>;
  withdraw(others: readonly Source[]): void;
  knows(kind: string, key: string): boolean;
}

function createWatches(settings: KubernetesSourceSettings, log: Logger, source: SourceReport): Watches {
  const { clock, random, timings } = settings;
  const server = connectApiServer(settings.config, clock);
  const running = new Set<ListAndWatch>();
  const objects = new Map<WatchedKind, KnownObjects>();
  const stopHooks: (() => void)[] = [];
  let waiting: (() => void)[] | undefined = [];

  return {
    add(kind, { absent, listed, stop } = {}) {
      const report = source.kind(labelOf(kind), true);
      const known = createKnownObjects(kind, report, log.child({ kind: labelOf(kind) }));
      objects.set(kind, known);
      let loop: ListAndWatch | undefined;
      const start = () => {
        const optional = absent && { absent };
        loop = startListAndWatch(kind, known, report, { server, clock, random, log, timings, optional, listed });
        running.add(loop);
      };
      if (stop !== undefined) stopHooks.push(stop);
      if (waiting === undefined) start();
      else waiting.push(start);
      return {
        report,
        isFollowing: () => loop?.isFollowing() ?? false,
        async discard() {
          if (loop !== undefined) running.delete(loop);
          objects.delete(kind);
          await loop?.stop();
          for (const key of known.keys()) kind.remove(key);
          report.remove();
        },
      };
    },
    start() {
      for (const start of waiting ?? []) start();
      waiting = undefined;
    },
    async stop() {
      for (const stop of stopHooks) stop();
      await Promise.all([...running].map((loop) => loop.stop()));
      server.close();
      source.remove();
    },
    withdraw(others) {
      for (const [kind, known] of objects) {
        const own = [...known.keys()].filter((key) => !others.some((other) => other.knows(kind.resource, key)));
        for (const key of own) kind.remove(key);
        kind.abandon?.(own); // Also of what is said of those that are gone.
      }
      objects.clear();
    },
    knows: (resource, key) => [...objects].some(([kind, known]) => kind.resource === resource && known.has(key)),
  };
}
