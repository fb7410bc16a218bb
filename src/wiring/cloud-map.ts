// The configured Cloud Map API: opens its store, serves its namespaces as zones, and creates its HTTP endpoints.
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
import { readRegularFile } from '../native/regular-file.ts';
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
  readonly ecs?: EcsConfig | undefined;
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
  /**
   * Takes over a new configuration. Changes of permissions and rules apply in place; a store that
   * stays the same stays open, with all registrations. Rejects if a store or a key file cannot be opened.
   */
  prepare(config: CloudMapConfig | undefined, ecs: EcsConfig | undefined): Promise<CloudMapChange>;
  stop(): Promise<void>;
}

export interface CloudMapChange {
  /** undefined: it has been removed. */
  commit(): Promise<CloudMap | undefined>;
  release(): Promise<void>;
}

interface OpenedStore {
  readonly config: CloudMapConfig;
  readonly store: Store | KubernetesStore;
  readonly state: State;
  /** For the status of the store. */
  readonly zoneNames: string[];
  /** Discards what an earlier process registered. */
  readonly isNewInMemory: boolean;
}

/** Rejects if the store or a key file cannot be opened. */
export async function startCloudMap(config: CloudMapConfig, dependencies: CloudMapDependencies): Promise<CloudMap> {
  const keys = await readKeys(config);
  return serveCloudMap(await openWithState(config, dependencies), config, keys, dependencies);
}

/** Prepares the first one, where there was none. */
export async function prepareCloudMap(
  config: CloudMapConfig,
  dependencies: CloudMapDependencies,
): Promise<CloudMapChange> {
  const keys = await readKeys(config);
  const opened = await openWithState(config, dependencies);
  return {
    commit: () => serveCloudMap(opened, config, keys, dependencies),
    release: () => opened.store.close(),
  };
}

async function openWithState(config: CloudMapConfig, dependencies: CloudMapDependencies): Promise<OpenedStore> {
  const { clock, log, metrics } = dependencies;
  const zoneNames: string[] = [];
  const store = await openStore(config, zoneNames, dependencies);
  const failures = metrics.counter('healthdns_cloudmap_store_failures_total');
  const logRefused = logRefusedWrites(log, clock);
  const state = await openState(store, (error, writes) => {
    failures.inc();
    logRefused(error, writes);
  });
  if ('follow' in store) store.follow(state);
  return { config, store, state, zoneNames, isNewInMemory: config.store.kind === 'memory' };
}

/** The store of a configuration; a store in a cluster gets the names that namespaces may have. */
const storeOf = ({ store, namespaces }: CloudMapConfig): string =>
  JSON.stringify([store, store.kind === 'kubernetes' && namespaces]);

/** Starts what a store needs to be served, and makes the endpoints of one configuration after the other. */
async function serveCloudMap(
  opened: OpenedStore,
  config: CloudMapConfig,
  keys: readonly AccessKey[],
  dependencies: CloudMapDependencies,
): Promise<CloudMap> {
  const started = await startParts(opened, config, dependencies);
  const { api, health, published, book, ecs } = started;
  const { clock, log, metrics } = dependencies;
  const services = [cloudMapService(api, () => published.done), ...(ecs ? [ecs.service] : [])];
  const endpointsFor = ({ writes }: CloudMapConfig, accepted: readonly AccessKey[]) => [
    ...awsEndpoints({ services, writes, keys: accepted, clock, log, metrics }),
    ...(ecs?.endpoints ?? []),
  ];
  let served = endpointsFor(config, keys);

  /** Whatever only this one published is withdrawn. */
  const leave = async (kept: OpenedStore | undefined): Promise<undefined> => {
    await started.stop();
    book.clear();
    if (kept !== undefined) return;
    await opened.store.close();
    health.withdraw();
    published.withdraw();
  };
  const cloudMap: CloudMap = {
    state: opened.state,
    get endpoints() {
      return served;
    },
    async prepare(next, nextEcs) {
      if (next === undefined) return { commit: () => leave(undefined), release: async () => {} };
      const nextKeys = await readKeys(next);
      if (!isInPlace(config, dependencies.ecs, next, nextEcs))
        return prepareAnother(opened, next, nextKeys, { ...dependencies, ecs: nextEcs }, leave);
      return {
        async commit() {
          Object.assign(api, rulesOf(next, dependencies));
          health.republish(next);
          served = endpointsFor(next, nextKeys);
          return cloudMap;
        },
        release: async () => {},
      };
    },
    async stop() {
      await started.stop();
      await opened.store.close();
    },
  };
  return cloudMap;
}

