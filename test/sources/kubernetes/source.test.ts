import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubernetesConfig } from '../../../src/config/config.ts';
import { endpoint, pod, podStatus, service, slice } from '../../support/cluster-objects.ts';
import { type FakeApiServer, type FakeApiServerOptions, startFakeApiServer } from '../../support/fake-api-server.ts';
import { type FollowedCluster, followCluster, testKubernetesConfig } from '../../support/followed-cluster.ts';
import { until } from '../../support/until.ts';

async function faking(
  options: FakeApiServerOptions,
  run: (server: FakeApiServer, follow: (more?: Partial<KubernetesConfig>) => Promise<FollowedCluster>) => Promise<void>,
): Promise<void> {
  const server = await startFakeApiServer(options);
  const followed: FollowedCluster[] = [];
  try {
    await run(server, async (more) => {
      const cluster = followCluster(testKubernetesConfig(server.kubeconfig, more));
      followed.push(cluster);
      await until(() => cluster.status.missing(), []);
      return cluster;
    });
  } finally {
    for (const cluster of followed) await cluster.stop();
    await server.close();
  }
}

const readyPod = (name: string, ip: string, ready = true) => ({ ...pod(name, 'web'), ...podStatus(ip, ready) });
const managed = (name: string, endpoints: readonly object[]) => {
  const made = slice(name, 'web', endpoints);
  const labels = {
    ...made.metadata.labels,
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  };
  return { ...made, metadata: { ...made.metadata, labels } };
};

test('a server without streaming lists is listed in pages', () =>
  faking({ streamingLists: false }, async (server, follow) => {
    for (let i = 1; i <= 5; i++) server.put('services', service(`web-${i}`));
    for (let i = 1; i <= 5; i++) server.put('endpointslices', slice(`s-${i}`, `web-${i}`, [endpoint(`10.0.0.${i}`)]));
    const cluster = await follow();
    assert.deepEqual(cluster.answered('web-5'), ['10.0.0.5']);
    assert.equal(cluster.kind('services').objects, 5);
    const asked = server.requests.filter((request) => request.endsWith(' services'));
    assert.deepEqual(asked.slice(0, 4), ['stream services', 'list services', 'list services', 'list services']);
    await until(() => server.requests.includes('watch services'), true);
  }));

test('a server without EndpointSlices is read through its Endpoints', () =>
  faking({ absent: ['endpointslices'] }, async (server, follow) => {
    server.put('services', service('web'));
    server.put('endpoints', {
      metadata: { name: 'web' },
      subsets: [
        {
          addresses: [{ ip: '10.0.0.1' }],
          notReadyAddresses: [{ ip: '10.0.0.2' }],
          ports: [{ name: 'http', port: 80 }],
        },
      ],
    });
    const cluster = await follow();
    await until(() => cluster.answered('web'), ['10.0.0.1']);
    assert.equal(cluster.kind('endpointslices').state, 'absent');
  }));

test('a malformed object is skipped, counted and logged once, and the others are followed', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    const cluster = await follow();
    const bad = { ...slice('bad', 'web', []), endpoints: 'none' };
    server.put('endpointslices', bad);
    server.put('endpointslices', bad);
    server.line('endpointslices', '{"no":"event"}');
    for (const object of [null, 7, {}, { metadata: 'none' }, { metadata: { name: 'x', annotations: 1 } }]) {
      server.line('endpointslices', JSON.stringify({ type: 'ADDED', object }));
    }
    server.put('endpointslices', slice('good', 'web', [endpoint('10.0.0.1')]));
    await until(() => cluster.answered('web'), ['10.0.0.1']);
    const { malformed, lists, failures } = cluster.kind('endpointslices').counters;
    assert.deepEqual([malformed, lists, failures], [8, 1, 0]);
    const lines = cluster.logged.filter(({ fields }) => (fields as { object?: string }).object === 'default/bad');
    assert.equal(lines.length, 1);
  }));

test('after an invalid line the watch restarts before it, and if that does not help, with a list', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1')]));
    const cluster = await follow();
    const places = () => server.requests.filter((request) => request === 'watch endpointslices').length;
    for (let i = 1; i <= 2; i++) {
      server.line('endpointslices', '{"type":"MODIFIED","object":{"metadata":{"name":"a"');
      await until(() => cluster.kind('endpointslices').counters.malformed, i);
      if (i === 1) await until(places, 1);
      // What the line was about; the fake does not tell of what was.
      server.put('endpointslices', slice('a', 'web', [endpoint(`10.0.0.${1 + i}`)]));
    }
    await until(() => cluster.answered('web'), ['10.0.0.3']);
    assert.equal(cluster.kind('endpointslices').counters.lists, 2);
  }));

