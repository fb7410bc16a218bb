// biome-ignore-all lint/suspicious/noExplicitAny: objects of the API server; tests look at what they need
// Health written back into EndpointSlices, against a real API server, by one of two replicas.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CloudMapInCluster, startCloudMapInCluster, testCloudMapConfig } from '../support/cloud-map-in-cluster.ts';
import { NAMESPACES } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane');
const NAMESPACE = 'cloud';
const SLICES = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices`;
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/healthdns-endpoints`;
let plane: ControlPlane;
let replicas: CloudMapInCluster[];

const startReplica = async () => {
  const access = { kubeconfig: plane.kubeconfig, context: 'admin', label: 'test' };
  const store = { kind: 'kubernetes' as const, ...access, namespace: NAMESPACE, legacyEndpoints: true };
  const replica = await startCloudMapInCluster(
    testCloudMapConfig({ store, tasks: [{ ...access, name: 'ecs/test', namespaces: [] }] }),
  );
  await until(() => replica.board.missing(), []);
  return replica;
};

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  await plane.client.create(NAMESPACES, { metadata: { name: NAMESPACE } });
  replicas = [await startReplica(), await startReplica()];
});
after(async () => {
  await Promise.all((replicas ?? []).map((replica) => replica.stop()));
  await plane?.stop();
});

async function runTask(service: string, name: string, ip: string, ready = true): Promise<void> {
  await plane.client.create(PODS, {
    metadata: { name, labels: { 'kecs.dev/service': service } },
    spec: {
      containers: [
        { name: 'app', image: 'app', ports: [{ containerPort: 80 }], readinessProbe: { exec: { command: ['true'] } } },
      ],
    },
  });
  await report(name, ip, ready);
}

const report = (name: string, ip: string, ready: boolean) =>
  plane.client.patch(`${PODS}/${name}/status`, {
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      containerStatuses: [
        {
          ...{ name: 'app', image: 'app', imageID: 'app', containerID: `containerd://${name}`, restartCount: 0, ready },
          ...{ started: true, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } },
        },
      ],
    },
  });

async function slicesOf(serviceId: string): Promise<any[]> {
  const { body } = await plane.client.get(`${SLICES}?labelSelector=healthdns.dev/service-id=${serviceId}`);
  return body.items;
}

/** "address ready serving target" of each endpoint. */
async function endpoints(serviceId: string): Promise<string[]> {
  const all = (await slicesOf(serviceId)).flatMap((slice) => slice.endpoints ?? []);
  return all
    .map(({ addresses, conditions, targetRef }) =>
      [addresses[0], conditions.ready, conditions.serving, targetRef?.name ?? '-'].join(' '),
    )
    .sort();
}

const register = (ServiceId: string, InstanceId: string, Attributes: object) =>
  replicas[0]!.call('RegisterInstance', { ServiceId, InstanceId, Attributes });

test('tasks and both families of registered instances become endpoints that follow their health', options, async () => {
  const id = await replicas[0]!.createService('shop.local', 'web', { HealthCheckCustomConfig: {} });
  await register(id, 'dual', {
    AWS_INSTANCE_IPV4: '192.0.2.1',
    AWS_INSTANCE_IPV6: '2001:db8::1',
    AWS_INSTANCE_PORT: '80',
  });
  await runTask('web', 'web-1', '10.1.0.1');
  await runTask('web', 'web-2', '10.1.0.2');
  const well = [
    '10.1.0.1 true true web-1',
    '10.1.0.2 true true web-2',
    '192.0.2.1 true true -',
    '2001:db8::1 true true -',
  ];
  await until(() => endpoints(id), well);

  await report('web-1', '10.1.0.1', false);
  await replicas[1]!.call('UpdateInstanceCustomHealthStatus', {
    ServiceId: id,
    InstanceId: 'dual',
    Status: 'UNHEALTHY',
  });
  const unwell = [
    '10.1.0.1 false false web-1',
    '10.1.0.2 true true web-2',
    '192.0.2.1 false false -',
    '2001:db8::1 false false -',
  ];
  await until(() => endpoints(id), unwell);
  const legacy = async () => {
    const { body } = await plane.client.get(`/api/v1/namespaces/${NAMESPACE}/endpoints/web-shop-local`);
    const [{ addresses = [], notReadyAddresses = [] }] = body.subsets;
    return [addresses.map(({ ip }: any) => ip).sort(), notReadyAddresses.map(({ ip }: any) => ip).sort()];
  };
  await until(legacy, [['10.1.0.2'], ['10.1.0.1', '192.0.2.1', '2001:db8::1']]);

  await report('web-1', '10.1.0.1', true);
  await replicas[1]!.call('UpdateInstanceCustomHealthStatus', { ServiceId: id, InstanceId: 'dual', Status: 'HEALTHY' });
  await until(() => endpoints(id), well);
  await plane.client.delete(`${PODS}/web-1`);
  await plane.client.delete(`${PODS}/web-2`);
  await until(() => endpoints(id), well.slice(2));
});

