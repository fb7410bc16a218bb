// Two replicas of the program as it is deployed, with the rights of deploy/, one of them killed.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { NAMESPACES } from '../support/cluster-objects.ts';
import { healthdns, type Serving, serving } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane');
const NAMESPACE = 'healthdns';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const COLLECTIONS: Readonly<Record<string, string>> = {
  ServiceAccount: '/api/v1/namespaces/kube-system/serviceaccounts',
  ClusterRole: `${RBAC}/clusterroles`,
  ClusterRoleBinding: `${RBAC}/clusterrolebindings`,
  Role: `${RBAC}/namespaces/${NAMESPACE}/roles`,
  RoleBinding: `${RBAC}/namespaces/${NAMESPACE}/rolebindings`,
};
let plane: ControlPlane;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  await plane.client.create(NAMESPACES, { metadata: { name: NAMESPACE } });
  for (const file of ['deploy/rbac.yaml', 'deploy/rbac-cloud-map.yaml'])
    for (const document of parseAllDocuments(await readFile(file, 'utf8'))) {
      const object = document.toJS();
      await plane.client.create(COLLECTIONS[object.kind]!, object);
    }
});
after(() => plane?.stop());

/** zones.yaml of a replica that is the ServiceAccount. */
async function configuration(): Promise<string> {
  const { body } = await plane.client.create(`${COLLECTIONS.ServiceAccount}/healthdns/token`, {
    spec: { expirationSeconds: 3600 },
  });
  const config = JSON.parse(await readFile(plane.kubeconfig, 'utf8'));
  config.users = [{ name: 'admin', user: { token: body.status.token } }];
  await writeFile(join(plane.folder, 'account'), JSON.stringify(config));
  const file = join(plane.folder, 'zones.yaml');
  const store = `{ kubernetes: { kubeconfig: account, context: admin, namespace: ${NAMESPACE}, legacyEndpoints: true } }`;
  await writeFile(file, `cloudMap: { writes: loopback, store: ${store} }\nzones: [{ name: a.local }]\n`);
  return file;
}

interface Replica {
  readonly server: Serving;
  readonly dns: string;
  readonly http: string;
}

async function startReplica(t: TestContext, file: string): Promise<Replica> {
  const server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
  t.after(() => server.stop('SIGKILL'));
  const [, dns] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);
  const [, http] = await server.shows(/HTTP {2}(http:\S+)/);
  await until(async () => (await fetch(`${http}/ready`)).status, 200);
  return { server, dns: dns!, http: http! };
}

// biome-ignore lint/suspicious/noExplicitAny: outputs differ by operation
async function call({ http }: Replica, operation: string, input: object): Promise<any> {
  const response = await fetch(`${http}/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `Route53AutoNaming_v20170314.${operation}`,
    },
    body: JSON.stringify(input),
  });
  assert.equal(response.status, 200, operation);
  return JSON.parse(await response.text());
}

const answers = async ({ dns }: Replica) => {
  const { stdout } = await healthdns('query', 'web.shop.local', `@127.0.0.1:${dns}`, '--short');
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort();
};

const report = (name: string, ip: string, ready: boolean) =>
  plane.client.patch(`${PODS}/${name}/status`, {
    status: {
      ...{ phase: 'Running', podIP: ip, podIPs: [{ ip }] },
      containerStatuses: [
        {
          ...{ name: 'app', image: 'app', imageID: 'app', containerID: `containerd://${name}`, restartCount: 0, ready },
          ...{ started: true, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } },
        },
      ],
    },
  });

test('both replicas answer; when the writer is killed, the other one takes over', options, async (t) => {
  const file = await configuration();
  const replicas = [await startReplica(t, file), await startReplica(t, file)];
  const { OperationId } = await call(replicas[0]!, 'CreatePrivateDnsNamespace', { Name: 'shop.local', Vpc: 'vpc-1' });
  const { Operation } = await call(replicas[0]!, 'GetOperation', { OperationId });
  const { Service } = await call(replicas[0]!, 'CreateService', {
    Name: 'web',
    NamespaceId: Operation.Targets.NAMESPACE,
    DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 5 }] },
  });
  const instance = { InstanceId: 'i', Attributes: { AWS_INSTANCE_IPV4: '192.0.2.1' } };
  await call(replicas[0]!, 'RegisterInstance', { ServiceId: Service.Id, ...instance });
  const probe = { exec: { command: ['true'] } };
  await plane.client.create(PODS, {
    metadata: { name: 'web-1', labels: { 'kecs.dev/service': 'web' } },
    spec: { containers: [{ name: 'app', image: 'app', readinessProbe: probe }] },
  });
  await report('web-1', '10.1.0.1', true);
  for (const replica of replicas) await until(() => answers(replica), ['10.1.0.1', '192.0.2.1']);

  const slices = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices?labelSelector=healthdns.dev/service-id=${Service.Id}`;
  const isReady = async () => {
    const { body } = await plane.client.get(slices);
    const all = body.items.flatMap(({ endpoints }: { endpoints?: object[] }) => endpoints ?? []);
    return all.find(({ addresses }: { addresses: string[] }) => addresses[0] === '10.1.0.1')?.conditions.ready;
  };
  await until(isReady, true);
  const writes = async ({ http }: Replica) =>
    /^healthdns_endpoints_writer 1$/m.test(await (await fetch(`${http}/metrics`)).text());
  const [first, second] = (await writes(replicas[0]!)) ? replicas : [...replicas].reverse();
  assert.ok(await writes(first!));
  await first!.server.stop('SIGKILL');
  const startedMs = performance.now();
  await report('web-1', '10.1.0.1', false);
  await until(() => answers(second!), ['192.0.2.1']);
  await until(isReady, false, 60_000);
  t.diagnostic(`written by the other replica ${((performance.now() - startedMs) / 1000).toFixed(1)} s after the kill`);
  for (const { server } of [second!]) assert.doesNotMatch(server.stderr(), /forbidden/);
});
