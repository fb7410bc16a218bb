// Which records of an RRset are chosen, and in which order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseName } from '../../src/dns/name.ts';
import { hashName } from '../../src/dns/name-hash.ts';
import { TYPE } from '../../src/dns/types.ts';
import { chunkOf, wordOf } from '../../src/memory/arena.ts';
import { RECORD } from '../../src/plane/layout.ts';
import { encodeChanges } from '../../src/plane/messages.ts';
import type { Change, RRset } from '../../src/plane/records.ts';
import { rrsetOf } from '../../src/server/table/lookup.ts';
import { createSelector, type Selection } from '../../src/server/table/select.ts';
import { createTable, wordsOf } from '../../src/server/table/table.ts';

const SEED = 1;
const name = parseName('name.test.');
const PLAIN = {
  type: TYPE.A,
  ttlSeconds: 5,
  routing: 'multivalue',
  maxAnswers: 0,
  whenAllUnhealthy: 'nodata',
} as const;

/** Address number `i` has slot `slot`; each record is [i, slot, weight]. */
function selecting(
  records: readonly (readonly [i: number, slot: number, weight?: number])[],
  changed: Partial<RRset> = {},
) {
  const rrset: RRset = {
    ...PLAIN,
    ...changed,
    records: records.map(([i, slot, weight = 1]) => ({ rdata: Uint8Array.of(10, 0, i >> 8, i), slot, weight })),
  };
  const change: Change = { kind: 'replace-name', records: { name, rrsets: [rrset] } };
  const message = encodeChanges([change][Symbol.iterator](), SEED, (_, error) => assert.ifError(error));
  const table = createTable();
  table.replace(new Int32Array(message!), 2);
  const handle = table.findWords(hashName(name, SEED), wordsOf(name), name.length);
  const words = table.arena.words[chunkOf(handle)];
  const header = rrsetOf(table, handle, TYPE.A);
  const slots = new Uint8Array(1024).fill(1);
  const selector = createSelector(slots, 7);
  const numbers = ({ alive, found, first, count }: Selection) =>
    Array.from({ length: count }, (_, i) => {
      const record = alive[(first + i) % found];
      return (words[record + RECORD.WORDS] >>> 24) | ((words[record + RECORD.WORDS] >>> 8) & 0xff00);
    });
  return {
    slots,
    all: (space = 65_535) => numbers(selector.select(words, wordOf(handle), header, space)),
    overflows: (space: number) => selector.select(words, wordOf(handle), header, space).overflow,
    one: () => numbers(selector.selectOne(words, wordOf(handle), header)),
    isGone: () => selector.isGone(table, handle),
  };
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

test('an RRset that is too large to be answered whole has each living address once, wherever the search begins', () => {
  const { all, slots } = selecting(range(60).flatMap((i) => [[i, 2 * i + 1] as const, [i, 2 * i + 2] as const]));
  slots.fill(0);
  const living = [0, 1, 30, 58, 59];
  for (const i of living) slots.fill(1, 2 * i + 1, 2 * i + 3);
  for (let round = 0; round < 2000; round++) assert.deepEqual(sorted(all(20 * 16)), living);
});

test('of addresses that several instances have, one living instance is enough', () => {
  const { all, slots } = selecting([
    [0, 1],
    [0, 2],
    [1, 3],
    [1, 4],
  ]);
  slots[1] = 0;
  slots[4] = 0;
  assert.deepEqual(sorted(all()), [0, 1]);
  slots[2] = 0;
  assert.deepEqual(all(), [1]);
});

test('every order that rotation can give comes up, and no other', () => {
  const { all } = selecting(range(4).map((i) => [i, i + 1]));
  const orders = new Set(Array.from({ length: 500 }, () => all().join(' ')));
  assert.deepEqual([...orders].sort(), ['0 1 2 3', '1 2 3 0', '2 3 0 1', '3 0 1 2']);
});

test('maxAnswers chooses as many, each address equally often', () => {
  const { all } = selecting(
    range(5).map((i) => [i, i + 1]),
    { maxAnswers: 2 },
  );
  const seen = new Int32Array(5);
  for (let round = 0; round < 5000; round++) {
    const chosen = all();
    assert.equal(new Set(chosen).size, 2);
    for (const i of chosen) seen[i]++;
  }
  for (const count of seen) assert.ok(count > 1700 && count < 2300, seen.join(' '));
});

test('what cannot fit is not chosen, and reported', () => {
  const { all, overflows } = selecting(range(10).map((i) => [i, i + 1]));
  assert.deepEqual([overflows(10 * 16), overflows(10 * 16 - 1), overflows(0)], [false, true, true]);
  assert.equal(all(5 * 16).length, 5);
  assert.equal(all(0).length, 0);
});

for (const choose of ['one', 'all'] as const) {
  test(`weights decide how often a record is chosen, if one is (${choose})`, () => {
    const chosen = selecting(
      [
        [0, 1, 1],
        [1, 2, 3],
        [2, 3, 0],
      ],
      { routing: 'weighted' },
    );
    const seen = new Int32Array(3);
    for (let round = 0; round < 4000; round++) {
      const [i, ...rest] = chosen[choose]();
      assert.equal(rest.length, 0);
      seen[i]++;
    }
    assert.ok(seen[0] > 800 && seen[0] < 1200 && seen[2] === 0, seen.join(' '));
    chosen.slots[1] = 0;
    chosen.slots[2] = 0;
    assert.deepEqual(chosen[choose](), [2]);
  });
}

test('records that all weigh nothing are chosen equally often', () => {
  const { one } = selecting(
    [
      [0, 1, 0],
      [1, 2, 0],
    ],
    { routing: 'weighted' },
  );
  const first = Array.from({ length: 1000 }, () => one()[0]).filter((i) => i === 0).length;
  assert.ok(first > 400 && first < 600, String(first));
});

test('with policy all, the dead are answered when nobody lives', () => {
  const { all, slots, isGone } = selecting(
    [
      [0, 1],
      [1, 2],
    ],
    { whenAllUnhealthy: 'all' },
  );
  slots[1] = 0;
  assert.deepEqual(all(), [1]);
  slots[2] = 0;
  assert.deepEqual(sorted(all()), [0, 1]);
  assert.equal(isGone(), false);
});

test('a name is gone with policy nxdomain only, and only when nobody lives', () => {
  const gone = selecting(
    [
      [0, 1],
      [1, 2],
    ],
    { whenAllUnhealthy: 'nxdomain' },
  );
  assert.equal(gone.isGone(), false);
  gone.slots[1] = 0;
  assert.equal(gone.isGone(), false);
  gone.slots[2] = 0;
  assert.deepEqual([gone.isGone(), gone.all()], [true, []]);
  const kept = selecting([[0, 1]]);
  kept.slots[1] = 0;
  assert.deepEqual([kept.isGone(), kept.all()], [false, []]);
});
