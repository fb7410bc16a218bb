import * as v from 'valibot';
import { type Api, newOperationId } from '../api.ts';
import { AwsError } from '../aws-error.ts';
import { filtered, page } from '../list-pages.ts';
import type { OperationRecord, OperationType, StoreChange } from '../records.ts';
import { filters, maxResults, nextToken, read } from '../request-shapes.ts';

export interface FinishedRequest {
  readonly type: OperationType;
  readonly targets: OperationRecord['targets'];
  readonly change: StoreChange;
  /** Identifies a retry of the request. */
  readonly requestKey?: string;
}

/** A plan that makes the change and answers with an operation that has already succeeded. */
export function finished(api: Api, { type, targets, change, requestKey }: FinishedRequest) {
  const nowMs = api.clock.now();
  const id = newOperationId(api, nowMs);
  const value: OperationRecord = {
    id,
    type,
    status: 'SUCCESS',
    createMs: nowMs,
    updateMs: nowMs,
    targets,
    ...(requestKey && { requestKey }),
  };
  return { changes: [change, { collection: 'operation' as const, key: id, value }], result: { OperationId: id } };
}

const getInput = v.object({ OperationId: v.pipe(v.string(), v.maxLength(255)) });

export function getOperation(api: Api, input: unknown): object {
  const { OperationId } = read(getInput, input);
  const operation = api.state.operations.get(OperationId);
  if (operation === undefined) throw new AwsError('OperationNotFound', `no operation with id ${OperationId}`);
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

/** Oldest first. */
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