/** A store that stays the same stays open. `leave` stops what serves it now. */
async function prepareAnother(
  opened: OpenedStore,
  next: CloudMapConfig,
  keys: readonly AccessKey[],
  dependencies: CloudMapDependencies,
  leave: (kept: OpenedStore | undefined) => Promise<undefined>,
): Promise<CloudMapChange> {
  const isSameStore = storeOf(opened.config) === storeOf(next);
  const nextOpened = isSameStore ? { ...opened, isNewInMemory: false } : await openWithState(next, dependencies);
  return {
    async commit() {
      await leave(isSameStore ? opened : undefined);
      return serveCloudMap(nextOpened, next, keys, dependencies);
    },
    release: async () => (isSameStore ? undefined : nextOpened.store.close()),
  };
}

/** In order; `stop` stops all of it. */
async function startParts(opened: OpenedStore, config: CloudMapConfig, dependencies: CloudMapDependencies) {
  const { registry, board, clock, random, log, metrics, timings, leaseTimings, concurrentChecks } = dependencies;
  const { store, state, zoneNames, isNewInMemory } = opened;
  // Before `publishCloudMap`, which publishes the changes of both.
  const book = new TaskBook(state, registry);
  const stopBook = state.onChange((changes) => book.changed(changes));
  const published = new Published(dependencies, zoneNames);
  const health = publishCloudMap({
    ...{ state, registry, clock, defaults: config },
    onZone: (name, zone) => published.setZone(name, zone),
    judgeNow: () => published.flush(),
  });
  const stopWarning = warnOfNames(state, () => api.namespaceNames, log);
  const inCluster = 'follow' in store ? store : undefined;
  const endpoints =
    inCluster && config.store.kind === 'kubernetes'
      ? startEndpoints({
          ...{ config: config.store, store: inCluster, registry, clock, random, log, metrics },
          ...{ onVerdict: dependencies.onVerdict, leaseTimings },
        })
      : undefined;
  const tasks = config.tasks.map((cluster) =>
    startTaskSource({ config: cluster, book, registry, status: board, clock, random, log, timings }),
  );
  const uncollect = metrics.collect(() => taskReadings(book));
  const { notReady, catchUp } = inCluster ?? {};
  const api = { state, clock, random, health, notReady, catchUp, ...rulesOf(config, dependencies) };
  const ecs = await startEcs(dependencies.ecs, config, {
    ...{ cloudMap: api, book, board, clock, random, log, concurrentChecks, timings, leaseTimings, isNewInMemory },
    publishNow: () => published.flush(),
  });
  const stop = async (): Promise<void> => {
    uncollect();
    stopBook();
    stopWarning();
    health.stop();
    await ecs?.stop();
    await Promise.all(tasks.map((source) => source.stop()));
    await endpoints?.stop();
  };
  return { api, health, published, book, ecs, stop };
}

const rulesOf = (
  { region, account, limits, namespaces }: CloudMapConfig,
  { configuredZones }: CloudMapDependencies,
) => ({
  ...{ region, account, limits },
  namespaceNames: { allowed: namespaces, zones: configuredZones },
});

/** Nothing that was started has to be started anew. ECS has copies of the region and the account. */
function isInPlace(
  before: CloudMapConfig,
  ecsBefore: EcsConfig | undefined,
  after: CloudMapConfig,
  ecsAfter: EcsConfig | undefined,
): boolean {
  const started = (config: CloudMapConfig, ecs: EcsConfig | undefined) => [
    ...[storeOf(config), config.tasks, ecs],
    ...(ecs === undefined ? [] : [config.region, config.account]),
  ];
  return isDeepStrictEqual(started(before, ecsBefore), started(after, ecsAfter));
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

  /** No namespace is served any more. */
  withdraw(): void {
    this.#zones.clear();
    this.flush();
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
function warnOfNames(state: State, names: () => NamespaceNames, log: Logger): () => void {
  const check = ({ id, name, type }: NamespaceRecord) => {
    const problem = type === 'HTTP' ? undefined : namespaceNameProblem(name, names());
    if (problem !== undefined) log.warn('a Cloud Map namespace has a name that is not allowed', { id, problem });
  };
  // In a later turn: `names` is not known yet.
  setImmediate(() => {
    for (const namespace of state.namespaces.values()) check(namespace);
  });
  return state.onChange((changes) => {
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
        const secret = (await readRegularFile(secretAccessKeyFile!)).trim();
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
