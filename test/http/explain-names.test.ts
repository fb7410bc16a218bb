// What a person reads of each kind of name that a cluster has.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { HealthSync } from '../../src/health/sync.ts';
import { explainChain } from '../../src/http/explain.ts';
import type { Explanation } from '../../src/http/explanation.ts';
import { explanationText } from '../../src/http/explanation-text.ts';
import { createStatusBoard } from '../../src/sources/status.ts';
import { fact } from '../support/model.ts';
import { clusterZone, instance, kubernetesService, POLICY, port, setUpZones } from '../support/zone-setup.ts';

let explain: (name: string) => Explanation;

before(async () => {
  const records = [
    { name: 'cut.cluster.local.', type: 'NS', value: 'ns.example.org.', ttlSeconds: 60 },
    { name: 'old.cluster.local.', type: 'DNAME', value: 'prod.svc.cluster.local.', ttlSeconds: 60 },
  ];
  const { state, registry, zones, plane, clock } = setUpZones([clusterZone('cluster.local.', { records })]);
  const health = new HealthSync({ registry, slots: plane.slots, clock, schedule() {} });
  const strict = { policy: { ...POLICY, whenAllUnhealthy: 'nxdomain' as const } };
  const pods = { kind: 'namespace' as const, names: ['{namespace}.svc'], policy: { ...POLICY, publishNotReady: true } };
  state(kubernetesService('prod/', { ...pods, podNames: 'insecure' }), []);
  const dev = kubernetesService('dev/', { ...pods, podNames: 'verified' });
  state(dev, []);
  registry.replacePodAddresses('pod/test/dev/web-0', dev.key, ['10.9.0.1']);
  state(kubernetesService('prod/db', strict), [
    instance('db-0', ['10.0.0.1'], { hostname: 'db-0', ports: [port('sql', 5432)], facts: [fact('HEALTHY')] }),
    instance('db-1', ['10.0.0.2'], { hostname: 'db-1', facts: [fact('HEALTHY')] }),
    instance('db-2', ['10.0.0.3'], { hostname: 'db-2', facts: [fact('UNHEALTHY')] }),
  ]);
  state(kubernetesService('prod/set'), [instance('m', ['10.3.0.1'], { hostname: 'm', cluster: 'east' })]);
  state(kubernetesService('prod/none', strict), []);
  state(kubernetesService('prod/idle'), []);
  state(kubernetesService('prod/dead', strict), [instance('x', ['10.0.1.1'], { facts: [fact('UNHEALTHY')] })]);
  state(kubernetesService('prod/api', { kind: 'clusterIp', clusterIps: ['10.96.0.9'], ports: [port('http', 80)] }), []);
  state(kubernetesService('prod/empty', { kind: 'clusterIp', clusterIps: ['10.96.0.8'], ignoreEmpty: true }), []);
  state(kubernetesService('prod/ip', { kind: 'externalName', externalName: '192.0.2.1.' }), []);
  const self = 'self.prod.svc.cluster.local.';
  state(kubernetesService('prod/self', { kind: 'externalName', externalName: self }), []);
  state(kubernetesService('prod/out', { kind: 'externalName', externalName: 'www.example.org.' }), []);
  zones.setState('cluster.local.', { ready: true, stale: false });
  health.flush();
  await zones.flush();
  const board = createStatusBoard(clock);
  explain = (name) => explainChain(name, (one) => zones.explain(one), registry, board);
});

const key = (path: string) => `kubernetes/test/cluster.local./${path}`;
const nothing = (zone = 'cluster.local.') => `NXDOMAIN: nothing in ${zone} has this name`;

