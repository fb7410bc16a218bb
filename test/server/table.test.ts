import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatName, parseName } from '../../src/dns/name.ts';
import { hashName } from '../../src/dns/name-hash.ts';
import { chunkOf, wordOf } from '../../src/memory/arena.ts';
import { BLOCK } from '../../src/plane/layout.ts';
import { applyEntry, encodeChanges } from '../../src/plane/messages.ts';
import type { Change, RRset } from '../../src/plane/records.ts';
import { createTable, type Table, wordsOf } from '../../src/server/table/table.ts';

const SEED = 42;

const command = fc.record({
  name: fc.nat(400).map((number) => `n${number}.example.test.`),
  /** 0 removes; else so many records of so many bytes. */
  records: fc.oneof(fc.constant(0), fc.nat(12)),
  bytes: fc.constantFrom(4, 16, 60, 300),
});

test('a table behaves like a Map, whatever is replaced and removed', () => {
  const property = fc.property(fc.array(command, { maxLength: 2000, size: 'max' }), (commands) => {
    const table = createTable();
    const model = new Map<string, Uint8Array>();
    for (const { name, records, bytes } of commands) {
      if (records === 0) {
        assert.equal(table.remove(hashName(parseName(name), SEED), parseName(name)), model.delete(name));
        continue;
      }
      const { words, block } = compiled(name, records, bytes);
      table.replace(words, 2);
      model.set(name, block);
    }
    assertHolds(table, model);
  });
  fc.assert(property, { numRuns: 60 });
});

test('a table that grows to 200,000 names and shrinks to none loses nothing and frees its memory', () => {
  const table = createTable();
  const model = new Map<string, Uint8Array>();
  const nameOf = (i: number) => `name-${i}.example.test.`;
  for (let i = 0; i < 200_000; i++) {
    const { words, block } = compiled(nameOf(i), 1, 4);
    table.replace(words, 2);
    if (i % 97 === 0) model.set(nameOf(i), block);
  }
  assert.equal(table.names(), 200_000);
  assert.equal(table.records(), 200_000);
  assertPart(table, model);
  const full = table.bytes();
  for (let i = 0; i < 200_000; i++) {
    if (i % 97 !== 0) table.remove(hashName(parseName(nameOf(i)), SEED), parseName(nameOf(i)));
  }
  assert.equal(table.names(), model.size);
  assertPart(table, model);
  assert.ok(table.bytes() < full / 4, `${table.bytes()} bytes of ${full} are kept for 1 % of the names`);
});

test('a name costs at most 150 bytes in addition to its records', () => {
  const table = createTable();
  let own = 0;
  for (let i = 0; i < 100_000; i++) {
    const name = `service-${i}.namespace.svc.cluster.local.`;
    table.replace(compiled(name, 1, 4).words, 2);
    own += parseName(name).length + 14;
  }
  const overhead = (table.bytes() - own) / 100_000;
  assert.ok(overhead <= 150, `${overhead} bytes`);
});

test('names whose records change size repeatedly do not grow the table', () => {
  const table = createTable();
  const sizes = [1, 3, 7, 12, 40, 2, 90, 5];
  let most = 0;
  for (let round = 0; round < 400; round++) {
    for (let i = 0; i < 200; i++) table.replace(compiled(`n${i}.test.`, sizes[(round * 7 + i) % 8], 16).words, 2);
    if (round === 100) most = table.bytes();
  }
  assert.ok(table.bytes() <= most * 1.5, `${most} bytes became ${table.bytes()}`);
});

test('one name may have 10,000 records', () => {
  const table = createTable();
  const { words, block } = compiled('large.test.', 10_000, 60);
  table.replace(words, 2);
  assertPart(table, new Map([['large.test.', block]]));
  assert.equal(table.records(), 10_000);
  table.replace(compiled('large.test.', 1, 4).words, 2);
  assert.equal(table.records(), 1);
});

