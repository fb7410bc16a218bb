import { AwsError } from './aws-error.ts';
import type { Store } from './cloud-map-store.ts';
import {
  type InstanceRecord,
  type NamespaceRecord,
  type OperationRecord,
  parseInstanceKey,
  type ServiceRecord,
  type StoreChange,
} from './records.ts';

/** All of Cloud Map in memory, equal to the store's content. Only `mutate` and `absorb` change it. */
export interface State {
  readonly namespaces: ReadonlyMap<string, NamespaceRecord>;
  readonly services: ReadonlyMap<string, ServiceRecord>;
  instancesOf(serviceId: string): ReadonlyMap<string, InstanceRecord>;
  servicesOf(namespaceId: string): readonly ServiceRecord[];
  serviceNamed(namespaceId: string, name: string): ServiceRecord | undefined;
  /** Oldest first. */
  readonly operations: ReadonlyMap<string, OperationRecord>;
  /** The operation of an earlier request with this key, if it is still remembered. */
  operationOfRequest(requestKey: string): OperationRecord | undefined;
  /**
   * Runs `plan` on the result of all earlier plans, stores the changes it returns, and resolves to its result once they
   * are durable. Plans that wait for the same disk write share it. If the write fails, nothing changes and every plan of
   * that write rejects with ServiceUnavailable.
   */
  mutate<Result>(plan: () => { readonly changes: readonly StoreChange[]; readonly result: Result }): Promise<Result>;
  /** Takes in changes of other replicas. */
  absorb(changes: readonly StoreChange[]): void;
  /** Returns the function that ends it. */
  onChange(listener: (changes: readonly StoreChange[]) => void): () => void;
}

/** Operations are remembered for GetOperation and idempotent retries; older ones are forgotten. */
const MAX_OPERATIONS = 10_000;
/** Requests waiting for the disk; more are rejected with RequestLimitExceeded. */
const MAX_WAITING = 10_000;

interface Waiting {
  run(): readonly StoreChange[];
  done(): void;
  fail(error: unknown): void;
}

/** Loads the store, and keeps it and the memory equal from then on. */
export async function openState(store: Store, onStoreError: (error: unknown, writes: number) => void): Promise<State> {
  const tables = createTables();
  tables.put(oldestOperationFirst(await store.load()));
  const listeners = new Set<(changes: readonly StoreChange[]) => void>();
  const waiting: Waiting[] = [];
  let writing = false;
  const tell = (changes: readonly StoreChange[]) => {
    for (const listener of listeners) listener(changes);
  };

  async function writeWaiting(): Promise<void> {
    writing = true;
    while (waiting.length > 0) await writeBatch(waiting.splice(0));
    writing = false;
  }

  async function writeBatch(batch: readonly Waiting[]): Promise<void> {
    const planned: { readonly request: Waiting; readonly changes: readonly StoreChange[] }[] = [];
    const undo: StoreChange[] = [];
    for (const request of batch) {
      try {
        const changes = request.run();
        undo.unshift(...tables.put(changes));
        planned.push({ request, changes });
      } catch (error) {
        request.fail(error);
      }
    }
    const changes = planned.flatMap((plan) => plan.changes);
    const forgotten = tables.oldestOperations(MAX_OPERATIONS);
    undo.unshift(...tables.put(forgotten));
    try {
      if (changes.length > 0) await store.write([...changes, ...forgotten], undo);
    } catch (error) {
      tables.put(undo);
      onStoreError(error, planned.length);
      const refused = new AwsError('ServiceUnavailable', `not stored: ${(error as Error).message}`);
      for (const { request } of planned) request.fail(refused);
      return;
    }
    if (changes.length > 0) tell(changes);
    for (const { request } of planned) request.done();
  }

  return {
    ...tables.view,
    mutate(plan) {
      if (waiting.length >= MAX_WAITING)
        return Promise.reject(new AwsError('RequestLimitExceeded', `${MAX_WAITING} requests are waiting to be stored`));
      return new Promise((resolve, reject) => {
        let result: ReturnType<typeof plan>['result'];
        waiting.push({
          run() {
            const planned = plan();
            result = planned.result;
            return planned.changes;
          },
          done: () => resolve(result),
          fail: reject,
        });
        if (!writing) void writeWaiting();
      });
    },
    absorb(changes) {
      tables.put(changes);
      tables.put(tables.oldestOperations(MAX_OPERATIONS));
      tell(changes);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

const NO_INSTANCES: ReadonlyMap<string, InstanceRecord> = new Map();

function createTables() {
  const namespaces = new Map<string, NamespaceRecord>();
  const services = new Map<string, ServiceRecord>();
  const instances = new Map<string, Map<string, InstanceRecord>>();
  const operations = new Map<string, OperationRecord>();
  const requests = new Map<string, OperationRecord>();
  const serviceNames = new Map<string, ServiceRecord>();
  const nameKey = ({ namespaceId, name }: ServiceRecord) => `${namespaceId}/${name.toLowerCase()}`;

  /** Sets one value and returns the change that undoes it. */
  function putOne(change: StoreChange): StoreChange {
    switch (change.collection) {
      case 'namespace':
        return { ...change, value: exchange(namespaces, change.key, change.value) };
      case 'service': {
        const value = exchange(services, change.key, change.value);
        if (value !== undefined) serviceNames.delete(nameKey(value));
        if (change.value !== undefined) serviceNames.set(nameKey(change.value), change.value);
        return { ...change, value };
      }
      case 'instance': {
        const { serviceId, instanceId } = parseInstanceKey(change.key);
        const ofService = instances.get(serviceId) ?? new Map<string, InstanceRecord>();
        instances.set(serviceId, ofService);
        const value = exchange(ofService, instanceId, change.value);
        if (ofService.size === 0) instances.delete(serviceId);
        return { ...change, value };
      }
      case 'operation': {
        const value = exchange(operations, change.key, change.value);
        if (value?.requestKey !== undefined && requests.get(value.requestKey) === value)
          requests.delete(value.requestKey);
        if (change.value?.requestKey !== undefined) requests.set(change.value.requestKey, change.value);
        return { ...change, value };
      }
    }
  }

  return {
    /** Makes the changes and returns those that undo them, in the order in which to apply them. */
    put: (changes: readonly StoreChange[]): StoreChange[] => changes.map(putOne).reverse(),
    /** Deletes the oldest operations, beyond the `keep` newest. */
    oldestOperations(keep: number): StoreChange[] {
      const oldest: StoreChange[] = [];
      for (const key of operations.keys()) {
        if (operations.size - oldest.length <= keep) break;
        oldest.push({ collection: 'operation', key, value: undefined });
      }
      return oldest;
    },
    view: {
      namespaces,
      services,
      operations,
      instancesOf: (serviceId: string) => instances.get(serviceId) ?? NO_INSTANCES,
      servicesOf: (namespaceId: string) =>
        [...services.values()].filter((service) => service.namespaceId === namespaceId),
      serviceNamed: (namespaceId: string, name: string) => serviceNames.get(`${namespaceId}/${name.toLowerCase()}`),
      operationOfRequest: (requestKey: string) => requests.get(requestKey),
    },
  };
}

function oldestOperationFirst(changes: readonly StoreChange[]): StoreChange[] {
  const createMs = (change: StoreChange) => (change.collection === 'operation' ? (change.value?.createMs ?? 0) : 0);
  return [...changes].sort((a, b) => createMs(a) - createMs(b));
}

function exchange<Value>(table: Map<string, Value>, key: string, value: Value | undefined): Value | undefined {
  const before = table.get(key);
  if (value === undefined) table.delete(key);
  else table.set(key, value);
  return before;
}
