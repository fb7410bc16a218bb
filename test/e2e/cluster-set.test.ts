// A set of clusters (Multi-Cluster Services API, KEP-1645) on a real API server: its kinds come with a CustomResourceDefinition.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { defineServiceImports, endpoint, SERVICE_IMPORTS, SLICES, slice } from '../support/cluster-objects.ts';
import { type Serving, serving } from '../support/command.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { dig, digAddresses } from '../support/dig.ts';
import { followCluster, testKubernetesConfig } from '../support/followed-cluster.ts';
import { freePorts } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane', 'dig');
const SET = 'default.svc.clusterset.local';
let plane: ControlPlane;
let server: Serving;
let port: number;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
});
after(async () => {
  await server?.stop();
  await plane?.stop();
});

test('a cluster that joins a cluster set is followed as a member', options, async () => {
  const cluster = followCluster(testKubernetesConfig(plane.kubeconfig, { multicluster: true }));
  try {
    await until(() => cluster.status.missing(), []);
    assert.equal(cluster.kind('serviceimports').state, 'absent');
    await defineServiceImports(plane.client);
    await plane.client.create(SERVICE_IMPORTS, {
      apiVersion: 'multicluster.x-k8s.io/v1alpha1',
      kind: 'ServiceImport',
      ...{ metadata: { name: 'pets' }, spec: { type: 'Headless', ports: [{ name: 'sql', port: 5432 }] } },
    });
    await plane.client.create(SLICES, importedSlice('pets-a', 'pets', 'clusterA', ['10.3.0.1', 'pet-1']));
    await until(() => cluster.answered('pets'), ['10.3.0.1']);
    assert.equal(cluster.kind('serviceimports').state, 'watching');
  } finally {
    await cluster.stop();
  }
});

test('the names of a cluster set are those of the multi-cluster DNS specification', options, async () => {
  await plane.client.create(SERVICE_IMPORTS, {
    apiVersion: 'multicluster.x-k8s.io/v1alpha1',
    kind: 'ServiceImport',
    ...{ metadata: { name: 'single' }, spec: { type: 'ClusterSetIP', ips: ['10.42.0.1'], ports: [{ port: 80 }] } },
  });
  await plane.client.create(SLICES, importedSlice('pets-b', 'pets', 'cluster-b', ['10.4.0.1', 'pet-1']));
  await plane.client.create(SLICES, importedSlice('single-b', 'single', 'cluster-b', ['10.4.0.7', 'back-1']));
  [port] = await freePorts(1);
  const file = join(plane.folder, 'set.yaml');
  await writeFile(
    file,
    `listen: ["127.0.0.1:${port}"]
zones:
  - name: cluster.local
    kubernetes: { kubeconfig: ./kubeconfig, context: admin }
  - name: clusterset.local
    kubernetes: { kubeconfig: ./kubeconfig, context: admin, multicluster: true }
`,
  );
  server = serving([file]);
  const addresses = (name: string) => digAddresses(port, `${name}.${SET}`).catch(() => []);
  await until(() => addresses('pets'), ['10.3.0.1', '10.4.0.1']);
  assert.deepEqual(await addresses('pet-1.clusterA.pets'), ['10.3.0.1']);
  assert.deepEqual(await addresses('pet-1.cluster-b.pets'), ['10.4.0.1']);
  const { answer } = await dig(port, `_sql._tcp.pets.${SET}`, 'SRV');
  assert.deepEqual(answer, [
    `_sql._tcp.pets.${SET}. SRV 0 50 5432 pet-1.cluster-b.pets.${SET}.`,
    `_sql._tcp.pets.${SET}. SRV 0 50 5432 pet-1.clustera.pets.${SET}.`,
  ]);
  assert.deepEqual(
    (await dig(port, '-x', '10.3.0.1')).answer.map((line) => line.split(' ')[2]),
    [`pet-1.clustera.pets.${SET}.`],
  );
  assert.deepEqual(await addresses('single'), ['10.42.0.1']);
  const absent = ['back-1.cluster-b.single', 'cluster-b.single', 'pet-1.pets', 'pet-1.clusterc.pets', 'absent'];
  for (const name of absent) assert.equal((await dig(port, `${name}.${SET}`, 'A')).status, 'NXDOMAIN', name);
  const version = await dig(port, 'dns-version.clusterset.local', 'TXT');
  assert.deepEqual(version.answer, ['dns-version.clusterset.local. TXT "1.0.0"']);
  assert.equal((await dig(port, 'pets.default.svc.cluster.local', 'A')).status, 'NXDOMAIN');
});

function importedSlice(name: string, service: string, clusterId: string, [ip, hostname]: readonly [string, string]) {
  const labels = {
    'multicluster.kubernetes.io/service-name': service,
    'multicluster.kubernetes.io/source-cluster': clusterId,
  };
  const ports = [{ name: 'sql', port: 5432, protocol: 'TCP' }];
  return { ...slice(name, service, [{ ...endpoint(ip), hostname }], { ports }), metadata: { name, labels } };
}
