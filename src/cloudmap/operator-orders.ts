// An operator's order for a registered instance is part of its record: durable, seen by every replica, gone with the instance.
import type { OperatorOrder } from '../health/operator-order.ts';
import { CLOUD_MAP_SERVICE } from '../registry/reference.ts';
import type { State } from './cloud-map-state.ts';
import { instanceKey } from './records.ts';

/** Whether the instance is registered, so that its record can keep an order. */
export const keepsOrders = (state: State, serviceKey: string, instanceId: string): boolean =>
  state.instancesOf(CLOUD_MAP_SERVICE.parse(serviceKey)?.id ?? '').has(instanceId);

/** undefined withdraws the order. Resolves once it is durable; an instance that is gone has none. */
export function orderInstance(
  state: State,
  serviceKey: string,
  instanceId: string,
  order: OperatorOrder | undefined,
): Promise<void> {
  const serviceId = CLOUD_MAP_SERVICE.parse(serviceKey)?.id ?? '';
  return state.mutate(() => {
    const known = state.instancesOf(serviceId).get(instanceId);
    if (known === undefined) return { changes: [], result: undefined };
    const { operator: _before, ...record } = known;
    const value = { ...record, ...(order && { operator: order }) };
    return { changes: [{ collection: 'instance', key: instanceKey(serviceId, instanceId), value }], result: undefined };
  });
}
