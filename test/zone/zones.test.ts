import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ZoneConfig } from '../../src/config/config.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { TYPE } from '../../src/dns/types.ts';
import type { NameRecords } from '../../src/plane/records.ts';
import { stateStaticServices } from '../../src/sources/static.ts';
import { lines, zoneText } from '../support/model-plane.ts';
import {
  clusterZone,
  instance,
  kubernetesService,
  POLICY,
  port,
  setUpZones,
  zoneConfig,
} from '../support/zone-setup.ts';

const APEX = `
  production.local.        5 SOA ns.dns.production.local. hostmaster.production.local. 0 7200 1800 86400 5
  production.local.        5 NS ns.dns.production.local.
  ns.dns.production.local. 5 A 127.0.0.1
  ns.dns.production.local. 5 AAAA ::1
  dns.production.local.    -
`;

test('a configured zone publishes its records, its services, SOA and NS', async () => {
  const zone = zoneConfig('production.local.', {
    records: [
      { name: 'www.production.local.', type: 'CNAME', value: 'api.production.local.', ttlSeconds: 60 },
      { name: '*.wild.production.local.', type: 'TXT', value: '"any"', ttlSeconds: 60 },
      { name: 'production.local.', type: 'MX', value: '10 mail.production.local.', ttlSeconds: 60 },
    ],
    services: [
      {
        name: 'api',
        namespace: 'default',
        names: ['{service}'],
        ttlSeconds: 5,
        policy: POLICY,
        ports: [port('http', 80)],
        healthCheck: undefined,
        instances: [
          { id: 'api-1', ipv4: '10.0.0.1', ipv6: 'fd00::1', port: 8080, weight: 1, attributes: {} },
          { id: 'api-2', ipv4: '10.0.0.2', ipv6: undefined, port: undefined, weight: 3, attributes: {} },
        ],
      },
    ],
  });
  const { plane, registry, zones } = setUpZones([zone]);
  stateStaticServices(zone, registry);
  await zones.flush();
  assert.equal(
    plane.text(),
    lines(`${APEX}
      production.local.        60 MX 10 mail.production.local.
      www.production.local.    60 CNAME api.production.local.
      wild.production.local.   -
      *.wild.production.local. 60 TXT "any"
      api.production.local.    5 A 10.0.0.1
      api.production.local.    5 A 10.0.0.2
      api.production.local.    5 AAAA fd00::1
      api.production.local.    5 SRV 1 1 8080 api-1.api.production.local.
      api.production.local.    5 SRV 1 3 80 api-2.api.production.local.
      api-1.api.production.local. 5 A 10.0.0.1
      api-1.api.production.local. 5 AAAA fd00::1
      api-2.api.production.local. 5 A 10.0.0.2
      _tcp.api.production.local.  -
      _http._tcp.api.production.local. 5 SRV 1 1 8080 api-1.api.production.local.
      _http._tcp.api.production.local. 5 SRV 1 3 80 api-2.api.production.local.
    `),
  );
  assert.deepEqual(
    [...plane.zones.values()].map(({ ready }) => ready),
    [true],
  );
});

const CLUSTER_APEX = `
  cluster.local.        5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 0 7200 1800 86400 5
  cluster.local.        5 NS ns.dns.cluster.local.
  ns.dns.cluster.local. 5 A 127.0.0.1
  ns.dns.cluster.local. 5 AAAA ::1
  dns.cluster.local.    -
  svc.cluster.local.    -
  pod.cluster.local.    -
  dns-version.cluster.local. 28800 TXT "1.1.0"
`;

const REVERSE_APEX = `
  in-addr.arpa. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 0 7200 1800 86400 5
  in-addr.arpa. 5 NS ns.dns.cluster.local.
  ip6.arpa.     5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 0 7200 1800 86400 5
  ip6.arpa.     5 NS ns.dns.cluster.local.
`;

