// A pod of the chart under its own service account, beside an API server that writes down each of its requests: it may do what it
// does, and does all that it may.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { collections } from '../support/chart/collections.ts';
import { SHAPES, type Values } from '../support/chart/combinations.ts';
import { type ChartPod, startPod } from '../support/chart/pod.ts';
import {
  defineServiceImports,
  endpoint,
  NAMESPACES,
  NODES,
  PODS,
  pod,
  podStatus,
  SERVICES,
  SLICES,
  service,
  slice,
} from '../support/cluster-objects.ts';
import { healthdns } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { digAddresses } from '../support/dig.ts';
import { chartObjects, type Manifest, ofKind } from '../support/manifests.ts';
import { requirement } from '../support/requirement.ts';
import { createRestClient } from '../support/rest-client.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane', 'helm', 'dig', 'network-namespace');
const NAME = 'web.default.svc.cluster.local';
let plane: ControlPlane;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane({ audit: true });
  const { client } = plane;
  await defineServiceImports(client);
  for (const name of ['registrations', 'tasks']) await client.create(NAMESPACES, { metadata: { name } });
  await client.create(NODES, { metadata: { name: 'node-1' } });
  await client.create(SERVICES, service('web'));
  await client.create(PODS, pod('web-1', 'web'));
  await client.patch(`${PODS}/web-1/status`, podStatus('10.4.0.1', true));
  await client.create(SLICES, slice('web-a', 'web', [endpoint('10.4.0.1', 'web-1'), endpoint('10.4.0.2')]));
});
after(() => plane?.stop());

interface Installed {
  readonly objects: readonly Manifest[];
  readonly pod: ChartPod;
}

async function createAll(t: TestContext, values: Values): Promise<Manifest[]> {
  const objects = await chartObjects(values);
  const paths = await collections(plane.client, objects);
  for (const object of objects) await plane.client.create(paths(object), object);
  t.after(async () => {
    for (const object of objects) await plane.client.delete(`${paths(object)}/${object.metadata.name}`);
  });
  return objects;
}

/** Makes all objects of the chart, and runs one of its pods. */
async function install(t: TestContext, values: Values): Promise<Installed> {
  const objects = await createAll(t, values);
  const workload = ofKind(objects, 'Deployment') ?? ofKind(objects, 'DaemonSet');
  const running = await startPod(plane, workload, ofKind(objects, 'ConfigMap').data['zones.yaml']);
  t.after(() => running.stop());
  return { objects, pod: running };
}

/** "verb resource.group" of all rules, with the namespace of a Role. */
function granted(objects: readonly Manifest[]): string[] {
  const roles = objects.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');
  const all = roles.flatMap(({ kind, metadata, rules }) =>
    rules.flatMap(({ apiGroups, resources, verbs }: Record<string, string[]>) =>
      resources!.flatMap((resource) =>
        verbs!.map(
          (verb) => `${verb} ${resource}.${apiGroups![0]}${kind === 'Role' ? ` in ${metadata.namespace}` : ''}`,
        ),
      ),
    ),
  );
  return [...new Set(all)].sort();
}

interface Request {
  readonly what: string;
  readonly namespace: string | undefined;
  readonly status: number;
}

async function requestsOf(account: string): Promise<Request[]> {
  // The last line may be half written.
  const lines = (await readFile(join(plane.folder, 'audit.log'), 'utf8')).split('\n').slice(0, -1);
  const requests: Request[] = [];
  for (const line of lines) {
    const { user, verb, objectRef, responseStatus } = JSON.parse(line);
    if (user.username !== `system:serviceaccount:kube-system:${account}` || objectRef === undefined) continue;
    const { resource, apiGroup = '', namespace } = objectRef;
    requests.push({ what: `${verb} ${resource}.${apiGroup}`, namespace, status: responseStatus?.code ?? 0 });
  }
  return requests;
}

const asked = async (account: string, what: string, namespace: string): Promise<boolean> =>
  (await requestsOf(account)).some((request) => request.what === what && request.namespace === namespace);

/** The permissions that were used: those of a Role where one has them. */
async function used(account: string, rights: readonly string[]): Promise<string[]> {
  const all = (await requestsOf(account)).map(({ what, namespace }) => {
    const inNamespace = `${what} in ${namespace}`;
    return rights.includes(inNamespace) ? inNamespace : what;
  });
  return [...new Set(all)].sort();
}

async function assertExactly({ objects }: Installed, account: string, unused: readonly string[] = []): Promise<void> {
  const rights = granted(objects);
  const expected = rights.filter((right) => !unused.includes(right));
  await until(
    async () => {
      const all = await used(account, rights);
      return {
        notPermitted: all.filter((what) => !rights.includes(what)),
        notUsed: expected.filter((right) => !all.includes(right)),
      };
    },
    { notPermitted: [], notUsed: [] },
  );
  const denied = (await requestsOf(account)).filter(({ status }) => status === 401 || status === 403);
  assert.deepEqual(denied, []);
}

/** Only asked for where there are no EndpointSlices: before Kubernetes 1.21. */
const OF_OLD_CLUSTERS = ['list endpoints.', 'watch endpoints.'];

