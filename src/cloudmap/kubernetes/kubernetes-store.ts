// Kubernetes as Cloud Map's store: namespaces are ConfigMaps, services headless Services, instances EndpointSlices. Every
// replica watches and holds everything in memory; any replica may write, based on the version that it knows.
import type { Clock, Random } from '../../clock.ts';
import type { ClusterAccess } from '../../config/config.ts';
import type { Logger } from '../../log.ts';
import { connectApiServer } from '../../sources/kubernetes/api/api-server.ts';
import { SnapshotKeeper } from '../../sources/kubernetes/snapshot/snapshot.ts';
import { DamagedSnapshot, type Line } from '../../sources/kubernetes/snapshot/snapshot-file.ts';
import { DEFAULT_TIMINGS, type WatchTimings } from '../../sources/kubernetes/watch/timings.ts';
import type { WatchedKind } from '../../sources/kubernetes/watch/watched-kind.ts';
import { Watches } from '../../sources/kubernetes/watch/watches.ts';
import type { StatusBoard } from '../../sources/status.ts';
import type { State } from '../cloud-map-state.ts';
import type { Store } from '../cloud-map-store.ts';
import { type Collection, instanceKey, parseInstanceKey, type StoreChange } from '../records.ts';
import { createCatchUp } from './catch-up.ts';
import { type HeldObject, KIND_LABEL, readHeldObject } from './held-object.ts';
import type { WriteContext } from './object-client.ts';
import { createObjectClient, groupVersionPath, type ObjectClient } from './object-client.ts';
import { Mirror, type Resource } from './object-mirror.ts';
import { writeAll } from './write-changes.ts';

const RESOURCES: readonly Resource[] = ['configmaps', 'services', 'endpointslices'];

interface SnapshotSettings {
  readonly file: string;
  readonly maxAgeSeconds: number;
}

export interface KubernetesStoreSettings {
  readonly config: ClusterAccess & { readonly namespace: string; readonly snapshot?: SnapshotSettings };
  readonly status: StatusBoard;
  /** Names of the zones of all DNS namespaces, kept up to date by the caller. */
  readonly zones?: readonly string[];
  /** Names below which DNS namespaces may be, not known before the cluster has been read. */
  readonly claims?: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Shorter ones for tests. */
  readonly timings?: WatchTimings;
}

export interface KubernetesStore extends Store {
  readonly mirror: Mirror;
  readonly client: ObjectClient;
  /** Starts watching. The cluster's content goes to `state` once all kinds were listed, then change by change. */
  follow(state: State): void;
  /** The reason why requests cannot be answered yet; undefined once all kinds were listed. */
  notReady(): string | undefined;
  /** Fetches writes of other replicas that the watches have not delivered yet. Rejects if the cluster cannot be read. */
  readonly catchUp: () => Promise<void>;
  /** A slice from the server's response; undefined: it is gone. */
  readonly takeSlice: (slice: HeldObject | undefined, name: string) => void;
  /** Calls the listener when objects of a Cloud Map service changed; undefined: any may have. */
  onObserved(listener: (serviceId: string | undefined) => void): void;
}

/** Returns at once: until the API server has been read, `notReady` gives the reason and writes are rejected. */
export function openKubernetesStore(settings: KubernetesStoreSettings): KubernetesStore {
  const { config, clock, timings = DEFAULT_TIMINGS } = settings;
  const name = `cloudmap/${config.label}`;
  const log = settings.log.child({ source: name });
  const stopping = new AbortController();
  const server = connectApiServer(config, clock, timings.headersMs);
  const client = createObjectClient(server, config.namespace, stopping.signal);
  const followed = new FollowedObjects();
  const { mirror } = followed;
  const report = settings.status.add(name, settings.zones ?? [], settings.claims);
  const watches = new Watches({ ...settings, timings }, log, report);
  for (const resource of RESOURCES)
    watches.add(watchedKind(resource, config.namespace, client, followed), {
      listed: () => followed.listed(resource),
    });

  const snapshot =
    config.snapshot &&
    new SnapshotKeeper({
      ...{ settings: config.snapshot, of: `${name} ${config.namespace}`, report, clock, log },
      lines: () => mirror.all().filter(({ value }) => value !== undefined),
      restore: (records) => followed.restore(records.map(readRecord)),
      withdraw: () => followed.expire(),
    });
  const unread = () =>
    followed.unread.size === 0
      ? undefined
      : `the API server of ${config.label} has not been read yet: ${[...followed.unread].join(', ')}`;
  const context: WriteContext = {
    ...{ mirror, client, clock, random: settings.random },
    take: (object) => followed.take(object),
    feed: (changes) => followed.feed(changes),
  };
  return {
    mirror,
    client,
    follow(target) {
      followed.state = target;
      void (snapshot?.restore() ?? Promise.resolve()).then(() => {
        if (!stopping.signal.aborted) watches.start();
      });
    },
    notReady: () => (followed.isRestored ? undefined : unread()),
    catchUp: createCatchUp(client, RESOURCES, (object) => followed.take(object), clock),
    takeSlice: (slice, sliceName) =>
      slice === undefined ? followed.forget('endpointslices', sliceName) : followed.take(slice),
    onObserved: (listener) => void followed.listeners.push(listener),
    load: async () => [],
    async write(changes) {
      const missing = unread();
      if (missing !== undefined) throw new Error(missing);
      try {
        await writeAll(context, changes);
      } catch (error) {
        // After this rejection State undoes the whole batch. The part that the cluster has accepted counts nevertheless.
        setImmediate(() => followed.feed(changes.map((change) => mirror.current(change))));
        throw error;
      }
    },
    async close() {
      stopping.abort();
      await watches.stop();
      await snapshot?.stop();
      server.close();
      report.remove();
    },
  };
}