function compiled(name: string, count: number, bytes: number): { words: Int32Array; block: Uint8Array } {
  const records = Array.from({ length: count }, (_, i) => {
    const rdata = new Uint8Array(bytes).fill(i & 0xff);
    new DataView(rdata.buffer).setUint32(0, i);
    return { rdata, slot: i, weight: 1 };
  });
  const rrset: RRset = {
    type: 16,
    ttlSeconds: 5,
    records,
    routing: 'multivalue',
    maxAnswers: 0,
    whenAllUnhealthy: 'nodata',
  };
  const change: Change = { kind: 'replace-name', records: { name: parseName(name), rrsets: [rrset] } };
  const message = encodeChanges([change][Symbol.iterator](), SEED, (_change, error) => {
    throw error;
  });
  const words = new Int32Array(message!);
  return { words, block: content(words, 2) };
}

/** What a block says, without the word that is the arena's own. */
function content(words: Int32Array, at: number, size = words[at + BLOCK.SIZE]): Uint8Array {
  return new Uint8Array(words.slice(at + 1, at + size).buffer);
}

function assertHolds(table: Table, model: ReadonlyMap<string, Uint8Array>): void {
  assert.equal(table.names(), model.size);
  for (let i = 0; i <= 400; i++) assertName(table, `n${i}.example.test.`, model.get(`n${i}.example.test.`));
}

function assertPart(table: Table, model: ReadonlyMap<string, Uint8Array>): void {
  for (const [name, block] of model) assertName(table, name, block);
}

function assertName(table: Table, text: string, block: Uint8Array | undefined): void {
  const name = parseName(text);
  const padded = new Uint8Array(name.length + 11).fill(255);
  padded.set(name, 3); // at any place, with anything behind it
  const handle = table.find(hashName(name, SEED), new DataView(padded.buffer), 3, name.length);
  assert.equal(table.findWords(hashName(name, SEED), wordsOf(name), name.length), handle);
  assert.equal(handle >= 0, block !== undefined, text);
  if (block === undefined) return;
  const words = table.arena.words[chunkOf(handle)];
  const kept = content(words, wordOf(handle), block.length / 4 + 1);
  assert.ok(Buffer.from(kept).equals(block), `${formatName(name)} has the records of another`);
}

test('change messages are decoded as they were encoded', () => {
  const seen: string[] = [];
  const zone = {
    name: parseName('z.test.'),
    ready: true,
    stale: true,
    partial: true,
    fallthrough: [parseName('.'), parseName('a.z.test.')],
    why: 'its cluster has not been read',
  };
  const changes: Change[] = [
    { kind: 'replace-zone', zone },
    { kind: 'remove-zone', name: parseName('y.test.') },
    { kind: 'remove-name', name: parseName('x.test.') },
  ];
  const words = new Int32Array(encodeChanges(changes[Symbol.iterator](), SEED, () => assert.fail())!);
  const target = {
    replaceName: () => assert.fail(),
    removeName: (hash: number, name: Uint8Array) => {
      assert.equal(hash, hashName(name, SEED));
      seen.push(`name ${formatName(name)}`);
    },
    replaceZone: (_hash: number, read: typeof zone) => {
      assert.deepEqual(read, zone);
      seen.push('zone');
    },
    removeZone: (_hash: number, name: Uint8Array) => void seen.push(`zone ${formatName(name)}`),
  };
  for (let at = 0; at < words.length; ) at = applyEntry(words, at, target as never);
  assert.deepEqual(seen, ['zone', 'zone y.test.', 'name x.test.']);
});

test('prefetching names changes nothing, even while the index grows and blocks are gone', () => {
  const table = createTable();
  const model = new Map<string, Uint8Array>();
  for (let i = 0; i < 3_000; i++) {
    const name = `n${i}.example.test.`;
    const { words, block } = compiled(name, (i % 90) + 1, 16);
    table.replace(words, 2);
    model.set(name, block);
    if (i % 3 === 0) {
      table.remove(hashName(parseName(name), SEED), parseName(name));
      model.delete(name);
    }
    table.touch(Int32Array.of(hashName(parseName(name), SEED), i, 0), 3);
  }
  assertHolds(table, model);
});
