// The search path of pods in a real cluster, asked from the pods' own addresses, with CoreDNS's `autopath @kubernetes` beside.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NAMESPACES, NODES, pod, podStatus, service } from '../support/cluster-objects.ts';
import { type Serving, serving } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { dig } from '../support/dig.ts';
import { freePorts } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { answerFrom, type ScriptedUpstream, startScriptedUpstream } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane', 'coredns', 'dig', 'linux');
/** Any address of 127.0.0.0/8 can be a client's; here each is a pod's. */
const IN_DEFAULT = '127.9.0.1';
const IN_TEAM = '127.9.0.2';
const NO_POD = '127.9.0.3';

let plane: ControlPlane;
let outside: ScriptedUpstream;
let server: Serving;
let port: number;
let corednsPort: number;
let stopCoredns = async () => {};

before(async () => {
  if (options.skip !== false) return;
  [port, corednsPort] = await freePorts(2);
  outside = await startScriptedUpstream(answerFrom('www.outside.test. 300 IN A 192.0.2.1'));
  plane = await startControlPlane();
  await fill();
  const file = join(plane.folder, 'zones.yaml');
  await writeFile(
    file,
    `listen: ["127.0.0.1:${port}"]
http: false
zones:
  - name: cluster.local
    kubernetes: { kubeconfig: ./kubeconfig, context: admin, pods: verified }
forward: "127.0.0.1:${outside.port}"
autopath: { zone: cluster.local }
`,
  );
  server = serving([file]);
  await startCoredns();
  for (const at of [port, corednsPort]) {
    await until(
      async () => (await ask(at, IN_TEAM, 'web.team.svc.cluster.local A').catch(() => undefined))?.status,
      'NOERROR',
    );
    await until(async () => (await ask(at, IN_TEAM, '127-9-0-2.team.pod.cluster.local A')).status, 'NOERROR');
  }
});
after(async () => {
  await server?.stop();
  await stopCoredns();
  await plane?.stop();
  await outside?.close();
});

/** A pod and a Service in each of two namespaces. */
async function fill(): Promise<void> {
  const { client } = plane;
  await client.create(NODES, { metadata: { name: 'node-1' } });
  await client.create(NAMESPACES, { metadata: { name: 'team' } });
  for (const [namespace, ip, clusterIP] of [
    ['default', IN_DEFAULT, '10.96.0.11'],
    ['team', IN_TEAM, '10.96.0.12'],
  ]) {
    const path = `/api/v1/namespaces/${namespace}`;
    await client.create(`${path}/services`, service('web', { clusterIP }));
    await client.create(`${path}/pods`, pod('web-1', 'web'));
    await client.patch(`${path}/pods/web-1/status`, podStatus(ip, true));
  }
}

async function startCoredns(): Promise<void> {
  const file = join(plane.folder, 'Corefile');
  await writeFile(
    file,
    `.:${corednsPort} {
  bind 127.0.0.1
  autopath @kubernetes
  kubernetes cluster.local {
    kubeconfig ${plane.kubeconfig} admin
    pods verified
  }
  forward . 127.0.0.1:${outside.port}
}
`,
  );
  const child = spawn(join(process.env.KUBEBUILDER_ASSETS!, 'coredns'), ['-conf', file, '-quiet'], { stdio: 'ignore' });
  stopCoredns = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
}

const ask = (at: number, client: string, question: string, ...more: string[]) =>
  dig(at, '-b', client, ...question.split(' '), ...more);

const ALIAS = 'CNAME www.outside.test.';

for (const [client, question, status, answer] of [
  [
    IN_DEFAULT,
    'www.outside.test.default.svc.cluster.local A',
    'NOERROR',
    [`www.outside.test.default.svc.cluster.local. ${ALIAS}`, 'www.outside.test. A 192.0.2.1'],
  ],
  [
    IN_TEAM,
    'www.outside.test.team.svc.cluster.local A',
    'NOERROR',
    [`www.outside.test.team.svc.cluster.local. ${ALIAS}`, 'www.outside.test. A 192.0.2.1'],
  ],
  [
    IN_DEFAULT,
    'web.team.default.svc.cluster.local A',
    'NOERROR',
    [
      'web.team.default.svc.cluster.local. CNAME web.team.svc.cluster.local.',
      'web.team.svc.cluster.local. A 10.96.0.12',
    ],
  ],
  [IN_DEFAULT, 'web.default.svc.cluster.local A', 'NOERROR', ['web.default.svc.cluster.local. A 10.96.0.11']],
  [IN_DEFAULT, 'www.outside.test.default.svc.cluster.local AAAA', 'NOERROR', []],
  [IN_DEFAULT, 'www.outside.test.team.svc.cluster.local A', 'NXDOMAIN', []],
  [IN_TEAM, 'www.outside.test.default.svc.cluster.local A', 'NXDOMAIN', []],
  [NO_POD, 'www.outside.test.default.svc.cluster.local A', 'NXDOMAIN', []],
  [IN_DEFAULT, 'www.outside.test.default.svc.cluster.local MX', 'NOERROR', []],
  [IN_DEFAULT, 'www.outside.test.svc.cluster.local A', 'NXDOMAIN', []],
  [IN_DEFAULT, 'absent.test.default.svc.cluster.local A', 'NXDOMAIN', []],
  [IN_DEFAULT, 'www.outside.test A', 'NOERROR', ['www.outside.test. A 192.0.2.1']],
] as const) {
  test(`${client} asks ${question}: ${status}`, options, async () => {
    for (const transport of ['+notcp', '+tcp']) {
      const ours = await ask(port, client, question, transport);
      assert.deepEqual([ours.status, ours.answer], [status, [...answer].sort()], `healthdns ${transport}`);
    }
    const theirs = await ask(corednsPort, client, question);
    assert.deepEqual([theirs.status, theirs.answer], [status, [...answer].sort()], 'CoreDNS');
  });
}

test('a deleted pod has no search path any more, and its address may belong to another pod', options, async () => {
  const question = 'www.outside.test.team.svc.cluster.local A';
  await plane.client.delete('/api/v1/namespaces/team/pods/web-1?gracePeriodSeconds=0');
  await until(async () => (await ask(port, IN_TEAM, question)).status, 'NXDOMAIN');
  await until(async () => (await ask(corednsPort, IN_TEAM, question)).status, 'NXDOMAIN');
  const path = '/api/v1/namespaces/default/pods';
  await plane.client.create(path, pod('web-2', 'web'));
  await plane.client.patch(`${path}/web-2/status`, podStatus(IN_TEAM, true));
  const own = 'www.outside.test.default.svc.cluster.local A';
  await until(async () => (await ask(port, IN_TEAM, own)).answer.length, 2);
  await until(async () => (await ask(corednsPort, IN_TEAM, own)).answer.length, 2);
});
