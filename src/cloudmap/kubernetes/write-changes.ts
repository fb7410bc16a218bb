// A batch of changes written to the cluster: containers before their contents, contents before containers are deleted, and
// each operation with the object that it concerns.

import { ApiError } from '../../sources/kubernetes/api/api-server.ts';
import { conflictRetries } from '../../sources/kubernetes/api/conflicts.ts';
import { fields, optionalFields } from '../../sources/kubernetes/api/objects.ts';
import {
  type NamespaceRecord,
  type OperationRecord,
  parseInstanceKey,
  type ServiceRecord,
  type StoreChange,
} from '../records.ts';
import {
  DELETING,
  type HeldObject,
  KIND_LABEL,
  MANAGED_BY,
  namespaceObjectName,
  OPERATIONS_CONFIG_MAP,
  operationsAnnotation,
  RECORD,
  SERVICE_ID_LABEL,
  serviceObjectNames,
} from './held-object.ts';
import { isMarked, WriteConflict, type WriteContext } from './object-client.ts';
import { type Resource, resourceOf } from './object-mirror.ts';
import { type InstanceEdit, writeInstances } from './write-instances.ts';

/** Rejects with the first failure. Earlier writes of the batch stay, and the watches report them. */
export async function writeAll(context: WriteContext, all: readonly StoreChange[]): Promise<void> {
  // The last change of a record in a batch counts.
  const changes = [...new Map(all.map((change) => [`${change.collection} ${change.key}`, change])).values()];
  const operations = operationsByObject(changes);
  const take = (key: string): readonly OperationRecord[] => {
    const own = operations.get(key) ?? [];
    operations.delete(key);
    return own;
  };
  for (const { collection, key, value } of changes)
    if (collection === 'namespace' && value !== undefined) await writeNamespace(context, value, take(key));
  for (const { collection, key, value } of changes)
    if (collection === 'service' && value !== undefined) await writeService(context, value, take(key));
  for (const [serviceId, edits] of instanceEdits(changes, take)) await writeInstances(context, serviceId, edits);
  for (const { collection, key, value } of changes)
    if (collection === 'service' && value === undefined) await deleteService(context, key);
  for (const { collection, key, value } of changes)
    if (collection === 'namespace' && value === undefined) await deleteNamespace(context, key);
  const left = [...operations.values()].flat();
  if (left.length > 0) await writeOperations(context, left);
}

/** By the key of the record that each operation concerns. */
function operationsByObject(changes: readonly StoreChange[]): Map<string, OperationRecord[]> {
  const operations = new Map<string, OperationRecord[]>();
  for (const { collection, value } of changes) {
    if (collection !== 'operation' || value === undefined) continue;
    const { NAMESPACE = '', SERVICE, INSTANCE } = value.targets;
    const key = INSTANCE !== undefined ? `${SERVICE}/${INSTANCE}` : (SERVICE ?? NAMESPACE);
    operations.set(key, [...(operations.get(key) ?? []), value]);
  }
  return operations;
}

function instanceEdits(
  changes: readonly StoreChange[],
  take: (key: string) => readonly OperationRecord[],
): Map<string, InstanceEdit[]> {
  const edits = new Map<string, InstanceEdit[]>();
  for (const { collection, key, value } of changes) {
    if (collection !== 'instance') continue;
    const { serviceId, instanceId } = parseInstanceKey(key);
    const ofService = edits.get(serviceId) ?? [];
    edits.set(serviceId, ofService);
    ofService.push({ id: instanceId, record: value, operations: take(key) });
  }
  return edits;
}

async function writeNamespace(
  context: WriteContext,
  record: NamespaceRecord,
  operations: readonly OperationRecord[],
): Promise<void> {
  const held = context.mirror.namespaceObject(record.id);
  if (held !== undefined) return editRecord(context, held, { record, operations });
  try {
    context.take(await context.client.create('configmaps', newNamespace(record, operations)));
  } catch (error) {
    throw isTaken(error) ? new WriteConflict(`another replica created namespace ${record.name}; retry`) : error;
  }
}

