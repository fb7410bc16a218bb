import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openState } from '../../src/cloudmap/cloud-map-state.ts';
import { memoryStore } from '../../src/cloudmap/cloud-map-store.ts';
import type { ServiceRecord, StoreChange } from '../../src/cloudmap/records.ts';
import { TaskBook } from '../../src/ecs/task-book.ts';
import type { TaskStatement } from '../../src/ecs/task-instance.ts';
import { createRegistry } from '../../src/registry/registry.ts';

const arn = (id: string) => ({ registryArn: `arn:aws:servicediscovery:us-east-1:000000000000:service/${id}` });

async function setUp(...services: [id: string, name: string][]) {
  const state = await openState(memoryStore(), () => {});
  let nextSlot = 1;
  const registry = createRegistry({ allocate: () => nextSlot++, set() {} });
  const book = new TaskBook(state, registry);
  state.onChange((changes) => book.changed(changes));
  const service = (id: string, name: string | undefined): StoreChange => ({
    collection: 'service',
    key: id,
    value: name === undefined ? undefined : ({ id, name, namespaceId: 'ns-1' } as ServiceRecord),
  });
  state.absorb(services.map(([id, name]) => service(id, name)));
  return {
    book,
    service: (id: string, name: string | undefined) => state.absorb([service(id, name)]),
    register(serviceId: string, id: string, isThere = true) {
      const value = isThere ? { serviceId, id, attributes: {}, registeredMs: 0 } : undefined;
      state.absorb([{ collection: 'instance', key: `${serviceId}/${id}`, value }]);
    },
    /** "id address" of each instance. */
    instances(id: string) {
      const all = [...(registry.service(`cloudmap/${id}`)?.instances.values() ?? [])];
      return all.map(({ instance }) => `${instance.id} ${instance.addresses}`).sort();
    },
  };
}

function task(name: string, ipv4: string, more: Partial<TaskStatement['task']> = {}): TaskStatement {
  return {
    task: {
      ...{
        namespace: 'shop',
        name,
        uid: `${ipv4.replaceAll('.', '')}-uid`,
        createdMs: 0,
        nodeName: undefined,
        service: 'web',
      },
      ...{
        cluster: 'prod',
        family: 'web',
        region: undefined,
        registries: [],
        ipv4,
        ipv6: undefined,
        ports: [],
        ...more,
      },
    },
    health: { source: 'task', status: 'HEALTHY', reason: '', sinceMs: 0 },
    place: {},
    subjects: [],
  };
}

test('a task is in every service of its registries', async () => {
  const { book, instances } = await setUp(['srv-a', 'x'], ['srv-b', 'web']);
  book.replace('west/web-1', task('web-1', '10.0.0.1', { registries: [arn('srv-a'), arn('srv-c')] }));
  assert.deepEqual(
    [instances('srv-a'), instances('srv-b'), instances('srv-c')],
    [['web-1 10.0.0.1'], [], ['web-1 10.0.0.1']],
  );
});

test('a task without registries is in the only service of its name', async () => {
  const { book, instances, service } = await setUp(['srv-a', 'Web'], ['srv-b', 'other']);
  book.replace('west/web-1', task('web-1', '10.0.0.1'));
  assert.deepEqual(instances('srv-a'), ['web-1 10.0.0.1']);
  service('srv-c', 'web');
  assert.deepEqual([instances('srv-a'), instances('srv-c')], [[], []]);
  assert.equal(book.counts().unplaced, 1);
  service('srv-a', undefined);
  assert.deepEqual([instances('srv-a'), instances('srv-c')], [[], ['web-1 10.0.0.1']]);
  assert.equal(book.counts().unplaced, 0);
});

test('a stopped task is deregistered', async () => {
  const { book, instances } = await setUp(['srv-a', 'web']);
  book.replace('west/web-1', task('web-1', '10.0.0.1'));
  book.replace('west/web-1', undefined);
  assert.deepEqual(instances('srv-a'), []);
  assert.equal(book.counts().tasks, 0);
});

test('of two pods with one id, the older gets it; both are registered, and the other gets it when the older goes', async () => {
  const { book, instances } = await setUp(['srv-a', 'web']);
  book.replace('west/web-1', task('web-1', '10.0.0.1', { createdMs: 2, uid: 'aaaaaaaa-1' }));
  book.replace('east/web-1', task('web-1', '10.9.0.1', { createdMs: 1, uid: 'bbbbbbbb-1' }));
  assert.deepEqual(instances('srv-a'), ['web-1 10.9.0.1', 'web-1@aaaaaaaa 10.0.0.1']);
  assert.equal(book.counts().namesakes, 1);
  book.replace('west/web-1', task('web-1', '10.0.0.2', { createdMs: 2, uid: 'aaaaaaaa-1' }));
  assert.deepEqual(instances('srv-a'), ['web-1 10.9.0.1', 'web-1@aaaaaaaa 10.0.0.2']);
  book.replace('east/web-1', undefined);
  assert.deepEqual(instances('srv-a'), ['web-1 10.0.0.2']);
  assert.equal(book.counts().namesakes, 0);
});

test('an instance registered through the API keeps its id', async () => {
  const { book, instances, register } = await setUp(['srv-a', 'web']);
  book.replace('west/web-1', task('web-1', '10.0.0.1', { uid: 'aaaaaaaa-1' }));
  register('srv-a', 'web-1');
  assert.deepEqual(instances('srv-a'), ['web-1@aaaaaaaa 10.0.0.1']);
  register('srv-a', 'web-1', false);
  assert.deepEqual(instances('srv-a'), ['web-1 10.0.0.1']);
});

test('a name that is too long for an instance id is replaced by the uid', async () => {
  const { book, instances } = await setUp(['srv-a', 'web']);
  book.replace('west/long', task('x'.repeat(65), '10.0.0.1', { uid: 'aaaaaaaa-1' }));
  assert.deepEqual(instances('srv-a'), ['aaaaaaaa-1 10.0.0.1']);
});
