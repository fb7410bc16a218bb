// The health of services as `serve` prints it, beside what DNS answers at the same time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeHealth, describeServing } from '../../src/cli/banner.ts';
import { parseConfig } from '../../src/config/loading/load.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { createCensus } from '../../src/http/census.ts';
import { overviewOf } from '../../src/http/overview.ts';
import { createStatusBoard } from '../../src/sources/status.ts';
import { clusterZone, instance, kubernetesService, setUpZones } from '../support/zone-setup.ts';

const NAME = 'web.prod.svc.cluster.local.';
const inCluster = (cluster: string, rank: number, merge = false) =>
  kubernetesService('prod/web', {
    key: `kubernetes/${cluster}/prod/web`,
    source: `kubernetes/${cluster}`,
    rank,
    merge,
  });

function setUp() {
  const made = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const { zones, registry, plane, clock } = made;
  const health = new HealthSync({ registry, slots: plane.slots, clock, schedule: () => {} });
  const census = createCensus({ registry, health });
  const board = createStatusBoard(clock);
  const config = [clusterZone('cluster.local.')];
  const running = {
    listening: [],
    admin: undefined,
    overview: (limit: number) => overviewOf({ zones: config, registry, census, board }, limit),
    explain: (name: string) => zones.explain(name),
  };
  const lines = async () => {
    health.flush();
    await zones.flush();
    return describeHealth(running, true);
  };
  return { ...made, lines };
}

test('of two clusters with one service, the health shown is that of the service which has the name', async () => {
  const { state, lines } = setUp();
  state(inCluster('a', 1), [instance('b', ['10.2.0.1'])]);
  state(inCluster('z', 0), [instance('a', ['10.1.0.1'])]);
  assert.deepEqual(await lines(), ['Health after the first checks:', `  ${NAME} answers a`]);
});

test('services of two clusters that share a name are shown with their clusters', async () => {
  const { state, lines } = setUp();
  state(inCluster('one', 0, true), [instance('a', ['10.1.0.1'])]);
  state(inCluster('two', 1, true), [instance('b', ['10.2.0.1'])]);
  assert.deepEqual(await lines(), [
    'Health after the first checks:',
    `  ${NAME} (kubernetes/one) answers a`,
    `  ${NAME} (kubernetes/two) answers b`,
  ]);
});

test('a reason that a check printed cannot control the terminal', async () => {
  const { state, lines } = setUp();
  const facts = [
    { source: 'check' as const, status: 'UNHEALTHY' as const, reason: 'pwned \u009b31m\u202e', sinceMs: 0 },
  ];
  state(inCluster('a', 0), [instance('b', ['10.2.0.1'], { facts })]);
  assert.deepEqual((await lines()).slice(-1), ['    left out: b, UNHEALTHY (pwned ?31m?)']);
});

test('the start-up summary lists the forwarded names and states that all others are refused', async () => {
  const file = 'zones: [{ name: ours.test }]\nforward: [{ zone: up.test, to: [192.0.2.1] }]';
  const result = await parseConfig(file, '/zones.yaml');
  assert.ok(result.ok);
  const lines = describeServing('zones.yaml', result.config, { listening: [], http: [], admin: undefined });
  assert.equal(lines.at(-1), '  rest  REFUSED, except up.test. (forwarded)');
});
