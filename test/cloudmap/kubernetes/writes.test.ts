// Writes of several replicas to one cluster, in the orders that go wrong by chance only once in a while.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/clock.ts';
import { readHeldObject } from '../../../src/cloudmap/kubernetes/held-object.ts';
import type { ObjectClient } from '../../../src/cloudmap/kubernetes/object-client.ts';
import { Mirror, type Resource } from '../../../src/cloudmap/kubernetes/object-mirror.ts';
import { writeAll } from '../../../src/cloudmap/kubernetes/write-changes.ts';
import type { InstanceRecord, StoreChange } from '../../../src/cloudmap/records.ts';
import { ApiError } from '../../../src/sources/kubernetes/api/api-server.ts';
import { type Fields, fields } from '../../../src/sources/kubernetes/api/objects.ts';
import { fakeClock } from '../../support/fake-clock.ts';

type Hook = (method: string, resource: Resource) => Promise<void> | void;

/** Objects with the API server's rules of names and versions, and the replicas that write to them. */
function cluster() {
  const objects = new Map<string, Fields>();
  let version = 100;
  // Waits between attempts pass by themselves.
  const { setTimeoutKeepingAlive } = systemClock;
  const clock = { ...fakeClock(), setTimeoutKeepingAlive };
  const random = () => 0;

  function put(resource: Resource, name: string, object: object): Fields {
    const metadata = fields((object as Fields).metadata, 'metadata');
    const stored = {
      ...object,
      metadata: { uid: `uid-${version}`, ...metadata, name, resourceVersion: String(++version) },
    };
    objects.set(`${resource}/${name}`, stored);
    return stored;
  }

  /** `hook` is called before each request is carried out. */
  function replica(hook: Hook = () => {}) {
    const mirror = new Mirror();
    const client: ObjectClient = {
      async create(resource, object) {
        await hook('create', resource);
        const { name, generateName } = fields((object as Fields).metadata, 'metadata');
        const whole = typeof name === 'string' ? name : `${String(generateName)}${version}`;
        if (objects.has(`${resource}/${whole}`)) throw new ApiError(409, 'exists');
        return readHeldObject(put(resource, whole, object));
      },
      async replace(resource, name, object) {
        await hook('replace', resource);
        const present = objects.get(`${resource}/${name}`);
        if (present === undefined) throw new ApiError(404, 'not found');
        if (versionOf(present) !== versionOf(object as Fields)) throw new ApiError(409, 'conflict');
        return readHeldObject(put(resource, name, object));
      },
      async get(resource, name) {
        await hook('get', resource);
        const present = objects.get(`${resource}/${name}`);
        return present && readHeldObject(present);
      },
      raw: async (resource, name) => objects.get(`${resource}/${name}`),
      async list(resource) {
        await hook('list', resource);
        return [...objects].filter(([key]) => key.startsWith(`${resource}/`)).map(([, one]) => readHeldObject(one));
      },
      async delete(resource, { name, raw }) {
        await hook('delete', resource);
        const present = objects.get(`${resource}/${name}`);
        if (present === undefined) return;
        if (versionOf(present) !== versionOf(raw)) throw new ApiError(409, 'conflict');
        objects.delete(`${resource}/${name}`);
      },
    };
    const take = (object: Parameters<typeof mirror.observe>[0] | undefined) => void (object && mirror.observe(object));
    return {
      mirror,
      write: (...changes: StoreChange[]) => writeAll({ mirror, client, clock, random, take, feed() {} }, changes),
      /** As its watch would. */
      see() {
        for (const object of objects.values()) mirror.observe(readHeldObject(object));
      },
      instances: (serviceId: string) =>
        mirror
          .all()
          .flatMap((change) =>
            change.collection === 'instance' && change.key.startsWith(`${serviceId}/`) && change.value !== undefined
              ? [`${change.value.id} ${change.value.attributes.AWS_INSTANCE_IPV4}`]
              : [],
          )
          .sort(),
    };
  }
  return { replica, objects };
}

const versionOf = ({ metadata }: Fields) => fields(metadata, 'metadata').resourceVersion;