test('a headless service publishes the names of the Kubernetes specification and of CoreDNS', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: ['in-addr.arpa.'] })]);
  state(kubernetesService('prod/db', { ports: [port('sql', 5432)] }), [
    instance('db-0', ['10.1.0.1'], { hostname: 'db-0', ports: [port('sql', 5432), port('', 9000)] }),
    instance('db-1', ['10.1.0.2'], { ports: [port('sql', 5432)] }),
  ]);
  await zones.flush();
  assert.equal(
    plane.text(),
    lines(`${CLUSTER_APEX} ${REVERSE_APEX.split('\n').slice(0, 3).join('\n')}
      prod.svc.cluster.local.     -
      db.prod.svc.cluster.local.  5 A 10.1.0.1
      db.prod.svc.cluster.local.  5 A 10.1.0.2
      db.prod.svc.cluster.local.  5 SRV 0 33 5432 db-0.db.prod.svc.cluster.local.
      db.prod.svc.cluster.local.  5 SRV 0 33 9000 db-0.db.prod.svc.cluster.local.
      db.prod.svc.cluster.local.  5 SRV 0 33 5432 10-1-0-2.db.prod.svc.cluster.local.
      _tcp.db.prod.svc.cluster.local.      -
      _sql._tcp.db.prod.svc.cluster.local. 5 SRV 0 50 5432 db-0.db.prod.svc.cluster.local.
      _sql._tcp.db.prod.svc.cluster.local. 5 SRV 0 50 5432 10-1-0-2.db.prod.svc.cluster.local.
      db-0.db.prod.svc.cluster.local.      5 A 10.1.0.1
      db-0.db.prod.svc.cluster.local.      5 SRV 0 50 5432 db-0.db.prod.svc.cluster.local.
      db-0.db.prod.svc.cluster.local.      5 SRV 0 50 9000 db-0.db.prod.svc.cluster.local.
      10-1-0-2.db.prod.svc.cluster.local.  5 A 10.1.0.2
      10-1-0-2.db.prod.svc.cluster.local.  5 SRV 0 100 5432 10-1-0-2.db.prod.svc.cluster.local.
      10.in-addr.arpa.       -
      1.10.in-addr.arpa.     -
      0.1.10.in-addr.arpa.   -
      1.0.1.10.in-addr.arpa. 5 PTR db-0.db.prod.svc.cluster.local.
      2.0.1.10.in-addr.arpa. 5 PTR 10-1-0-2.db.prod.svc.cluster.local.
    `),
  );
});

test('a service with cluster IPs publishes them, its ports, and the names of its endpoints', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const web = kubernetesService('prod/web', {
    kind: 'clusterIp',
    clusterIps: ['10.96.0.10', 'fd00:96::a'],
    ports: [port('http', 80), port('', 81, 'udp')],
  });
  state(web, [instance('web-1', ['10.1.0.1'], { ports: [port('http', 8080)] })]);
  await zones.flush();
  assert.equal(
    plane.text(),
    lines(`${CLUSTER_APEX}
      prod.svc.cluster.local.     -
      web.prod.svc.cluster.local. 5 A 10.96.0.10
      web.prod.svc.cluster.local. 5 AAAA fd00:96::a
      web.prod.svc.cluster.local. 5 SRV 0 25 80 web.prod.svc.cluster.local.
      web.prod.svc.cluster.local. 5 SRV 0 25 81 web.prod.svc.cluster.local.
      _tcp.web.prod.svc.cluster.local.       -
      _http._tcp.web.prod.svc.cluster.local. 5 SRV 0 50 80 web.prod.svc.cluster.local.
      10-1-0-1.web.prod.svc.cluster.local.   5 A 10.1.0.1
      10-1-0-1.web.prod.svc.cluster.local.   5 SRV 0 100 8080 10-1-0-1.web.prod.svc.cluster.local.
    `),
  );
});

test('dual stack: every name has both families, and weights of 100 are divided as in CoreDNS', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const ports = [port('sql', 5432)];
  state(kubernetesService('prod/db'), [
    instance('db-0', ['10.1.0.1'], { hostname: 'db-0', ports }),
    instance('db-0', ['fd00::5'], { hostname: 'db-0', ports }),
  ]);
  await zones.flush();
  assert.deepEqual(
    namesBelow(plane, 'db.prod.svc.cluster.local.'),
    lines(`
      db.prod.svc.cluster.local.           5 A 10.1.0.1
      db.prod.svc.cluster.local.           5 AAAA fd00::5
      db.prod.svc.cluster.local.           5 SRV 0 50 5432 db-0.db.prod.svc.cluster.local.
      _tcp.db.prod.svc.cluster.local.      -
      _sql._tcp.db.prod.svc.cluster.local. 5 SRV 0 50 5432 db-0.db.prod.svc.cluster.local.
      db-0.db.prod.svc.cluster.local.      5 A 10.1.0.1
      db-0.db.prod.svc.cluster.local.      5 AAAA fd00::5
      db-0.db.prod.svc.cluster.local.      5 SRV 0 50 5432 db-0.db.prod.svc.cluster.local.
    `),
  );
});

