import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStore } from '../../src/cloudmap/cloud-map-store.ts';
import { callOperation } from '../../src/cloudmap/operations/call-operation.ts';
import { keepsOrders, orderInstance } from '../../src/cloudmap/operator-orders.ts';
import { serviceKey } from '../../src/cloudmap/publish-cloud-map.ts';
import { startCloudMapServer } from '../support/cloud-map-server.ts';

interface Reply {
  readonly OperationId: string;
  readonly Operation: { readonly Targets: { readonly NAMESPACE: string } };
  readonly Service: { readonly Id: string };
}

test("an operator's order is part of the instance's record: durable, kept when the instance is registered again, removed with it", async () => {
  const store = memoryStore();
  const server = await startCloudMapServer({ store });
  const call = async (name: string, input: object) => callOperation(server.api, name, input) as Promise<Reply>;
  const { OperationId } = await call('CreateHttpNamespace', { Name: 'shop', CreatorRequestId: 'a' });
  const { Operation } = await call('GetOperation', { OperationId });
  const { Service } = await call('CreateService', { Name: 'db', NamespaceId: Operation.Targets.NAMESPACE });
  const register = () =>
    call('RegisterInstance', {
      ServiceId: Service.Id,
      InstanceId: 'db-0',
      Attributes: { AWS_INSTANCE_IPV4: '10.0.0.1' },
    });
  await register();
  const key = serviceKey(Service.Id);
  const verdicts = ({ registry }: typeof server) =>
    [...registry.service(key)!.instances.values()].map(
      ({ verdict }) => `${verdict.rule} ${verdict.answered}: ${verdict.reason}`,
    );
  const drained = ['operator false: drained by an operator: disk'];

  assert.deepEqual(
    [keepsOrders(server.api.state, key, 'db-0'), keepsOrders(server.api.state, key, 'db-1')],
    [true, false],
  );
  await orderInstance(server.api.state, key, 'db-0', { status: 'UNHEALTHY', reason: 'disk', sinceMs: 1_000 });
  assert.deepEqual(verdicts(server), drained);
  await register();
  assert.deepEqual(verdicts(server), drained, 'registered again');

  const restarted = await startCloudMapServer({ store });
  assert.deepEqual(verdicts(restarted), drained, 'after a restart');
  await restarted.close();

  await orderInstance(server.api.state, key, 'db-0', undefined);
  assert.match(verdicts(server)[0]!, /^unknown true/);
  await orderInstance(server.api.state, key, 'db-0', { status: 'UNHEALTHY', reason: 'disk' });
  await call('DeregisterInstance', { ServiceId: Service.Id, InstanceId: 'db-0' });
  await register();
  assert.match(verdicts(server)[0]!, /^unknown true/, 'another instance of the same id');
  await server.close();
});