test('a list that stalls in the middle of a page is abandoned, and retried when the server recovers', () =>
  faking({ streamingLists: false }, async (server, follow) => {
    for (let i = 1; i <= 5; i++) server.put('services', service(`web-${i}`));
    server.stall('services', true);
    const following = follow();
    await until(() => server.requests.filter((request) => request === 'list services').length > 1, true);
    server.stall('services', false);
    const cluster = await following;
    assert.ok(cluster.kind('services').counters.silent > 0);
    assert.equal(cluster.kind('services').objects, 5);
  }));

test('an API server whose history went back is listed twice and then followed', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1')]));
    const cluster = await follow();
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.2')]));
    server.put('endpointslices', slice('b', 'web', [endpoint('10.0.0.3')]));
    await until(() => cluster.answered('web'), ['10.0.0.2', '10.0.0.3']);
    server.goBack('endpointslices', [{ ...slice('a', 'web', [endpoint('10.0.0.1')]) }]);
    const metadata = { resourceVersion: '50' };
    server.line('endpointslices', JSON.stringify({ type: 'BOOKMARK', object: { metadata } }));
    await until(() => cluster.answered('web'), ['10.0.0.1']);
    const { expired, unconfirmed } = cluster.kind('endpointslices').counters;
    assert.deepEqual([expired, unconfirmed], [1, 1]);
    await until(() => server.requests.includes('watch endpointslices'), true);
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.4')]));
    await until(() => cluster.answered('web'), ['10.0.0.4']);
  }));

test('when the history of one kind went back, all kinds are listed, even those whose watch continues', () =>
  faking({}, async (server, follow) => {
    for (const name of ['web', 'new']) server.put('services', service(name));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1')]));
    const cluster = await follow();
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.2')]));
    await until(() => cluster.answered('web'), ['10.0.0.2']);
    server.goBack('services', [service('web'), service('deleted since')]);
    server.goBack('endpointslices', [slice('a', 'web', [endpoint('10.0.0.1')])]);
    const metadata = { resourceVersion: '50' };
    server.line('endpointslices', JSON.stringify({ type: 'BOOKMARK', object: { metadata } }));
    const services = () => [...cluster.registry.services()].map((state) => state.service?.name).filter(Boolean);
    await until(() => services().sort(), ['deleted since', 'web']);
    await until(() => cluster.answered('web'), ['10.0.0.1']);
    assert.deepEqual([cluster.kind('services').counters.lists, cluster.kind('services').counters.failures], [2, 0]);
    assert.equal(cluster.kind('endpointslices').counters.lists, 3, 'who has found it is not asked once more');
    await until(() => server.requests.filter((request) => request === 'watch services').length > 0, true);
    server.put('services', service('next'));
    await until(() => services().sort(), ['deleted since', 'next', 'web']);
  }));

test('an invalid endpoint is left out of its slice, the others are answered, and all go with the slice', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    const nonsense = [endpoint('10.0.0.300'), endpoint('fd00::1'), { addresses: 'x' }, null];
    server.put('endpointslices', slice('mixed', 'web', [endpoint('10.0.0.1'), ...(nonsense as object[])]));
    const cluster = await follow();
    assert.deepEqual(cluster.answered('web'), ['10.0.0.1']);
    server.remove('endpointslices', 'mixed');
    await until(() => cluster.answered('web'), []);
  }));

test('an object that becomes malformed keeps its last valid state', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1')]));
    const cluster = await follow();
    server.put('endpointslices', { ...slice('a', 'web', []), addressType: 7 });
    await until(() => cluster.kind('endpointslices').counters.malformed, 1);
    assert.deepEqual(cluster.answered('web'), ['10.0.0.1']);
  }));

test('an object older than the known one is ignored', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1')]));
    const cluster = await follow();
    const old = slice('a', 'web', [endpoint('10.0.0.9')]);
    server.put('endpointslices', { ...old, metadata: { ...old.metadata, resourceVersion: '7' } });
    await until(() => cluster.kind('endpointslices').counters.outdated, 1);
    assert.deepEqual(cluster.answered('web'), ['10.0.0.1']);
  }));

