// deploy/ applied to a real API server, with a test that plays the kubelet; and the change of the cluster's resolver.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startPod } from '../support/chart/pod.ts';
import { NAMESPACES, SERVICES, service } from '../support/cluster-objects.ts';
import { repository } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { digAddresses } from '../support/dig.ts';
import { type Kubelet, startKubelet } from '../support/kubelet.ts';
import { clusterTools } from '../support/manifests.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('controller-manager', 'kubectl', 'helm');
const CHART = 'deploy/helm/healthdns';
let plane: ControlPlane;
let kubelet: Kubelet;
let run: ReturnType<typeof clusterTools>;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane({
    controllerManager: true,
    controllers: ['deployment-controller', 'replicaset-controller', 'garbage-collector-controller'],
  });
  await plane.client.create(NAMESPACES, { metadata: { name: 'dns' } });
  run = clusterTools(plane.kubeconfig, plane.folder);
  kubelet = await startKubelet({
    client: plane.client,
    folder: join(plane.folder, 'pods'),
    addressOf: (index) => `10.1.0.${index}`,
    runsContainers: false,
  });
});
after(async () => {
  await kubelet?.stop();
  await plane?.stop();
});

/** Addresses of the ready endpoints of a Service. */
async function endpoints(namespace: string, name: string): Promise<string[]> {
  const selector = `labelSelector=kubernetes.io/service-name=${name}`;
  const { body } = await plane.client.get(
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?${selector}`,
  );
  return body.items
    .flatMap((item: { endpoints: object[] | null }) => item.endpoints ?? [])
    .filter((one: { conditions: { ready: boolean } }) => one.conditions.ready)
    .flatMap((one: { addresses: string[] }) => one.addresses)
    .sort();
}

const json = async (...args: string[]) => JSON.parse(await run('kubectl', ...args, '-o', 'json'));

test('the API server accepts every manifest of deploy/, as files and through kustomize', options, async () => {
  const files = ['-f', 'deploy/rbac.yaml', '-f', 'deploy/healthdns.yaml'];
  await run('kubectl', 'create', 'namespace', 'healthdns');
  for (const role of ['rbac-cloud-map', 'rbac-ecs', 'rbac-drain', 'rbac-events'])
    await run('kubectl', 'apply', '--dry-run=server', '-f', `deploy/${role}.yaml`);
  await run('kubectl', 'apply', '--dry-run=server', ...files);
  await run('kubectl', 'apply', '--dry-run=server', '-k', 'deploy');
  await run('kubectl', 'apply', ...files);
  await until(async () => (await endpoints('kube-system', 'healthdns')).length, 2);
  const { status } = await json('-n', 'kube-system', 'get', 'deployment', 'healthdns');
  assert.equal(status.replicas, 2);
});

test('helm installs, upgrades and uninstalls the chart', options, async () => {
  const address = ['--set', 'service.clusterIP=10.96.0.53'];
  await run('helm', 'install', 'healthdns', CHART, '-n', 'dns', ...address, '--set', 'fullnameOverride=dns-of-chart');
  await until(async () => (await endpoints('dns', 'dns-of-chart')).length, 2);
  assert.equal((await json('-n', 'dns', 'get', 'service', 'dns-of-chart')).spec.clusterIP, '10.96.0.53');
  const more = ['--reuse-values', '--set', 'replicas=3'];
  await run('helm', 'upgrade', 'healthdns', CHART, '-n', 'dns', ...more);
  await until(async () => (await endpoints('dns', 'dns-of-chart')).length, 3);
  await run('helm', 'uninstall', 'healthdns', '-n', 'dns');
  await until(async () => endpoints('dns', 'dns-of-chart'), []);
});

test('one command points the cluster’s DNS Service at healthdns, and one points it back', options, async () => {
  // As CoreDNS's chart makes it, a label beside kubeadm's.
  const labels = { 'k8s-app': 'kube-dns', 'app.kubernetes.io/name': 'coredns' };
  const spec = { clusterIP: '10.96.0.10', selector: labels, ports: KUBE_DNS_PORTS };
  await plane.client.create('/api/v1/namespaces/kube-system/services', { metadata: { name: 'kube-dns' }, spec });
  await plane.client.create('/api/v1/namespaces/kube-system/pods', {
    metadata: { name: 'coredns-1', labels },
    spec: { containers: [{ name: 'coredns', image: 'coredns' }] },
  });
  await until(async () => (await endpoints('kube-system', 'kube-dns')).length, 1);
  const coredns = await endpoints('kube-system', 'kube-dns');
  const healthdns = await endpoints('kube-system', 'healthdns');

  const [there, back] = await documentedCommands('kubectl -n kube-system patch service kube-dns');
  await run('kubectl', ...there);
  await until(() => endpoints('kube-system', 'kube-dns'), healthdns);
  await run('kubectl', ...back);
  await until(() => endpoints('kube-system', 'kube-dns'), coredns);
});

test('the chart takes over the cluster’s DNS Service, which stays when it is uninstalled', options, async () => {
  const coredns = await endpoints('kube-system', 'kube-dns');
  for (const verb of ['annotate', 'label']) {
    const commands = await documentedCommands(`kubectl -n kube-system ${verb} service kube-dns`);
    assert.equal(commands.length, 1);
    await run('kubectl', ...commands[0]);
  }
  const shape = ['--set', 'shape=replace', '--set', 'service.clusterIP=10.96.0.10'];
  await run('helm', 'install', 'dns', CHART, '-n', 'kube-system', ...shape, '--set', 'fullnameOverride=in-place');
  const pods = async () => (await endpoints('kube-system', 'kube-dns')).filter((address) => !coredns.includes(address));
  await until(async () => (await pods()).length, 2);
  const kubeDns = await json('-n', 'kube-system', 'get', 'service', 'kube-dns');
  assert.deepEqual([kubeDns.spec.clusterIP, kubeDns.spec.selector], ['10.96.0.10', { 'k8s-app': 'in-place' }]);
  const [, back] = await documentedCommands('kubectl -n kube-system patch service kube-dns');
  await run('kubectl', ...back);
  await run('helm', 'uninstall', 'dns', '-n', 'kube-system');
  await until(() => endpoints('kube-system', 'kube-dns'), coredns);
});

// As kubeadm makes it.
const KUBE_DNS_PORTS = [
  { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
  { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
  { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
];

/** The commands of docs/install.md that begin so, as words after `kubectl`. */
async function documentedCommands(beginning: string): Promise<string[][]> {
  const text = await readFile(join(repository, 'docs/install.md'), 'utf8');
  const commands = text.split('\n').filter((line) => line.trim().startsWith(beginning));
  return commands.map((line) =>
    [...line.trim().matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare).slice(1),
  );
}

test(
  'a pod of the Deployment serves its cluster with the arguments, ConfigMap, service account and API server address it is given',
  requirement('controller-manager', 'kubectl', 'helm', 'dig', 'network-namespace'),
  async (t) => {
    const deployment = await json('-n', 'kube-system', 'get', 'deployment', 'healthdns');
    const { data } = await json('-n', 'kube-system', 'get', 'configmap', 'healthdns');
    const one = await startPod(plane, deployment, data['zones.yaml']);
    t.after(() => one.stop());

    await plane.client.create(SERVICES, service('web', { clusterIP: '10.96.7.7' }));
    await until(() => digAddresses(one.dns, 'web.default.svc.cluster.local'), ['10.96.7.7']);
    const replicas = await endpoints('kube-system', 'healthdns');
    assert.equal(replicas.length, 2);
  },
);
