import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLoadHistory, LOAD_STEPS } from '../../src/history/load.ts';
import type { Reading } from '../../src/metrics.ts';
import { fakeClock } from '../support/fake-clock.ts';

const STEP_MS = 15_000;

function recorder() {
  const clock = fakeClock();
  let readings: Reading[] = [];
  let suspendedMs = 0;
  const load = createLoadHistory(() => readings, { ...clock, monotonicMs: () => clock.monotonicMs() + suspendedMs });
  return {
    clock,
    load,
    suspend(milliseconds: number) {
      suspendedMs += milliseconds;
    },
    count: (next: Reading[]) => {
      readings = next;
    },
    last: () =>
      Object.fromEntries(Object.entries(load.current().series).map(([name, values]) => [name, values.at(-1)])),
  };
}

const latency = (counts: readonly number[]): Reading => ({
  name: 'healthdns_dns_request_duration_seconds',
  value: { upperBounds: [0.001, 0.002, 0.004], counts, sum: 0 },
});

test('a step is the growth of the counters per second, of all threads, transports and upstream servers', async () => {
  const { clock, count, last } = recorder();
  const readings = (factor: number): Reading[] => [
    { name: 'healthdns_dns_requests_total', labels: ['udp', '4'], value: 150 * factor },
    { name: 'healthdns_dns_requests_total', labels: ['tcp', '6'], value: 15 * factor },
    { name: 'healthdns_dns_forwarded_total', value: 30 * factor },
    { name: 'healthdns_dns_responses_total', labels: ['NOERROR'], value: 90 * factor },
    { name: 'healthdns_dns_responses_total', labels: ['NXDOMAIN'], value: 15 * factor },
    { name: 'healthdns_dns_responses_total', labels: ['NOTIMP'], value: 1.5 * factor },
    { name: 'healthdns_cache_hits_total', labels: ['success'], value: 20 * factor },
    { name: 'healthdns_cache_hits_total', labels: ['denial'], value: 10 * factor },
    { name: 'healthdns_cache_misses_total', value: 10 * factor },
    latency([0, 98 * factor, 2 * factor, 0]),
    latency([0, 0, 0, 0]),
  ];
  count(readings(1));
  await clock.advance(STEP_MS);
  count(readings(2));
  await clock.advance(STEP_MS);
  assert.deepEqual(last(), {
    ...{ queries: 11, forwarded: 2, noerror: 6, nxdomain: 1, servfail: 0, refused: 0, otherCodes: 0.1 },
    ...{ cachePercent: 75, medianMs: 1.51, slowMs: 3 },
  });
  await clock.advance(STEP_MS);
  const { queries, cachePercent, medianMs } = last();
  assert.deepEqual([queries, cachePercent, medianMs], [0, null, null]);
});

test('the last hour is kept, in order, and never more', async () => {
  const { clock, count, load } = recorder();
  for (let step = 1; step <= LOAD_STEPS + 10; step++) {
    count([{ name: 'healthdns_dns_requests_total', labels: ['udp', '4'], value: (15 * step * (step + 1)) / 2 }]);
    await clock.advance(STEP_MS);
  }
  const { series, endMs } = load.current();
  const expected = Array.from({ length: LOAD_STEPS }, (_, index) => Number((index + 11).toPrecision(3)));
  assert.deepEqual(series.queries, expected);
  assert.equal(endMs, clock.now());
});

test('a thread that was replaced and a process that was suspended make no false figures', async () => {
  const { clock, count, load, suspend } = recorder();
  const requests = (value: number): Reading[] => [
    { name: 'healthdns_dns_requests_total', labels: ['udp', '4'], value },
  ];
  count(requests(1_500));
  await clock.advance(STEP_MS);
  count(requests(150));
  await clock.advance(STEP_MS);
  assert.equal(load.current().series.queries.at(-1), 0);
  suspend(3 * STEP_MS);
  count(requests(150 + 600));
  await clock.advance(STEP_MS);
  assert.deepEqual(load.current().series.queries.slice(-6), [100, 0, null, null, null, 10]);
});
