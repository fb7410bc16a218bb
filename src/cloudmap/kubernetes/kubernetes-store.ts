// Kubernetes as Cloud Map's store: namespaces are ConfigMaps, services headless Services, instances EndpointSlices. All
// replicas watch, so each has all in memory; any of them may write, on the version that it knows.
import type { Clock, Random } from '../../clock.ts';
import type { ClusterAccess } from '../../config/config.ts';
import type { Logger } from '../../log.ts';
import { connectApiServer } from '../../sources/kubernetes/api/api-server.ts';
import { DEFAULT_TIMINGS, type WatchTimings } from '../../sources/kubernetes/watch/timings.ts';
import { createWatches } from '../../sources/kubernetes/watch/watches.ts';
import type { StatusBoard } from '../../sources/status.ts';
import type { State } from '../cloud-map-state.ts';
import type { Store } from '../cloud-map-store.ts';
import { parseInstanceKey, type StoreChange } from '../records.ts';
import { type HeldObject, KIND_LABEL, readHeldObject } from './held-object.ts';
import type { WriteContext } from './object-client.ts';
import { createObjectClient, groupVersionPath, type ObjectClient } from './object-client.ts';
import { createMirror, type Mirror, type Resource } from './object-mirror.ts';
import { writeAll } from './write-changes.ts';

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
  /** What the cluster has goes to `state` from now on; all of it as soon as all was read. */
  follow(state: State): void;
  /** Why nothing can be said yet; undefined once all was read. */
  notReady(): string | undefined;
  /** A slice as the server answered it; undefined: it is gone. */
  readonly takeSlice: (slice: HeldObject | undefined, name: string) => void;
  /** Called when objects of a Cloud Map service were seen to change; with undefined when any may have. */
  onObserved(listener: (serviceId: string | undefined) => void): void;
}

/** Nothing is awaited: until the API server has been read, `notReady` says so, and writes are refused. */
export function openKubernetesStore(settings: KubernetesStoreSettings): KubernetesStore {
  const { config, clock, timings = DEFAULT_TIMINGS } = settings;
  const name = `cloudmap/${config.label}`;
  const log = settings.log.child({ source: name });
  const stopping = new AbortController();
  const server = connectApiServer(config, clock, timings.headersMs);
  const client = createObjectClient(server, config.namespace, stopping.signal);
  const mirror = createMirror();
  const listeners: ((serviceId: string | undefined) => void)[] = [];
  const toRead = new Set<Resource>(RESOURCES);
  let state: State | undefined;

  function feed(changes: readonly StoreChange[]): void {
    if (state === undefined || toRead.size > 0) return;
    const known = state;
    const news = changes.filter((change) => !isKnown(known, change));
    if (news.length > 0) known.absorb(news);
  }
  function observed(object: HeldObject | undefined): void {
    for (const listener of listeners) listener(object?.serviceId ?? object?.service?.id);
  }
  function take(object: HeldObject | undefined): void {
    if (object === undefined) return;
    feed(mirror.observe(object));
    observed(object);
  }
  function forget(resource: Resource, objectName: string): void {
    const object = mirror.get(resource, objectName);
    feed(mirror.forget(resource, objectName));
    observed(object);
  }
  function listed(resource: Resource): void {
    if (!toRead.delete(resource) || toRead.size > 0) return;
    feed(mirror.all());
    observed(undefined);
  }

  const report = settings.status.add(name, []);
  const watches = createWatches({ ...settings, timings }, log, report);
  for (const resource of RESOURCES)
    watches.add(
      {
        resource,
        apiGroup: resource === 'endpointslices' ? 'discovery.k8s.io' : '',
        groupVersionPath: groupVersionPath(resource),
        namespace: config.namespace,
        labelSelector: KIND_LABEL,
        essential: true,
        keyOf: (_namespace, objectName) => objectName,
        replace(_key, _metadata, object) {
          take(readHeldObject(object));
          return undefined;
        },
        remove(objectName) {
          // One of the same name may have been created since: the server knows, and the watch will say what it is.
          client.get(resource, objectName).then(
            (present) => (present === undefined ? forget(resource, objectName) : take(present)),
            () => forget(resource, objectName),
          );
        },
      },
      { listed: () => listed(resource) },
    );

  const notReady = () =>
    toRead.size === 0
      ? undefined
      : `the API server of ${config.label} has not been read yet: ${[...toRead].join(', ')}`;
  const context: WriteContext = { mirror, client, clock, take, feed };
  return {
    mirror,
    client,
    follow(target) {
      state = target;
      watches.start();
    },
    notReady,
    takeSlice: (slice, sliceName) => (slice === undefined ? forget('endpointslices', sliceName) : take(slice)),
    onObserved: (listener) => void listeners.push(listener),
    load: async () => [],
    async write(changes) {
      const missing = notReady();
      if (missing !== undefined) throw new Error(missing);
      try {
        await writeAll(context, changes);
      } catch (error) {
        // State undoes all of it after this rejection; what the cluster has taken of it is so nevertheless.
        setImmediate(() => feed(changes.map(mirror.current)));
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

const RESOURCES: readonly Resource[] = ['configmaps', 'services', 'endpointslices'];

/** Whether the state says the same already. Operations it knows are not taken from it. */
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