test('SRV weights stay at 1 beyond a hundred endpoints', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const ports = [port('http', 80)];
  const many = Array.from({ length: 250 }, (_, i) => instance(`i${i}`, [`10.1.${i >> 8}.${i & 255}`], { ports }));
  state(kubernetesService('prod/many', { ports }), many);
  await zones.flush();
  const srv = namesBelow(plane, '_http._tcp.many.prod.svc.cluster.local.').split('\n');
  assert.equal(srv.length, 250);
  assert.ok(srv.every((line) => line.includes(' SRV 0 1 80 ')));
});

test('external names are CNAMEs; addresses and self-references are skipped and reported', async () => {
  const { plane, state, zones, leftOut } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  for (const [name, externalName] of [
    ['good', 'db.example.com.'],
    ['address', '192.0.2.1.'],
    ['itself', 'itself.prod.svc.cluster.local.'],
    ['odd', 'a..b.'],
  ]) {
    state(kubernetesService(`prod/${name}`, { kind: 'externalName', externalName }), []);
  }
  await zones.flush();
  await zones.flush();
  assert.equal(
    namesBelow(plane, 'prod.svc.cluster.local.'),
    lines(`
      prod.svc.cluster.local.      -
      good.prod.svc.cluster.local. 5 CNAME db.example.com.`),
  );
  assert.equal(leftOut.length, 3);
  assert.match(leftOut.join('\n'), /prod\/address: its external name "192.0.2.1." is an IP address/);
});

test('in a cluster set endpoints are named by hostname and cluster, except behind a clusterset IP', async () => {
  const [source] = clusterZone().kubernetes;
  const zone = clusterZone('clusterset.local.', {
    reverse: ['in-addr.arpa.'],
    kubernetes: [{ ...source!, multicluster: true }],
  });
  const { plane, state, zones, leftOut } = setUpZones([zone]);
  const ports = [port('sql', 5432)];
  const inSet = { zone: zone.name, ports };
  const pets = [
    instance('pet-1', ['10.3.0.1'], { hostname: 'pet-1', cluster: 'clusterA', ports }),
    instance('pet-1', ['fd00::31'], { hostname: 'pet-1', cluster: 'clusterA', ports }),
    instance('pet-1', ['10.4.0.1'], { hostname: 'pet-1', cluster: 'b', ports }),
    instance('pet-2', ['10.4.0.2'], { cluster: 'b', ports }),
    instance('pet-3', ['10.4.0.3'], { cluster: 'no.label' }),
  ];
  state(kubernetesService('test/headless', inSet), pets);
  const single = { kind: 'clusterIp', clusterIps: ['10.42.0.1'], hidesInstances: true } as const;
  state(kubernetesService('test/single', { ...inSet, ...single }), pets);
  await zones.flush();
  assert.equal(
    namesBelow(plane, 'test.svc.clusterset.local.'),
    lines(`
      test.svc.clusterset.local.                 -
      headless.test.svc.clusterset.local.        5 A 10.3.0.1
      headless.test.svc.clusterset.local.        5 A 10.4.0.1
      headless.test.svc.clusterset.local.        5 A 10.4.0.2
      headless.test.svc.clusterset.local.        5 A 10.4.0.3
      headless.test.svc.clusterset.local.        5 AAAA fd00::31
      headless.test.svc.clusterset.local.        5 SRV 0 25 5432 pet-1.clustera.headless.test.svc.clusterset.local.
      headless.test.svc.clusterset.local.        5 SRV 0 25 5432 pet-1.b.headless.test.svc.clusterset.local.
      headless.test.svc.clusterset.local.        5 SRV 0 25 5432 10-4-0-2.b.headless.test.svc.clusterset.local.
      _tcp.headless.test.svc.clusterset.local.   -
      _sql._tcp.headless.test.svc.clusterset.local. 5 SRV 0 25 5432 pet-1.clustera.headless.test.svc.clusterset.local.
      _sql._tcp.headless.test.svc.clusterset.local. 5 SRV 0 25 5432 pet-1.b.headless.test.svc.clusterset.local.
      _sql._tcp.headless.test.svc.clusterset.local. 5 SRV 0 25 5432 10-4-0-2.b.headless.test.svc.clusterset.local.
      clustera.headless.test.svc.clusterset.local.       -
      pet-1.clustera.headless.test.svc.clusterset.local. 5 A 10.3.0.1
      pet-1.clustera.headless.test.svc.clusterset.local. 5 AAAA fd00::31
      pet-1.clustera.headless.test.svc.clusterset.local. 5 SRV 0 50 5432 pet-1.clustera.headless.test.svc.clusterset.local.
      b.headless.test.svc.clusterset.local.              -
      pet-1.b.headless.test.svc.clusterset.local.        5 A 10.4.0.1
      pet-1.b.headless.test.svc.clusterset.local.        5 SRV 0 100 5432 pet-1.b.headless.test.svc.clusterset.local.
      10-4-0-2.b.headless.test.svc.clusterset.local.     5 A 10.4.0.2
      10-4-0-2.b.headless.test.svc.clusterset.local.     5 SRV 0 100 5432 10-4-0-2.b.headless.test.svc.clusterset.local.
      10-4-0-3.headless.test.svc.clusterset.local.       5 A 10.4.0.3
      single.test.svc.clusterset.local.                  5 A 10.42.0.1
      single.test.svc.clusterset.local.                  5 SRV 0 100 5432 single.test.svc.clusterset.local.
      _tcp.single.test.svc.clusterset.local.             -
      _sql._tcp.single.test.svc.clusterset.local.        5 SRV 0 100 5432 single.test.svc.clusterset.local.`),
  );
  assert.equal(
    namesBelow(plane, '0.3.10.in-addr.arpa.'),
    lines(`
      0.3.10.in-addr.arpa.   -
      1.0.3.10.in-addr.arpa. 5 PTR pet-1.clustera.headless.test.svc.clusterset.local.`),
  );
  assert.match(namesBelow(plane, 'dns-version.clusterset.local.'), /TXT "1\.0\.0"$/);
  assert.match(leftOut.join(), /the cluster id "no\.label" is not a label/);
});

