// Orders of operators in a real cluster: two replicas as processes, the command line, and the permissions of the manifests.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { endpoint, PODS, pod, podStatus, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { healthdns, type Serving, serving } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { freePort } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane');
const NAME = 'db.default.svc.cluster.local';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

interface Replica {
  readonly server: Serving;
  readonly dns: number;
  readonly http: string;
}

let plane: ControlPlane;
let replicas: Replica[] = [];

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane({ users: ['healthdns'] });
  await bind('reader', 'deploy/rbac.yaml', 'healthdns');
  const { client } = plane;
  await client.create(SERVICES, service('db'));
  for (const i of [0, 1]) {
    await client.create(PODS, pod(`db-${i}`, 'db'));
    await client.patch(`${PODS}/db-${i}/status`, podStatus(`10.5.0.${i + 1}`, true));
  }
  await client.create(SLICES, slice('db-a', 'db', [endpoint('10.5.0.1', 'db-0'), endpoint('10.5.0.2', 'db-1')]));
  replicas = await Promise.all([startReplica(), startReplica()]);
});
after(async () => {
  await Promise.all(replicas.map(({ server }) => server.stop()));
  await plane?.stop();
});

/** The role of a manifest, for the user of the replicas. */
async function bind(name: string, manifest: string, role: string): Promise<void> {
  for (const document of parseAllDocuments(await readFile(manifest, 'utf8'))) {
    const object = document.toJS();
    if (object.kind !== 'ClusterRole') continue;
    await plane.client.create(`${RBAC}/clusterroles`, object);
    await plane.client.create(`${RBAC}/clusterrolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'User', name: 'healthdns', apiGroup: 'rbac.authorization.k8s.io' }],
    });
  }
}

async function startReplica(): Promise<Replica> {
  const [dns, http] = [await freePort(), await freePort()];
  const file = join(plane.folder, `zones-${dns}.yaml`);
  const cluster = { kubeconfig: plane.kubeconfig, context: 'healthdns' };
  const zones = [{ name: 'cluster.local', kubernetes: cluster }];
  await writeFile(file, JSON.stringify({ listen: `127.0.0.1:${dns}`, http: `127.0.0.1:${http}`, threads: 1, zones }));
  const server = serving([file]);
  await server.shows(/serving|answers/i);
  return { server, dns, http: `http://127.0.0.1:${http}` };
}

async function answer({ dns }: Replica): Promise<string> {
  const { stdout } = await healthdns('query', NAME, `@127.0.0.1:${dns}`, '--short');
  return stdout.trim().split('\n').sort().join(' ');
}

const answers = () => Promise.all(replicas.map(answer));
const BOTH = '10.5.0.1 10.5.0.2';

test('without permission to patch pods a drain is refused and says what to grant', options, async () => {
  await until(answers, [BOTH, BOTH]);
  const { code, stderr } = await healthdns('drain', NAME, 'db-0', '--reason', 'x', '--http', replicas[0].http);
  assert.equal(code, 1);
  assert.match(stderr, /pod default\/db-0: healthdns may not patch pods; grant it \(deploy\/rbac-drain\.yaml/);
  assert.deepEqual(await answers(), [BOTH, BOTH]);
  await bind('drain', 'deploy/rbac-drain.yaml', 'healthdns-drain');
});

test(
  'a pod that is drained through one replica is left out by all, explained, and back when undrained',
  options,
  async () => {
    await until(async () => (await drain('--reason', 'replacing the disk', '--for', '1h')).code, 0);
    assert.equal(await answer(replicas[0]), '10.5.0.2', 'acknowledged: in force');
    await until(answers, ['10.5.0.2', '10.5.0.2']);
    for (const { http } of replicas) {
      const { stdout } = await healthdns('explain', NAME, '--http', http);
      assert.match(stdout, /OUT db-0 .*\n +rule operator: drained by an operator until \S+Z: replacing the disk/);
    }
    const page = await (await fetch(`${replicas[1].http}/`)).text();
    assert.match(page, /db-0.*drained by an operator until/);
    const { body } = await plane.client.get(`${PODS}/db-0`);
    const { annotations } = body.metadata as { annotations: Record<string, string> };
    assert.match(annotations['healthdns.dev/health'], /^UNHEALTHY since \S+ until \S+: replacing the disk$/);

    // Through the other replica.
    assert.equal((await healthdns('undrain', NAME, '10.5.0.1', '--http', replicas[1].http)).code, 0);
    await until(answers, [BOTH, BOTH]);
  },
);

test('a drain expires on every replica', options, async () => {
  const { code, stdout: drained } = await drain('--reason', 'for a moment', '--for', '3s');
  assert.equal(code, 0);
  assert.match(drained, /OUT db-0 /);
  const expired = async ({ http }: Replica) =>
    /fact operator .*: for a moment \(not counted: expired\)/.test(
      (await healthdns('explain', NAME, '--http', http)).stdout,
    );
  await until(() => Promise.all(replicas.map(expired)), [true, true]);
  assert.deepEqual(await answers(), [BOTH, BOTH]);
});

test('an annotation set by hand is honoured; a malformed one is ignored and reported', options, async () => {
  const annotate = (value: string | null) =>
    plane.client.patch(`${PODS}/db-1`, { metadata: { annotations: { 'healthdns.dev/health': value } } });
  await annotate('UNHEALTHY: by kubectl');
  await until(answers, ['10.5.0.1', '10.5.0.1']);
  await annotate('maintenance');
  await until(answers, [BOTH, BOTH]);
  await replicas[0].server.shows(/annotation healthdns\.dev\/health: expected .*maintenance/);
  await annotate(null);
});

test('a pod forced healthy is answered although it is not ready, until it is deleted', options, async () => {
  const { client } = plane;
  await client.patch(`${PODS}/db-0/status`, podStatus('10.5.0.1', false));
  await until(answers, ['10.5.0.2', '10.5.0.2']);
  const forced = await healthdns('force', 'healthy', NAME, 'db-0', '--reason', 'probe', '--http', replicas[0].http);
  assert.equal(forced.code, 0);
  await until(answers, [BOTH, BOTH]);
  await client.delete(`${PODS}/db-0`);
  await until(answers, ['10.5.0.2', '10.5.0.2']);
});

const drain = (...more: string[]) => healthdns('drain', NAME, 'db-0', ...more, '--http', replicas[0].http);
