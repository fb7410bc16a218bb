import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stateStaticServices } from '../../src/sources/static.ts';
import { lines } from '../support/model-plane.ts';
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

test('a zone of the configuration publishes its records, its services and its apex', async () => {
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

test('a headless service publishes what the Kubernetes specification and CoreDNS give it', async () => {
  const { plane, state, zones } = setUpZones([clusterZone('cluster.local.', { reverse: ['in-addr.arpa.'] })]);
  state(kubernetesService('prod/db', { ports: [port('sql', 5432)] }), [
    instance('db-0', ['10.1.0.1'], { hostname: 'db-0', ports: [port('sql', 5432), port('', 9000)] }),
    instance('db-1', ['10.1.0.2']),
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

test('a service with cluster IPs publishes them, its ports, and its endpoints below it', async () => {
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
