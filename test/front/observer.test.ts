import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../bench/random.ts';
import { createObserver, type ObserverDeps } from '../../src/front/observer.ts';
import { counterReadings } from '../../src/plane/counter-readings.ts';
import { type Counters, createCounters } from '../../src/plane/counters.ts';
import { countOf, durations, querySizes } from '../../src/plane/distributions.ts';
import type { QueryLogSettings } from '../../src/plane/forward-settings.ts';
import type { QueryLine } from '../../src/plane/query-line.ts';
import type { QueryHandler } from '../../src/server/answer/query-handler.ts';
import { composeQuestion } from '../support/forwarding.ts';

const TOTALS = { threads: 1, restarts: 0, hangs: 0, badChanges: 0, waitingChanges: 0, slotsInUse: 0 };
const ALL: QueryLogSettings = { every: 1, rcodes: [], classes: [], names: [], networks: [], format: undefined };
const { bytes: QUERY } = composeQuestion('www.example. A');

function observed(configured: QueryLogSettings | undefined, more: Partial<ObserverDeps> = {}) {
  const lines: QueryLine[] = [];
  const counters = createCounters();
  let isLate = false;
  let sendLate: ((response: Uint8Array) => void) | undefined;
  const inner = {
    memory: { queries: [], responses: [] },
    counters,
    respond(query: Uint8Array, length: number, out: Uint8Array) {
      out.set(query.subarray(0, length));
      if (!isLate) return length;
      return {
        resolve(send: (response: Uint8Array) => void) {
          sendLate = send;
        },
      };
    },
  } as unknown as QueryHandler;
  const observer = createObserver({
    ...{ counting: undefined, tap: undefined, logQuery: (line) => void lines.push(line) },
    ...{ monotonicMs: () => 0, random: () => 0.5, ...more },
  });
  const handler = observer.observe(inner, configured);
  const query = QUERY.slice();
  const ask = () => {
    const client = Uint8Array.of(10, 0, 0, 7);
    return handler.respond(query, query.length, new Uint8Array(512), false, client, 53);
  };
  return {
    lines,
    counters,
    observer,
    handler,
    ask,
    query,
    late: (value = true) => (isLate = value),
    send: (r: Uint8Array) => sendLate?.(r),
  };
}

test('without a query log nothing is observed', () => {
  const { lines, ask } = observed(undefined);
  ask();
  assert.deepEqual(lines, []);
});

test('a query log is switched on and off while queries are answered, in place of the configured one', () => {
  const { lines, observer, ask } = observed(undefined);
  const logged = (instead: QueryLogSettings | 'off' | undefined) => {
    observer.setQueryLog(instead);
    lines.length = 0;
    for (let i = 0; i < 4; i++) ask();
    return lines.length;
  };
  assert.deepEqual([logged(ALL), logged({ ...ALL, every: 2 }), logged('off'), logged(undefined)], [4, 2, 0, 0]);
  const configured = observed(ALL);
  configured.ask();
  assert.equal(configured.lines[0].client, '10.0.0.7');
  configured.observer.setQueryLog('off');
  configured.ask();
  configured.observer.setQueryLog(undefined);
  configured.ask();
  assert.equal(configured.lines.length, 2);
});

test('a response that comes later is logged when it comes, with its query although the buffer was used again', () => {
  const { lines, ask, late, send, query } = observed(ALL);
  late();
  const response = ask();
  assert.equal(lines.length, 0);
  assert.ok(typeof response === 'object');
  let sent = 0;
  response.resolve((bytes) => (sent = bytes.length), undefined);
  query.fill(0);
  send(QUERY);
  assert.deepEqual([lines[0].name, lines[0].from, sent], ['www.example.', 'upstream', QUERY.length]);
});

test('the query log is switched for all handlers of an observer', () => {
  const first = observed(undefined);
  first.observer.setQueryLog(ALL);
  const added = first.observer.observe(first.handler, undefined);
  added.respond(QUERY, QUERY.length, new Uint8Array(512), false, Uint8Array.of(1, 2, 3, 4));
  assert.equal(first.lines.length, 2, 'one line by each');
});

const took = (counters: Counters) => durations([counters], [1_000, 64_000]);

test('the durations of one query in 64 stand for all of them', () => {
  let nowMs = 1;
  let clockReads = 0;
  const monotonicMs = () => {
    clockReads++;
    return nowMs++;
  };
  const { counters, ask } = observed(undefined, { monotonicMs, random: seededRandom(5) });
  for (let i = 0; i < 64_000; i++) ask();
  const count = countOf(took(counters));
  assert.ok(count > 64_000 - 127 && count <= 64_000, `${count} of 64000`);
  assert.ok(clockReads < 2_400, `the clock was read ${clockReads} times`);
  assert.deepEqual(took(counters).counts, [count, 0, 0]);
  const sizes = querySizes([counters], [0], [64]);
  assert.deepEqual([countOf(sizes), sizes.sum], [count, count * QUERY.length]);
});

test('responses that come later are all timed, and the sample does not stand for them', () => {
  let nowMs = 1;
  const { counters, ask, late, send, query } = observed(undefined, { monotonicMs: () => nowMs });
  // With 0.5 for a random number every 64th is timed, after the first.
  for (let i = 0; i < 64; i++) ask();
  late();
  for (let i = 0; i < 10; i++) {
    const response = ask();
    assert.ok(typeof response !== 'number');
    response.resolve(() => {}, undefined);
    nowMs += 5;
    send(query);
  }
  assert.deepEqual(took(counters).counts, [1, 10, 0]);
  late(false);
  ask();
  assert.deepEqual(took(counters).counts, [65, 10, 0]);
});

test('responses from upstream servers are counted by rcode and size', () => {
  const { counters, ask, late, send } = observed(undefined);
  late();
  const response = ask();
  assert.ok(typeof response !== 'number');
  response.resolve(() => {}, undefined);
  const servfail = QUERY.slice();
  servfail[3] = 2;
  send(servfail);
  const readings = counterReadings([counters], TOTALS).filter(({ name }) => name === 'healthdns_dns_responses_total');
  assert.deepEqual(
    readings.filter(({ value }) => value !== 0).map(({ labels, value }) => [labels, value]),
    [[['SERVFAIL', 'upstream'], 1]],
  );
});