for (const shape of ['beside', 'replace'])
  test(
    `shape ${shape}: a pod serves its cluster, and uses each permission of its service account and no other`,
    options,
    async (t) => {
      const account = `dns-${shape}`;
      const zones = [{ name: 'clusterset.local', kubernetes: { multicluster: true } }];
      const installed = await install(t, { ...SHAPES[shape]!.needs, fullnameOverride: account, zones });
      await until(() => digAddresses(installed.pod.dns, NAME), ['10.4.0.1', '10.4.0.2']);
      await assertExactly(installed, account, OF_OLD_CLUSTERS);
      assert.deepEqual(refusals(installed.pod), []);
    },
  );

test(
  'shape node-local: the account of the agent may do nothing, and its token is not in the pod',
  options,
  async (t) => {
    const { needs } = SHAPES['node-local']!;
    const objects = await createAll(t, { ...needs, fullnameOverride: 'dns-node' });
    assert.deepEqual(granted(objects), []);
    assert.equal(ofKind(objects, 'DaemonSet').spec.template.spec.automountServiceAccountToken, false);
    const account = '/api/v1/namespaces/kube-system/serviceaccounts/dns-node';
    const { body } = await plane.client.create(`${account}/token`, { spec: { expirationSeconds: 3600 } });
    const client = createRestClient(plane.url, body.status.token);
    t.after(() => client.close());
    for (const path of [SERVICES, NODES, PODS]) assert.equal((await client.get(path)).status, 403, path);
  },
);

const refusals = (one: ChartPod): string[] => one.log().filter((line) => /forbidden|denied/i.test(line));

const WRITING: Values = {
  fullnameOverride: 'dns-writing',
  cloudMap: { writeAccess: true, namespace: 'registrations' },
  ecs: { writeAccess: true, namespace: 'tasks' },
  'drain.writeAccess': true,
  'events.writeAccess': true,
  'kubernetes.events': true,
  zones: [{ name: 'clusterset.local', kubernetes: { multicluster: true } }],
  config: {
    cloudMap: { writes: 'loopback', store: { kubernetes: { namespace: 'registrations', legacyEndpoints: true } } },
    ecs: { engine: 'kubernetes', namespace: 'tasks' },
  },
};

test(
  'a pod that may write registrations, tasks, drains and Events does so, and uses no other permission',
  options,
  async (t) => {
    const installed = await install(t, WRITING);
    const { dns, admin } = installed.pod;
    await until(() => digAddresses(dns, NAME), ['10.4.0.1', '10.4.0.2']);

    // Events on the pod, and on its Service, which has nothing else to answer.
    await plane.client.patch(`${SLICES}/web-a`, { endpoints: [endpoint('10.4.0.1', 'web-1')] });
    await until(() => digAddresses(dns, NAME), ['10.4.0.1']);
    await plane.client.patch(`${PODS}/web-1/status`, podStatus('10.4.0.1', false));
    await until(() => digAddresses(dns, NAME), []);
    await until(() => asked('dns-writing', 'get services.', 'default'), true);
    await plane.client.patch(`${SLICES}/web-a`, { endpoints: [endpoint('10.4.0.1', 'web-1'), endpoint('10.4.0.2')] });
    await plane.client.patch(`${PODS}/web-1/status`, podStatus('10.4.0.1', true));
    await until(() => digAddresses(dns, NAME), ['10.4.0.1', '10.4.0.2']);
    const drained = await healthdns('drain', NAME, 'web-1', '--reason', 'test', '--http', admin);
    assert.equal(drained.code, 0, drained.stderr);
    assert.equal((await healthdns('undrain', NAME, 'web-1', '--http', admin)).code, 0);

    await register(admin);
    await runTasks(admin);
    await assertExactly(installed, 'dns-writing', [...OF_OLD_CLUSTERS]);
    assert.deepEqual(refusals(installed.pod), []);
  },
);

// biome-ignore lint/suspicious/noExplicitAny: outputs differ by operation
async function call(url: string, target: string, input: object): Promise<any> {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(input) });
  const text = await response.text();
  assert.equal(response.status, 200, `${target}: ${text}`);
  return JSON.parse(text);
}

const DEPLOYMENTS = '/apis/apps/v1/namespaces/tasks/deployments';

