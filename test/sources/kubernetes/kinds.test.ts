// What each kind of object says, as the registry hears it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KubernetesConfig } from '../../../src/config/config.ts';
import { silentLogger } from '../../../src/log.ts';
import { type Fields, MalformedObject, metadata } from '../../../src/sources/kubernetes/api/objects.ts';
import type { Cluster } from '../../../src/sources/kubernetes/kinds/cluster.ts';
import { translateSlice } from '../../../src/sources/kubernetes/kinds/endpoint-slices.ts';
import { translateEndpoints } from '../../../src/sources/kubernetes/kinds/endpoints.ts';
import { nodeFacts } from '../../../src/sources/kubernetes/kinds/nodes.ts';
import { podAddresses, podFacts } from '../../../src/sources/kubernetes/kinds/pod-facts.ts';
import { hasName } from '../../../src/sources/kubernetes/kinds/pods.ts';
import { translateService } from '../../../src/sources/kubernetes/kinds/services.ts';
import { endpoint, podStatus, slice } from '../../support/cluster-objects.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { testKubernetesConfig, testZone } from '../../support/followed-cluster.ts';

const cluster = (more: Partial<KubernetesConfig> = {}): Cluster => ({
  config: testKubernetesConfig('/none', more),
  zone: testZone,
  registry: undefined as never,
  clock: fakeClock(),
  log: silentLogger,
});

const named = (object: Fields): Fields => ({
  ...object,
  metadata: { name: 'web', namespace: 'shop', ...(object.metadata as object) },
});
const translate = (spec: object, more: Partial<KubernetesConfig> = {}) => {
  const object = named({ spec });
  return translateService(cluster(more), metadata(object), object);
};
const factOf = (object: Fields) => podFacts(metadata(named(object)), object)[0];
const statusOf = (object: Fields) => factOf(object).status;

test('a Service ranks by the position of its cluster in the list, and merges if its cluster does', () => {
  const ranking = (more: Partial<KubernetesConfig>) => {
    const { rank, merge } = translate({ clusterIP: 'None' }, more);
    return [rank, merge];
  };
  assert.deepEqual(ranking({}), [undefined, undefined]);
  assert.deepEqual(ranking({ rank: 2, merge: true }), [2, true]);
});

test('a Service with cluster IPs answers them in canonical form', () => {
  const { kind, clusterIps, names, ttlSeconds, ports } = translate({
    clusterIP: '10.96.0.10',
    clusterIPs: ['10.96.0.10', 'FD00:10:96:0:0::000A'],
    ports: [{ name: 'DNS', port: 53, protocol: 'UDP' }, { port: 9153 }],
  });
  assert.deepEqual(
    { kind, clusterIps, names, ttlSeconds, ports },
    {
      kind: 'clusterIp',
      clusterIps: ['10.96.0.10', 'fd00:10:96::a'],
      names: ['{service}.{namespace}.svc'],
      ttlSeconds: 5,
      ports: [
        { name: 'dns', protocol: 'udp', port: 53 },
        { name: '', protocol: 'tcp', port: 9153 },
      ],
    },
  );
});

test('external addresses are those of externalIPs and load balancers, else a load balancer is an alias, else there is no name', () => {
  const external = (spec: object, ingress: readonly object[] = []) => {
    const object = named({ spec: { clusterIP: '10.96.0.10', ...spec }, status: { loadBalancer: { ingress } } });
    const { kind, clusterIps, externalName } = translateService(
      cluster({ externalAddresses: true }),
      metadata(object),
      object,
    );
    return [kind, clusterIps ?? externalName];
  };
  assert.deepEqual(external({ externalIPs: ['192.0.2.1'] }, [{ ip: '2001:DB8::1' }, { hostname: 'lb.example' }]), [
    'clusterIp',
    ['192.0.2.1', '2001:db8::1'],
  ]);
  assert.deepEqual(external({}, [{ hostname: 'LB.example' }]), ['externalName', 'lb.example.']);
  assert.deepEqual(external({}), ['instances', undefined]);
  assert.deepEqual(translate({ clusterIP: '10.96.0.10' }, { externalAddresses: true }).kind, 'instances');
});

test('a Service from before dual stack has its single cluster IP', () => {
  assert.deepEqual(translate({ clusterIP: '10.96.0.10' }).clusterIps, ['10.96.0.10']);
});

test('a headless Service answers its instances, with publishNotReadyAddresses also those that are not ready', () => {
  const { kind, policy } = translate({ clusterIP: 'None', publishNotReadyAddresses: true });
  assert.deepEqual([kind, policy.publishNotReady], ['instances', true]);
});

test('an ExternalName becomes an absolute name in lower case; the zone rejects an address', () => {
  const external = (externalName: string) => translate({ type: 'ExternalName', externalName }).externalName;
  assert.equal(external('Db.Example.COM'), 'db.example.com.');
  assert.equal(external('db.example.com.'), 'db.example.com.');
  assert.equal(external('192.0.2.1'), '192.0.2.1.');
  assert.throws(() => external(''), MalformedObject);
});

