import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
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
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { type FollowedCluster, followCluster, testKubernetesConfig } from '../support/followed-cluster.ts';
import { requirement } from '../support/requirement.ts';
import { readinessOf, until } from '../support/until.ts';

const options = requirement('control-plane');
let plane: ControlPlane;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane({ users: ['reader'] });
  await plane.client.create(NODES, { metadata: { name: 'node-1' } });
  await plane.client.create(SERVICES, service('web'));
  await plane.client.create(
    SLICES,
    slice('web-a', 'web', [endpoint('10.5.0.1', 'web-1'), endpoint('10.5.0.2', 'web-2')]),
  );
  for (const [name, ip, ready] of [
    ['web-1', '10.5.0.1', true],
    ['web-2', '10.5.0.2', false],
  ] as const) {
    await plane.client.create(PODS, pod(name, 'web'));
    await plane.client.patch(`${PODS}/${name}/status`, podStatus(ip, ready));
  }
});
after(() => plane?.stop());

const config = (file: string, maxAgeSeconds = 3600) =>
  testKubernetesConfig(plane.kubeconfig, { snapshot: { file, maxAgeSeconds } });

test(
  'a replica that restarts while the API server is unreachable answers from its snapshot, marked stale',
  options,
  async () => {
    const file = join(plane.folder, 'snapshot');
    const first = followCluster(config(file));
    await until(() => first.status.missing(), []);
    await until(() => first.answered('web'), ['10.5.0.1']);
    await first.stop();

    await plane.apiServer.stop();
    const second = followCluster(config(file));
    try {
      await until(() => second.answered('web'), ['10.5.0.1']);
      assert.deepEqual(readinessOf(second.status.zone('cluster.local.')), { ready: true, stale: true });
      assert.deepEqual(second.status.missing(), []);

      await plane.apiServer.start();
      await until(() => readinessOf(second.status.zone('cluster.local.')), { ready: true, stale: false });
      await plane.client.delete(`${SLICES}/web-a`);
      await until(() => second.answered('web'), []);
      await plane.client.create(SLICES, slice('web-b', 'web', [endpoint('10.5.0.1', 'web-1')]));
      await until(() => second.answered('web'), ['10.5.0.1']);
    } finally {
      await second.stop();
    }
  },
);

test('objects deleted while nobody watched go when the API server is reachable again', options, async () => {
  const file = join(plane.folder, 'snapshot-of-deleted');
  const first = followCluster(config(file));
  await until(() => first.status.missing(), []);
  await first.stop();
  await plane.client.delete(`${SERVICES}/web`);

  const second = followCluster(config(file));
  try {
    await until(() => second.logged.some(({ message }) => message.startsWith('answering from a snapshot')), true);
    await until(() => second.status.zone('cluster.local.').stale, false);
    await until(() => second.registry.service('kubernetes/test/cluster.local./default/web')?.service, undefined);
  } finally {
    await second.stop();
  }
});

test(
  'services of a namespace that lost its label while nobody watched go when the API server is reachable again',
  options,
  async () => {
    const file = join(plane.folder, 'snapshot-of-labels');
    const label = (team: string | null) =>
      plane.client.patch(`${NAMESPACES}/default`, { metadata: { labels: { team } } });
    const settings = { ...config(file), namespaceLabels: 'team=a' };
    await label('a');
    await plane.client.create(SERVICES, service('labelled'));
    const stated = (cluster: FollowedCluster) =>
      cluster.registry.service('kubernetes/test/cluster.local./default/labelled')?.service?.name;
    const first = followCluster(settings);
    await until(() => first.status.missing(), []);
    await until(() => stated(first), 'labelled');
    await first.stop();
    await label(null);

    const second = followCluster(settings);
    try {
      await until(() => second.logged.some(({ message }) => message.startsWith('answering from a snapshot')), true);
      await until(() => second.status.zone('cluster.local.').stale, false);
      await until(() => stated(second), undefined);
      await label('a');
      await until(() => stated(second), 'labelled');
    } finally {
      await second.stop();
    }
  },
);

