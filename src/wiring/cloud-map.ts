// The configured Cloud Map API: opens its store, serves its namespaces as zones, and creates its HTTP endpoints.
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Random } from '../clock.ts';
import { openState, type State } from '../cloudmap/cloud-map-state.ts';
import { memoryStore, type Store } from '../cloudmap/cloud-map-store.ts';
import { type KubernetesStore, openKubernetesStore } from '../cloudmap/kubernetes/kubernetes-store.ts';
import { openLevelStore } from '../cloudmap/level-store.ts';
import { type NamespaceNames, namespaceNameProblem } from '../cloudmap/namespace-names.ts';
import { publishCloudMap } from '../cloudmap/publish-cloud-map.ts';
import type { NamespaceRecord } from '../cloudmap/records.ts';
import { logRefusedWrites } from '../cloudmap/refused-writes.ts';
import { StoreDamaged } from '../cloudmap/store-folder.ts';
import type { CloudMapConfig, EcsConfig, ZoneConfig } from '../config/config.ts';
import { formatName, parseName } from '../dns/name.ts';
import { TaskBook } from '../ecs/task-book.ts';
import { startTaskSource } from '../ecs/task-source.ts';
import type { LeaseTimings } from '../endpoints/lease.ts';
import { startEndpoints } from '../endpoints/start.ts';
import type { VerdictListener } from '../health/sync.ts';
import { awsEndpoints, cloudMapService } from '../http/aws-api.ts';
import type { AccessKey } from '../http/aws-signature.ts';
import type { Endpoint } from '../http/endpoint.ts';
import type { Logger } from '../log.ts';
import type { Metrics, Reading } from '../metrics.ts';
import type { Registry } from '../registry/registry.ts';
import type { WatchTimings } from '../sources/kubernetes/watch/timings.ts';
import type { StatusBoard } from '../sources/status.ts';
import type { Ecs, EcsDependencies } from './ecs.ts';
import { startEcsInCluster } from './ecs-kubernetes.ts';
import { startEcsOnProcesses } from './ecs-processes.ts';

export interface CloudMapDependencies {
  readonly registry: Registry;
  readonly board: StatusBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The zones of all DNS namespaces, whenever they change. */
  readonly onZones: (zones: readonly ZoneConfig[]) => void;
  readonly ecs?: EcsConfig;
  readonly concurrentChecks: number;
  /** Names of the zones of the configuration. */
  readonly configuredZones: () => readonly string[];
  /** Calls the listener with each verdict that changed. */
  readonly onVerdict: (listener: VerdictListener) => void;
  /** Makes verdicts take effect at once; resolves when names have reached the data plane. */
  readonly flush: () => Promise<void>;
  /** Shorter ones for tests. */
  readonly timings?: WatchTimings;
  readonly leaseTimings?: LeaseTimings;
}

export interface CloudMap {
  readonly endpoints: readonly Endpoint[];
  readonly state: State;
  stop(): Promise<void>;
}

/** Rejects if the store or a key file cannot be opened. */
export async function startCloudMap(config: CloudMapConfig, dependencies: CloudMapDependencies): Promise<CloudMap> {
  const { registry, board, clock, random, log, metrics, timings } = dependencies;
  const keys = await readKeys(config);
  const zoneNames: string[] = [];
  const store = await openStore(config, zoneNames, dependencies);
  const failures = metrics.counter('healthdns_cloudmap_store_failures_total');
  const logRefused = logRefusedWrites(log, clock);
  const state = await openState(store, (error, writes) => {
    failures.inc();
    logRefused(error, writes);
  });

  // Before `publishCloudMap`, which publishes the changes of both.
  const book = new TaskBook(state, registry);
  state.onChange((changes) => book.changed(changes));
  const published = new Published(dependencies, zoneNames);
  const health = publishCloudMap({
    ...{ state, registry, clock, defaults: config },
    onZone: (name, zone) => published.setZone(name, zone),
    judgeNow: () => published.flush(),
  });

  const namespaceNames = { allowed: config.namespaces, zones: dependencies.configuredZones };
  warnOfNames(state, namespaceNames, log);
  const inCluster = 'follow' in store ? store : undefined;
  inCluster?.follow(state);
  const endpoints =
    inCluster && config.store.kind === 'kubernetes'
      ? startEndpoints({
          ...{ config: config.store, store: inCluster, registry, clock, random, log, metrics },
          ...{ onVerdict: dependencies.onVerdict, leaseTimings: dependencies.leaseTimings },
        })
      : undefined;

  const tasks = config.tasks.map((cluster) =>
    startTaskSource({ config: cluster, book, registry, status: board, clock, random, log, timings }),
  );
  const uncollect = metrics.collect(() => taskReadings(book));

  const { region, account, limits } = config;
  const api = {
    ...{ state, clock, random, region, account, limits, health, namespaceNames },
    notReady: inCluster?.notReady,
  };
  const { concurrentChecks, leaseTimings } = dependencies;
  const ecs = await startEcs(dependencies.ecs, config, {
    ...{ cloudMap: api, book, board, clock, random, log, concurrentChecks, timings, leaseTimings },
    publishNow: () => published.flush(),
  });
  const services = [cloudMapService(api, () => published.done), ...(ecs ? [ecs.service] : [])];
  return {
    state,
    endpoints: [
      ...awsEndpoints({ services, writes: config.writes, keys, clock, log, metrics }),
      ...(ecs?.endpoints ?? []),
    ],
    async stop() {
      uncollect();
      await ecs?.stop();
      await Promise.all(tasks.map((source) => source.stop()));
      await endpoints?.stop();
      await store.close();
    },
  };
}