test('a Kubernetes endpoint without ports has no SRV records, regardless of its service’s ports', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  state(kubernetesService('prod/db', { ports: [port('sql', 5432)] }), [instance('db-0', ['10.1.0.1'])]);
  await zones.flush();
  assert.equal(
    namesBelow(plane, 'db.prod.svc.cluster.local.'),
    lines(`
      db.prod.svc.cluster.local.          5 A 10.1.0.1
      10-1-0-1.db.prod.svc.cluster.local. 5 A 10.1.0.1`),
  );
});

test('two instances with one address each have their own health at their own name and in PTR records', async () => {
  const { plane, registry, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: ['in-addr.arpa.'] })]);
  const db = kubernetesService('prod/db');
  state(db, [instance('db-0', ['10.1.0.1'], { hostname: 'db-0' }), instance('p', ['10.1.0.1'])]);
  await zones.flush();
  const slots = (name: string) =>
    plane.names.get(name)?.rrsets.flatMap(({ records }) => records.map(({ slot }) => slot));
  const [first, second] = [...(registry.service(db.key)?.instances.values() ?? [])].map(({ slot }) => slot);
  assert.deepEqual(slots('db-0.db.prod.svc.cluster.local.'), [first]);
  assert.deepEqual(slots('10-1-0-1.db.prod.svc.cluster.local.'), [second]);
  assert.deepEqual(slots('1.0.1.10.in-addr.arpa.'), [first, second]);
});

