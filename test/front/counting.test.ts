import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../bench/random.ts';
import { formatIp, parseIp } from '../../src/dns/ip.ts';
import { composeMessage } from '../../src/dns/message/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { createCounting } from '../../src/front/counting.ts';
import { createObserver } from '../../src/front/observer.ts';
import { createTopQueries } from '../../src/history/top-queries.ts';
import { decodeTally, type Tally } from '../../src/plane/tally.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { parseScenarios } from '../support/scenario.ts';
import { createServed } from '../support/served.ts';

const QUERIES = 400_000;
const NAMES = 20_000;

/** Ranks by Zipf's law, as names are in a cluster: the first has about a tenth of all. */
function zipf(next: () => number, count: number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1);
    sums[rank] = sum;
  }
  return () => {
    const wanted = next() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

const named = ({ views }: Tally, view: keyof Tally['views']) =>
  [...views[view]]
    .sort((a, b) => b.count - a.count)
    .map(({ key, count }) => ({ key: view === 'clients' ? formatIp(key) : formatName(key), count }));

async function observedPlane(perSecond: number) {
  const next = seededRandom(7);
  let queries = 0;
  // Time passes with the queries.
  const monotonicMs = () => (queries / perSecond) * 1_000;
  const counting = createCounting({ monotonicMs, random: next });
  const observer = createObserver({ counting, tap: undefined, logQuery: () => {}, monotonicMs, random: next });
  const plane = createInProcessPlane({ observer });
  const served = createServed(plane);
  const text = 'scenario here\nzone example.';
  for (const step of parseScenarios('here', text)[0].steps) if (step.kind !== 'ask') served.step(step);
  await served.flush();
  const out = new Uint8Array(1232);
  const ask = (query: Uint8Array, client: Uint8Array) => {
    queries++;
    plane.engine.respond(query, query.length, out, false, client);
  };
  return { next, counting, ask };
}

const queryFor = (name: string) =>
  composeMessage({ id: 1, flags: 0x100, questions: [{ name: parseName(name), type: 1, class: 1 }] });

for (const perSecond of [1_000, 5_000]) {
  test(`of ${QUERIES} queries at ${perSecond} a second, the ten most frequent names and clients are right and within 5 %`, async () => {
    const { next, counting, ask } = await observedPlane(perSecond);
    const rank = zipf(next, NAMES);
    const exact = new Map<string, number>();
    const clock = fakeClock();
    const top = createTopQueries(clock);
    const queries = Array.from({ length: NAMES }, (_, i) => queryFor(`n${i}.example.`));
    const clients = Array.from({ length: 1_000 }, (_, i) => parseIp(`10.0.${i >> 8}.${i & 255}`)!);
    const clientRank = zipf(next, clients.length);
    for (let i = 0; i < QUERIES; i++) {
      const [name, client] = [rank(), clientRank()];
      for (const key of [`n${name}.example.`, formatIp(clients[client])]) exact.set(key, (exact.get(key) ?? 0) + 1);
      ask(queries[name], clients[client]);
      if (i % (perSecond * 5) === perSecond * 5 - 1) addTo(top, counting.take());
    }
    addTo(top, counting.take());
    for (const view of ['names', 'clients'] as const) {
      const isName = (key: string) => key.endsWith('.');
      const wanted = [...exact]
        .filter(([key]) => isName(key) === (view === 'names'))
        .sort((a, b) => b[1] - a[1])
        .slice(0, 10);
      const seen = top.top(view, 'hour', 10);
      const label = (key: Uint8Array) => (view === 'names' ? formatName(key) : formatIp(key));
      assert.deepEqual(seen.entries.map(({ key }) => label(key)).sort(), wanted.map(([key]) => key).sort());
      for (const { key, count } of seen.entries) {
        const real = exact.get(label(key))!;
        assert.ok(Math.abs(count - real) <= real * 0.05, `${label(key)}: ${count} for ${real}`);
      }
      assert.ok(Math.abs(seen.queries - QUERIES) < QUERIES * 0.01, `${seen.queries}`);
    }
  });
}

function addTo(top: ReturnType<typeof createTopQueries>, bytes: ArrayBuffer | undefined): void {
  if (bytes !== undefined) top.add(bytes);
}

test('names that do not exist are counted as NXDOMAIN, in lower case, with clients of IPv6 sockets as IPv4', async () => {
  const { counting, ask } = await observedPlane(1_000);
  for (const name of ['Not.Example.', 'nOT.eXAMPLE.']) ask(queryFor(name), parseIp('::ffff:10.0.0.7')!);
  const tally = decodeTally(counting.take()!);
  assert.deepEqual(named(tally, 'nxdomain'), [{ key: 'not.example.', count: 2 }]);
  assert.deepEqual(named(tally, 'names'), [{ key: 'not.example.', count: 2 }]);
  assert.deepEqual(named(tally, 'clients'), [{ key: '10.0.0.7', count: 2 }]);
  assert.deepEqual(named(tally, 'servfail'), []);
  assert.equal(counting.take(), undefined, 'nothing since');
});

test('at a hundred times the load, hardly more queries are counted', async () => {
  let nowMs = 0;
  const counting = createCounting({ monotonicMs: () => nowMs, random: seededRandom(1) });
  const query = queryFor('x.example.');
  const client = Uint8Array.of(10, 0, 0, 1);
  let counted = 0;
  for (const perSecond of [1_000, 500_000]) {
    for (let second = 0; second < 10; second++) {
      counted = 0;
      let left = counting.skip();
      for (let i = 0; i < perSecond; i++) {
        nowMs += 1_000 / perSecond;
        if (--left > 0) continue;
        counting.count(query, query.length, query, 0, client);
        counted++;
        left = counting.skip();
      }
      if (second % 5 === 4) counting.take();
    }
    assert.ok(counted > 900 && counted < 5_000, `${counted} of ${perSecond}`);
  }
});

test('queries that cannot be read count for their client only', async () => {
  const { counting, ask } = await observedPlane(1_000);
  for (const query of [
    new Uint8Array(0),
    new Uint8Array(12),
    new Uint8Array(17).fill(0xff),
    queryFor('a.').subarray(0, 14),
  ])
    ask(query, Uint8Array.of(10, 0, 0, 1));
  const tally = decodeTally(counting.take()!);
  assert.deepEqual([named(tally, 'names'), named(tally, 'clients')], [[], [{ key: '10.0.0.1', count: 4 }]]);
});