test('`ignore empty_service` applies only to Services with cluster IPs', () => {
  const option = { ignoreEmptyService: true };
  assert.equal(translate({ clusterIP: '10.96.0.10' }, option).ignoreEmpty, true);
  assert.equal(translate({ clusterIP: 'None' }, option).ignoreEmpty, undefined);
});

test('the health of a pod is its Ready condition', () => {
  assert.deepEqual(factOf(podStatus('10.0.0.1', true)), {
    source: 'pod',
    status: 'HEALTHY',
    reason: 'ready',
    sinceMs: Date.parse('2026-01-01T00:00:00Z'),
  });
  assert.equal(statusOf(podStatus('10.0.0.1', false)), 'UNHEALTHY');
  assert.equal(
    statusOf({ status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'Unknown' }] } }),
    'UNHEALTHY',
  );
  assert.equal(statusOf({}), 'UNHEALTHY');
});

test('a pod that is being deleted or has ended is out, even if its condition is still Ready', () => {
  const ready = podStatus('10.0.0.1', true);
  assert.equal(statusOf({ ...ready, metadata: { deletionTimestamp: '2026-01-02T00:00:00Z' } }), 'UNHEALTHY');
  assert.equal(statusOf(podStatus('10.0.0.1', true, { phase: 'Failed' })), 'UNHEALTHY');
  assert.equal(statusOf(podStatus('10.0.0.1', true, { phase: 'Succeeded' })), 'UNHEALTHY');
});