test('an unhealthy task is soon not ready in its slice', options, async (t) => {
  const rounds = 10;
  const latenciesMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const id = await replicas[0]!.createService(`latency-${round}.local`, `timed-${round}`);
    await runTask(`timed-${round}`, `timed-${round}`, '10.2.0.1');
    await until(() => endpoints(id), [`10.2.0.1 true true timed-${round}`]);
    await sleep(1_000); // or the limit of one write a second would be measured
    const startedMs = performance.now();
    await report(`timed-${round}`, '10.2.0.1', false);
    while ((await endpoints(id))[0] !== `10.2.0.1 false false timed-${round}`);
    latenciesMs.push(performance.now() - startedMs);
  }
  latenciesMs.sort((one, other) => one - other);
  t.diagnostic(
    `from the status patch to the not-ready slice: median ${latenciesMs[rounds / 2]!.toFixed(1)} ms, worst ${latenciesMs.at(-1)!.toFixed(1)} ms`,
  );
});

test('a flapping task causes at most one write per second, and the last state is correct', options, async (t) => {
  const id = await replicas[0]!.createService('flapping.local', 'flappy');
  await runTask('flappy', 'flappy-1', '10.3.0.1');
  await until(() => endpoints(id), ['10.3.0.1 true true flappy-1']);
  const generation = async () => (await slicesOf(id)).reduce((sum, slice) => sum + slice.metadata.generation, 0);
  const before = await generation();
  const startedMs = performance.now();
  for (let flip = 0; flip < 301; flip++) await report('flappy-1', '10.3.0.1', flip % 2 === 1);
  await until(() => endpoints(id), ['10.3.0.1 false false flappy-1']);
  const seconds = (performance.now() - startedMs) / 1000;
  const writes = (await generation()) - before;
  t.diagnostic(`301 flips in ${seconds.toFixed(1)} s: ${writes} writes`);
  assert.ok(writes >= 1 && writes <= seconds + 1, `${writes} writes in ${seconds} s`);
});

test('unchanged slices are not written', options, async () => {
  const id = await replicas[0]!.createService('still.local', 'still', { HealthCheckCustomConfig: {} });
  await register(id, 'a', { AWS_INSTANCE_IPV4: '192.0.2.1' });
  await runTask('still', 'still-1', '10.4.0.1');
  await until(() => endpoints(id), ['10.4.0.1 true true still-1', '192.0.2.1 true true -']);
  const versions = async () => (await slicesOf(id)).map(({ metadata }) => metadata.resourceVersion);
  const before = await versions();
  await report('still-1', '10.4.0.1', true);
  await plane.client.patch(`${PODS}/still-1`, { metadata: { annotations: { note: 'x' } } });
  await replicas[0]!.call('UpdateServiceAttributes', { ServiceId: id, Attributes: { a: 'b' } });
  await sleep(1_500);
  assert.deepEqual(await versions(), before);
});

test('foreign changes of a slice are reverted', options, async () => {
  const id = await replicas[0]!.createService('meddled.local', 'meddled');
  await register(id, 'a', { AWS_INSTANCE_IPV4: '192.0.2.1' });
  await until(() => endpoints(id), ['192.0.2.1 true true -']);
  const [slice] = await slicesOf(id);
  await plane.client.patch(`${SLICES}/${slice.metadata.name}`, { endpoints: [{ addresses: ['192.0.2.99'] }] });
  await until(() => endpoints(id), ['192.0.2.1 true true -']);
});

test('when the writer stops, the other replica takes over and completes the work', options, async (t) => {
  const id = await replicas[0]!.createService('handed.local', 'handed');
  await runTask('handed', 'handed-1', '10.5.0.1');
  await until(() => endpoints(id), ['10.5.0.1 true true handed-1']);
  const isWriter = (replica: CloudMapInCluster) => /^healthdns_endpoints_writer 1$/m.test(replica.metrics());
  assert.deepEqual(replicas.map(isWriter).sort(), [false, true]);
  const writer = replicas.find(isWriter)!;
  const { body: before } = await plane.client.get(LEASE);
  replicas = replicas.filter((replica) => replica !== writer);
  const stopping = writer.stop();
  await report('handed-1', '10.5.0.1', false);
  await stopping;
  const startedMs = performance.now();
  await until(() => endpoints(id), ['10.5.0.1 false false handed-1']);
  t.diagnostic(`taken over after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  assert.ok(isWriter(replicas[0]!));
  const { body: lease } = await plane.client.get(LEASE);
  assert.notEqual(lease.spec.holderIdentity, before.spec.holderIdentity);
  assert.equal(lease.spec.leaseTransitions, before.spec.leaseTransitions + 1);
});
