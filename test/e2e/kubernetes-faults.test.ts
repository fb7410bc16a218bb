// What happens to the truth when the API server does not: with a real one, wherever a real one can be made to fail.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { endpoint, PODS, pod, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { type FollowedCluster, followCluster, testKubernetesConfig } from '../support/followed-cluster.ts';
import { type Relay, startRelay } from '../support/relay.ts';
import { requirement } from '../support/requirement.ts';
import { readinessOf, until } from '../support/until.ts';

const options = requirement('control-plane');
let plane: ControlPlane;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane({ users: ['reader', 'rotated'] });
});
after(() => plane?.stop());

/** A cluster that is followed for one test. */
async function following(
  run: (cluster: FollowedCluster) => Promise<void>,
  config = testKubernetesConfig(plane.kubeconfig),
): Promise<void> {
  const cluster = followCluster(config);
  try {
    await run(cluster);
  } finally {
    await cluster.stop();
  }
}

async function createService(name: string, ...ips: string[]): Promise<void> {
  await plane.client.create(SERVICES, service(name));
  await plane.client.create(
    SLICES,
    slice(
      name,
      name,
      ips.map((ip) => endpoint(ip)),
    ),
  );
}

const moveTo = (name: string, ip: string) => plane.client.patch(`${SLICES}/${name}`, { endpoints: [endpoint(ip)] });

test('watches continue one another without a new list', options, () =>
  following(async (cluster) => {
    await createService('calm', '10.2.0.1');
    await until(() => cluster.answered('calm'), ['10.2.0.1']);
    await until(() => cluster.kind('endpointslices').counters.watches >= 3, true);
    const { counters } = cluster.kind('endpointslices');
    assert.deepEqual([counters.lists, counters.failures, counters.silent, counters.expired], [1, 0, 0, 0]);
    await moveTo('calm', '10.2.0.2');
    await until(() => cluster.answered('calm'), ['10.2.0.2']);
  }),
);

test('while the API server is stopped, known names are served, and the watch resumes when it is back', options, () =>
  following(async (cluster) => {
    await createService('lasting', '10.2.1.1');
    await until(() => cluster.answered('lasting'), ['10.2.1.1']);

    await plane.apiServer.stop();
    await until(() => cluster.kind('services').state, 'disconnected');
    assert.deepEqual(cluster.answered('lasting'), ['10.2.1.1']);
    assert.deepEqual(cluster.status.missing(), [], 'a source that has synced stays ready');

    await plane.apiServer.start();
    await moveTo('lasting', '10.2.1.2');
    await until(() => cluster.answered('lasting'), ['10.2.1.2']);
    await until(() => cluster.kind('services').state, 'watching');
  }),
);

test('a zone is stale while the API server has not confirmed its data for longer than configured', options, () =>
  following(
    async (cluster) => {
      const isStale = () => cluster.status.zone('cluster.local.').stale;
      await until(() => readinessOf(cluster.status.zone('cluster.local.')), { ready: true, stale: false });
      await plane.apiServer.stop();
      await until(isStale, true);
      await plane.apiServer.start();
      await until(isStale, false);
    },
    testKubernetesConfig(plane.kubeconfig, { staleAfterSeconds: 6 }),
  ),
);

test('a cluster that is unreachable at start-up is followed when it becomes reachable', options, async () => {
  await createService('late', '10.2.2.1');
  await plane.apiServer.stop();
  await following(async (cluster) => {
    await until(() => cluster.kind('services').state, 'disconnected');
    assert.match(cluster.status.missing()[0].detail, /services: .*ECONNREFUSED 127\.0\.0\.1/);
    await plane.apiServer.start();
    await until(() => cluster.status.missing(), []);
    assert.deepEqual(cluster.answered('late'), ['10.2.2.1']);
  });
});

test('a watch whose server has stopped responding is abandoned and resumed', options, () =>
  following(async (cluster) => {
    await createService('frozen', '10.2.3.1');
    await until(() => cluster.answered('frozen'), ['10.2.3.1']);

    plane.apiServer.signal('SIGSTOP');
    try {
      await until(() => cluster.kind('endpointslices').counters.silent > 0, true);
      assert.deepEqual(cluster.answered('frozen'), ['10.2.3.1']);
    } finally {
      plane.apiServer.signal('SIGCONT');
    }
    await moveTo('frozen', '10.2.3.2');
    await until(() => cluster.answered('frozen'), ['10.2.3.2']);
  }),
);