/** Name, what explain says, and the instances that it lists. */
const NAMES: readonly (readonly [string, string, string])[] = [
  ['db.prod.svc', 'Has A, SRV records. 2 of 3 instances may be answered.', 'db-2 db-0 db-1'],
  ['db-0.db.prod.svc', 'Has A, SRV records. It is about the instance db-0, which may be answered.', 'db-0'],
  [
    'db-2.db.prod.svc',
    'NXDOMAIN: none of its records may be answered. It is about the instance db-2, which may not be answered.',
    'db-2',
  ],
  ['_sql._tcp.db.prod.svc', 'Has SRV records. It is about the instance db-0, which may be answered.', 'db-0'],
  ['m.east.set.prod.svc', 'Has A records. It is about the instance m, which may be answered.', 'm'],
  ['east.set.prod.svc', 'NODATA: only names below it have records.', ''],
  ['_tcp.db.prod.svc', 'NODATA: only names below it have records.', ''],
  ['_http._tcp.db.prod.svc', `${nothing()}; the service ${key('prod/db')} has no instance or port of that name.`, ''],
  [
    'none.prod.svc',
    `NXDOMAIN: the service ${key('prod/none')} exists, but it has no instances: policy whenAllUnhealthy: nxdomain decides.`,
    '',
  ],
  ['idle.prod.svc', 'NODATA: it has no records. It has no instances: policy whenAllUnhealthy: nodata decides.', ''],
  [
    'dead.prod.svc',
    'NXDOMAIN: none of its records may be answered. 0 of 1 instances may be answered; policy whenAllUnhealthy: nxdomain decides.',
    'x',
  ],
  ['api.prod.svc', 'Has A, SRV records.', ''],
  ['_http._tcp.api.prod.svc', 'Has SRV records.', ''],
  [
    'empty.prod.svc',
    `NXDOMAIN: the service ${key('prod/empty')} exists, but none of its instances may be answered, and services without any are left out (ignoreEmptyService).`,
    '',
  ],
  [
    'ip.prod.svc',
    `NXDOMAIN: the service ${key('prod/ip')} exists, but its external name "192.0.2.1." is an IP address, not a name.`,
    '',
  ],
  ['self.prod.svc', `NXDOMAIN: the service ${key('prod/self')} exists, but its external name is its own name.`, ''],
  ['out.prod.svc', 'Alias (CNAME) of www.example.org.', ''],
  ['prod.svc', 'NODATA: the name of a namespace, which has no records.', ''],
  ['svc', 'NODATA: only names below it have records.', ''],
  ['no.prod.svc', `${nothing()}.`, ''],
  [
    '10-1-0-1.prod.pod',
    'Has the A record 10.1.0.1, which is part of the name (pods: insecure), whether or not a pod has that address.',
    '',
  ],
  [
    'fd00--1.prod.pod',
    'Has the AAAA record fd00::1, which is part of the name (pods: insecure), whether or not a pod has that address.',
    '',
  ],
  ['ten-1-0-1.prod.pod', `${nothing()}.`, ''],
  ['10-9-0-1.dev.pod', 'Has the A record 10.9.0.1: the address of the pod web-0.', ''],
  ['10-9-0-2.dev.pod', `${nothing()}.`, ''],
  ['dns-version', 'Has TXT records.', ''],
  ['x.cut', 'Delegated: answered with the name servers of cut.cluster.local (a referral).', ''],
  ['x.old', 'Redirected by the DNAME of old.cluster.local to x.prod.svc.cluster.local.', ''],
];

for (const [label, summary, ids] of NAMES) {
  test(`explain of ${label}: ${summary}`, () => {
    const explanation = explain(`${label}.cluster.local.`);
    assert.equal(explanation.summary, summary);
    const listed = explanation.services.flatMap(({ instances }) => instances.map(({ id }) => id));
    assert.equal(listed.join(' '), ids);
  });
}

test('explain of a PTR name lists the instance with the address, whether it is answered or not', () => {
  const text = (address: string) => explanationText(explain(`${address}.in-addr.arpa.`));
  assert.match(text('1.0.0.10'), /Has PTR records\. It is about the instance db-0, which may be answered/);
  assert.match(
    text('3.0.0.10'),
    /NXDOMAIN: none of its records .*\n {2}PTR: NXDOMAIN, without db-2\.db\.prod.*OUT db-2/s,
  );
  assert.doesNotMatch(text('3.0.0.10'), /db-0|db-1/);
  assert.match(text('9.0.96.10'), /Has PTR records\.\n {2}PTR api\.prod\.svc\.cluster\.local\. \(TTL 5\)/);
  assert.match(text('9.9.9.10'), /NXDOMAIN.*nothing in in-addr\.arpa\. has this name/);
});

test('explain as text lists the answered records and those left out', () => {
  assert.match(
    explanationText(explain('db.prod.svc.cluster.local.')),
    /^ {2}A 10\.0\.0\.1 \| 10\.0\.0\.2 \(TTL 5\); without 10\.0\.0\.3$/m,
  );
  assert.match(
    explanationText(explain('ip.prod.svc.cluster.local.')),
    /^ {2}left out: its external name "192\.0\.2\.1\." is an IP/m,
  );
  assert.match(explanationText(explain('10-9-0-1.dev.pod.cluster.local.')), /the address of the pod web-0/);
  assert.doesNotMatch(explanationText(explain('prod.svc.cluster.local.')), /Pods of the namespace/);
});

test('explain of the zone’s own name lists SOA and NS', () => {
  assert.deepEqual(
    explain('cluster.local.').answers.map(({ type, outcome }) => `${type} ${outcome}`),
    ['SOA answered', 'NS answered'],
  );
});
