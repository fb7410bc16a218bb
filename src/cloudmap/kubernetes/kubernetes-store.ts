// Kubernetes as Cloud Map's store: namespaces are ConfigMaps, services headless Services, instances EndpointSlices. Every
// replica watches and holds everything in memory; any replica may write, based on the version that it knows.
import type { Clock, Random } from '../../clock.ts';
import type { ClusterAccess } from '../../config/config.ts';
import type { Logger } from '../../log.ts';
import { connectApiServer } from '../../sources/kubernetes/api/api-server.ts';
import { DEFAULT_TIMINGS, type WatchTimings } from '../../sources/kubernetes/watch/timings.ts';
import type { WatchedKind } from '../../sources/kubernetes/watch/watched-kind.ts';
import { createWatches } from '../../sources/kubernetes/watch/watches.ts';
import type { StatusBoard } from '../../sources/status.ts';
import type { State } from '../cloud-map-state.ts';
import type { Store } from '../cloud-map-store.ts';
import { parseInstanceKey, type StoreChange } from '../records.ts';
import { type HeldObject, KIND_LABEL, readHeldObject } from './held-object.ts';
import type { WriteContext } from './object-client.ts';
import { createObjectClient, groupVersionPath, type ObjectClient } from './object-client.ts';
import { Mirror, type Resource } from './object-mirror.ts';
import { writeAll } from './write-changes.ts';

const RESOURCES: readonly Resource[] = ['configmaps', 'services', 'endpointslices'];

export interface KubernetesStoreSettings {
  readonly config: ClusterAccess & { readonly namespace: string };
  readonly status: StatusBoard;
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
  /** A slice from the server's response; undefined: it is gone. */
  readonly takeSlice: (slice: HeldObject | undefined, name: string) => void;
  /** Calls the listener when objects of a Cloud Map service changed; undefined: any may have. */
  onObserved(listener: (serviceId: string | undefined) => void): void;
}

/** Returns at once: until the API server has been read, `notReady` gives the reason and writes are rejected. */
export function openKubernetesStore(settings: KubernetesStoreSettings): KubernetesStore {
  const { config, clock, timings = DEFAULT_TIMINGS } = settings;
  const name = `cloudmap/${config.label}`;
  const stopping = new AbortController();
  const server = connectApiServer(config, clock, timings.headersMs);
  const client = createObjectClient(server, config.namespace, stopping.signal);
  const followed = new FollowedObjects();
  const { mirror } = followed;
  const report = settings.status.add(name, []);
  const watches = createWatches({ ...settings, timings }, settings.log.child({ source: name }), report);
  for (const resource of RESOURCES)
    watches.add(watchedKind(resource, config.namespace, client, followed), {
      listed: () => followed.listed(resource),
    });

  const notReady = () =>
    followed.unread.size === 0
      ? undefined
      : `the API server of ${config.label} has not been read yet: ${[...followed.unread].join(', ')}`;
  const context: WriteContext = {
    ...{ mirror, client, clock },
    take: (object) => followed.take(object),
    feed: (changes) => followed.feed(changes),
  };
  return {
    mirror,
    client,
    follow(target) {
      followed.state = target;
      watches.start();
    },
    notReady,
    takeSlice: (slice, sliceName) =>
      slice === undefined ? followed.forget('endpointslices', sliceName) : followed.take(slice),
    onObserved: (listener) => void followed.listeners.push(listener),
    load: async () => [],
    async write(changes) {
      const missing = notReady();
      if (missing !== undefined) throw new Error(missing);
      try {
        await writeAll(context, changes);
      } catch (error) {
        // After this rejection State undoes all of it. The part that the cluster has taken counts nevertheless.
        setImmediate(() => followed.feed(changes.map((change) => mirror.current(change))));
        throw error;
      }
    },
    async close() {
      stopping.abort();
      await watches.stop();
      server.close();
      report.remove();
    },
  };
}

/** What watches and responses report goes to the mirror, and from there to the state once all kinds were listed. */
class FollowedObjects {
  readonly mirror = new Mirror();
  readonly unread = new Set<Resource>(RESOURCES);
  readonly listeners: ((serviceId: string | undefined) => void)[] = [];
  state: State | undefined;

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
    this.feed(this.mirror.all());
    this.#observed(undefined);
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