/** Rejects if the state cannot be read. */
async function startEcs(
  ecs: EcsConfig | undefined,
  { store }: CloudMapConfig,
  dependencies: EcsDependencies,
): Promise<Ecs | undefined> {
  if (ecs?.engine === 'processes') return startEcsOnProcesses(ecs, dependencies);
  if (ecs?.engine === 'kubernetes' && store.kind === 'kubernetes') return startEcsInCluster(ecs, store, dependencies);
  return undefined;
}

/** What Cloud Map and tasks have brought to DNS so far. */
class Published {
  /** Resolves when DNS answers by everything that was flushed. */
  done: Promise<void> = Promise.resolve();
  readonly #dependencies: CloudMapDependencies;
  /** Names of `zones`, for the status of the store. */
  readonly #names: string[];
  readonly #zones = new Map<string, ZoneConfig>();
  #announced: readonly ZoneConfig[] = [];

  constructor(dependencies: CloudMapDependencies, names: string[]) {
    this.#dependencies = dependencies;
    this.#names = names;
  }

  setZone(name: string, zone: ZoneConfig | undefined): void {
    if (zone === undefined) this.#zones.delete(name);
    else this.#zones.set(name, zone);
  }

  /** Makes zones, verdicts and names take effect now. */
  flush(): void {
    const { onZones, flush, log } = this.#dependencies;
    const zones = [...this.#zones.values()];
    this.#names.splice(0, this.#names.length, ...this.#zones.keys());
    if (!isDeepStrictEqual(zones, this.#announced)) onZones(zones);
    this.#announced = zones;
    this.done = flush();
    this.done.catch((error: Error) => log.error('failed to publish names of Cloud Map', { error: error.message }));
  }
}

/** Existing namespaces are always served; the operator is warned about those that could not be created now. */
function warnOfNames(state: State, names: NamespaceNames, log: Logger): void {
  const check = ({ id, name, type }: NamespaceRecord) => {
    const problem = type === 'HTTP' ? undefined : namespaceNameProblem(name, names);
    if (problem !== undefined) log.warn('a Cloud Map namespace has a name that is not allowed', { id, problem });
  };
  for (const namespace of state.namespaces.values()) check(namespace);
  state.onChange((changes) => {
    for (const { collection, value } of changes) if (collection === 'namespace' && value !== undefined) check(value);
  });
}

async function openStore(
  { store, namespaces }: CloudMapConfig,
  zones: readonly string[],
  { board, clock, random, log, timings }: CloudMapDependencies,
): Promise<Store | KubernetesStore> {
  switch (store.kind) {
    case 'memory':
      return memoryStore();
    case 'folder':
      return openFolder(store.path);
    case 'kubernetes':
      return openKubernetesStore({
        config: store,
        status: board,
        zones,
        claims: claimsOf(namespaces),
        clock,
        random,
        log,
        timings,
      });
  }
}

/** Where DNS namespaces may be: anywhere, unless a list of suffixes is configured. */
const claimsOf = (suffixes: CloudMapConfig['namespaces']): readonly string[] =>
  suffixes?.map((suffix) => formatName(parseName(suffix.toLowerCase()))) ?? ['.'];

async function openFolder(path: string): Promise<Store> {
  try {
    return await openLevelStore(path);
  } catch (error) {
    if (error instanceof StoreDamaged) throw new Error(`cloudMap.store.path: ${error.message}`);
    const { cause, message } = error as { cause?: Error & { code?: string }; message: string };
    if (cause?.code === 'LEVEL_LOCKED')
      throw new Error(
        `cloudMap.store.path ${path} is in use by another process (another healthdns?): ${cause.message}`,
      );
    throw new Error(`cloudMap.store.path ${path} cannot be opened: ${cause?.message ?? message}`);
  }
}

function readKeys({ keys }: CloudMapConfig): Promise<AccessKey[]> {
  return Promise.all(
    keys.map(async ({ accessKeyId, secretAccessKey, secretAccessKeyFile }) => {
      if (secretAccessKey !== undefined) return { accessKeyId, secretAccessKey };
      try {
        const secret = (await readFile(secretAccessKeyFile!, 'utf8')).trim();
        if (secret === '') throw new Error('it is empty');
        return { accessKeyId, secretAccessKey: secret };
      } catch (error) {
        throw new Error(`secretAccessKeyFile of key ${accessKeyId} cannot be read: ${(error as Error).message}`);
      }
    }),
  );
}

function taskReadings(book: TaskBook): Reading[] {
  const { tasks, unplaced, namesakes } = book.counts();
  return [
    { name: 'healthdns_ecs_tasks', value: tasks },
    { name: 'healthdns_ecs_tasks_unplaced', value: unplaced },
    { name: 'healthdns_ecs_tasks_namesakes', value: namesakes },
  ];
}