test('an endpoint that moves between slices is answered throughout, and one in two slices is answered once', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1'), endpoint('10.0.0.2')]));
    const cluster = await follow();
    server.put('endpointslices', slice('b', 'web', [endpoint('10.0.0.2'), endpoint('10.0.0.3')]));
    await until(() => cluster.answered('web'), ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    const key = 'kubernetes/test/cluster.local./default/web';
    assert.equal(cluster.registry.service(key)!.instances.size, 3);
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1')]));
    server.put('endpointslices', slice('c', 'web', [endpoint('10.0.0.4')]));
    await until(() => cluster.answered('web'), ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4']);
  }));

test('a slice that moves to another service takes its endpoints with it', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('services', service('other'));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1')]));
    const cluster = await follow();
    server.put('endpointslices', slice('a', 'other', [endpoint('10.0.0.1')]));
    await until(() => cluster.answered('other'), ['10.0.0.1']);
    assert.deepEqual(cluster.answered('web'), []);
  }));

test('a pod overrides the slice of its controller, in both directions, and stays out after its deletion', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('pods', readyPod('web-1', '10.0.0.1'));
    server.put('endpointslices', managed('a', [endpoint('10.0.0.1', 'web-1', { ready: false })]));
    const cluster = await follow();
    assert.deepEqual(cluster.answered('web'), ['10.0.0.1'], 'the pod is ready, its slice lags');
    server.put('endpointslices', managed('a', [endpoint('10.0.0.1', 'web-1', { ready: true })]));
    server.put('pods', readyPod('web-1', '10.0.0.1', false));
    await until(() => cluster.answered('web'), []);
    server.put('pods', readyPod('web-1', '10.0.0.1'));
    await until(() => cluster.answered('web'), ['10.0.0.1']);
    server.remove('pods', 'web-1');
    await until(() => cluster.answered('web'), []);
  }));

test('another controller’s condition for a ready pod still counts', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('pods', readyPod('web-1', '10.0.0.1'));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1', 'web-1', { ready: false })]));
    const cluster = await follow();
    assert.deepEqual(cluster.answered('web'), []);
  }));

test('a node that is not ready takes its pods out', () =>
  faking({}, async (server, follow) => {
    const onNode = { ...endpoint('10.0.0.1', 'web-1'), nodeName: 'node-1' };
    server.put('services', service('web'));
    server.put('pods', readyPod('web-1', '10.0.0.1'));
    server.put('endpointslices', slice('a', 'web', [onNode, { ...endpoint('10.0.0.2'), nodeName: 'node-1' }]));
    const cluster = await follow();
    const node = (status: string) => ({
      metadata: { name: 'node-1' },
      status: { conditions: [{ type: 'Ready', status }] },
    });
    server.put('nodes', node('Unknown'));
    await until(() => cluster.answered('web'), ['10.0.0.2']);
    server.put('nodes', node('True'));
    await until(() => cluster.answered('web'), ['10.0.0.1', '10.0.0.2']);
  }));

for (const order of ['pod first', 'slice first', 'named by another slice'] as const) {
  test(`for a slice without node names, a node that is not ready takes its pods out (${order})`, () =>
    faking({}, async (server, follow) => {
      server.put('services', service('web'));
      server.put('services', service('other'));
      if (order !== 'slice first') server.put('pods', readyPod('web-1', '10.0.0.1'));
      if (order === 'named by another slice') {
        const onNode = { ...endpoint('10.0.0.1', 'web-1'), nodeName: 'node-1' };
        server.put('endpointslices', managed('other', [onNode]));
      }
      if (order === 'slice first') server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1', 'web-1')]));
      const cluster = await follow();
      if (order === 'slice first') server.put('pods', readyPod('web-1', '10.0.0.1'));
      else server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1', 'web-1')]));
      await until(() => cluster.answered('web'), ['10.0.0.1']);
      const node = (status: string) => ({
        metadata: { name: 'node-1' },
        status: { conditions: [{ type: 'Ready', status }] },
      });
      server.put('nodes', node('Unknown'));
      await until(() => cluster.answered('web'), []);
      // Stated again, the slice still does not name the node.
      server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1', 'web-1'), endpoint('10.0.0.2')]));
      await until(() => cluster.answered('web'), ['10.0.0.2']);
      server.put('nodes', node('True'));
      await until(() => cluster.answered('web'), ['10.0.0.1', '10.0.0.2']);
    }));
}

