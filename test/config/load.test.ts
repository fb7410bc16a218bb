import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/loading/load.ts';
import { NO_STATIC_RECORDS } from '../../src/config/static-records.ts';
import { recordTexts } from '../support/zone-setup.ts';

async function load(text: string, path = '/etc/healthdns/zones.yaml'): Promise<Config> {
  const result = await parseConfig(text, path);
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

describe('defaults of the configuration', () => {
  test('omitted keys have the documented defaults', async () => {
    const config = await load('zones: [{ name: Production.Local }]');
    const { zones, hash, ...top } = config;
    assert.match(hash, /^[0-9a-f]{16}$/);
    assert.deepEqual(top, {
      file: '/etc/healthdns/zones.yaml',
      listen: [
        { address: '127.0.0.1', port: 1053 },
        { address: '::1', port: 1053 },
      ],
      http: [{ address: '127.0.0.1', port: 8053 }],
      admin: undefined,
      adminToken: undefined,
      threads: 'auto',
      logLevel: 'info',
      metrics: 'healthdns',
      topQueries: true,
      server: {
        udp: 'auto',
        versionBind: undefined,
        idServer: undefined,
        udpPayloadBytes: 1232,
        reusePort: false,
        errorText: true,
        lameduckSeconds: 0,
      },
      limits: {
        tcpConnections: 1000,
        tcpIdleSeconds: 10,
        tcpTotalSeconds: 600,
        tcpUnreadBytes: 65_536,
        tcpUnreadTotalBytes: 67_108_864,
        forwardedQueries: 4096,
        forwardedQueriesPerClient: 256,
        discardSeconds: 1.9,
        errorsPerSecond: 200,
        concurrentChecks: 100,
        httpBodyBytes: 1_048_576,
        httpConnections: 256,
      },
      forward: undefined,
      front: undefined,
      history: { perService: 50, inAll: 10_000, file: undefined },
    });
    assert.deepEqual(zones, [
      {
        name: 'production.local.',
        ttlSeconds: 5,
        names: ['{service}'],
        nameServers: ['ns.dns.production.local.'],
        soa: {
          mname: 'ns.dns.production.local.',
          rname: 'hostmaster.production.local.',
          refreshSeconds: 14_400,
          retrySeconds: 3600,
          expireSeconds: 604_800,
          minimumSeconds: 5,
        },
        policy: {
          whenAllUnhealthy: 'nodata',
          unknown: 'answer',
          publishNotReady: false,
          maxAnswers: 0,
          routing: 'multivalue',
        },
        records: NO_STATIC_RECORDS,
        services: [],
        kubernetes: [],
        reverse: undefined,
      },
    ]);
  });

  test('a zone with `kubernetes` has the SOA timers of CoreDNS', async () => {
    const { zones } = await load('zones:\n  - { name: a.local, kubernetes: {}, soa: { retrySeconds: 60 } }\n');
    const { refreshSeconds, retrySeconds, expireSeconds, minimumSeconds } = zones[0].soa;
    assert.deepEqual([refreshSeconds, retrySeconds, expireSeconds, minimumSeconds], [7200, 60, 86_400, 5]);
  });

  test('in a zone with `kubernetes`, a service without ready endpoints is NXDOMAIN by default', async () => {
    const { zones } = await load(
      'zones:\n  - { name: a.local, kubernetes: {} }\n  - { name: b.local, kubernetes: {}, whenAllUnhealthy: nodata }\n',
    );
    assert.deepEqual(
      zones.map(({ policy }) => policy.whenAllUnhealthy),
      ['nxdomain', 'nodata'],
    );
  });

  test('a health check has the default parameters of ECS', async () => {
    const config = await load(
      'zones: [{ name: x, services: [{ name: a, healthCheck: { type: http }, instances: [{ id: i, ipv4: 192.0.2.1, port: 80 }] }] }]',
    );
    assert.deepEqual(config.zones[0].services[0].healthCheck, {
      type: 'http',
      path: '/',
      expectedStatus: [200, 399],
      interval: 30,
      timeout: 5,
      retries: 3,
      startPeriod: 0,
    });
  });

  test('a service inherits the settings of its zone', async () => {
    const config = await load(`
zones:
  - name: x
    ttlSeconds: 7
    names: ["{namespace}.{service}"]
    maxAnswers: 8
    unknown: exclude
    services:
      - { name: a }
      - { name: b, ttlSeconds: 1, unknown: answer, names: ["@"], maxAnswers: 0, publishNotReady: true }
`);
    const [a, b] = config.zones[0].services;
    assert.deepEqual(
      [a.ttlSeconds, a.names, a.policy.maxAnswers, a.policy.unknown],
      [7, ['{namespace}.{service}'], 8, 'exclude'],
    );
    assert.deepEqual([b.ttlSeconds, b.names, b.policy.maxAnswers, b.policy.unknown], [1, ['@'], 0, 'answer']);
    assert.deepEqual([a.policy.publishNotReady, b.policy.publishNotReady], [false, true]);
    assert.equal(config.zones[0].soa.minimumSeconds, 7);
  });

  test('a Kubernetes zone uses the service names of Kubernetes', async () => {
    const config = await load('zones: [{ name: cluster.local, kubernetes: {} }]');
    assert.deepEqual(config.zones[0].names, ['{service}.{namespace}.svc']);
    assert.deepEqual(config.zones[0].kubernetes, [
      {
        kubeconfig: undefined,
        context: undefined,
        label: 'in-cluster',
        name: 'kubernetes/in-cluster',
        ttlSeconds: 5,
        pods: 'disabled',
        namespaces: [],
        namespaceLabels: undefined,
        labels: undefined,
        ignoreEmptyService: false,
        fallthrough: [],
        endpointPodNames: false,
        rank: 0,
        merge: false,
        multicluster: false,
        staleAfterSeconds: 60,
        snapshot: undefined,
      },
    ]);
  });
});

describe('shorthand in the configuration', () => {
  test('names are relative to the zone, absolute with a trailing dot, and @ is the zone', async () => {
    const config = await load(`
zones:
  - name: x
    nameServers: [ns1, ns.other.]
    soa: { rname: ops.other. }
    records:
      - { name: "@", type: mx, value: 10 mail }
      - { name: WWW, type: CNAME, value: "@" }
      - { name: "*.p", type: A, value: [192.0.2.1, 192.0.2.2, 192.0.2.1], ttlSeconds: 9 }
      - { name: "*.p.x.", type: A, value: 192.0.2.3, ttlSeconds: 4 }
      - { name: t, type: TXT, value: say "hi" ü }
      - { name: u, type: TXT, value: '"one" "two"' }
      - { name: v, type: TYPE65280, value: '\\# 1 ff' }
`);
    const zone = config.zones[0];
    assert.deepEqual(zone.nameServers, ['ns1.x.', 'ns.other.']);
    assert.deepEqual([zone.soa.mname, zone.soa.rname], ['ns1.x.', 'ops.other.']);
    assert.deepEqual(recordTexts(zone.records).sort(), [
      '*.p.x. 4 A 192.0.2.1',
      '*.p.x. 4 A 192.0.2.2',
      '*.p.x. 4 A 192.0.2.3',
      't.x. 5 TXT "say \\"hi\\" \\195\\188"',
      'u.x. 5 TXT "one" "two"',
      'v.x. 5 TYPE65280 \\# 1 FF',
      'www.x. 5 CNAME x.',
      'x. 5 MX 10 mail.x.',
    ]);
  });

  test('a long TXT value is split into strings of 255 bytes', async () => {
    const config = await load(`zones: [{ name: x, records: [{ name: t, type: TXT, value: ${'a'.repeat(300)} }] }]`);
    assert.equal(recordTexts(config.zones[0].records)[0], `t.x. 5 TXT "${'a'.repeat(255)}" "${'a'.repeat(45)}"`);
  });

  test('a network stands for its reverse zone', async () => {
    const config = await load(
      'zones: [{ name: 10.0.0.0/8 }, { name: "2001:db8::/32" }, { name: x, reverse: [10.1.0.0/16, in-addr.arpa] }]',
    );
    assert.deepEqual(
      config.zones.map(({ name }) => name),
      ['10.in-addr.arpa.', '8.b.d.0.1.0.0.2.ip6.arpa.', 'x.'],
    );
    assert.deepEqual(config.zones[2].reverse, ['1.10.in-addr.arpa.', 'in-addr.arpa.']);
  });

  test('addresses are normalized, ports may be plain numbers, commands may be a string', async () => {
    const config = await load(`
listen: "[::0]:53"
http: false
zones:
  - name: x
    services:
      - name: A
        ports: [80, { name: DNS, protocol: udp, port: 53 }]
        healthCheck: { type: exec, command: "true" }
        instances: [{ id: I, ipv6: "2001:DB8:0::1" }]
`);
    const [service] = config.zones[0].services;
    assert.deepEqual([config.listen, config.http], [[{ address: '::', port: 53 }], []]);
    assert.deepEqual(service.ports, [
      { name: '', protocol: 'tcp', port: 80 },
      { name: 'dns', protocol: 'udp', port: 53 },
    ]);
    assert.deepEqual(service.healthCheck?.command, ['CMD-SHELL', 'true']);
    assert.deepEqual([service.instances[0].id, service.instances[0].ipv6], ['i', '2001:db8::1']);
  });

  test('the check of an instance is the check of its service with its overrides', async () => {
    const config = await load(`
zones:
  - name: x
    services:
      - name: a
        healthCheck: { type: http, path: /h, interval: 9, expectedStatus: 204 }
        instances:
          - { id: a, ipv4: 192.0.2.1, port: 80 }
          - { id: b, ipv4: 192.0.2.2, healthCheck: { address: "::1", port: 81, interval: 10 } }
`);
    const [a, b] = config.zones[0].services[0].instances;
    assert.equal(a.healthCheck, undefined);
    assert.deepEqual(b.healthCheck, {
      type: 'http',
      path: '/h',
      expectedStatus: [204, 204],
      interval: 10,
      timeout: 5,
      retries: 3,
      startPeriod: 0,
      address: '::1',
      port: 81,
    });
  });

  test('several clusters may share a zone; paths are relative to the file and labels may differ', async () => {
    const config = await load(
      `zones: [{ name: c, kubernetes: [{ kubeconfig: a/k, context: one }, { kubeconfig: b/k, context: one, fallthrough: true, merge: true,
        snapshot: { file: ../s.json } }, {}] }, { name: d, kubernetes: { kubeconfig: a/k, context: one, fallthrough: [d] } }]`,
    );
    const sources = config.zones.flatMap(({ kubernetes }) => kubernetes);
    assert.deepEqual(
      sources.map(({ label }) => label),
      ['one', 'one-2', 'in-cluster', 'one'],
    );
    assert.deepEqual(
      sources.map(({ name }) => name),
      ['kubernetes/one', 'kubernetes/one-2', 'kubernetes/in-cluster', 'kubernetes/one/d'],
    );
    assert.equal(sources[0].kubeconfig, '/etc/healthdns/a/k');
    assert.deepEqual(sources[1].snapshot, { file: '/etc/s.json', maxAgeSeconds: 86_400 });
    assert.deepEqual(
      sources.map(({ fallthrough }) => fallthrough),
      [[], ['.'], [], ['d.']],
    );
    assert.deepEqual(
      sources.map(({ rank, merge }) => [rank, merge]),
      [
        [0, false],
        [1, true],
        [2, false],
        [0, false],
      ],
    );
  });

  test('sources of one cluster have distinct names, also within one zone', async () => {
    const config = await load(
      `zones: [{ name: c, kubernetes: [{ namespaces: [a] }, { namespaces: [b] }, { namespaces: [d] }] },
        { name: e, kubernetes: {} }]`,
    );
    assert.deepEqual(
      config.zones.flatMap(({ kubernetes }) => kubernetes.map(({ name }) => name)),
      ['', '/c', '/c-2', '/e'].map((more) => `kubernetes/in-cluster${more}`),
    );
  });

  test('YAML anchors and merges are supported', async () => {
    const config = await load(`
zones:
  - { name: x, services: [{ name: a, healthCheck: &c { type: tcp, port: 1, interval: 9 } }] }
  - { name: y, services: [{ name: a, healthCheck: { <<: *c, interval: 8 } }] }
  - { name: z, services: [{ name: a, healthCheck: *c }] }
`);
    assert.deepEqual(
      config.zones.map(({ services }) => services[0].healthCheck?.interval),
      [9, 8, 9],
    );
  });
});