test(
  'after 410 a new list is compared with the known objects: nothing is lost, deleted objects go',
  options,
  async () => {
    await createService('kept', '10.2.4.1');
    await createService('dropped', '10.2.4.2');
    await followingThroughRelay(async (cluster, relay) => {
      await until(() => cluster.answered('kept'), ['10.2.4.1']);
      await until(() => cluster.answered('dropped'), ['10.2.4.2']);

      // The changes happen while nobody watches, and the history that tells of them is compacted away.
      relay.cut();
      await plane.client.delete(`${SLICES}/dropped`);
      await moveTo('kept', '10.2.4.3');
      await forgetHistory();
      relay.mend();

      await until(() => cluster.answered('kept'), ['10.2.4.3']);
      await until(() => cluster.answered('dropped'), []);
      const { expired, lists } = cluster.kind('endpointslices').counters;
      assert.deepEqual([expired, lists], [1, 2]);
    });
  },
);

test('a connection that the network swallowed is abandoned and replaced', options, async () => {
  await createService('swallowed', '10.2.8.1');
  await followingThroughRelay(async (cluster, relay) => {
    await until(() => cluster.answered('swallowed'), ['10.2.8.1']);
    relay.swallow();
    await moveTo('swallowed', '10.2.8.2');
    await until(() => cluster.kind('endpointslices').state, 'disconnected');
    assert.deepEqual(cluster.answered('swallowed'), ['10.2.8.1']);
    relay.mend();
    await until(() => cluster.answered('swallowed'), ['10.2.8.2']);
  });
});

/** The same cluster over connections that the test can break. */
async function followingThroughRelay(run: (cluster: FollowedCluster, relay: Relay) => Promise<void>): Promise<void> {
  const relay = await startRelay(Number(new URL(plane.url).port));
  const file = join(plane.folder, `kubeconfig-${relay.port}`);
  const text = await readFile(plane.kubeconfig, 'utf8');
  await writeFile(file, text.replaceAll(plane.url, `https://127.0.0.1:${relay.port}`));
  try {
    await following((cluster) => run(cluster, relay), testKubernetesConfig(file));
  } finally {
    await relay.close();
  }
}

/** Neither etcd nor the API server's cache can tell afterwards what happened before. */
async function forgetHistory(): Promise<void> {
  await compact();
  await plane.apiServer.stop();
  await plane.apiServer.start();
}