test('namespaces exist, and their pods have names according to the option', async () => {
  const { plane, registry, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const namespace = (name: string, podNames: 'disabled' | 'insecure' | 'verified') =>
    kubernetesService(`${name}/`, { kind: 'namespace', names: ['{namespace}.svc'], podNames });
  state(namespace('one', 'disabled'), []);
  state(namespace('two', 'insecure'), []);
  const three = namespace('three', 'verified');
  state(three, []);
  registry.replacePodAddresses('pod/test/three/p', three.key, ['10.1.0.1']);
  registry.replacePodAddresses('pod/test/three/q', three.key, ['fd00::1', '10.1.0.1']);
  await zones.flush();
  assert.equal(
    [namesBelow(plane, 'svc.cluster.local.'), namesBelow(plane, 'pod.cluster.local.')].join('\n'),
    [
      lines(`
        svc.cluster.local.       -
        one.svc.cluster.local.   -
        two.svc.cluster.local.   -
        three.svc.cluster.local. -`),
      lines(`
        pod.cluster.local.                -
        two.pod.cluster.local.            5 pod-addresses
        three.pod.cluster.local. 5 verified-pod-addresses
`),
    ].join('\n'),
  );
  const names = ['10-1-0-1.three.pod.cluster.local.', 'fd00--1.three.pod.cluster.local.'];
  assert.deepEqual([...plane.content.pods], names);
  const joined = plane.join();
  for (const change of zones.refill()) joined.take(change);
  assert.deepEqual([...joined.pods].sort(), names, 'a new data thread has them');
});

test('a pod has its name until no pod of its namespace has the address', async () => {
  const { plane, registry, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const [one, two] = ['one', 'two'].map((each) => `kubernetes/test/cluster.local./${each}/`);
  const names = async () => {
    await zones.flush();
    return [...plane.content.pods].map((name) => name.replace('.pod.cluster.local.', '')).sort();
  };
  registry.replacePodAddresses('pod/a', one, ['10.1.0.1']);
  registry.replacePodAddresses('pod/b', one, ['10.1.0.1']);
  registry.replacePodAddresses('pod/c', two, ['10.1.0.1', 'nonsense']);
  assert.deepEqual(await names(), ['10-1-0-1.one', '10-1-0-1.two']);
  registry.replacePodAddresses('pod/a', one, []);
  assert.deepEqual(await names(), ['10-1-0-1.one', '10-1-0-1.two'], 'another pod of the host has it as well');
  registry.replacePodAddresses('pod/b', one, ['10.1.0.2', 'fd00::2']);
  assert.deepEqual(await names(), ['10-1-0-1.two', '10-1-0-2.one', 'fd00--2.one']);
  registry.replacePodAddresses('pod/b', two, ['10.1.0.2']);
  assert.deepEqual(
    await names(),
    ['10-1-0-1.two', '10-1-0-2.one', '10-1-0-2.two'],
    'two sources agree on its addresses',
  );
  for (const key of [one, two]) for (const pod of ['pod/b', 'pod/c']) registry.replacePodAddresses(pod, key, []);
  assert.deepEqual(await names(), []);
  assert.deepEqual([...registry.podAddresses()], []);
  assert.equal(registry.size().subjects, 0);
});

test('a pod that appears gives its zone a new serial', async () => {
  const { plane, registry, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  await zones.flush();
  plane.log.length = 0;
  registry.replacePodAddresses('pod/a', 'kubernetes/test/cluster.local./one/', ['10.1.0.1']);
  await zones.flush();
  assert.deepEqual(plane.log, ['pod-name 10-1-0-1.one.pod.cluster.local.', 'replace-name cluster.local.']);
});

test('AAAA records of a service may have a separate TTL', async () => {
  const { plane, state, zones } = setUpZones([clusterZone()]);
  const dual = instance('db-0', ['10.1.0.1', 'fd00::1'], { hostname: 'db-0' });
  state(kubernetesService('prod/db', { ttlSecondsOfAaaa: 77 }), [dual]);
  await zones.flush();
  const own = namesBelow(plane, 'db.prod.svc.cluster.local.').split('\n');
  assert.deepEqual(
    own.filter((line) => /^db\.prod\S+ +\d+ A/.test(line)).map((line) => line.replace(/ +/g, ' ')),
    ['db.prod.svc.cluster.local. 5 A 10.1.0.1', 'db.prod.svc.cluster.local. 77 AAAA fd00::1'],
  );
});

test('an address in several services has a PTR record for each', async () => {
  const { plane, state, zones, registry } = setUpZones([clusterZone()]);
  const pod = instance('db-0', ['10.1.0.1'], { hostname: 'db-0' });
  state(kubernetesService('prod/db'), [pod]);
  state(kubernetesService('prod/replicas', { ttlSeconds: 2 }), [pod]);
  await zones.flush();
  const reverse = () => namesBelow(plane, '1.0.1.10.in-addr.arpa.');
  assert.equal(
    reverse(),
    lines(`
      1.0.1.10.in-addr.arpa. 2 PTR db-0.db.prod.svc.cluster.local.
      1.0.1.10.in-addr.arpa. 2 PTR db-0.replicas.prod.svc.cluster.local.`),
  );
  registry.removeService('kubernetes/test/cluster.local./prod/replicas');
  await zones.flush();
  assert.equal(reverse(), '1.0.1.10.in-addr.arpa. 5 PTR db-0.db.prod.svc.cluster.local.');
});

test('ignoreEmpty: a service with cluster IPs has no name while none of its instances is eligible', async () => {
  const { plane, state, zones, registry } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  const web = kubernetesService('prod/web', { kind: 'clusterIp', clusterIps: ['10.96.0.1'], ignoreEmpty: true });
  state(web, [instance('web-1', ['10.1.0.1'])]);
  await zones.flush();
  assert.equal(namesBelow(plane, 'web.prod.svc.cluster.local.'), '');
  for (const { slot } of registry.service(web.key)?.instances.values() ?? []) plane.slots.set(slot, true);
  zones.verdictChanged(web.key);
  await zones.flush();
  assert.match(namesBelow(plane, 'web.prod.svc.cluster.local.'), /web.prod.svc.cluster.local. 5 A 10.96.0.1/);
});

function namesBelow({ names }: { names: ReadonlyMap<string, NameRecords> }, apex: string): string {
  return zoneText(
    [...names].filter(([name]) => name === apex || name.endsWith(`.${apex}`)).map(([, records]) => records),
  );
}

test('the address of a name server is generated only in the zone and above its delegations', async () => {
  const { plane, zones } = setUpZones([
    zoneConfig('b.local.', {
      nameServers: ['ns.b.local.', 'ns.sub.b.local.', 'ns.other.'],
      records: [{ name: 'sub.b.local.', type: 'NS', value: 'x.other.', ttlSeconds: 5 }],
    }),
  ]);
  await zones.flush();
  const addresses = [...plane.names].filter(([, { rrsets }]) => rrsets.some(({ type }) => type === TYPE.A));
  assert.deepEqual(
    addresses.map(([name]) => name),
    ['ns.b.local.'],
  );
});

test('reverse zones of a cluster use its fallthrough setting', async () => {
  const falling = (...fallthrough: string[]) => {
    const [zone] = [clusterZone()];
    return { ...zone, kubernetes: [{ ...zone.kubernetes[0], fallthrough }] };
  };
  const suffixes = async (...zoneConfigs: ZoneConfig[]) => {
    const { plane, zones } = setUpZones(zoneConfigs);
    await zones.flush();
    return [...plane.zones].map(([name, { fallthrough }]) => `${name} ${fallthrough.map(formatName).join(' ')}`).sort();
  };
  assert.deepEqual(await suffixes(clusterZone()), ['cluster.local. ', 'in-addr.arpa. ', 'ip6.arpa. ']);
  assert.deepEqual(await suffixes(falling('in-addr.arpa.')), [
    'cluster.local. in-addr.arpa.',
    'in-addr.arpa. in-addr.arpa.',
    'ip6.arpa. in-addr.arpa.',
  ]);
  assert.deepEqual(await suffixes(falling('.'), zoneConfig('in-addr.arpa.')), [
    'cluster.local. .',
    'in-addr.arpa. ',
    'ip6.arpa. .',
  ]);
  assert.deepEqual(await suffixes(zoneConfig('a.', { reverse: ['10.in-addr.arpa.'] })), ['10.in-addr.arpa. ', 'a. ']);
});

test('a claimed name is an unready zone until the names that end the claim are published', async () => {
  const { plane, registry, zones } = setUpZones([clusterZone()]);
  zones.setClaimed(['.', 'corp.']);
  await zones.flush();
  const why = 'not ready: a source that may have a zone for this name has not been read';
  const claim = (name: string) => ({ name: parseName(name), ready: false, stale: false, fallthrough: [], why });
  assert.deepEqual([plane.zones.get('.'), plane.zones.get('corp.')], [claim('.'), claim('corp.')]);
  assert.deepEqual([...zones.refill()].slice(0, 2), [
    { kind: 'replace-zone', zone: claim('.') },
    { kind: 'replace-zone', zone: claim('corp.') },
  ]);

  plane.log.length = 0;
  registry.replaceService(kubernetesService('prod/db'));
  registry.replaceGroup('g', kubernetesService('prod/db').key, [instance('a', ['10.0.0.1'])]);
  zones.reload([clusterZone(), zoneConfig('corp.')]);
  zones.setState('corp.', { ready: true, stale: false });
  zones.setClaimed([]);
  await zones.flush();
  assert.ok(plane.log.indexOf('replace-name db.prod.svc.cluster.local.') < plane.log.indexOf('remove-zone .'));
  assert.deepEqual([plane.zones.has('.'), plane.zones.get('corp.')?.ready], [false, true]);
});

test('a cluster IP that is not an address is skipped and reported', async () => {
  const { plane, state, zones, leftOut } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  state(kubernetesService('prod/web', { kind: 'clusterIp', clusterIps: ['10.96.0.1', 'nonsense'] }), []);
  await zones.flush();
  assert.deepEqual(plane.text().match(/^web.*/gm), ['web.prod.svc.cluster.local. 5 A 10.96.0.1']);
  assert.deepEqual(leftOut, [
    'kubernetes/test/cluster.local./prod/web: the cluster IP "nonsense" is not an IP address',
  ]);
});

test('a name of several instances with AWS_INSTANCE_CNAME answers one of them', async () => {
  const { plane, state, zones } = setUpZones([zoneConfig('example.org.')]);
  const alias = (id: string) => instance(id, [], { attributes: { AWS_INSTANCE_CNAME: `${id}.example.com` } });
  const service = { source: 'cloudmap', zone: 'example.org.', names: ['{service}'], recordTypes: ['CNAME'] } as const;
  state(kubernetesService('prod/web', service), [alias('a'), alias('b')]);
  await zones.flush();
  const [rrset] = plane.names.get('web.example.org.')?.rrsets ?? [];
  assert.deepEqual([rrset.type, rrset.records.length, rrset.maxAnswers], [TYPE.CNAME, 2, 1]);
});

test('an address that an instance has twice is one record', async () => {
  const { plane, state, zones } = setUpZones([clusterZone()]);
  state(kubernetesService('prod/web'), [instance('a', ['10.1.0.1', '10.1.0.1', 'fd00::1'])]);
  await zones.flush();
  const recordsOf = (name: string) => plane.names.get(name)?.rrsets.map(({ records }) => records.length);
  assert.deepEqual(recordsOf('web.prod.svc.cluster.local.'), [1, 1]);
  assert.deepEqual(recordsOf('10-1-0-1.web.prod.svc.cluster.local.'), [1]);
  assert.deepEqual(recordsOf('1.0.1.10.in-addr.arpa.'), [1]);
});

test('explain distinguishes a service that is not published yet from one without answered instances', async () => {
  const { state, zones } = setUpZones([clusterZone()]);
  const reasonOf = (name: string) => zones.explain(`${name}.prod.svc.cluster.local.`).owners[0].reason;
  state(kubernetesService('prod/web', { kind: 'clusterIp', clusterIps: ['10.96.0.1'] }), []);
  state(kubernetesService('prod/lazy', { kind: 'clusterIp', clusterIps: ['10.96.0.2'], ignoreEmpty: true }), []);
  assert.equal(reasonOf('web'), 'it has not been published yet');
  assert.match(reasonOf('lazy'), /^none of its instances may be answered/);
});

test('svc and pod exist in a cluster without services, and only there', async () => {
  const { zones } = setUpZones([clusterZone('cluster.local.'), zoneConfig('plain.local.')]);
  await zones.flush();
  for (const label of ['svc', 'pod']) {
    assert.equal(zones.explain(`${label}.cluster.local.`).exists, 'empty-non-terminal');
    assert.equal(zones.explain(`${label}.plain.local.`).exists, 'absent');
  }
});

test('a change of one zone’s readiness, and of nothing else, is sent', async () => {
  const { plane, zones } = setUpZones([clusterZone('cluster.local.', { reverse: [] })]);
  await zones.flush();
  for (const ready of [true, false, true]) {
    plane.log.length = 0;
    zones.setState('cluster.local.', { ready, stale: false });
    await zones.flush();
    assert.deepEqual(plane.log, ['replace-zone cluster.local.']);
    assert.equal(plane.zones.get('cluster.local.')?.ready, ready);
  }
});
