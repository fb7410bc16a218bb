// The metrics of CoreDNS 1.15: names, labels and their values as that writes them. test/e2e/prometheus.test.ts evaluates what
// dashboards ask of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderReadings } from '../../src/metrics.ts';
import { corednsReadings, serverLabel } from '../../src/plane/coredns-readings.ts';
import {
  arrivalOf,
  COUNTER,
  countDuration,
  countersOfView,
  countResponse,
  createCounters,
  typeCounter,
} from '../../src/plane/counters.ts';
import {
  countReply,
  createForwardCounters,
  createUpstreamCounters,
  type ForwardStatistics,
} from '../../src/plane/forward-statistics.ts';

const SOURCE = { server: 'dns://:53', ownPlugin: 'kubernetes' };

const lines = (source: Partial<Parameters<typeof corednsReadings>[0]>) =>
  renderReadings(corednsReadings({ ...SOURCE, views: [], statistics: [], ...source }))
    .split('\n')
    .filter((line) => !line.startsWith('#') && line !== '');

test('queries are counted by transport, family and type', () => {
  const counters = createCounters();
  counters[arrivalOf(COUNTER.UDP4) + typeCounter(1)] = 3;
  counters[arrivalOf(COUNTER.TCP6) + typeCounter(28)] = 2;
  counters[arrivalOf(COUNTER.UDP4) + typeCounter(64)] = 1;
  counters[arrivalOf(COUNTER.UDP4) + typeCounter(4711)] = 1;
  assert.deepEqual(lines({ views: [['', [counters]]] }), [
    'coredns_dns_requests_total{server="dns://:53",zone=".",view="",proto="udp",family="1",type="A"} 3',
    'coredns_dns_requests_total{server="dns://:53",zone=".",view="",proto="udp",family="1",type="other"} 2',
    'coredns_dns_requests_total{server="dns://:53",zone=".",view="",proto="tcp",family="2",type="AAAA"} 2',
  ]);
});

test('each view has series of its own', () => {
  const counters = createCounters(2);
  const second = countersOfView(counters, 1);
  counters[COUNTER.DNSSEC_OK] = 1;
  second[COUNTER.DNSSEC_OK] = 5;
  const views = [
    ['', [counters]],
    ['inside', [second]],
  ] as const;
  assert.deepEqual(lines({ views }), [
    'coredns_dns_do_requests_total{server="dns://:53",zone=".",view=""} 1',
    'coredns_dns_do_requests_total{server="dns://:53",zone=".",view="inside"} 5',
  ]);
});

test('responses are counted by rcode and by the plugin that CoreDNS would have, and sizes under its bounds', () => {
  const counters = createCounters();
  counters[COUNTER.RCODES + 3] = 7;
  countResponse(counters, 1, 0, 100, false);
  countResponse(counters, 2, 2, 12_000, true);
  const found = lines({ views: [['', [counters]]] });
  assert.deepEqual(
    found.filter((line) => line.startsWith('coredns_dns_responses_total')),
    [
      'coredns_dns_responses_total{server="dns://:53",zone=".",view="",rcode="NXDOMAIN",plugin="kubernetes"} 7',
      'coredns_dns_responses_total{server="dns://:53",zone=".",view="",rcode="NOERROR",plugin="cache"} 1',
      'coredns_dns_responses_total{server="dns://:53",zone=".",view="",rcode="SERVFAIL",plugin="forward"} 1',
    ],
  );
  const bucket = (proto: string, le: string) =>
    found.find((line) => line.includes(`proto="${proto}",le="${le}"`))?.split(' ')[1];
  assert.deepEqual(
    ['0', '100', '+Inf'].map((le) => bucket('udp', le)),
    ['0', '1', '1'],
  );
  assert.deepEqual(
    ['8291', '16000'].map((le) => bucket('tcp', le)),
    ['0', '1'],
  );
});

test('durations have the bounds of CoreDNS', () => {
  const counters = createCounters();
  countDuration(counters, 0.002, 64);
  countDuration(counters, 3, 1);
  const found = lines({ views: [['', [counters]]] });
  assert.equal(found.length, 16 + 3);
  assert.equal(
    found[0],
    'coredns_dns_request_duration_seconds_bucket{server="dns://:53",zone=".",view="",le="0.00025"} 64',
  );
  assert.equal(found.at(-1), 'coredns_dns_request_duration_seconds_count{server="dns://:53",zone=".",view=""} 65');
});

test('forwarding is counted under both names of its metrics, without the scheme of the server and without its health checks', () => {
  const upstream = createUpstreamCounters('tls://192.0.2.1:853', '.');
  Object.assign(upstream, {
    requests: 10,
    healthCheckFailures: 4,
    streamRequests: 8,
    socketsOpened: 3,
    streamSocketsOpened: 1,
  });
  countReply(upstream, 3, 1.5);
  const statistics: ForwardStatistics = {
    counters: { ...createForwardCounters(), hits: 5, negativeHits: 2, misses: 1 },
    gauges: { entries: 4, negativeEntries: 1, bytes: 1, waiting: 0, questions: 0, sockets: 0, deadlines: 0 },
    upstreams: [upstream],
    routes: [{ zone: '.', maxWaiting: 1, waiting: 0, rejected: 6, broken: 2 }],
    hosts: [{ file: '/etc/hosts', entries: 4, readMs: 1_500 }],
  };
  const found = lines({ statistics: [statistics] });
  const to = 'to="192.0.2.1:853"';
  for (const line of [
    'coredns_cache_entries{server="dns://:53",zones=".",view="",type="denial"} 1',
    'coredns_cache_hits_total{server="dns://:53",zones=".",view="",type="success"} 3',
    'coredns_cache_requests_total{server="dns://:53",zones=".",view=""} 6',
    `coredns_forward_requests_total{${to}} 6`,
    `coredns_forward_responses_total{${to},rcode="NXDOMAIN"} 1`,
    `coredns_forward_request_duration_seconds_bucket{${to},rcode="NXDOMAIN",le="0.002"} 1`,
    `coredns_proxy_request_duration_seconds_bucket{proxy_name="forward",${to},rcode="NXDOMAIN",le="0.001"} 0`,
    `coredns_proxy_conn_cache_hits_total{proxy_name="forward",${to},proto="tcp"} 7`,
    `coredns_proxy_conn_cache_misses_total{proxy_name="forward",${to},proto="udp"} 2`,
    'coredns_forward_max_concurrent_rejects_total 6',
    'coredns_forward_healthcheck_broken_total 2',
  ])
    assert.ok(found.includes(line), `${line} is missing among\n${found.join('\n')}`);
});

test('the server is named as CoreDNS names its listener', () => {
  assert.equal(serverLabel([{ address: '0.0.0.0', port: 53 }]), 'dns://:53');
  assert.equal(serverLabel([{ address: '::', port: 1053 }]), 'dns://:1053');
  assert.equal(serverLabel([{ address: '127.0.0.1', port: 53 }]), 'dns://127.0.0.1:53');
  assert.equal(serverLabel([{ address: 'fd00::1', port: 53 }]), 'dns://[fd00::1]:53');
});
