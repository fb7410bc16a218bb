// What objects say is the same in protobuf as in JSON: each kind's objects in many states, created on a real API server, listed
// from it in both.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { silentLogger } from '../../src/log.ts';
import { type ApiServer, connectApiServer } from '../../src/sources/kubernetes/api/api-server.ts';
import { type Fields, metadata } from '../../src/sources/kubernetes/api/objects.ts';
import type { Cluster } from '../../src/sources/kubernetes/kinds/cluster.ts';
import { endpointSlicesKind } from '../../src/sources/kubernetes/kinds/endpoint-slices.ts';
import { namespacesKind } from '../../src/sources/kubernetes/kinds/namespaces.ts';
import { nodesKind } from '../../src/sources/kubernetes/kinds/nodes.ts';
import { PodsKind } from '../../src/sources/kubernetes/kinds/pods.ts';
import { createPublishedServices } from '../../src/sources/kubernetes/kinds/published-services.ts';
import { servicesKind } from '../../src/sources/kubernetes/kinds/services.ts';
import type { Statements } from '../../src/sources/kubernetes/snapshot/recorder.ts';
import { readPagedList } from '../../src/sources/kubernetes/watch/paged-list.ts';
import type { WatchedKind } from '../../src/sources/kubernetes/watch/watched-kind.ts';
import { NODES, PODS, pod, podStatus, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { testKubernetesConfig, testZone } from '../support/followed-cluster.ts';
import { requirement } from '../support/requirement.ts';

const options = requirement('control-plane');
let plane: ControlPlane;
let server: ApiServer;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  server = connectApiServer(testKubernetesConfig(plane.kubeconfig), systemClock, 10_000);
});

after(async () => {
  server?.close();
  await plane?.stop();
});

/** All that is stated of a kind's objects, in order, and the resource versions read. */
async function stated(kindOf: (cluster: Cluster) => WatchedKind, encoding: 'protobuf' | 'json'): Promise<unknown[]> {
  const said: unknown[] = [];
  const say = (...words: unknown[]) => void said.push(words);
  const registry: Statements = {
    replaceService: (each) => say('service', each),
    removeService: (key) => say('no service', key),
    replaceGroup: (group, key, instances) => say('group', group, key, instances),
    removeGroup: (group) => say('no group', group),
    replaceFacts: (subject, source, facts) => say('facts', subject, source, facts),
    factsOf: () => [],
    instancesOf: () => [],
    keptSubject: (subject) => subject,
    setStale() {},
    replacePodAddresses: (subject, key, addresses) => say('addresses', subject, key, addresses),
    addSubject: (state, subject) => say('subject', state, subject),
  };
  const config = testKubernetesConfig(plane.kubeconfig, { pods: 'verified', multicluster: false });
  const kind = kindOf({ config, zone: testZone, registry, clock: { ...systemClock, now: () => 0 }, log: silentLogger });
  assert.ok(kind.protobuf, `${kind.resource} are read in protobuf`);
  await readPagedList(
    {
      ...{ server, clock: systemClock, kind, againMs: 60_000, stop: new AbortController().signal, contact() {} },
      encoding: encoding === 'json' ? {} : { protobuf: kind.protobuf },
    },
    (object) => {
      const meta = metadata(object as Fields);
      say(meta);
      try {
        kind.replace(kind.keyOf(meta.namespace, meta.name), meta, object as Fields);
      } catch (error) {
        say('left out', (error as Error).message);
      }
    },
  );
  return said;
}

async function compare(kindOf: (cluster: Cluster) => WatchedKind, least: number): Promise<void> {
  const protobuf = await stated(kindOf, 'protobuf');
  assert.deepEqual(protobuf, await stated(kindOf, 'json'));
  assert.ok(protobuf.length >= least, `${protobuf.length} statements`);
}

test('Namespaces and Nodes read as protobuf equal those read as JSON', options, async () => {
  const { client } = plane;
  await client.create('/api/v1/namespaces', { metadata: { name: 'shop', labels: { a: '', 'b.example/c': 'd' } } });
  const node = async (name: string, status: object) => {
    await client.create(NODES, { metadata: { name } });
    await client.patch(`${NODES}/${name}/status`, { status });
  };
  const lastTransitionTime = '2026-01-01T00:00:07Z';
  await node('node-1', { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }] });
  await node('node-2', {
    conditions: [
      { type: 'DiskPressure', status: 'True' },
      { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', message: 'é', lastTransitionTime },
    ],
  });
  await node('node-3', { conditions: [{ type: 'Ready', status: 'False' }] });
  await compare((cluster) => namespacesKind(cluster, createPublishedServices(cluster)), 4);
  await compare(nodesKind, 6);
});

