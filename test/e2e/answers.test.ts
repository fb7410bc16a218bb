// From a real API server to the real dig: healthdns as it is started by its users.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NODES, PODS, pod, podStatus, SERVICES, SLICES, service } from '../support/cluster-objects.ts';
import { type Serving, serving } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { dig, digAddresses } from '../support/dig.ts';
import { freePorts } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('controller-manager', 'dig');
const NAME = 'web.default.svc.cluster.local';
let plane: ControlPlane;
let server: Serving;
let port: number;
let httpPort: number;

before(async () => {
  if (options.skip !== false) return;
  [port, httpPort] = await freePorts(2);
  plane = await startControlPlane({ controllerManager: true });
  const file = join(plane.folder, 'zones.yaml');
  await writeFile(
    file,
    `listen: ["127.0.0.1:${port}"]
http: 127.0.0.1:${httpPort}
zones:
  - name: cluster.local
    kubernetes: { kubeconfig: ./kubeconfig, context: admin, pods: insecure }
`,
  );
  server = serving([file]);
  await until(async () => (await fetch(`http://127.0.0.1:${httpPort}/ready`)).status, 200);
});
after(async () => {
  await server?.stop();
  await plane?.stop();
});

const setReady = (name: string, ip: string, ready: boolean) =>
  plane.client.patch(`${PODS}/${name}/status`, podStatus(ip, ready));

test('a Service with Pods is answered without Pods that are not ready or deleted', options, async () => {
  const { client } = plane;
  await client.create(NODES, { metadata: { name: 'node-1' } });
  await client.create(SERVICES, service('web'));
  for (const [name, ip] of [
    ['web-1', '10.1.0.1'],
    ['web-2', '10.1.0.2'],
    ['web-3', '10.1.0.3'],
  ] as const) {
    await client.create(PODS, pod(name, 'web'));
    await setReady(name, ip, true);
  }
  await until(() => digAddresses(port, NAME), ['10.1.0.1', '10.1.0.2', '10.1.0.3']);

  const { status, flags } = await dig(port, NAME, 'A');
  assert.deepEqual([status, flags.includes('aa')], ['NOERROR', true]);
  assert.equal((await dig(port, 'absent.default.svc.cluster.local', 'A')).status, 'NXDOMAIN');
  assert.deepEqual(await digAddresses(port, NAME, '+tcp'), ['10.1.0.1', '10.1.0.2', '10.1.0.3']);

  await setReady('web-1', '10.1.0.1', false);
  await until(() => digAddresses(port, NAME), ['10.1.0.2', '10.1.0.3']);
  await setReady('web-1', '10.1.0.1', true);
  await until(() => digAddresses(port, NAME), ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
  await client.delete(`${PODS}/web-3`);
  await until(() => digAddresses(port, NAME), ['10.1.0.1', '10.1.0.2']);
});

test('without a controller, a Pod that is not ready or deleted still drops out', options, async () => {
  await until(async () => {
    const { body } = await plane.client.get(SLICES);
    const own = body.items.filter((item: { metadata: { name: string } }) => item.metadata.name.startsWith('web-'));
    return own.flatMap(({ endpoints }: { endpoints: object[] }) => endpoints).length;
  }, 2);
  await plane.controllerManager!.stop();
  await setReady('web-1', '10.1.0.1', false);
  await until(() => digAddresses(port, NAME), ['10.1.0.2']);
  await setReady('web-1', '10.1.0.1', true);
  await until(() => digAddresses(port, NAME), ['10.1.0.1', '10.1.0.2']);
  await plane.client.delete(`${PODS}/web-1`);
  await until(() => digAddresses(port, NAME), ['10.1.0.2']);
});

test('explain gives the reason for excluding an instance', options, async () => {
  const response = await fetch(`http://127.0.0.1:${httpPort}/explain/${NAME}`, {
    headers: { accept: 'application/json' },
  });
  assert.match(await response.text(), /the pod is deleted/);
});

test('explain and dig agree on services without answers, pods, endpoints and addresses', options, async () => {
  const self = 'self.default.svc.cluster.local';
  const specs = {
    ip: { type: 'ExternalName', externalName: '192.0.2.1' },
    self: { type: 'ExternalName', externalName: self },
    none: { clusterIP: 'None' },
  };
  for (const [name, spec] of Object.entries(specs)) await plane.client.create(SERVICES, { metadata: { name }, spec });
  const summary = async (name: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${httpPort}/explain/${name}`);
    return ((await response.json()) as { summary: string }).summary;
  };
  await until(
    async () => /none exists, but it has no instances/.test(await summary('none.default.svc.cluster.local')),
    true,
  );
  const said: readonly (readonly [string, RegExp])[] = [
    ['ip.default.svc.cluster.local', /^NXDOMAIN: the service .*\/ip exists, but its external name .* is an IP address/],
    [self, /^NXDOMAIN: the service .*\/self exists, but its external name is its own name/],
    ['10-1-0-9.default.pod.cluster.local', /^Has the A record 10\.1\.0\.9/],
    ['10-1-0-2.web.default.svc.cluster.local', /^Has A.* records\. It is about the instance web-2, which may be/],
    ['10-1-0-1.web.default.svc.cluster.local', /^NXDOMAIN: .* web-1, which may not be|^NXDOMAIN: nothing/],
  ];
  for (const [name, summaryLike] of said) {
    assert.match(await summary(name), summaryLike);
    const status = (await dig(port, name, 'A')).status;
    assert.equal(status, summaryLike.source.startsWith('^NXDOMAIN') ? 'NXDOMAIN' : 'NOERROR', name);
  }
});

test(
  'while the API server is stopped, answers continue, /ready stays 200, and the age of the data grows',
  options,
  async () => {
    await plane.apiServer.stop();
    assert.deepEqual(await digAddresses(port, NAME), ['10.1.0.2']);
    assert.equal((await dig(port, 'absent.default.svc.cluster.local', 'A')).status, 'NXDOMAIN');
    assert.equal((await fetch(`http://127.0.0.1:${httpPort}/ready`)).status, 200);
    const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    assert.match(metrics, /healthdns_source_data_age_seconds\{source="kubernetes\/admin"\} \d/);
  },
);
