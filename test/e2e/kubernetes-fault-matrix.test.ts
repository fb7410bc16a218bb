// Every kind × fault of a real API server behind a relay × what dies meanwhile: the right answer comes while the fault lasts,
// from another kind, or else when the server is back. All combinations run at once; how long each took is a diagnostic.
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_TIMINGS } from '../../src/sources/kubernetes/watch/timings.ts';
import { type ApiRelay, FAULTS, type Fault, startApiRelay } from '../support/api-relay.ts';
import { NODES, PODS, pod, podStatus, SERVICES, service } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { type FollowedCluster, followCluster, testKubernetesConfig } from '../support/followed-cluster.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const KINDS = ['pods', 'endpointslices', 'nodes', 'services'] as const;
type Kind = (typeof KINDS)[number];

interface Row {
  readonly name: string;
  readonly kind: Kind;
  readonly fault: Fault;
  readonly relay: ApiRelay;
  readonly cluster: FollowedCluster;
}

const options = requirement('control-plane');
let plane: ControlPlane;
const rows: Row[] = [];

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane({ controllerManager: true });
  for (const kind of KINDS) {
    for (const fault of FAULTS) {
      const relay = await startApiRelay(plane);
      const cluster = followCluster(testKubernetesConfig(relay.kubeconfig), DEFAULT_TIMINGS);
      rows.push({ name: `${kind} ${fault}`, kind, fault, relay, cluster });
    }
  }
});

after(async () => {
  for (const { cluster, relay } of rows) {
    await cluster.stop();
    await relay.close();
  }
  await plane?.stop();
});

const IPS = { unready: '10.3.0.1', deleted: '10.3.0.2', recovered: '10.3.0.3', lost: '10.3.0.4', well: '10.3.0.5' };
type Fate = keyof typeof IPS;

const timed = (ready: boolean, ageMs: number) => ({
  conditions: [
    { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: new Date(Date.now() - ageMs).toISOString() },
  ],
});
const setReady = (fate: Fate, ready: boolean, ageMs = 0) =>
  plane.client.patch(`${PODS}/${fate}/status`, podStatus(IPS[fate], ready, timed(ready, ageMs)));
const nodeStatus = (ready: boolean) => ({ status: timed(ready, 0) });

/** Waits for each of the rows and reports when it was right. */
async function allBecome(
  t: TestContext,
  what: string,
  among: readonly Row[],
  isRight: (cluster: FollowedCluster) => boolean,
): Promise<void> {
  const fromMs = performance.now();
  const times = await Promise.all(
    among.map(async ({ name, cluster }) => {
      await until(() => isRight(cluster), true, 60_000).catch(() =>
        assert.fail(`${name}: ${what}: ${cluster.answered('web').join()}`),
      );
      return `${name} ${((performance.now() - fromMs) / 1000).toFixed(1)}`;
    }),
  );
  t.diagnostic(`${what}: ${times.join(', ')}`);
}

const except = (...kinds: readonly Kind[]) => rows.filter(({ kind }) => !kinds.includes(kind));
const only = (kind: Kind) => rows.filter((row) => row.kind === kind);
const answers = (fate: Fate) => (cluster: FollowedCluster) => cluster.answered('web').includes(IPS[fate]);
const omits = (fate: Fate) => (cluster: FollowedCluster) => !cluster.answered('web').includes(IPS[fate]);
const hasService = (cluster: FollowedCluster) =>
  cluster.registry.service('kubernetes/test/cluster.local./default/other')?.service !== undefined;

test(
  'objects that die while a kind cannot be read are excluded as soon as another kind reports it, or when it is back',
  options,
  async (t) => {
    const { client } = plane;
    for (const name of ['node-1', 'node-2']) {
      await client.create(NODES, { metadata: { name } });
      await client.patch(`${NODES}/${name}/status`, nodeStatus(true));
    }
    await client.create(SERVICES, service('web'));
    await client.create(SERVICES, service('other'));
    for (const fate of Object.keys(IPS) as Fate[]) {
      await client.create(PODS, pod(fate, 'web', { nodeName: fate === 'lost' ? 'node-2' : 'node-1' }));
      await setReady(fate, fate !== 'recovered', 60_000);
    }
    const before = [IPS.unready, IPS.deleted, IPS.lost, IPS.well].sort();
    await allBecome(t, 'at first', rows, (cluster) => cluster.answered('web').join() === before.join());
    await until(() => rows.every(({ cluster }) => hasService(cluster)), true);

    for (const { relay, kind, fault } of rows) relay.fail(kind, fault);
    const died = [setReady('unready', false), client.delete(`${PODS}/deleted`), setReady('recovered', true)];
    died.push(client.patch(`${NODES}/node-2/status`, nodeStatus(false)), client.delete(`${SERVICES}/other`));
    await Promise.all(died);
    await Promise.all([
      allBecome(t, 'a pod is not ready', rows, omits('unready')),
      allBecome(t, 'a pod is deleted', rows, omits('deleted')),
      allBecome(t, 'a pod is ready again', except('endpointslices'), answers('recovered')),
      allBecome(t, 'a node is not ready', except('nodes'), omits('lost')),
      allBecome(t, 'a service is deleted', except('services'), (cluster) => !hasService(cluster)),
    ]);
    for (const { name, cluster } of rows) assert.ok(answers('well')(cluster), name);

    await sleep(20_000); // long enough that all pauses are at their longest
    for (const { relay } of rows) relay.mend();
    await Promise.all([
      allBecome(t, 'back: a pod is ready again', only('endpointslices'), answers('recovered')),
      allBecome(t, 'back: a node is not ready', only('nodes'), omits('lost')),
      allBecome(t, 'back: a service is deleted', only('services'), (cluster) => !hasService(cluster)),
      allBecome(t, 'back: the kind is watched', rows, (cluster) =>
        KINDS.every((kind) => cluster.kind(kind).state === 'watching'),
      ),
    ]);
    for (const { name, cluster } of rows)
      assert.deepEqual(cluster.answered('web'), [IPS.recovered, IPS.well].sort(), name);

    const silent = rows.filter(({ fault }) => fault === 'hang' || fault === 'silence');
    for (const { relay, kind, fault } of silent) relay.fail(kind, fault);
    const noticed = silent.map(({ name, cluster, kind }) => async () => {
      await until(() => cluster.kind(kind).state !== 'watching', true, 60_000).catch(() => assert.fail(name));
      return `${name} ${((performance.now() - silentMs) / 1000).toFixed(1)}`;
    });
    const silentMs = performance.now();
    const times = await Promise.all(noticed.map((wait) => wait()));
    t.diagnostic(`a silent watch that nothing contradicts is given up: ${times.join(', ')}`);
    for (const { relay } of silent) relay.mend(true);
    await allBecome(t, 'back, while old connections stay dead: the kind is watched', silent, (cluster) =>
      KINDS.every((kind) => cluster.kind(kind).state === 'watching'),
    );
  },
);
