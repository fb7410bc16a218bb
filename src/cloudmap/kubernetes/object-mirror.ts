// All of Cloud Map's objects in the cluster as last seen, by watching or as the answer to a write, whichever is newer.
import type { OperationRecord, StoreChange } from '../records.ts';
import { instanceKey, parseInstanceKey } from '../records.ts';
import type { HeldObject, KeptInstance, ObjectKind } from './held-object.ts';

export interface Mirror {
  /** Takes an object in, unless a newer one is known; returns what records may differ. */
  observe(object: HeldObject): readonly StoreChange[];
  /** The object is gone. */
  forget(kind: Resource, name: string): readonly StoreChange[];
  get(kind: Resource, name: string): HeldObject | undefined;
  namespaceObject(id: string): HeldObject | undefined;
  serviceObject(id: string): HeldObject | undefined;
  /** Slices of a service that keep instances, and those that only repeat addresses. */
  slicesOf(serviceId: string, kind: 'instances' | 'derived'): readonly HeldObject[];
  /** The slice that an instance is in, and the instance there. */
  locate(serviceId: string, id: string): { readonly slice: HeldObject; readonly kept: KeptInstance } | undefined;
  /** The record as the cluster has it now. */
  current(change: StoreChange): StoreChange;
  /** Everything. */
  all(): readonly StoreChange[];
  services(): Iterable<HeldObject>;
}

export type Resource = 'configmaps' | 'services' | 'endpointslices';

export const resourceOf = (kind: ObjectKind): Resource =>
  kind === 'service' ? 'services' : kind === 'instances' || kind === 'derived' ? 'endpointslices' : 'configmaps';

export function createMirror(): Mirror {
  const objects = new Map<string, HeldObject>();
  const namespaces = new Map<string, HeldObject>();
  const services = new Map<string, HeldObject>();
  const slices = new Map<string, Map<string, HeldObject>>();
  const operations = new Map<string, OperationRecord>();

  function index(object: HeldObject, isThere: boolean): void {
    const put = (table: Map<string, HeldObject>, key: string) => {
      if (isThere) table.set(key, object);
      else if (table.get(key)?.name === object.name) table.delete(key);
    };
    if (object.namespace) put(namespaces, object.namespace.id);
    if (object.service) put(services, object.service.id);
    if (object.serviceId === undefined) return;
    const ofService = slices.get(object.serviceId) ?? new Map<string, HeldObject>();
    slices.set(object.serviceId, ofService);
    put(ofService, object.name);
    if (ofService.size === 0) slices.delete(object.serviceId);
  }

  function touchedBy(object: HeldObject | undefined): StoreChange[] {
    if (object === undefined) return [];
    const { namespace, service, serviceId = '', instances = NO_INSTANCES } = object;
    return [
      ...(namespace ? [{ collection: 'namespace' as const, key: namespace.id, value: undefined }] : []),
      ...(service ? [{ collection: 'service' as const, key: service.id, value: undefined }] : []),
      ...[...instances.keys()].map((id) => ({
        collection: 'instance' as const,
        key: instanceKey(serviceId, id),
        value: undefined,
      })),
      // Operations are remembered after their objects have forgotten them, so they never vanish.
      ...object.operations.map((operation) => ({
        collection: 'operation' as const,
        key: operation.id,
        value: undefined,
      })),
    ];
  }

  function exchange(key: string, before: HeldObject | undefined, after: HeldObject | undefined): StoreChange[] {
    if (before) index(before, false);
    if (after) index(after, true);
    if (after) objects.set(key, after);
    else objects.delete(key);
    for (const operation of after?.operations ?? []) operations.set(operation.id, operation);
    for (const id of operations.keys()) {
      if (operations.size <= MAX_OPERATIONS) break;
      operations.delete(id);
    }
    const touched = new Map([...touchedBy(before), ...touchedBy(after)].map((change) => [keyOfChange(change), change]));
    return [...touched.values()].map(current);
  }

  function locate(serviceId: string, id: string): ReturnType<Mirror['locate']> {
    let found: ReturnType<Mirror['locate']>;
    for (const slice of slices.get(serviceId)?.values() ?? []) {
      const kept = slice.instances?.get(id);
      if (kept !== undefined && (found === undefined || kept.stamp > found.kept.stamp)) found = { slice, kept };
    }
    return found;
  }

  function current(change: StoreChange): StoreChange {
    switch (change.collection) {
      case 'namespace':
        return { ...change, value: namespaces.get(change.key)?.namespace };
      case 'service':
        return { ...change, value: services.get(change.key)?.service };
      case 'operation':
        return { ...change, value: operations.get(change.key) };
      case 'instance': {
        const { serviceId, instanceId } = parseInstanceKey(change.key);
        return { ...change, value: locate(serviceId, instanceId)?.kept.record };
      }
    }
  }

  return {
    observe(object) {
      const key = `${resourceOf(object.kind)}/${object.name}`;
      const before = objects.get(key);
      if (before !== undefined && before.version >= object.version) return [];
      return exchange(key, before, object);
    },
    forget(resource, name) {
      const key = `${resource}/${name}`;
      return exchange(key, objects.get(key), undefined);
    },
    get: (resource, name) => objects.get(`${resource}/${name}`),
    namespaceObject: (id) => namespaces.get(id),
    serviceObject: (id) => services.get(id),
    slicesOf: (serviceId, kind) => [...(slices.get(serviceId)?.values() ?? [])].filter((slice) => slice.kind === kind),
    locate,
    current,
    all() {
      const touched = [...objects.values()].flatMap(touchedBy);
      return [...new Map(touched.map((change) => [keyOfChange(change), change])).values()].map(current);
    },
    services: () => services.values(),
  };
}

/** As many as State remembers. */
const MAX_OPERATIONS = 10_000;
const NO_INSTANCES: ReadonlyMap<string, KeptInstance> = new Map();
const keyOfChange = ({ collection, key }: StoreChange): string => `${collection} ${key}`;