const REASONS: readonly [string, object, string][] = [
  [
    'a container that crashes',
    { containerStatuses: [{ name: 'app', state: { waiting: { reason: 'CrashLoopBackOff' } } }] },
    'not ready: container app is waiting: CrashLoopBackOff',
  ],
  [
    'a readiness probe that fails',
    { containerStatuses: [{ name: 'app', ready: false, started: true, state: { running: {} } }] },
    'not ready: container app: its readiness probe fails',
  ],
  [
    'a startup probe that has not passed',
    { containerStatuses: [{ name: 'app', ready: false, started: false, state: { running: {} } }] },
    'not ready: container app: its startup probe has not passed',
  ],
  [
    'a container that ended',
    { containerStatuses: [{ name: 'app', state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }] },
    'not ready: container app ended with code 137 (OOMKilled)',
  ],
  [
    'an init container that is not done',
    { initContainerStatuses: [{ name: 'migrate', state: { running: {} } }] },
    'not ready: init container migrate is still running',
  ],
  [
    'a sidecar that is well beside a container that is not',
    {
      initContainerStatuses: [{ name: 'proxy', started: true, state: { running: {} } }],
      containerStatuses: [{ name: 'app', ready: false, started: true, state: { running: {} } }],
    },
    'not ready: container app: its readiness probe fails',
  ],
  [
    'a readiness gate',
    { conditions: [{ type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady' }] },
    'not ready: ReadinessGatesNotReady',
  ],
];

for (const [what, status, reason] of REASONS) {
  test(`the reason for a pod’s health names ${what}`, () => {
    assert.equal(factOf(podStatus('10.0.0.1', false, status)).reason, reason);
  });
}

test('a pod has a name for each address, regardless of readiness, until it ends or is being deleted', () => {
  const names = (object: Fields) => (hasName(metadata(named(object)), object) ? podAddresses(object) : []);
  const { status } = podStatus('10.1.0.1', false);
  assert.deepEqual(names({ status: { ...status, podIPs: [{ ip: '10.1.0.1' }, { ip: 'FD00:0::1' }] } }), [
    '10.1.0.1',
    'fd00::1',
  ]);
  assert.deepEqual(names({ status: { podIP: '10.1.0.2' } }), ['10.1.0.2']);
  assert.deepEqual(names({ status: { ...status, phase: 'Succeeded' } }), []);
  assert.deepEqual(names({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' }, status }), []);
});

test('the addresses of a pod are its podIPs, before dual stack its podIP; none yet and malformed are distinguished', () => {
  const of = (status: unknown) => podAddresses({ status } as Fields);
  assert.deepEqual(of({ podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.2' }] }), ['10.0.0.2']);
  assert.deepEqual(of({ podIP: '10.0.0.1', podIPs: [] }), ['10.0.0.1']);
  assert.deepEqual([of({ podIP: '' }), of({}), of(undefined), of(null)], [[], [], [], []]);
  for (const bad of [{ podIP: 'none' }, { podIPs: [{}] }, { podIPs: ['10.0.0.1'] }, { podIPs: 7 }, 'running'])
    assert.equal(of(bad), undefined, JSON.stringify(bad));
});

test('a pod that is being deleted or has ended is gone, one that is not ready may come back', () => {
  const isGone = (object: Fields) => factOf(object).gone === true;
  const { status } = podStatus('10.0.0.1', true);
  assert.equal(isGone({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' }, status }), true);
  assert.equal(isGone({ status: { ...status, phase: 'Failed' } }), true);
  assert.equal(isGone(podStatus('10.0.0.1', false)), false);
});

test('a node that is ready, or without a kubelet, has no effect on its pods', () => {
  const node = (status: string) => ({ status: { conditions: [{ type: 'Ready', status, reason: 'KubeletGone' }] } });
  assert.deepEqual(nodeFacts('n', node('True')), []);
  assert.deepEqual(nodeFacts('n', {}), []);
  assert.equal(nodeFacts('n', node('Unknown'))[0].reason, 'node n is not ready: KubeletGone');
});

const translated = (object: Fields, more: Partial<KubernetesConfig> = {}) =>
  translateSlice(cluster(more), metadata(named(object)), object).instances;

test('an endpoint without a readiness condition is answered, a terminating one is not, as in CoreDNS', () => {
  const conditions = [{}, { ready: true }, { ready: false }, { ready: false, serving: true, terminating: true }];
  const endpoints = conditions.map((condition, i) => endpoint(`10.0.0.${i + 1}`, undefined, condition));
  assert.deepEqual(
    translated(slice('s', 'web', endpoints)).map(({ facts }) => [facts[0].status, facts[0].reason]),
    [
      ['UNKNOWN', 'its slice has no ready condition'],
      ['HEALTHY', 'ready in its slice'],
      ['UNHEALTHY', 'not ready in its slice'],
      ['UNHEALTHY', 'terminating in its slice, still serving'],
    ],
  );
});

test('each address of an endpoint is an instance, named after its owner', () => {
  const [one, two, three] = translated(
    slice('s', 'web', [
      { ...endpoint('10.0.0.1', 'web-0'), addresses: ['10.0.0.1', '10.0.0.2'], hostname: 'Web-0', nodeName: 'n1' },
      endpoint('10.0.0.3'),
    ]),
  );
  assert.deepEqual([one.id, two.id, three.id], ['web-0', 'web-0', '10.0.0.3']);
  assert.deepEqual([one.addresses, two.addresses], [['10.0.0.1'], ['10.0.0.2']]);
  assert.deepEqual([one.hostname, three.hostname], ['web-0', undefined]);
  assert.deepEqual(one.subjects, ['pod/test/default/web-0', 'node/test/n1']);
  assert.deepEqual(three.subjects, []);
});

test('endpointPodNames names endpoints after their pods, if that is a valid label', () => {
  const names = ['web-0', 'x'.repeat(64), 'web.0'];
  const endpoints = names.map((name, i) => endpoint(`10.0.0.${i + 1}`, name));
  assert.deepEqual(
    translated(slice('s', 'web', endpoints), { endpointPodNames: true }).map(({ hostname }) => hostname),
    ['web-0', undefined, undefined],
  );
});

test('equal facts and equal ports of a slice are shared objects', () => {
  const [one, two] = translated(slice('s', 'web', [endpoint('10.0.0.1', 'a'), endpoint('10.0.0.2', 'b')]));
  assert.equal(one.facts, two.facts);
  assert.equal(one.ports, two.ports);
});

test('Endpoints written by a controller repeat the pod, Endpoints written by hand do not', () => {
  const subsets = [{ addresses: [{ ip: '10.0.0.1', targetRef: { kind: 'Pod', name: 'web-0' } }] }];
  const repeats = (annotations: object) => {
    const object = named({ metadata: { annotations }, subsets });
    return translateEndpoints(cluster(), metadata(object), object)[0].facts[0].repeats;
  };
  assert.equal(repeats({ 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' }), 'pod');
  assert.equal(repeats({}), undefined);
});

test('any object is translated or reported as malformed', () => {
  const anything = fc.object({
    key: fc.constantFrom(
      ...['metadata', 'name', 'namespace', 'labels', 'spec', 'status', 'conditions', 'type', 'ready', 'endpoints'],
      ...[
        'addresses',
        'addressType',
        'ports',
        'port',
        'targetRef',
        'subsets',
        'clusterIPs',
        'containerStatuses',
        'state',
      ],
    ),
    values: [fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.constantFrom('IPv4', '10.0.0.1', 'Ready')],
    maxDepth: 5,
  });
  const context = cluster();
  fc.assert(
    fc.property(anything, (object) => {
      const { metadata: _, ...fields } = object as Fields;
      const usable = named(fields);
      for (const translation of [translateService, translateSlice, translateEndpoints]) {
        assertTranslated(() => translation(context, metadata(usable), usable));
      }
      assertTranslated(() => podFacts(metadata(usable), usable));
      assertTranslated(() => nodeFacts('n', usable));
      assertTranslated(() => metadata(object as Fields));
    }),
    { numRuns: 2_000 },
  );
});

function assertTranslated(translation: () => unknown): void {
  try {
    translation();
  } catch (error) {
    if (!(error instanceof MalformedObject)) throw error;
  }
}