/** Makes etcd forget all revisions but the newest, over its JSON gateway. */
async function compact(): Promise<void> {
  const flags = (await readFile(`/proc/${plane.etcd.pid}/cmdline`, 'utf8')).split('\0');
  const url = flags.find((flag) => flag.startsWith('--listen-client-urls='))!.slice('--listen-client-urls='.length);
  const post = async (path: string, body: object) => {
    const response = await fetch(`${url}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
    return (await response.json()) as { header?: { revision?: string } };
  };
  const { header } = await post('range', { key: Buffer.from('x').toString('base64') });
  await post('compaction', { revision: header!.revision, physical: true });
}

test('a kind that RBAC denies degrades alone, and the log names the missing rule', options, async () => {
  await createService('visible', '10.2.5.1');
  await grant('reader', ['services', 'namespaces', 'endpointslices', 'nodes']);
  const config = testKubernetesConfig(plane.kubeconfig, { context: 'reader' });
  await following(async (cluster) => {
    await until(() => cluster.status.missing(), []);
    assert.deepEqual(cluster.answered('visible'), ['10.2.5.1']);
    assert.equal(cluster.kind('pods').state, 'forbidden');
    const line = cluster.logged.filter(({ message }) => message.includes('RBAC'));
    assert.deepEqual(
      line.map(({ level, fields }) => [level, (fields as { rule: string }).rule]),
      [['error', '- {apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"]}']],
    );

    await plane.client.create(PODS, pod('visible-1', 'visible'));
    await grant('reader', ['services', 'namespaces', 'endpointslices', 'nodes', 'pods']);
    await until(() => cluster.kind('pods').objects, 1);
    // Taken away and given again while running: all of it is read again.
    await grant('reader', ['services', 'namespaces', 'endpointslices', 'nodes']);
    await until(() => cluster.kind('pods').objects, 0);
    await moveTo('visible', '10.2.5.2');
    await until(() => cluster.answered('visible'), ['10.2.5.2']);
    await grant('reader', ['services', 'namespaces', 'endpointslices', 'nodes', 'pods']);
    await until(() => cluster.kind('pods').objects, 1);
    assert.equal(cluster.kind('pods').state, 'watching');
  }, config);
});

async function grant(user: string, resources: string[]): Promise<void> {
  const path = '/apis/rbac.authorization.k8s.io/v1';
  const rules = [{ apiGroups: ['', 'discovery.k8s.io'], resources, verbs: ['list', 'watch'] }];
  const role = { metadata: { name: user }, rules };
  const known = await plane.client.get(`${path}/clusterroles/${user}`);
  if (known.status === 200) {
    await plane.client.replace(`${path}/clusterroles/${user}`, role);
    return;
  }
  await plane.client.create(`${path}/clusterroles`, role);
  await plane.client.create(`${path}/clusterrolebindings`, {
    metadata: { name: user },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: user },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  });
}

test('a rotated token is reread from its file', options, async () => {
  await createService('rotating', '10.2.6.1');
  const file = join(plane.folder, 'rotating-kubeconfig');
  const config = JSON.parse(await readFile(plane.kubeconfig, 'utf8'));
  const token = join(plane.folder, 'token');
  await writeFile(token, 'token-of-admin');
  config.users = [{ name: 'admin', user: { tokenFile: token } }];
  config.contexts = [{ name: 'admin', context: { cluster: 'test', user: 'admin' } }];
  await writeFile(file, JSON.stringify(config));
  await grant('rotated', ['services', 'namespaces', 'endpointslices', 'nodes', 'pods']);

  await following(async (cluster) => {
    await until(() => cluster.answered('rotating'), ['10.2.6.1']);
    await writeFile(token, 'no longer good');
    await until(() => cluster.kind('endpointslices').detail.includes('401'), true);
    await writeFile(token, 'token-of-rotated');
    await until(() => cluster.kind('endpointslices').state, 'watching');
    await moveTo('rotating', '10.2.6.2');
    await until(() => cluster.answered('rotating'), ['10.2.6.2']);
  }, testKubernetesConfig(file));
});

test(
  'an exec plugin provides the token, and the server is verified by its certificate authority',
  options,
  async () => {
    await createService('plugged', '10.2.9.1');
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'token-of-admin', expirationTimestamp: '2099-01-01T00:00:00Z' },
    };
    const script = `process.stdout.write(${JSON.stringify(JSON.stringify(credential))})`;
    const exec = { apiVersion: credential.apiVersion, command: process.execPath, args: ['-e', script] };
    const config = JSON.parse(await readFile(plane.kubeconfig, 'utf8'));
    const cluster = { server: plane.url, 'certificate-authority': 'certificates/apiserver.crt' };
    config.clusters = [{ name: 'test', cluster }];
    config.users = [{ name: 'admin', user: { exec } }];
    const file = join(plane.folder, 'exec-kubeconfig');
    await writeFile(file, JSON.stringify(config));
    await following((followed) => until(() => followed.answered('plugged'), ['10.2.9.1']), testKubernetesConfig(file));

    config.clusters[0].cluster = { server: plane.url };
    await writeFile(file, JSON.stringify(config));
    await following(async (followed) => {
      await until(() => followed.kind('services').state, 'disconnected');
      assert.match(followed.kind('services').detail, /certificate/);
    }, testKubernetesConfig(file));
  },
);

test('a list that suddenly lost most objects is accepted when a second one confirms it', options, async () => {
  await createService('wiped', '10.2.7.1');
  for (let i = 0; i < 12; i++) await plane.client.create(SLICES, slice(`wiped-${i}`, 'wiped', [endpoint('10.2.7.1')]));
  await followingThroughRelay(async (cluster, relay) => {
    await until(() => cluster.answered('wiped'), ['10.2.7.1']);
    relay.cut();
    await deleteAll(SLICES);
    await forgetHistory();
    relay.mend();

    await until(() => cluster.answered('wiped'), []);
    assert.equal(cluster.kind('endpointslices').counters.unconfirmed, 1);
    assert.ok(cluster.logged.some(({ message }) => message.startsWith('list lost most objects')));
  });
});

async function deleteAll(path: string): Promise<void> {
  const { body } = await plane.client.get(path);
  for (const item of body.items) await plane.client.delete(`${path}/${item.metadata.name}`);
}

test('the test control plane leaves no process behind', options, async () => {
  const own = await startControlPlane();
  const pids = [own.etcd.pid, own.apiServer.pid];
  await own.stop();
  for (const pid of pids) assert.equal(spawnSync('kill', ['-0', String(pid)]).status, 1, `${pid} still runs`);
});