test('Services read as protobuf equal those read as JSON', options, async () => {
  const { client } = plane;
  const ports = [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { name: 'http', protocol: 'TCP', port: 65_535, targetPort: 'named' },
    { name: 'sctp', protocol: 'SCTP', port: 1, appProtocol: 'x' },
  ];
  await client.create(SERVICES, service('headless', { publishNotReadyAddresses: true }));
  await client.create(SERVICES, service('cluster-ip', { clusterIP: undefined, ports }));
  await client.create(SERVICES, service('dual', { clusterIP: undefined, ipFamilyPolicy: 'RequireDualStack' }));
  await client.create(SERVICES, service('no-ports', { ports: undefined }));
  await client.create(SERVICES, {
    metadata: { name: 'alias' },
    spec: { type: 'ExternalName', externalName: 'a.example' },
  });
  await client.create(SERVICES, {
    metadata: { name: 'bad' },
    spec: { type: 'ExternalName', externalName: '192.0.2.1' },
  });
  await client.create(SERVICES, service('external', { clusterIP: undefined, externalIPs: ['192.0.2.1', '192.0.2.2'] }));
  await client.create(SERVICES, service('balanced', { clusterIP: undefined, type: 'LoadBalancer' }));
  await client.patch(`${SERVICES}/balanced/status`, {
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.3' }, { hostname: 'lb.example' }] } },
  });
  await compare((cluster) => servicesKind(cluster, createPublishedServices(cluster)), 16);
});

test('EndpointSlices read as protobuf equal those read as JSON', options, async () => {
  const { client } = plane;
  const target = { kind: 'Pod', namespace: 'default', name: 'web-1', uid: '0' };
  await client.create(
    SLICES,
    slice('many', 'web', [
      { addresses: ['10.0.0.1', '10.0.0.2'], conditions: { ready: true, serving: true, terminating: false } },
      { addresses: ['10.0.0.3'], conditions: { ready: false, serving: true, terminating: true }, targetRef: target },
      { addresses: ['10.0.0.4'], conditions: { ready: false }, hostname: 'first', nodeName: 'node-1', zone: 'z' },
      { addresses: ['10.0.0.5'], conditions: {}, targetRef: { kind: 'Host', name: 'h' } },
      { addresses: ['10.0.0.6'] },
    ]),
  );
  const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-02T03:04:05Z' };
  const labels = {
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  };
  await client.create(SLICES, {
    metadata: { name: 'managed', labels, annotations },
    addressType: 'IPv6',
    endpoints: [{ addresses: ['fd00::1'], conditions: { ready: true }, targetRef: target, nodeName: 'node-1' }],
    ports: [{ name: '', port: 80 }, { name: 'all' }, { name: 'udp', port: 53, protocol: 'UDP' }],
  });
  await client.create(SLICES, {
    metadata: { name: 'fqdn', labels },
    addressType: 'FQDN',
    endpoints: [{ addresses: ['a.example'] }],
  });
  await client.create(SLICES, { metadata: { name: 'nobody' }, addressType: 'IPv4', endpoints: [] });
  await compare((cluster) => endpointSlicesKind(cluster, { noteNamed() {}, placed: (instance) => instance }), 8);
});

const container = (state: object, more: object = {}) => ({
  ...{ name: 'app', image: 'app', imageID: '', restartCount: 3, lastState: {}, ready: false, state },
  ...more,
});
const ready = [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady', message: 'not yet' }];
const podStates: Record<string, object> = {
  ready: podStatus('10.1.0.1', true).status,
  dual: { phase: 'Running', podIP: '10.1.0.2', podIPs: [{ ip: '10.1.0.2' }, { ip: 'fd00::2' }], conditions: ready },
  pending: { phase: 'Pending' },
  failed: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory' },
  succeeded: { phase: 'Succeeded' },
  condition: { phase: 'Running', conditions: [{ type: 'PodScheduled', status: 'True' }, ...ready] },
  waiting: { conditions: ready, containerStatuses: [container({ waiting: { reason: 'CrashLoopBackOff' } })] },
  ended: { conditions: ready, containerStatuses: [container({ terminated: { exitCode: -1, reason: 'Error' } })] },
  startup: { conditions: ready, containerStatuses: [container({ running: {} }, { started: false })] },
  readiness: { conditions: ready, containerStatuses: [container({ running: {} }, { started: true })] },
  'init-runs': { conditions: ready, initContainerStatuses: [container({ running: {} }, { started: false })] },
  'init-done': { conditions: ready, initContainerStatuses: [container({ terminated: { exitCode: 0 } })] },
  'init-failed': { conditions: ready, initContainerStatuses: [container({ terminated: { exitCode: 137 } })] },
};

test('Pods read as protobuf equal those read as JSON', options, async () => {
  const { client } = plane;
  for (const [name, status] of Object.entries(podStates)) {
    await client.create(PODS, pod(name, 'app'));
    await client.patch(`${PODS}/${name}/status`, { status });
  }
  const deleted = pod('deleted', 'app', { terminationGracePeriodSeconds: 600 });
  await client.create(PODS, deleted);
  await client.patch(`${PODS}/deleted/status`, podStatus('10.1.0.9', true));
  await client.delete(`${PODS}/deleted`, 600);
  let kind: PodsKind | undefined;
  await compare((cluster) => {
    kind?.stop();
    kind = new PodsKind(cluster, () => ({ hasFollowedSince: () => true, isBehind: () => false, verify() {} }));
    return kind;
  }, 14 * 3);
  kind?.stop();
});