async function writeService(
  context: WriteContext,
  record: ServiceRecord,
  operations: readonly OperationRecord[],
): Promise<void> {
  const { mirror, client, take, clock } = context;
  const held = mirror.serviceObject(record.id);
  if (held !== undefined) return editRecord(context, held, { record, operations });
  const namespace = mirror.namespaceObject(record.namespaceId);
  if (namespace?.namespace === undefined) throw new WriteConflict(`namespace ${record.namespaceId} no longer exists`);
  const created = await createService(context, namespace.namespace, record, operations);
  const owner = await client.get('configmaps', namespace.name);
  if (owner?.uid === namespace.uid && !isMarked(owner, clock)) return take(created);
  await client.delete('services', created);
  throw new WriteConflict(`namespace ${namespace.namespace.name} is being deleted`);
}

async function createService(
  { client }: WriteContext,
  namespace: NamespaceRecord,
  record: ServiceRecord,
  operations: readonly OperationRecord[],
): Promise<HeldObject> {
  const names = new Set(serviceObjectNames(namespace.name, record.name));
  for (const name of names) {
    try {
      return await client.create('services', newService(name, record, operations));
    } catch (error) {
      if (!isTaken(error)) throw error;
      const other = await client.raw('services', name);
      const labels = (other?.metadata as { labels?: Record<string, string> } | undefined)?.labels;
      if (labels?.[KIND_LABEL] === 'service')
        throw new WriteConflict(`another replica created service ${record.name}; retry`);
    }
  }
  throw new WriteConflict(`the Services ${[...names].join(' and ')} belong to another owner; delete or rename them`);
}

/** Rejects with WriteConflict unless the change was made from the record that the cluster has. */
async function editRecord(context: WriteContext, first: HeldObject, edit: RecordEdit): Promise<void> {
  const recordOf = (object: HeldObject) => JSON.stringify(object.namespace ?? object.service);
  const before = recordOf(first);
  await replaceUntilCurrent(context, first, (held) => {
    if (recordOf(held) !== before && recordOf(held) !== JSON.stringify(edit.record))
      throw new WriteConflict(`another replica changed ${held.name} at the same time; retry`);
    return withEdit(held, edit);
  });
}

/** Applies `change` to the latest version of the object, again after each conflict; returns the written object. */
async function replaceUntilCurrent(
  context: WriteContext,
  first: HeldObject,
  change: (held: HeldObject) => object,
): Promise<HeldObject> {
  const { client, take, mirror, feed } = context;
  const resource = resourceOf(first.kind);
  const shallRetry = conflictRetries(context);
  let held = first;
  for (;;) {
    try {
      const written = await client.replace(resource, held.name, change(held));
      take(written);
      return written;
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 409 && error.status !== 404)) throw error;
      const present = error.status === 409 ? await client.get(resource, held.name) : undefined;
      if (present === undefined) {
        feed(mirror.forget(resource, held.name));
        throw new WriteConflict(`${held.name} was deleted by another replica`);
      }
      take(present);
      if (!(await shallRetry())) throw error;
      held = present;
    }
  }
}

/** Deletes the Service and its slices unless one of them holds an instance. */
export async function deleteService(context: WriteContext, serviceId: string): Promise<void> {
  const { mirror, client, take, feed } = context;
  const held = mirror.serviceObject(serviceId);
  if (held === undefined) return;
  const slicesNow = () => client.list('endpointslices', `${SERVICE_ID_LABEL}=${serviceId}`);
  await deleteEmpty(context, held, async () => {
    const slices = await slicesNow();
    for (const slice of slices) take(slice);
    if (slices.some(({ instances }) => instances !== undefined && instances.size > 0))
      throw new WriteConflict('another replica registered an instance at the same time');
    for (const slice of slices) {
      await client.delete('endpointslices', slice);
      feed(mirror.forget('endpointslices', slice.name));
    }
  });
}