/** Objects from watches and responses go to the mirror, and from there to the state once all kinds were listed. */
class FollowedObjects {
  readonly mirror = new Mirror();
  readonly unread = new Set<Resource>(RESOURCES);
  readonly listeners: ((serviceId: string | undefined) => void)[] = [];
  state: State | undefined;
  /** The state comes from a snapshot, and not all kinds have been listed. */
  isRestored = false;

  /** Takes in the records of a snapshot, which count until all kinds have been listed. */
  restore(records: readonly StoreChange[]): void {
    this.isRestored = true;
    this.state?.absorb(records);
  }

  /** Discards records known only from a snapshot. */
  expire(): void {
    this.isRestored = false;
    this.#feedAll();
  }

  take(object: HeldObject | undefined): void {
    if (object === undefined) return;
    this.feed(this.mirror.observe(object));
    this.#observed(object);
  }

  forget(resource: Resource, objectName: string): void {
    const object = this.mirror.get(resource, objectName);
    this.feed(this.mirror.forget(resource, objectName));
    this.#observed(object);
  }

  listed(resource: Resource): void {
    if (!this.unread.delete(resource) || this.unread.size > 0) return;
    this.isRestored = false;
    this.#feedAll();
    this.#observed(undefined);
  }

  /** The cluster's records, and the deletion of those that the state has and the cluster has not. */
  #feedAll(): void {
    const { state, mirror } = this;
    if (state === undefined) return;
    const known = keysIn(state).map((record) => mirror.current(record));
    const news = [...known, ...mirror.all()].filter((change) => !isKnown(state, change));
    if (news.length > 0) state.absorb(news);
  }

  feed(changes: readonly StoreChange[]): void {
    const { state } = this;
    if (state === undefined || this.unread.size > 0) return;
    const news = changes.filter((change) => !isKnown(state, change));
    if (news.length > 0) state.absorb(news);
  }

  #observed(object: HeldObject | undefined): void {
    for (const listener of this.listeners) listener(object?.serviceId ?? object?.service?.id);
  }
}

/** Every record of the state, without its value. */
function keysIn(state: State): StoreChange[] {
  const value = undefined;
  const services = [...state.services.keys()];
  return [
    ...[...state.namespaces.keys()].map((key) => ({ collection: 'namespace' as const, key, value })),
    ...services.map((key) => ({ collection: 'service' as const, key, value })),
    ...services.flatMap((serviceId) =>
      [...state.instancesOf(serviceId).keys()].map((id) => ({
        ...{ collection: 'instance' as const, key: instanceKey(serviceId, id), value },
      })),
    ),
  ];
}

const COLLECTIONS: readonly unknown[] = [
  'namespace',
  'service',
  'instance',
  'operation',
] satisfies readonly Collection[];

/** A record of a snapshot. Throws DamagedSnapshot. */
function readRecord(line: Line): StoreChange {
  const { collection, key, value } = line;
  const isRecord = COLLECTIONS.includes(collection) && typeof key === 'string' && typeof value === 'object';
  if (!isRecord) throw new DamagedSnapshot('it has a line that is not a record');
  return line as unknown as StoreChange;
}

function watchedKind(
  resource: Resource,
  namespace: string,
  client: ObjectClient,
  followed: FollowedObjects,
): WatchedKind {
  return {
    resource,
    apiGroup: resource === 'endpointslices' ? 'discovery.k8s.io' : '',
    groupVersionPath: groupVersionPath(resource),
    namespace,
    labelSelector: KIND_LABEL,
    essential: true,
    keyOf: (_namespace, objectName) => objectName,
    replace(_key, _metadata, object) {
      followed.take(readHeldObject(object));
      return undefined;
    },
    remove(objectName) {
      // An object of the same name may have been created since: ask the server.
      client.get(resource, objectName).then(
        (present) => (present === undefined ? followed.forget(resource, objectName) : followed.take(present)),
        () => followed.forget(resource, objectName),
      );
    },
  };
}

/** Whether the state has this value already. Operations it knows are never removed. */
function isKnown(state: State, change: StoreChange): boolean {
  switch (change.collection) {
    case 'namespace':
      return same(state.namespaces.get(change.key), change.value);
    case 'service':
      return same(state.services.get(change.key), change.value);
    case 'operation':
      return change.value === undefined || state.operations.has(change.key);
    case 'instance': {
      const { serviceId, instanceId } = parseInstanceKey(change.key);
      return same(state.instancesOf(serviceId).get(instanceId), change.value);
    }
  }
}

const same = (one: object | undefined, other: object | undefined) =>
  one === other || JSON.stringify(one) === JSON.stringify(other);