test('410 during a watch leads to a new list, and deleted objects go', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1')]));
    server.put('endpointslices', slice('b', 'web', [endpoint('10.0.0.2')]));
    const cluster = await follow();
    server.remove('endpointslices', 'b', true);
    server.line('endpointslices', JSON.stringify({ type: 'ERROR', object: { code: 410, message: 'too old' } }));
    await until(() => cluster.answered('web'), ['10.0.0.1']);
    assert.equal(cluster.kind('endpointslices').counters.expired, 1);
  }));

test('a multicluster source serves ServiceImports and their slices, and not Services', () =>
  faking({}, async (server, follow) => {
    const labels = { 'multicluster.kubernetes.io/service-name': 'shared' };
    server.put('services', service('local'));
    server.put('serviceimports', { metadata: { name: 'shared' }, spec: { type: 'Headless', ports: [] } });
    server.put('serviceimports', { metadata: { name: 'set' }, spec: { type: 'ClusterSetIP', ips: ['10.42.0.1'] } });
    server.put('endpointslices', { ...slice('a', '', [endpoint('10.0.0.1')]), metadata: { name: 'a', labels } });
    const cluster = await follow({ multicluster: true });
    assert.deepEqual(cluster.answered('shared'), ['10.0.0.1']);
    const state = (name: string) => cluster.registry.service(`kubernetes/test/cluster.local./default/${name}`)?.service;
    assert.deepEqual(state('set')?.clusterIps, ['10.42.0.1']);
    assert.equal(state('local'), undefined);
  }));

test('a cluster without ServiceImports has none, and its source is ready', () =>
  faking({ absent: ['serviceimports'] }, async (_server, follow) => {
    const cluster = await follow({ multicluster: true });
    assert.equal(cluster.kind('serviceimports').state, 'absent');
  }));

test('only namespaces with the required labels are published, as their labels change', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('endpointslices', slice('a', 'web', [endpoint('10.0.0.1')]));
    const cluster = await follow({ namespaceLabels: 'public=yes' });
    const published = () => cluster.registry.service('kubernetes/test/cluster.local./default/web')?.service?.name;
    assert.equal(published(), undefined);
    // The server filters by labels: gaining them is an ADDED to this watch, losing them a DELETED.
    server.put('namespaces', { metadata: { name: 'default', namespace: undefined } }, 'ADDED');
    await until(published, 'web');
    server.remove('namespaces', 'default');
    await until(published, undefined);
  }));

test('with `pods: verified`, a pod has a name while it exists', () =>
  faking({}, async (server, follow) => {
    server.put('namespaces', { metadata: { name: 'default', namespace: undefined } });
    server.put('pods', readyPod('web-1', '10.0.0.1', false));
    const cluster = await follow({ pods: 'verified' });
    const named = () => [...cluster.registry.podAddresses()].map(({ address }) => address);
    assert.deepEqual(named(), ['10.0.0.1']);
    server.remove('pods', 'web-1');
    await until(named, []);
  }));

test('configured namespaces are watched individually', () =>
  faking({}, async (server, follow) => {
    server.put('services', service('web'));
    server.put('namespaces', { metadata: { name: 'default', namespace: undefined } });
    server.put('namespaces', { metadata: { name: 'other', namespace: undefined } });
    const cluster = await follow({ namespaces: ['default'] });
    assert.equal(cluster.kind('services in default').objects, 1);
    assert.equal(cluster.registry.service('kubernetes/test/cluster.local./other/')?.service, undefined);
    assert.equal(cluster.registry.service('kubernetes/test/cluster.local./default/')?.service?.kind, 'namespace');
  }));

for (const protobuf of ['refused', 'broken'] as const) {
  test(`if protobuf is ${protobuf}, JSON is requested from then on`, () =>
    faking({ protobuf }, async (server, follow) => {
      server.put('services', service('web'));
      server.put('endpointslices', slice('s-1', 'web', [endpoint('10.0.0.1')]));
      const cluster = await follow();
      assert.deepEqual(cluster.answered('web'), ['10.0.0.1']);
      server.endWatches('services');
      await until(() => server.requests.includes('watch services'), true);
      assert.equal(server.requests.filter((request) => request === 'protobuf services').length, 1);
      assert.ok(cluster.logged.some(({ message }) => message.startsWith('requesting JSON')));
    }));
}
