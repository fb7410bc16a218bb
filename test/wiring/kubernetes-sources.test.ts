import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import type { KubernetesConfig, ZoneConfig } from '../../src/config/config.ts';
import { silentLogger } from '../../src/log.ts';
import { createSlots } from '../../src/plane/slots.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { createStatusBoard } from '../../src/sources/status.ts';
import { createKubernetesSources } from '../../src/wiring/kubernetes-sources.ts';
import { endpoint, service, slice } from '../support/cluster-objects.ts';
import { startFakeApiServer } from '../support/fake-api-server.ts';
import { testKubernetesConfig, testZone } from '../support/followed-cluster.ts';
import { until } from '../support/until.ts';
import { staticRecords } from '../support/zone-setup.ts';

const inDefault = <T extends { metadata: object }>(object: T) =>
  ({ ...object, metadata: { ...object.metadata, namespace: 'default' } }) as never;

/** A cluster with services a and b, each with one address, and the sources that follow what `zones` say. */
async function setUp(t: TestContext) {
  const cluster = await startFakeApiServer();
  cluster.put('namespaces', { metadata: { name: 'default' } });
  for (const [index, name] of ['a', 'b'].entries()) {
    cluster.put('services', inDefault(service(name)));
    cluster.put('endpointslices', inDefault(slice(`${name}-1`, name, [endpoint(`10.0.0.${index + 1}`)])));
  }
  const registry = createRegistry(createSlots(64));
  const board = createStatusBoard(systemClock);
  const sources = createKubernetesSources({
    changed: () => {},
    registry,
    board,
    clock: systemClock,
    random: () => 0,
    log: silentLogger,
  });
  t.after(async () => {
    await sources.stop();
    await cluster.close();
  });
  const zone = (more: Partial<KubernetesConfig> = {}): ZoneConfig => ({
    ...testZone,
    kubernetes: [testKubernetesConfig(cluster.kubeconfig, { context: undefined, ...more })],
  });
  const known = () =>
    [...registry.services()]
      .filter((state) => state.service !== undefined && state.service.kind !== 'namespace')
      .map(
        (state) => `${state.service!.name} ${[...state.instances.values()].map(({ instance }) => instance.addresses)}`,
      )
      .sort();
  return { cluster, registry, sources, zone, known };
}

test('a cluster that is no longer configured is withdrawn completely', async (t) => {
  const { registry, sources, zone, known } = await setUp(t);
  await sources.replace([zone()]);
  await until(known, ['a 10.0.0.1', 'b 10.0.0.2']);
  await sources.replace([]);
  assert.deepEqual(known(), []);
  const { services, instances, groups, subjects } = registry.size();
  assert.deepEqual({ services, instances, groups, subjects }, { services: 0, instances: 0, groups: 0, subjects: 0 });
});

test('a reconfigured cluster is served until it has been read again, then deleted objects go', async (t) => {
  const { cluster, sources, zone, known } = await setUp(t);
  await sources.replace([zone()]);
  await until(known, ['a 10.0.0.1', 'b 10.0.0.2']);
  const before = cluster.requests.length;
  const replaced = sources.replace([zone({ ttlSeconds: 30 })]);
  cluster.remove('services', 'b', true);
  cluster.remove('endpointslices', 'b-1', true);
  await replaced;
  assert.deepEqual(known(), ['a 10.0.0.1', 'b 10.0.0.2']);
  await until(known, ['a 10.0.0.1']);
  assert.ok(cluster.requests.length > before);
});

test('an unchanged cluster configuration keeps its source', async (t) => {
  const { cluster, sources, zone, known } = await setUp(t);
  await sources.replace([zone()]);
  await until(known, ['a 10.0.0.1', 'b 10.0.0.2']);
  const lists = () => cluster.requests.filter((request) => !request.startsWith('watch')).length;
  const before = lists();
  await sources.replace([
    {
      ...zone(),
      records: staticRecords('cluster.local.', [
        { name: 'x.cluster.local.', type: 'A', value: '192.0.2.1', ttlSeconds: 5 },
      ]),
    },
  ]);
  cluster.put('services', inDefault(service('c')));
  await until(known, ['a 10.0.0.1', 'b 10.0.0.2', 'c ']);
  assert.equal(lists(), before);
});