const namespace = (isThere = true): StoreChange => ({
  collection: 'namespace',
  key: 'ns-1',
  value: isThere ? { id: 'ns-1', name: 'shop.local', type: 'DNS_PRIVATE', createMs: 0, tags: {} } : undefined,
});
const service = (isThere = true, description?: string): StoreChange => ({
  collection: 'service',
  key: 'srv-1',
  value: isThere
    ? {
        id: 'srv-1',
        namespaceId: 'ns-1',
        name: 'api',
        createMs: 0,
        customHealth: false,
        attributes: {},
        tags: {},
        description,
      }
    : undefined,
});
const instance = (id: string, ipv4?: string, port = '80'): StoreChange => {
  const attributes = { AWS_INSTANCE_IPV4: ipv4 ?? '', AWS_INSTANCE_PORT: port };
  const value: InstanceRecord = { serviceId: 'srv-1', id, attributes, registeredMs: 0 };
  return { collection: 'instance', key: `srv-1/${id}`, value: ipv4 === undefined ? undefined : value };
};

async function withService(hook?: Hook) {
  const { replica, objects } = cluster();
  const one = replica(hook);
  const other = replica();
  await other.write(namespace(), service());
  one.see();
  return { one, other, objects, replica };
}

test('concurrent writes of two replicas to different instances of one slice are both kept', async () => {
  const { one, other } = await withService();
  await other.write(instance('a', '10.0.0.1'));
  one.see();
  await other.write(instance('b', '10.0.0.2'));
  await one.write(instance('c', '10.0.0.3'));
  other.see();
  for (const replica of [one, other])
    assert.deepEqual(replica.instances('srv-1'), ['a 10.0.0.1', 'b 10.0.0.2', 'c 10.0.0.3']);
});

test('a write to a slice that another replica writes to all the time is made in the end', async () => {
  let left = 0;
  const { one, other } = await withService(async (method, resource) => {
    if (method === 'replace' && resource === 'endpointslices' && left-- > 0)
      await other.write(instance('a', `10.0.0.${left + 1}`));
  });
  await other.write(instance('a', '10.0.0.30'));
  one.see();
  left = 25;
  await one.write(instance('b', '10.0.1.1'));
  other.see();
  for (const replica of [one, other]) assert.deepEqual(replica.instances('srv-1'), ['a 10.0.0.1', 'b 10.0.1.1']);
});

test('a write based on a record that another replica has changed is rejected', async () => {
  const { one, other } = await withService();
  await other.write(instance('a', '10.0.0.1'));
  one.see();
  await other.write(instance('a', '10.0.0.2'));
  await assert.rejects(one.write(instance('a', '10.0.0.3')), { name: 'WriteConflict', message: /instance a/ });
  assert.deepEqual(one.instances('srv-1'), ['a 10.0.0.2']);
  await other.write(service(true, 'changed'));
  await assert.rejects(one.write(service(true, 'otherwise')), { name: 'WriteConflict' });
});

test('an instance that two replicas register at once is stored once and deregistered completely', async () => {
  const { one, other } = await withService();
  await other.write(instance('a', '10.0.0.1'));
  await one.write(instance('a', '10.0.0.1')); // It did not know: a second slice.
  one.see();
  other.see();
  for (const replica of [one, other]) assert.deepEqual(replica.instances('srv-1'), ['a 10.0.0.1']);
  await one.write(instance('a'));
  other.see();
  for (const replica of [one, other]) assert.deepEqual(replica.instances('srv-1'), []);
});

test('if a broken move left an instance in two slices, the newer one counts', async () => {
  let fails = false;
  const { one, other, objects, replica } = await withService((method) => {
    if (fails && method === 'replace') throw new ApiError(500, 'etcd');
  });
  await one.write(instance('a', '10.0.0.1', '80'));
  fails = true;
  await assert.rejects(one.write(instance('a', '10.0.0.1', '81')), { status: 500 });
  other.see();
  assert.equal(other.mirror.slicesOf('srv-1', 'instances').filter(({ instances }) => instances?.has('a')).length, 2);
  const later = replica();
  for (const object of [...objects.values()].reverse()) later.mirror.observe(readHeldObject(object));
  for (const { mirror } of [other, later])
    assert.equal(mirror.locate('srv-1', 'a')?.kept.record.attributes.AWS_INSTANCE_PORT, '81');
});