export async function deleteNamespace(context: WriteContext, namespaceId: string): Promise<void> {
  const { mirror, client, take } = context;
  const held = mirror.namespaceObject(namespaceId);
  if (held === undefined) return;
  await deleteEmpty(context, held, async () => {
    const services = await client.list('services', `${KIND_LABEL}=service`);
    for (const service of services) take(service);
    if (services.some(({ service }) => service?.namespaceId === namespaceId))
      throw new WriteConflict('another replica created a service at the same time');
  });
}

/**
 * Deletes an object to which other replicas may be adding something right now. The object is marked before its content is
 * listed, and whoever adds something looks for the mark afterwards, so that one of the two notices the other.
 */
async function deleteEmpty(context: WriteContext, held: HeldObject, empty: () => Promise<void>): Promise<void> {
  const { mirror, client, feed, clock } = context;
  const resource: Resource = resourceOf(held.kind);
  const deleting = new Date(clock.now()).toISOString();
  const marked = await replaceUntilCurrent(context, held, (present) => withEdit(present, { deleting }));
  try {
    await empty();
    await client.delete(resource, marked);
  } catch (error) {
    await replaceUntilCurrent(context, marked, (present) => withEdit(present, { deleting: null })).catch(() => {
      // The mark expires by itself; the client needs the first error.
    });
    throw isTaken(error) ? new WriteConflict(`another replica changed ${held.name} at the same time; retry`) : error;
  }
  feed(mirror.forget(resource, held.name));
}

/** Operations whose object is gone. */
async function writeOperations(context: WriteContext, operations: readonly OperationRecord[]): Promise<void> {
  const { mirror, client, take } = context;
  const held =
    mirror.get('configmaps', OPERATIONS_CONFIG_MAP) ?? (await client.get('configmaps', OPERATIONS_CONFIG_MAP));
  if (held === undefined) take(await client.create('configmaps', newOperationsHolder(operations)));
  else await replaceUntilCurrent(context, held, (present) => withEdit(present, { operations }));
}

const isTaken = (error: unknown): boolean => error instanceof ApiError && error.status === 409;

const newNamespace = (record: NamespaceRecord, operations: readonly OperationRecord[]): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: namespaceObjectName(record.name),
    labels: { ...MANAGED_BY, [KIND_LABEL]: 'namespace' },
    annotations: { [RECORD]: JSON.stringify(record), ...operationsAnnotation([], operations) },
  },
});

const newOperationsHolder = (operations: readonly OperationRecord[]): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: OPERATIONS_CONFIG_MAP,
    labels: { ...MANAGED_BY, [KIND_LABEL]: 'operations' },
    annotations: operationsAnnotation([], operations),
  },
});

/** A headless Service without a selector; healthdns writes its slices. */
export const newService = (name: string, record: ServiceRecord, operations: readonly OperationRecord[]): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name,
    labels: { ...MANAGED_BY, [KIND_LABEL]: 'service', [SERVICE_ID_LABEL]: record.id },
    annotations: { [RECORD]: JSON.stringify(record), ...operationsAnnotation([], operations) },
  },
  spec: { clusterIP: 'None', type: 'ClusterIP' },
});

export interface RecordEdit {
  readonly record?: NamespaceRecord | ServiceRecord;
  readonly operations?: readonly OperationRecord[];
  /** RFC 3339; null removes the mark. */
  readonly deleting?: string | null;
}

/** The object with another record, more operations, or the mark of deletion. Labels and annotations of others stay. */
function withEdit({ raw, operations: before }: HeldObject, { record, operations, deleting }: RecordEdit): object {
  const metadata = fields(raw.metadata, 'metadata');
  const { [DELETING]: mark, ...annotations } = optionalFields(metadata.annotations, 'annotations');
  const kept = deleting === undefined ? mark : deleting;
  return {
    ...raw,
    metadata: {
      ...metadata,
      annotations: {
        ...annotations,
        ...(record && { [RECORD]: JSON.stringify(record) }),
        ...(operations && operationsAnnotation(before, operations)),
        ...(kept !== undefined && kept !== null && { [DELETING]: kept }),
      },
    },
  };
}