test('a snapshot that is too old, truncated or from another cluster is ignored', options, async () => {
  const good = join(plane.folder, 'snapshot-to-spoil');
  const first = followCluster(config(good));
  await until(() => first.status.missing(), []);
  await first.stop();
  const text = await readFile(good, 'utf8');
  await plane.apiServer.stop();

  const spoilt: [string, string, number][] = [
    ['old', text, 0],
    ['cut', text.slice(0, -20), 3600],
    ['changed', text.replace('10.5.0.1', '10.5.0.7'), 3600],
    ['foreign', text.replace('kubernetes/test', 'kubernetes/other'), 3600],
    ['version', text.replace(/"healthdnsSnapshot":\d+/, '"healthdnsSnapshot":99'), 3600],
    ['garbage', 'not a snapshot\n', 3600],
  ];
  for (const [name, content, maxAgeSeconds] of spoilt) {
    const file = join(plane.folder, `snapshot-${name}`);
    await writeFile(file, content);
    const cluster = followCluster(config(file, maxAgeSeconds));
    try {
      await until(() => cluster.logged.some(({ message }) => message.startsWith('snapshot')), true);
      assert.deepEqual(readinessOf(cluster.status.zone('cluster.local.')), { ready: false, stale: false }, name);
      assert.deepEqual([...cluster.registry.services()], [], name);
    } finally {
      await cluster.stop();
    }
  }
  await plane.apiServer.start();
});

test('a snapshot is not served for longer than its maximum age', options, async () => {
  const file = join(plane.folder, 'snapshot-that-ages');
  const first = followCluster(config(file));
  await until(() => first.status.missing(), []);
  const confirmedMs = Date.now();
  await first.stop();
  await plane.apiServer.stop();

  const ageSeconds = Math.ceil((Date.now() - confirmedMs) / 1000);
  const second = followCluster(config(file, ageSeconds + 8));
  try {
    await until(() => readinessOf(second.status.zone('cluster.local.')), { ready: true, stale: true });
    await until(() => readinessOf(second.status.zone('cluster.local.')), { ready: false, stale: false });
    assert.equal(second.status.missing().length, 1);
    assert.deepEqual([...second.registry.services()], []);
  } finally {
    await second.stop();
    await plane.apiServer.start();
  }
});

test(
  'objects that the API server denies are not served from the snapshot beyond its maximum age',
  options,
  async () => {
    const file = join(plane.folder, 'snapshot-of-refused');
    await plane.client.create(SERVICES, service('refused'));
    await plane.client.create(SLICES, slice('refused-a', 'refused', [endpoint('10.5.0.9', 'web-1')]));
    const first = followCluster(config(file));
    await until(() => first.status.missing(), []);
    await until(() => first.answered('refused'), ['10.5.0.9']);
    await first.stop();
    await grant('reader', ['pods', 'nodes', 'namespaces']);

    const second = followCluster({ ...config(file, 10), context: 'reader' });
    try {
      await until(() => second.answered('refused'), ['10.5.0.9']);
      await until(() => second.kind('pods').synced, true);
      await until(() => readinessOf(second.status.zone('cluster.local.')), { ready: false, stale: false });
      assert.deepEqual(second.answered('refused'), []);
      const left = [...second.registry.services()].map(({ service }) => service?.kind);
      assert.ok(left.length > 0 && left.every((kind) => kind === 'namespace'), 'what has been heard of stays');
      assert.notDeepEqual(second.registry.factsOf('pod/test/default/web-1'), []);
    } finally {
      await second.stop();
    }
  },
);

async function grant(user: string, resources: string[]): Promise<void> {
  const path = '/apis/rbac.authorization.k8s.io/v1';
  const rules = [{ apiGroups: [''], resources, verbs: ['list', 'watch'] }];
  await plane.client.create(`${path}/clusterroles`, { metadata: { name: user }, rules });
  await plane.client.create(`${path}/clusterrolebindings`, {
    metadata: { name: user },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: user },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  });
}