async function register(admin: string): Promise<void> {
  const ask = (operation: string, input: object) => call(admin, `Route53AutoNaming_v20170314.${operation}`, input);
  const { OperationId } = await ask('CreatePrivateDnsNamespace', { Name: 'shop.local', Vpc: 'vpc-1' });
  const { Operation } = await ask('GetOperation', { OperationId });
  const { Service } = await ask('CreateService', {
    Name: 'cart',
    NamespaceId: Operation.Targets.NAMESPACE,
    DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 5 }] },
    HealthCheckCustomConfig: { FailureThreshold: 1 },
  });
  for (const [id, ip] of [
    ['cart-1', '10.9.0.1'],
    ['cart-2', '10.9.0.2'],
  ] as const)
    await ask('RegisterInstance', {
      ServiceId: Service.Id,
      InstanceId: id,
      Attributes: { AWS_INSTANCE_IPV4: ip, AWS_INSTANCE_PORT: '80' },
    });
  await ask('UpdateService', { Id: Service.Id, Service: { Description: 'a cart' } });
  // Written by the replica that has the lease.
  const legacy = async (): Promise<string[]> => {
    const { body } = await plane.client.get('/api/v1/namespaces/registrations/endpoints');
    return body.items
      .flatMap((one: Manifest) => (one.subsets?.[0].addresses ?? []).map(({ ip }: { ip: string }) => ip))
      .sort();
  };
  await until(legacy, ['10.9.0.1', '10.9.0.2']);
  await ask('UpdateInstanceCustomHealthStatus', { ServiceId: Service.Id, InstanceId: 'cart-1', Status: 'UNHEALTHY' });
  await until(legacy, ['10.9.0.2']);
  await ask('DeregisterInstance', { ServiceId: Service.Id, InstanceId: 'cart-1' });
  await ask('DeregisterInstance', { ServiceId: Service.Id, InstanceId: 'cart-2' });
  await until(async () => (await ask('ListInstances', { ServiceId: Service.Id })).Instances, []);
  await ask('DeleteService', { Id: Service.Id });
  await ask('DeleteNamespace', { Id: Operation.Targets.NAMESPACE });
}

async function runTasks(admin: string): Promise<void> {
  const ask = (operation: string, input: object) =>
    call(admin, `AmazonEC2ContainerServiceV20141113.${operation}`, input);
  const containerDefinitions = [{ name: 'web', image: 'none', command: ['sleep', '600'] }];
  await ask('RegisterTaskDefinition', { family: 'web', containerDefinitions });
  await ask('CreateService', { serviceName: 'web', taskDefinition: 'web', desiredCount: 1 });
  const deployments = async () => (await plane.client.get(DEPLOYMENTS)).body.items;
  await until(async () => (await deployments()).map((one: Manifest) => one.spec.replicas), [1]);
  await takenName(ask);
  await ask('UpdateService', { service: 'web', desiredCount: 2 });
  await until(async () => (await deployments()).map((one: Manifest) => one.spec.replicas), [2]);
  await ask('DeleteService', { service: 'web', force: true });
  await until(async () => (await deployments()).length, 0);
  const { tasks } = await ask('RunTask', { taskDefinition: 'web' });
  await ask('StopTask', { task: tasks[0].taskArn, reason: 'enough' });
  await ask('CreateCluster', { clusterName: 'other' });
  await ask('CreateService', { cluster: 'other', serviceName: 'short', taskDefinition: 'web', desiredCount: 0 });
  await ask('DeleteService', { cluster: 'other', service: 'short', force: true });
  const short = { cluster: 'other', services: ['short'] };
  await until(async () => (await ask('DescribeServices', short)).services[0].status, 'INACTIVE');
  await ask('DeleteCluster', { cluster: 'other' });
}

/** A Deployment that is not ours has the name of a service: it is read, and left alone. */
async function takenName(ask: (operation: string, input: object) => Promise<unknown>): Promise<void> {
  const labels = { app: 'taken' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a' }] } };
  const spec = { replicas: 0, selector: { matchLabels: labels }, template };
  await plane.client.create(DEPLOYMENTS, { metadata: { name: 'taken' }, spec });
  await ask('CreateService', { serviceName: 'taken', taskDefinition: 'web', desiredCount: 1 });
  await until(() => asked('dns-writing', 'get deployments.apps', 'tasks'), true);
  await ask('DeleteService', { service: 'taken', force: true });
  assert.equal((await plane.client.get(`${DEPLOYMENTS}/taken`)).body.spec.replicas, 0);
  await plane.client.delete(`${DEPLOYMENTS}/taken`);
}

test(
  'the account of the cluster-proportional-autoscaler may count nodes and scale healthdns, and nothing else',
  options,
  async (t) => {
    await createAll(t, { fullnameOverride: 'dns', 'proportional.enabled': true });
    await createAll(t, { fullnameOverride: 'other' });
    const account = '/api/v1/namespaces/kube-system/serviceaccounts/dns-autoscaler';
    const { body } = await plane.client.create(`${account}/token`, { spec: { expirationSeconds: 3600 } });
    const client = createRestClient(plane.url, body.status.token);
    t.after(() => client.close());
    const deployments = '/apis/apps/v1/namespaces/kube-system/deployments';
    assert.equal((await client.get(NODES)).status, 200);
    assert.equal((await client.get('/api/v1/namespaces/kube-system/configmaps/dns-autoscaler')).status, 200);
    const scale = (await client.get(`${deployments}/dns/scale`)).body;
    await client.replace(`${deployments}/dns/scale`, { ...scale, spec: { replicas: 4 } });
    assert.equal((await plane.client.get(`${deployments}/dns`)).body.spec.replicas, 4);
    for (const path of [PODS, '/api/v1/secrets', `${deployments}/other/scale`, `${deployments}/dns`])
      assert.equal((await client.get(path)).status, 403, path);
  },
);
