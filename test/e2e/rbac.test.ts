// deploy/rbac.yaml is exactly what is needed: applied as it is, and run under with a token of its ServiceAccount.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { endpoint, NODES, PODS, pod, podStatus, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { followCluster, IMPATIENT, testKubernetesConfig } from '../support/followed-cluster.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane');
const COLLECTIONS: Readonly<Record<string, string>> = {
  ServiceAccount: '/api/v1/namespaces/kube-system/serviceaccounts',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
};
let plane: ControlPlane;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  for (const document of parseAllDocuments(await readFile('deploy/rbac.yaml', 'utf8'))) {
    const object = document.toJS();
    await plane.client.create(COLLECTIONS[object.kind], object);
  }
});
after(() => plane?.stop());

/** A kubeconfig with a real token of the ServiceAccount. */
async function serviceAccountKubeconfig(): Promise<string> {
  const account = `${COLLECTIONS.ServiceAccount}/healthdns`;
  const { body } = await plane.client.create(`${account}/token`, { spec: { expirationSeconds: 3600 } });
  const config = JSON.parse(await readFile(plane.kubeconfig, 'utf8'));
  config.users = [{ name: 'admin', user: { token: body.status.token } }];
  const file = join(plane.folder, 'service-account-kubeconfig');
  await writeFile(file, JSON.stringify(config));
  return file;
}

test('all kinds are followed with the permissions of deploy/rbac.yaml', options, async () => {
  const { client } = plane;
  await client.create(NODES, { metadata: { name: 'node-1' } });
  await client.create(SERVICES, service('web'));
  await client.create(PODS, pod('web-1', 'web'));
  await client.patch(`${PODS}/web-1/status`, podStatus('10.4.0.1', true));
  await client.create(SLICES, slice('web-a', 'web', [endpoint('10.4.0.1', 'web-1'), endpoint('10.4.0.2')]));

  const cluster = followCluster(testKubernetesConfig(await serviceAccountKubeconfig()));
  try {
    await until(() => cluster.answered('web'), ['10.4.0.1', '10.4.0.2']);
    await until(() => cluster.status.missing(), []);
    const states = cluster.status.sources()[0].kinds.map(({ kind, state }) => [kind, state]);
    assert.deepEqual(
      states.filter(([, state]) => state !== 'watching' && state !== 'absent'),
      [],
    );

    await client.patch(`${PODS}/web-1/status`, podStatus('10.4.0.1', false));
    await until(() => cluster.answered('web'), ['10.4.0.2']);
    assert.deepEqual(
      cluster.logged.filter(({ level }) => level !== 'info' && level !== 'debug'),
      [],
    );
  } finally {
    await cluster.stop();
  }
});

test(
  'a role without pods and nodes: ready after the first refusal, marked as degraded until the rule is there',
  options,
  async () => {
    const { client } = plane;
    const role = `${COLLECTIONS.ClusterRole}/healthdns`;
    const { body } = await client.get(role);
    const withoutRule = body.rules.map((rule: { resources: string[] }) => ({
      ...rule,
      resources: rule.resources.filter((resource) => resource !== 'pods' && resource !== 'nodes'),
    }));
    await client.patch(role, { rules: withoutRule });
    // Patience that no test waits for: kinds that were read before are kept for so long.
    const timings = { ...IMPATIENT, refusedMs: 600_000 };
    const kubeconfig = await serviceAccountKubeconfig();
    const cluster = followCluster(testKubernetesConfig(kubeconfig, { pods: 'disabled' }), timings);
    try {
      await until(() => cluster.status.missing(), []);
      await until(
        () =>
          cluster.status
            .degraded()
            .map(({ kind }) => kind)
            .sort(),
        ['nodes', 'pods'],
      );
      assert.match(
        cluster.status.degraded()[0].detail,
        /is forbidden: User "system:serviceaccount:kube-system:healthdns"/,
      );
      assert.equal(cluster.status.isReady(), false, 'the data threads have nothing yet');
      await client.patch(role, { rules: body.rules });
      await until(() => cluster.status.degraded(), []);
    } finally {
      await cluster.stop();
      await client.patch(role, { rules: body.rules });
    }
  },
);

test('the role permits nothing but list and watch', options, async () => {
  const { body } = await plane.client.get(`${COLLECTIONS.ClusterRole}/healthdns`);
  const verbs = new Set((body.rules as { verbs: string[] }[]).flatMap((rule) => rule.verbs));
  assert.deepEqual([...verbs].sort(), ['list', 'watch']);
});
