// A batch of changes brought into the cluster: what is put in before what it is put into goes, and each operation with the
// object that it was about.
import type { OperationRecord, StoreChange } from '../model.ts';
import { type InstanceEdit, writeInstances } from './instances-write.ts';
import { deleteNamespace, deleteService, writeNamespace, writeOperations, writeService } from './records-write.ts';
import type { WriteContext } from './write-context.ts';

/** Rejects with the first failure; what was written before it stays, and is seen by watching. */
export async function writeAll(context: WriteContext, all: readonly StoreChange[]): Promise<void> {
  // Of several changes of one record in a batch the last one counts.
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

/** Keyed as the record is that they were about. */
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
    const slash = key.indexOf('/');
    const ofService = edits.get(key.slice(0, slash)) ?? [];
    edits.set(key.slice(0, slash), ofService);
    ofService.push({ id: key.slice(slash + 1), record: value, operations: take(key) });
  }
  return edits;
}
