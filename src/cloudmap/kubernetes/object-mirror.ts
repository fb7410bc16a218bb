import type { OperationRecord, StoreChange } from '../records.ts';
import { instanceKey, parseInstanceKey } from '../records.ts';
import type { HeldObject, KeptInstance, ObjectKind } from './held-object.ts';

export type Resource = 'configmaps' | 'services' | 'endpointslices';

export const resourceOf = (kind: ObjectKind): Resource =>
  kind === 'service' ? 'services' : kind === 'instances' || kind === 'derived' ? 'endpointslices' : 'configmaps';

/** All of Cloud Map's objects as last seen, by watching or in the response to a write, whichever is newer. */
export class Mirror {
  readonly #objects = new Map<string, HeldObject>();
  readonly #namespaces = new Map<string, HeldObject>();
  readonly #services = new Map<string, HeldObject>();
  readonly #slices = new Map<string, Map<string, HeldObject>>();
  readonly #operations = new Map<string, OperationRecord>();

  /** Takes an object in unless a newer version is known; returns the records that may differ. */
  observe(object: HeldObject): readonly StoreChange[] {
    const key = `${resourceOf(object.kind)}/${object.name}`;
    const before = this.#objects.get(key);
    return before !== undefined && before.version >= object.version ? [] : this.#exchange(key, before, object);
  }

  /** The object is gone. */
  forget(resource: Resource, name: string): readonly StoreChange[] {
    const key = `${resource}/${name}`;
    return this.#exchange(key, this.#objects.get(key), undefined);
  }

  get(resource: Resource, name: string): HeldObject | undefined {
    return this.#objects.get(`${resource}/${name}`);
  }

  namespaceObject(id: string): HeldObject | undefined {
    return this.#namespaces.get(id);
  }

  serviceObject(id: string): HeldObject | undefined {
    return this.#services.get(id);
  }

  services(): Iterable<HeldObject> {
    return this.#services.values();
  }

  /** Slices of a service that hold registered instances, or those that only repeat addresses. */
  slicesOf(serviceId: string, kind: 'instances' | 'derived'): readonly HeldObject[] {
    return [...(this.#slices.get(serviceId)?.values() ?? [])].filter((slice) => slice.kind === kind);
  }

  /** The slice that holds an instance. Of two, as between the two writes of a move, the higher stamp counts. */
  locate(serviceId: string, id: string): LocatedInstance | undefined {
    let found: LocatedInstance | undefined;
    for (const slice of this.#slices.get(serviceId)?.values() ?? []) {
      const kept = slice.instances?.get(id);
      if (kept !== undefined && (found === undefined || kept.stamp > found.kept.stamp)) found = { slice, kept };
    }
    return found;
  }

  /** The record as the cluster has it now. */
  current(change: StoreChange): StoreChange {
    switch (change.collection) {
      case 'namespace':
        return { ...change, value: this.#namespaces.get(change.key)?.namespace };
      case 'service':
        return { ...change, value: this.#services.get(change.key)?.service };
      case 'operation':
        return { ...change, value: this.#operations.get(change.key) };
      case 'instance': {
        const { serviceId, instanceId } = parseInstanceKey(change.key);
        return { ...change, value: this.locate(serviceId, instanceId)?.kept.record };
      }
    }
  }

  all(): readonly StoreChange[] {
    return this.#currentOf([...this.#objects.values()].flatMap(recordsIn));
  }

  #exchange(key: string, before: HeldObject | undefined, after: HeldObject | undefined): StoreChange[] {
    if (before) this.#index(before, false);
    if (after) this.#index(after, true);
    if (after) this.#objects.set(key, after);
    else this.#objects.delete(key);
    for (const operation of after?.operations ?? []) this.#operations.set(operation.id, operation);
    for (const id of this.#operations.keys()) {
      if (this.#operations.size <= MAX_OPERATIONS) break;
      this.#operations.delete(id);
    }
    return this.#currentOf([...recordsIn(before), ...recordsIn(after)]);
  }

  #index(object: HeldObject, isPresent: boolean): void {
    const put = (table: Map<string, HeldObject>, key: string) => {
      if (isPresent) table.set(key, object);
      else if (table.get(key)?.name === object.name) table.delete(key);
    };
    if (object.namespace) put(this.#namespaces, object.namespace.id);
    if (object.service) put(this.#services, object.service.id);
    if (object.serviceId === undefined) return;
    const ofService = this.#slices.get(object.serviceId) ?? new Map<string, HeldObject>();
    this.#slices.set(object.serviceId, ofService);
    put(ofService, object.name);
    if (ofService.size === 0) this.#slices.delete(object.serviceId);
  }

  #currentOf(records: readonly StoreChange[]): StoreChange[] {
    const distinct = new Map(records.map((record) => [`${record.collection} ${record.key}`, record]));
    return [...distinct.values()].map((record) => this.current(record));
  }
}

export interface LocatedInstance {
  readonly slice: HeldObject;
  readonly kept: KeptInstance;
}

/** The records that an object holds, without their values. */
function recordsIn(object: HeldObject | undefined): StoreChange[] {
  if (object === undefined) return [];
  const { namespace, service, serviceId = '', instances, operations } = object;
  const value = undefined;
  return [
    ...(namespace ? [{ collection: 'namespace' as const, key: namespace.id, value }] : []),
    ...(service ? [{ collection: 'service' as const, key: service.id, value }] : []),
    ...[...(instances?.keys() ?? [])].map((id) => ({
      ...{ collection: 'instance' as const, key: instanceKey(serviceId, id), value },
    })),
    ...operations.map(({ id }) => ({ collection: 'operation' as const, key: id, value })),
  ];
}

/** As many as State remembers. Operations outlive the objects that held them. */
const MAX_OPERATIONS = 10_000;