test('a service is not deleted when an instance appears before its slices are listed', async () => {
  let meanwhile: (() => Promise<void>) | undefined;
  const { one, other } = await withService(async (method, resource) => {
    if (method !== 'list' || resource !== 'endpointslices') return;
    await meanwhile?.().catch(() => {});
  });
  meanwhile = async () => {
    meanwhile = undefined;
    await other.write(instance('a', '10.0.0.1'));
  };
  // The service is marked by now, so the other one sees that and gives up.
  await one.write(service(false));
  other.see();
  assert.deepEqual(other.instances('srv-1'), []);
});

test('an instance registered after the slices of a deleted service were listed is rejected', async () => {
  let meanwhile: (() => Promise<void>) | undefined;
  const { one, other, objects } = await withService(async (method, resource) => {
    if (method === 'delete' && resource === 'services') await meanwhile?.();
  });
  let outcome = '';
  meanwhile = async () => {
    outcome = await other.write(instance('a', '10.0.0.1')).then(
      () => 'stored',
      (error: Error) => error.message,
    );
  };
  await one.write(service(false));
  assert.match(outcome, /being deleted/);
  assert.deepEqual(
    [...objects.keys()].filter((key) => key.startsWith('endpointslices/')),
    [],
  );
});

test('an instance put into an existing slice before the slices are listed keeps its service', async () => {
  let meanwhile: (() => Promise<void>) | undefined;
  const { one, other } = await withService(async (method) => {
    if (method === 'list') await meanwhile?.();
  });
  await other.write(instance('a', '10.0.0.1'));
  await other.write(instance('a'));
  one.see();
  meanwhile = () => other.write(instance('b', '10.0.0.2'));
  await assert.rejects(one.write(service(false)), { name: 'WriteConflict', message: /registered an instance/ });
  other.see();
  assert.deepEqual(other.instances('srv-1'), ['b 10.0.0.2']);
});

test('an instance put into an existing slice before the slice is deleted keeps its service', async () => {
  let meanwhile: (() => Promise<void>) | undefined;
  const { one, other } = await withService(async (method, resource) => {
    if (method !== 'delete' || resource !== 'endpointslices') return;
    const run = meanwhile;
    meanwhile = undefined;
    await run?.();
  });
  await other.write(instance('a', '10.0.0.1'));
  await other.write(instance('a'));
  one.see();
  meanwhile = () => other.write(instance('b', '10.0.0.2'));
  await assert.rejects(one.write(service(false)), { name: 'WriteConflict' });
  other.see();
  assert.deepEqual(other.instances('srv-1'), ['b 10.0.0.2']);
  await other.write(instance('c', '10.0.0.3', '81')); // The mark is gone: new slices are taken again.
});

test('a namespace is not deleted while it contains a service that another replica has just created', async () => {
  const { replica } = cluster();
  const one = replica();
  const other = replica();
  await other.write(namespace());
  one.see();
  await other.write(service());
  await assert.rejects(one.write(namespace(false)), { name: 'WriteConflict', message: /created a service/ });
  await other.write(service(false));
  await one.write(namespace(false));
});

test('a Service that belongs to somebody else is not taken over', async () => {
  const { one, other, objects, replica } = await withService();
  await other.write(service(false));
  objects.set('services/api-shop-local', { metadata: { name: 'api-shop-local', resourceVersion: '1' } });
  one.see = () => {};
  const third = replica();
  for (const object of objects.values())
    if ((object.metadata as Fields).labels) third.mirror.observe(readHeldObject(object));
  await third.write(service());
  assert.ok([...objects.keys()].some((key) => /^services\/api-shop-local-[0-9a-f]{10}$/.test(key)));
});
