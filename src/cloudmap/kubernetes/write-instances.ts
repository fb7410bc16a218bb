// Writes instances of one Cloud Map service into its slices: one write for each affected slice, based on the version that
// was read, and planned again when another replica was faster.
import { ApiError } from '../../sources/kubernetes/api/api-server.ts';
import { conflictRetries } from '../../sources/kubernetes/api/conflicts.ts';
import type { InstanceRecord, OperationRecord } from '../records.ts';
import type { HeldObject, KeptInstance } from './held-object.ts';
import { DELETING } from './held-object.ts';
import {
  type Instances,
  instancesAnnotation,
  MAX_ENDPOINTS,
  MAX_INSTANCES_BYTES,
  newSlice,
  readiness,
  type SliceShape,
  sameShape,
  shapeOf,
  shapeOfSlice,
  withInstances,
} from './instance-slices.ts';
import { isMarked, WriteConflict, type WriteContext } from './object-client.ts';

export interface InstanceEdit {
  readonly id: string;
  /** undefined: deregistered. */
  readonly record: InstanceRecord | undefined;
  readonly operations: readonly OperationRecord[];
}

/** Rejects with WriteConflict if another replica changed one of these instances, else with the server's error. */
export async function writeInstances(
  context: WriteContext,
  serviceId: string,
  edits: readonly InstanceEdit[],
): Promise<void> {
  const { mirror } = context;
  const found = (id: string) => JSON.stringify(mirror.locate(serviceId, id)?.kept.record);
  const before = new Map(edits.map(({ id }) => [id, found(id)]));
  const shallRetry = conflictRetries(context);
  for (;;) {
    for (const { id, record } of edits) {
      const now = found(id);
      if (now !== before.get(id) && now !== JSON.stringify(record))
        throw new WriteConflict(`another replica changed instance ${id} at the same time; retry`);
    }
    const service = mirror.serviceObject(serviceId);
    if (service === undefined) throw new WriteConflict(`service ${serviceId} no longer exists`);
    const plans = planSlices(context, service, edits);
    if (await carryOut(context, service, plans)) return;
    if (!(await shallRetry()))
      throw new WriteConflict('too many conflicting writes to the same slices by other replicas; retry');
  }
}

interface SlicePlan {
  /** undefined: a new slice. */
  readonly slice: HeldObject | undefined;
  readonly shape: SliceShape;
  readonly instances: Map<string, KeptInstance>;
  readonly operations: OperationRecord[];
  /** Instances are added to this slice; false: they are only removed. */
  adds: boolean;
}

/**
 * The slices to write, in order: first those that gain instances, then those that lose older versions of them. So after a
 * failure at any point each instance has either its old or its new value.
 */
function planSlices(
  { mirror, clock }: WriteContext,
  service: HeldObject,
  edits: readonly InstanceEdit[],
): readonly SlicePlan[] {
  const serviceId = service.service!.id;
  const plans: SlicePlan[] = [];

  function planFor(slice: HeldObject): SlicePlan {
    const known = plans.find((plan) => plan.slice?.name === slice.name);
    if (known !== undefined) return known;
    const shape = shapeOfSlice(slice.raw);
    const plan = { slice, shape, instances: new Map(slice.instances), operations: [], adds: false };
    plans.push(plan);
    return plan;
  }

  function roomFor(record: InstanceRecord): SlicePlan {
    const shape = shapeOf(record);
    const slices = mirror.slicesOf(serviceId, 'instances').filter(({ raw }) => sameShape(shapeOfSlice(raw), shape));
    const sizes = (plan: SlicePlan) => hasRoom(plan.instances, record);
    const open = plans.find((plan) => sameShape(plan.shape, shape) && sizes(plan));
    if (open !== undefined) return open;
    const existing = slices.find(
      (slice) =>
        !plans.some((plan) => plan.slice?.name === slice.name) && hasRoom(slice.instances ?? new Map(), record),
    );
    if (existing !== undefined) return planFor(existing);
    const fresh = { slice: undefined, shape, instances: new Map(), operations: [], adds: true };
    plans.push(fresh);
    return fresh;
  }

  for (const { id, record, operations } of edits) {
    const located = mirror.locate(serviceId, id);
    const current = located && planFor(located.slice);
    // An interrupted move left a copy in an older slice, from where it must not come back.
    for (const slice of mirror.slicesOf(serviceId, 'instances'))
      if (slice.name !== located?.slice.name && slice.instances?.has(id)) planFor(slice).instances.delete(id);
    const stamp = Math.max(clock.now(), (located?.kept.stamp ?? 0) + 1);
    current?.instances.delete(id);
    if (record === undefined) {
      current?.operations.push(...operations);
      continue;
    }
    const stays = current && sameShape(current.shape, shapeOf(record)) && hasRoom(current.instances, record);
    const plan = stays ? current : roomFor(record);
    plan.instances.set(id, { record, stamp });
    plan.operations.push(...operations);
    plan.adds = true;
  }
  const newest = new Set(edits.map(({ id }) => mirror.locate(serviceId, id)?.slice.name));
  const rank = ({ adds, slice }: SlicePlan) => (adds ? 0 : newest.has(slice?.name) ? 2 : 1);
  return plans.sort((one, other) => rank(one) - rank(other));
}

function hasRoom(instances: Instances, record: InstanceRecord): boolean {
  if (instances.size >= MAX_ENDPOINTS) return false;
  return instancesAnnotation(instances).length + JSON.stringify(record).length < MAX_INSTANCES_BYTES;
}

/** False: another replica was faster. The mirror has its version now, and everything must be planned again. */
async function carryOut(context: WriteContext, service: HeldObject, plans: readonly SlicePlan[]): Promise<boolean> {
  const { mirror, client, take } = context;
  for (const { slice, shape, instances, operations } of plans) {
    const base = slice?.raw ?? newSlice(service, 'instances', shape);
    const said = readiness(base, slice?.instances ?? new Map());
    const isReady = (id: string) =>
      instances.get(id)?.record.customStatus?.status !== 'UNHEALTHY' && said.get(id) !== false;
    const object = withInstances(base, slice?.operations ?? [], instances, operations, isReady);
    try {
      if (slice === undefined) await createSlice(context, service, object);
      else take(await client.replace('endpointslices', slice.name, object));
    } catch (error) {
      if (!(error instanceof ApiError) || slice === undefined) throw error;
      if (error.status === 409) take(await client.get('endpointslices', slice.name));
      else if (error.status === 404) context.feed(mirror.forget('endpointslices', slice.name));
      else throw error;
      return false;
    }
  }
  return true;
}

/** A new slice counts only if its Service stays: `deleteEmpty` marks the Service first and lists its slices afterwards. */
async function createSlice({ client, take, clock }: WriteContext, service: HeldObject, object: object): Promise<void> {
  const created = await client.create('endpointslices', object);
  const owner = await client.get('services', service.name);
  if (owner?.uid === service.uid && !isMarked(owner, clock)) {
    take(created);
    return;
  }
  await client.delete('endpointslices', created);
  throw new WriteConflict(`service ${service.service?.name} is being deleted (${DELETING})`);
}
