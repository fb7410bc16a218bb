import * as v from 'valibot';
import type { Api } from '../api.ts';
import { CloudMapError } from '../errors.ts';
import { newOperationId } from '../ids.ts';
import { filters, maxResults, nextToken, read } from '../input.ts';
import { filtered, page } from '../listing.ts';
import type { OperationRecord, OperationType, StoreChange } from '../model.ts';

/** The record of an operation that is done; healthdns has none that goes on after its answer. */
export function finished(
  api: Api,
  type: OperationType,
  targets: OperationRecord['targets'],
  requestKey: string | undefined,
): StoreChange & { readonly collection: 'operation' } {
  const nowMs = api.clock.now();
  const id = newOperationId(api.random, nowMs);
  const value = {
    id,
    type,
    status: 'SUCCESS' as const,
    createMs: nowMs,
    updateMs: nowMs,
    targets,
    ...(requestKey && { requestKey }),
  };
  return { collection: 'operation', key: id, value };
}

const getInput = v.object({ OperationId: v.pipe(v.string(), v.maxLength(255)) });

/** GetOperation */
export function getOperation(api: Api, input: unknown): object {
  const { OperationId } = read(getInput, input);
  const operation = api.state.operations.get(OperationId);
  if (operation === undefined) throw new CloudMapError('OperationNotFound', `no operation with id ${OperationId}`);
  return {
    Operation: {
      Id: operation.id,
      OwnerAccount: api.account,
      Type: operation.type,
      Status: operation.status,
      CreateDate: new Date(operation.createMs),
      UpdateDate: new Date(operation.updateMs),
      Targets: operation.targets,
    },
  };
}

const listInput = v.object({ NextToken: nextToken, MaxResults: maxResults, Filters: filters });

/** ListOperations: oldest first. */
export function listOperations(api: Api, input: unknown): object {
  const request = read(listInput, input);
  const operations = filtered(api.state.operations.values(), request.Filters, {
    NAMESPACE_ID: { value: ({ targets }) => targets.NAMESPACE ?? '', conditions: ['EQ'] },
    SERVICE_ID: { value: ({ targets }) => targets.SERVICE ?? '', conditions: ['EQ'] },
    STATUS: { value: ({ status }) => status, conditions: ['EQ', 'IN'] },
    TYPE: { value: ({ type }) => type, conditions: ['EQ', 'IN'] },
    UPDATE_DATE: { value: ({ updateMs }) => String(updateMs / 1000), conditions: ['BETWEEN'] },
  });
  const timeFirst = ({ createMs, id }: OperationRecord) => `${String(createMs).padStart(16, '0')} ${id}`;
  const { items, nextToken: token } = page(operations, timeFirst, request);
  return { Operations: items.map(({ id, status }) => ({ Id: id, Status: status })), NextToken: token };
}
