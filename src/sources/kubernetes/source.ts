// One cluster as a source: a list-and-watch for each kind of object, and an entry on the board of sources.
//
// Another kind of object is a file beside services.ts and a line in `addKinds`.
import type { Clock, Timer } from '../../clock.ts';
import type { KubernetesConfig, ZoneConfig } from '../../config/config.ts';
import type { Logger } from '../../log.ts';
import type { SourceReport, StatusBoard } from '../status.ts';
import { type Cluster, sourceName } from './kinds/cluster.ts';
import { endpointSlicesKind } from './kinds/endpoint-slices.ts';
import { endpointsKind } from './kinds/endpoints.ts';
import { namespacesKind } from './kinds/namespaces.ts';
import { nodesKind } from './kinds/nodes.ts';
import { PodsKind, type StrayPod } from './kinds/pods.ts';
import { createPublishedServices } from './kinds/published-services.ts';
import { serviceImportsKind } from './kinds/service-imports.ts';
import { servicesKind } from './kinds/services.ts';
import { Recorder, type Statements } from './snapshot/recorder.ts';
import { SnapshotKeeper } from './snapshot/snapshot.ts';
import type { WatchedKind } from './watch/watched-kind.ts';
import { type Watch, Watches, type WatchSettings } from './watch/watches.ts';

export interface KubernetesSourceSettings extends WatchSettings {
  readonly config: KubernetesConfig;
  /** The zone that the cluster's names are in. */
  readonly zone: ZoneConfig;
  readonly registry: Statements;
  readonly status: StatusBoard;
  readonly log: Logger;
  /** See Cluster. */
  readonly changed?: Cluster['changed'];
}

export interface Source extends Pick<Watches, 'withdraw' | 'knows'> {
  /** Pods that no service contains. */
  strayPods(): Iterable<StrayPod>;
  /** Stops watching; its objects stay. Resolves when no request is in flight. */
  stop(): Promise<void>;
}

/** Follows a cluster until stopped. Never throws: an unreachable cluster or an invalid kubeconfig is retried forever. */
export function startKubernetesSource(settings: KubernetesSourceSettings): Source {
  const { config, zone, clock } = settings;
  const { name } = config;
  const log = settings.log.child({ source: name, zone: zone.name });
  const recorder = config.snapshot === undefined ? undefined : new Recorder(settings.registry);
  const { changed } = settings;
  const cluster: Cluster = { config, zone, registry: recorder ?? settings.registry, clock, log, changed };
  const report = settings.status.add(name, [zone.name]);
  const watches = new Watches(settings, log, report);
  const pods = addKinds(watches, cluster);

  const snapshot =
    recorder &&
    new SnapshotKeeper({
      ...{ settings: config.snapshot!, of: `${sourceName(config)} ${zone.name}`, report, clock, log },
      // An object without its key would never be withdrawn after a restart.
      lines: () => [...recorder.statements(), ...watches.knownKeys()],
      restore(lines) {
        for (const [kind, keys] of recorder.restore(lines)) watches.restoreKeys(kind, keys);
      },
      withdraw: () => recorder.withdrawRestored(),
    });
  const stopWatchingAge = watchAge(report, config.staleAfterSeconds * 1000, clock);
  let stopping = false;
  const starting = (snapshot?.restore() ?? Promise.resolve()).then(() => {
    if (!stopping) watches.start();
  });

  return {
    async stop() {
      stopping = true;
      stopWatchingAge();
      await starting;
      await watches.stop();
      await snapshot?.stop();
      report.remove();
    },
    strayPods: () => pods.flatMap((kind) => [...kind.strays()]),
    withdraw: (others) => watches.withdraw(others),
    knows: (kind, key) => watches.knows(kind, key),
  };
}

/** Marks the data as stale while it has not been confirmed for too long. Returns the function that stops it. */
function watchAge(report: SourceReport, limitMs: number, clock: Clock): () => void {
  let timer: Timer | undefined;
  const look = () => {
    report.setOld((report.ageMs() ?? 0) > limitMs);
    timer = clock.setTimeout(look, Math.min(MAX_LOOK_MS, limitMs / 4));
  };
  if (limitMs > 0) look();
  return () => timer?.cancel();
}

const MAX_LOOK_MS = 5_000;

function addKinds(watches: Watches, cluster: Cluster): readonly PodsKind[] {
  const { config } = cluster;
  const all: PodsKind[] = [];
  const published = createPublishedServices(cluster);
  watches.add(namespacesKind(cluster, published));
  watches.add(nodesKind(cluster));
  for (const namespace of config.namespaces.length === 0 ? [undefined] : config.namespaces) {
    if (config.multicluster) addServiceImports(watches, serviceImportsKind(cluster, published, namespace));
    else watches.add(servicesKind(cluster, published, namespace));
    // External addresses have no instances that could be alive or dead.
    if (config.externalAddresses) continue;
    const pods = new PodsKind(cluster, () => podWatch, namespace);
    const podWatch = watches.add(pods, { stop: () => pods.stop() });
    all.push(pods);
    addEndpoints(watches, cluster, endpointSlicesKind(cluster, pods, namespace), namespace);
  }
  return all;
}

/** A cluster without the Multi-Cluster Services API is not in a set: it has nothing to import. */
function addServiceImports(watches: Watches, kind: WatchedKind): void {
  const watch: Watch = watches.add(kind, { absent: () => watch.report.waive() });
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
