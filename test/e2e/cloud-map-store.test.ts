// biome-ignore-all lint/suspicious/noExplicitAny: objects of the API server; tests look at what they need
// Kubernetes as Cloud Map's store, against a real API server: two replicas, one truth.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { openState } from '../../src/cloudmap/cloud-map-state.ts';
import { serviceObjectNames } from '../../src/cloudmap/kubernetes/held-object.ts';
import { openKubernetesStore } from '../../src/cloudmap/kubernetes/kubernetes-store.ts';
import { silentLogger } from '../../src/log.ts';
import { createStatusBoard } from '../../src/sources/status.ts';
import { type CloudMapInCluster, startCloudMapInCluster, testCloudMapConfig } from '../support/cloud-map-in-cluster.ts';
import { NAMESPACES } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { IMPATIENT } from '../support/followed-cluster.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';
import { readinessOf, until } from '../support/until.ts';

const options = requirement('control-plane');
const NAMESPACE = 'cloud';
const SLICES = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices`;
const SERVICES = `/api/v1/namespaces/${NAMESPACE}/services`;
let plane: ControlPlane;
let replicas: CloudMapInCluster[];

const startReplica = async () => {
  const access = { kubeconfig: plane.kubeconfig, context: 'admin', label: 'test' };
  const store = { kind: 'kubernetes' as const, ...access, namespace: NAMESPACE, legacyEndpoints: false };
  const replica = await startCloudMapInCluster(testCloudMapConfig({ store }));
  await until(() => replica.board.missing(), []);
  return replica;
};

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  await plane.client.create(NAMESPACES, { metadata: { name: NAMESPACE } });
  replicas = await Promise.all([startReplica(), startReplica()]);
});
after(async () => {
  await Promise.all((replicas ?? []).map((replica) => replica.stop()));
  await plane?.stop();
});

const custom = { HealthCheckCustomConfig: {} };
const register = (replica: CloudMapInCluster, ServiceId: string, InstanceId: string, more: object) =>
  replica.call('RegisterInstance', { ServiceId, InstanceId, Attributes: { AWS_INSTANCE_IPV4: '192.0.2.1', ...more } });

/** Everything that is said of a service by its replica's API. */
async function described(replica: CloudMapInCluster, ServiceId: string) {
  const { Service } = await replica.call('GetService', { Id: ServiceId });
  const { Instances } = await replica.call('ListInstances', { ServiceId });
  const { Status } = await replica.call('GetInstancesHealthStatus', { ServiceId });
  const { Attributes } = (await replica.call('GetServiceAttributes', { ServiceId })).ServiceAttributes;
  return { Service, Instances, Status, Attributes };
}

test(
  'other replicas, including later ones, see every write of a replica with attributes and custom health',
  options,
  async () => {
    const [one, other] = replicas as [CloudMapInCluster, CloudMapInCluster];
    const id = await one.createService('shop.local', 'api', { ...custom, Tags: [{ Key: 'team', Value: 'a' }] });
    await register(one, id, 'i-1', { AWS_INSTANCE_PORT: '8080', stage: 'blue "1"' });
    const { OperationId } = await register(one, id, 'i-2', {
      AWS_INSTANCE_IPV4: '192.0.2.2',
      AWS_INSTANCE_IPV6: '2001:db8::2',
    });
    await one.call('UpdateInstanceCustomHealthStatus', { ServiceId: id, InstanceId: 'i-2', Status: 'UNHEALTHY' });
    await one.call('UpdateServiceAttributes', { ServiceId: id, Attributes: { owner: 'x' } });
    const expected = await described(one, id);
    assert.deepEqual(expected.Status, { 'i-1': 'HEALTHY', 'i-2': 'UNHEALTHY' });

    await until(() => described(other, id), expected);
    assert.equal((await other.call('GetOperation', { OperationId })).Operation.Status, 'SUCCESS');
    const later = await startReplica();
    assert.deepEqual(await described(later, id), expected);
    assert.equal((await later.call('GetOperation', { OperationId })).Operation.Targets.INSTANCE, 'i-2');
    await later.stop();
  },
);

test('each of consecutive requests may reach another replica', options, async () => {
  const [one, other] = replicas as [CloudMapInCluster, CloudMapInCluster];
  for (let round = 0; round < 5; round++) {
    const { OperationId } = await one.call('CreatePrivateDnsNamespace', { Name: `hop${round}.local`, Vpc: 'vpc-1' });
    const { Operation } = await other.call('GetOperation', { OperationId });
    const NamespaceId = Operation.Targets.NAMESPACE;
    const DnsConfig = { DnsRecords: [{ Type: 'A', TTL: 5 }] };
    const { Service } = await other.call('CreateService', { Name: 'api', NamespaceId, DnsConfig });
    await register(one, Service.Id, 'i-1', {});
    assert.equal((await other.call('GetInstance', { ServiceId: Service.Id, InstanceId: 'i-1' })).Instance.Id, 'i-1');
    await assert.rejects(other.call('GetService', { Id: 'srv-none' }), { name: 'ServiceNotFound' });
  }
});

test('a service is a headless Service whose slices hold its instances, by family and port', options, async () => {
  const [one] = replicas as [CloudMapInCluster];
  const id = await one.createService('plain.local', 'web', custom);
  await register(one, id, 'a', { AWS_INSTANCE_IPV4: '192.0.2.11', AWS_INSTANCE_PORT: '80' });
  await register(one, id, 'b', {
    AWS_INSTANCE_IPV4: '192.0.2.12',
    AWS_INSTANCE_PORT: '80',
    AWS_INIT_HEALTH_STATUS: 'UNHEALTHY',
  });
  await register(one, id, 'c', { AWS_INSTANCE_IPV4: '192.0.2.13', AWS_INSTANCE_PORT: '81' });
  await register(one, id, 'loopback', { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: '81' });
  const { body: service } = await plane.client.get(`${SERVICES}/web-plain-local`);
  assert.deepEqual([service.spec.clusterIP, service.spec.selector], ['None', undefined]);
  const { body } = await plane.client.get(`${SLICES}?labelSelector=kubernetes.io/service-name=web-plain-local`);
  const shown = body.items.map((slice: any) => [
    slice.metadata.labels['endpointslice.kubernetes.io/managed-by'],
    slice.ports[0].port,
    ...slice.endpoints.map(
      (one: any) => `${one.addresses} ${one.hostname} ${one.conditions.ready} ${one.conditions.serving}`,
    ),
  ]);
  assert.deepEqual(
    shown.sort((a: any, b: any) => a[1] - b[1]),
    [
      ['healthdns', 80, '192.0.2.11 a true true', '192.0.2.12 b false false'],
      ['healthdns', 81, '192.0.2.13 c true true'],
    ],
  );
});

test('an instance that changes its port moves to another slice and exists once', options, async () => {
  const [one, other] = replicas as [CloudMapInCluster, CloudMapInCluster];
  const id = await one.createService('moving.local', 'web');
  await register(one, id, 'a', { AWS_INSTANCE_PORT: '80' });
  await register(one, id, 'a', { AWS_INSTANCE_PORT: '81' });
  const { body } = await plane.client.get(`${SLICES}?labelSelector=kubernetes.io/service-name=web-moving-local`);
  const endpoints = body.items.map(({ ports, endpoints }: any) => `${ports[0].port}: ${endpoints?.length ?? 0}`).sort();
  assert.deepEqual(endpoints, ['80: 0', '81: 1']);
  await until(
    async () => (await described(other, id)).Instances.map((i: any) => i.Attributes.AWS_INSTANCE_PORT),
    ['81'],
  );
});

test(
  'four hundred instances registered through both replicas at once are in slices of at most a hundred',
  options,
  async () => {
    const [one, other] = replicas as [CloudMapInCluster, CloudMapInCluster];
    const id = await one.createService('many.local', 'web');
    await until(
      () =>
        other.call('GetService', { Id: id }).then(
          () => true,
          () => false,
        ),
      true,
    );
    const ids = Array.from({ length: 400 }, (_, i) => `i-${i}`);
    await Promise.all(
      ids.map(async (instance, i) => {
        // A conflict is told to the client, who asks again.
        for (let attempt = 0; ; attempt++) {
          try {
            return await register(replicas[i % 2]!, id, instance, { AWS_INSTANCE_IPV4: `10.0.${i >> 8}.${i & 255}` });
          } catch (error) {
            if ((error as Error).name !== 'ServiceUnavailable' || attempt === 5) throw error;
          }
        }
      }),
    );
    const names = (replica: CloudMapInCluster) => replica.instances(id).map((line) => line.split(' ')[0]);
    await until(() => names(one).length, 400);
    await until(() => names(other).length, 400);
    assert.deepEqual(names(one), [...ids].sort());
    const { body } = await plane.client.get(`${SLICES}?labelSelector=healthdns.dev/service-id=${id}`);
    assert.ok(body.items.every(({ endpoints }: any) => endpoints.length <= 100));
  },
);

test(
  'while the API server is unreachable, clients get an error and no acknowledged write is lost',
  options,
  async () => {
    const [one, other] = replicas as [CloudMapInCluster, CloudMapInCluster];
    const id = await one.createService('away.local', 'api', custom);
    await register(one, id, 'kept', {});
    await plane.apiServer.stop();
    await assert.rejects(register(one, id, 'refused', {}), { name: 'ServiceUnavailable' });
    await assert.rejects(one.call('CreateHttpNamespace', { Name: 'refused' }), { name: 'ServiceUnavailable' });
    await assert.rejects(one.call('DeregisterInstance', { ServiceId: id, InstanceId: 'kept' }), {
      name: 'ServiceUnavailable',
    });
    assert.deepEqual(one.instances(id), ['kept HEALTHY 192.0.2.1']);
    await plane.apiServer.start();
    await until(
      () =>
        register(one, id, 'later', { AWS_INSTANCE_IPV4: '192.0.2.9' }).then(
          () => true,
          () => false,
        ),
      true,
    );
    for (const replica of [one, other])
      await until(() => replica.instances(id), ['kept HEALTHY 192.0.2.1', 'later HEALTHY 192.0.2.9']);
  },
);

test(
  'when two replicas create the same resource at once, one is rejected, and a retry gets the reason',
  options,
  async () => {
    const [one, other] = replicas as [CloudMapInCluster, CloudMapInCluster];
    const create = (replica: CloudMapInCluster) => replica.call('CreateHttpNamespace', { Name: 'both' });
    const outcomes = await Promise.allSettled([create(one), create(other)]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    for (const replica of [one, other])
      await until(() => create(replica).catch((error) => error.name), 'NamespaceAlreadyExists');
  },
);

test('services and namespaces are deleted only when empty according to both replicas', options, async () => {
  const [one, other] = replicas as [CloudMapInCluster, CloudMapInCluster];
  const id = await one.createService('gone.local', 'api');
  const { Service } = await one.call('GetService', { Id: id });
  await until(
    () =>
      other.call('GetService', { Id: id }).then(
        () => true,
        () => false,
      ),
    true,
  );
  await register(other, id, 'i-1', {});
  await until(() => one.instances(id).length, 1);
  await assert.rejects(one.call('DeleteService', { Id: id }), { name: 'ResourceInUse' });
  await one.call('DeregisterInstance', { ServiceId: id, InstanceId: 'i-1' });
  await one.call('DeleteService', { Id: id });
  const { OperationId } = await one.call('DeleteNamespace', { Id: Service.NamespaceId });
  await until(
    () => other.call('GetNamespace', { Id: Service.NamespaceId }).catch((error) => error.name),
    'NamespaceNotFound',
  );
  await until(
    () => other.call('GetOperation', { OperationId }).then(({ Operation }) => Operation.Type),
    'DELETE_NAMESPACE',
  );
  assert.equal((await plane.client.get(`${SERVICES}/api-gone-local`)).status, 404);
  const { body } = await plane.client.get(`${SLICES}?labelSelector=healthdns.dev/service-id=${id}`);
  assert.deepEqual(body.items, []);
});

test('an instance registered while its service is being deleted is rejected or kept, never lost', options, async () => {
  const [one, other] = replicas as [CloudMapInCluster, CloudMapInCluster];
  for (let round = 0; round < 10; round++) {
    const id = await one.createService(`race-${round}.local`, 'api');
    await until(
      () =>
        other.call('GetService', { Id: id }).then(
          () => true,
          () => false,
        ),
      true,
    );
    const [deleted, registered] = await Promise.allSettled([
      one.call('DeleteService', { Id: id }),
      register(other, id, 'i-1', {}),
    ]);
    assert.ok(deleted.status === 'rejected' || registered.status === 'rejected', `round ${round}: both succeeded`);
    if (registered.status === 'fulfilled') await until(() => one.instances(id).length, 1);
  }
});

test(
  'a replica that starts while the API server is unreachable serves its snapshot, stale, and drops objects deleted since',
  options,
  async () => {
    const folder = await temporary();
    const file = join(folder, 'cloudmap.snapshot');
    const away = join(folder, 'away');
    await writeFile(away, (await readFile(plane.kubeconfig, 'utf8')).replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:1'));
    const start = (kubeconfig: string, maxAgeSeconds = 3600) => {
      const access = { kubeconfig, context: 'admin', label: 'test', namespace: NAMESPACE, legacyEndpoints: false };
      const store = { kind: 'kubernetes' as const, ...access, snapshot: { file, maxAgeSeconds } };
      return startCloudMapInCluster(testCloudMapConfig({ store }));
    };
    const [one] = replicas as [CloudMapInCluster];
    try {
      const stays = await one.createService('stays.local', 'api');
      const goes = await one.createService('goes.local', 'api');
      for (const id of [stays, goes]) await register(one, id, 'i-1', {});
      const first = await start(plane.kubeconfig);
      await until(() => first.instances(goes).length, 1);
      await first.stop();

      const offline = await start(away);
      await until(() => offline.instances(stays), ['i-1 UNKNOWN 192.0.2.1']);
      assert.deepEqual(offline.board.missing(), []);
      assert.deepEqual(readinessOf(offline.board.zone('stays.local.')), { ready: true, stale: true });
      assert.equal((await offline.call('ListInstances', { ServiceId: stays })).Instances.length, 1);
      await assert.rejects(register(offline, stays, 'i-2', {}), { name: 'ServiceUnavailable' });
      await offline.stop();

      await one.call('DeregisterInstance', { ServiceId: goes, InstanceId: 'i-1' });
      await one.call('DeleteService', { Id: goes });
      const online = await start(plane.kubeconfig);
      await until(() => online.board.sources().every(({ synced }) => synced), true);
      assert.deepEqual(readinessOf(online.board.zone('stays.local.')), { ready: true, stale: false });
      assert.equal(online.registry.service(`cloudmap/${goes}`), undefined);
      assert.equal(online.instances(stays).length, 1);
      await online.stop();

      const expired = await start(away, 1);
      await until(() => expired.board.missing().length, 1);
      assert.deepEqual(expired.instances(stays), []);
      await assert.rejects(expired.call('ListServices', {}), { name: 'ServiceUnavailable' });
      await expired.stop();

      const handle = await open(file, 'r+');
      await handle.write('x', 200);
      await handle.close();
      const damaged = await start(away);
      await until(() => existsSync(`${file}.damaged`), true);
      assert.deepEqual(damaged.instances(stays), []);
      assert.equal(existsSync(file), false);
      await damaged.stop();
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

test('a corrupted object of ours is skipped and counted, and the others are kept', options, async () => {
  const [one] = replicas as [CloudMapInCluster];
  const id = await one.createService('broken.local', 'api');
  await register(one, id, 'i-1', {});
  const { body } = await plane.client.get(`${SLICES}?labelSelector=healthdns.dev/service-id=${id}`);
  const [slice] = body.items;
  const kinds = () => one.board.sources().flatMap((source) => source.kinds);
  const malformed = () => kinds().find(({ kind }) => kind.startsWith('endpointslices'))!.counters.malformed;
  const before = malformed();
  await plane.client.patch(`${SLICES}/${slice.metadata.name}`, {
    metadata: { annotations: { 'healthdns.dev/instances': '[{' } },
  });
  await until(malformed, before + 1);
  assert.equal(one.instances(id).length, 1);
});

test(
  'writes of a failed batch that the cluster accepted are known, although clients got an error',
  options,
  async () => {
    const config = { kubeconfig: plane.kubeconfig, context: 'admin', label: 'test', namespace: NAMESPACE };
    const status = createStatusBoard(systemClock);
    const given = { clock: systemClock, random: Math.random, log: silentLogger, timings: IMPATIENT };
    const store = openKubernetesStore({ config, status, ...given });
    const state = await openState(store, () => {});
    store.follow(state);
    try {
      await until(store.notReady, undefined);
      for (const name of serviceObjectNames('first.local', 'blocked'))
        await plane.client.create(SERVICES, { metadata: { name }, spec: { clusterIP: 'None' } });
      const namespace = (id: string, name: string) =>
        state.mutate(() => ({
          changes: [{ collection: 'namespace', key: id, value: { id, name, type: 'HTTP', createMs: 0, tags: {} } }],
          result: undefined,
        }));
      const service = { id: 'srv-x', namespaceId: 'ns-x', name: 'blocked', createMs: 0 };
      const blocked = () =>
        state.mutate(() => ({
          changes: [
            {
              collection: 'service',
              key: service.id,
              value: { ...service, customHealth: false, attributes: {}, tags: {} },
            },
          ],
          result: undefined,
        }));
      // The first is being written when the others come, so those share a write.
      const results = await Promise.allSettled([
        namespace('ns-x', 'first.local'),
        namespace('ns-y', 'second'),
        blocked(),
      ]);
      assert.deepEqual(
        results.map((result) => result.status),
        ['fulfilled', 'rejected', 'rejected'],
      );
      await until(() => [state.namespaces.has('ns-y'), state.services.has('srv-x')], [true, false]);
    } finally {
      await store.close();
    }
  },
);
