import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corednsReadings } from '../../src/plane/coredns-readings.ts';
import { forwardReadings } from '../../src/plane/forward-readings.ts';
import {
  createForwardCounters,
  createUpstreamCounters,
  type ForwardStatistics,
  sumOfStatistics,
} from '../../src/plane/forward-statistics.ts';
import { forwarderTo } from '../support/forwarding.ts';

const GAUGES = { entries: 2, negativeEntries: 0, bytes: 100, waiting: 3, questions: 3, sockets: 1, deadlines: 1 };

function statistics(ups: readonly number[], rejected: number): ForwardStatistics {
  return {
    counters: createForwardCounters(),
    gauges: GAUGES,
    upstreams: ups.map((up, i) => ({ ...createUpstreamCounters(`192.0.2.${i}:53`, '.'), up, requests: 5 })),
    hosts: [],
    routes: [
      { zone: '.', maxWaiting: 10, waiting: 1, rejected, broken: 0 },
      { zone: 'corp.test.', maxWaiting: 10, waiting: 2, rejected: 0, broken: 0 },
    ],
  };
}

function samplesOf(all: readonly ForwardStatistics[], name: string): Record<string, number> {
  const readings = forwardReadings(all).filter((one) => one.name === `healthdns_${name}`);
  return Object.fromEntries(readings.map(({ labels = [], value }) => [labels.join(), Number(value)]));
}

test('an upstream server is up only if all threads consider it up, and counters are summed', () => {
  const threads = [statistics([1, 1, 0], 1), statistics([1, 0, 0], 0)];
  assert.deepEqual(samplesOf(threads, 'forward_up'), { '192.0.2.0:53': 1, '192.0.2.1:53': 0, '192.0.2.2:53': 0 });
  assert.equal(samplesOf(threads, 'forward_requests_total')['192.0.2.0:53'], 10);
  assert.equal(samplesOf([statistics([1], 0)], 'forward_up')['192.0.2.0:53'], 1);
});

test('forwarders of one thread, as views have them, are counted together', () => {
  const [one, other] = [statistics([1, 1], 1), statistics([1], 2)];
  one.counters.hits = 3;
  other.counters.hits = 4;
  const both = [sumOfStatistics([one, other])];
  assert.equal(samplesOf(both, 'cache_hits_total').success, 7);
  assert.equal(samplesOf(both, 'cache_entries')[''], 2 * GAUGES.entries);
  assert.deepEqual(samplesOf(both, 'forward_requests_total'), { '192.0.2.0:53': 10, '192.0.2.1:53': 5 });
  assert.deepEqual(samplesOf(both, 'forward_max_concurrent_rejects_total'), { '.': 3, 'corp.test.': 0 });
  assert.equal(samplesOf([sumOfStatistics([one])], 'cache_hits_total').success, 3);
});

test('waiting and rejected clients are reported per zone', () => {
  const threads = [statistics([1], 1), statistics([1], 4)];
  assert.deepEqual(samplesOf(threads, 'forward_waiting'), { '.': 2, 'corp.test.': 4 });
  assert.deepEqual(samplesOf(threads, 'forward_max_concurrent_rejects_total'), { '.': 5, 'corp.test.': 0 });
});

test('a forwarder without queries reports no counts', async () => {
  const { forwarder } = forwarderTo([53]);
  const fresh: ForwardStatistics = {
    counters: forwarder.counters,
    gauges: forwarder.gauges(),
    upstreams: forwarder.upstreams(),
    routes: forwarder.routes(),
    hosts: [],
  };
  const readings = [
    ...forwardReadings([fresh]),
    ...corednsReadings({ server: 'dns://:53', ownPlugin: 'file', views: [], statistics: [fresh] }),
  ];
  const totals = readings.filter(({ name }) => /_(total|waiting)$/.test(name));
  assert.ok(totals.length > 20);
  assert.deepEqual(
    totals.filter(({ value }) => value !== 0),
    [],
  );
  forwarder.close();
});
