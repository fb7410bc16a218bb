// A replica whose watches have not brought yet what another one has written.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCatchUp } from '../../../src/cloudmap/kubernetes/catch-up.ts';
import type { ObjectClient } from '../../../src/cloudmap/kubernetes/object-client.ts';
import { callOperation } from '../../../src/cloudmap/operations/call-operation.ts';
import { startCloudMapServer } from '../../support/cloud-map-server.ts';
import { fakeClock } from '../../support/fake-clock.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('a resource that is not known is read from the cluster before it is reported missing; if that fails, it is not reported missing', async (t) => {
  const server = await startCloudMapServer();
  t.after(() => server.close());
  let looks = 0;
  const value = { id: 'ns-a', name: 'a.local', type: 'DNS_PRIVATE' as const, createMs: 0, tags: {} };
  const behind = {
    ...server.api,
    catchUp: async () => {
      looks++;
      server.api.state.absorb([{ collection: 'namespace', key: 'ns-a', value }]);
    },
  };
  const { Namespace } = (await callOperation(behind, 'GetNamespace', { Id: 'ns-a' })) as { Namespace: { Id: string } };
  assert.deepEqual([Namespace.Id, looks], ['ns-a', 1]);
  await callOperation(behind, 'GetNamespace', { Id: 'ns-a' });
  assert.equal(looks, 1);
  await assert.rejects(callOperation(behind, 'GetNamespace', { Id: 'ns-b' }), { code: 'NamespaceNotFound' });
  assert.equal(looks, 2);
  const discovery = callOperation(behind, 'DiscoverInstances', { NamespaceName: 'b.local', ServiceName: 'x' });
  await assert.rejects(discovery, { code: 'NamespaceNotFound' });
  assert.equal(looks, 2);
  const cut = { ...server.api, catchUp: () => Promise.reject(new Error('connection refused')) };
  const refused = { code: 'ServiceUnavailable', message: /connection refused/ };
  await assert.rejects(callOperation(cut, 'GetNamespace', { Id: 'ns-b' }), refused);
});

test('concurrent requests share the next list, and lists are at least a second apart', async () => {
  const clock = fakeClock();
  const started: number[] = [];
  let answer: (() => void) | undefined;
  const list = () => {
    started.push(clock.monotonicMs());
    return new Promise<[]>((resolve) => {
      answer = () => resolve([]);
    });
  };
  const catchUp = createCatchUp({ list } as unknown as ObjectClient, ['services'], () => {}, clock);
  const first = [catchUp(), catchUp()];
  await settle();
  assert.deepEqual(started, [0]);
  let isSecondDone = false;
  const second = Promise.all([catchUp(), catchUp()]).then(() => {
    isSecondDone = true;
  });
  answer!();
  await Promise.all(first);
  await clock.advance(999);
  assert.deepEqual([started, isSecondDone], [[0], false]);
  await clock.advance(1);
  assert.deepEqual(started, [0, 1_000]);
  answer!();
  await second;
});

test('a failed list rejects the requests that waited for it, and the next list is made', async () => {
  const clock = fakeClock();
  let fails = true;
  const list = async () => (fails ? Promise.reject(new Error('etcd is down')) : []);
  const catchUp = createCatchUp({ list } as unknown as ObjectClient, ['services'], () => {}, clock);
  await assert.rejects(catchUp(), /etcd is down/);
  fails = false;
  const next = catchUp();
  await clock.advance(1_000);
  await next;
});
