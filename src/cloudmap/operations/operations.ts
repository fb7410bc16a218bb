import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { type Api, newOperationId } from '../api.ts';
import { AwsError } from '../aws-error.ts';
import type { State } from '../cloud-map-state.ts';
import { filtered, page } from '../list-pages.ts';
import type { OperationRecord, OperationType, StoreChange } from '../records.ts';
import { filters, maxResults, nextToken, read } from '../request-shapes.ts';

/** A request with a CreatorRequestId or UpdaterRequestId, which makes its retries idempotent. */
export interface RetriedRequest {
  /** The id in the scope of what it creates or updates. */
  readonly requestKey: string;
  /** Equal for equal requests. */
  readonly fingerprint: string;
}

export function retried(scope: string, requestId: string | undefined, request: object): RetriedRequest | undefined {
  return requestId ? { requestKey: `${scope}/${requestId}`, fingerprint: fingerprintOf(request) } : undefined;
}

/** A hash of the request's members in any order, without the request's id. */
export function fingerprintOf(request: object): string {
  const canonical = JSON.stringify(request, (key, value) => {
    if (key === 'CreatorRequestId' || key === 'UpdaterRequestId') return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
  return createHash('sha256').update(canonical).digest('hex').slice(0, 16);
}

/**
 * The operation of an earlier request with the same id, unless a later one has changed the same object since: the operation
 * of a request that is no longer in force must not be its answer.
 * @throws AwsError DuplicateRequest if that request was another one
 */
export function earlierOperation({ state }: Api, request: RetriedRequest | undefined): OperationRecord | undefined {
  const earlier = request && state.operationOfRequest(request.requestKey);
  if (earlier === undefined) return undefined;
  if (earlier.fingerprint === request?.fingerprint) return isLast(state, earlier) ? earlier : undefined;
  throw new AwsError('DuplicateRequest', 'the request id was used for a different request', {
    DuplicateOperationId: earlier.id,
  });
}

function isLast({ operations }: State, operation: OperationRecord): boolean {
  let last = operation;
  for (const other of operations.values()) if (haveSameTargets(other, operation)) last = other;
  return last === operation;
}

const haveSameTargets = ({ targets: one }: OperationRecord, { targets: other }: OperationRecord): boolean =>
  one.INSTANCE === other.INSTANCE && one.SERVICE === other.SERVICE && one.NAMESPACE === other.NAMESPACE;

export interface FinishedRequest {
  readonly type: OperationType;
  readonly targets: OperationRecord['targets'];
  readonly change: StoreChange;
  readonly retried?: RetriedRequest | undefined;
}

/** A plan that makes the change and answers with an operation that has already succeeded. */
export function finished(api: Api, { type, targets, change, retried: request }: FinishedRequest) {
  const nowMs = api.clock.now();
  const id = newOperationId(api, nowMs);
  const value: OperationRecord = {
    id,
    type,
    status: 'SUCCESS',
    createMs: nowMs,
    updateMs: nowMs,
    targets,
    ...request,
  };
  return { changes: [change, { collection: 'operation' as const, key: id, value }], result: { OperationId: id } };
}

const getInput = v.object({ OperationId: v.pipe(v.string(), v.maxLength(255)) });

export function getOperation(api: Api, input: unknown): object {
  const { OperationId } = read(getInput, input);
  const operation = api.state.operations.get(OperationId);
  if (operation === undefined) throw new AwsError('OperationNotFound', OperationId);
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
