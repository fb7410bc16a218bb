import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseName } from '../../src/dns/name.ts';
import { hashName } from '../../src/dns/name-hash.ts';
import { srvRdata } from '../../src/dns/rdata/values.ts';
import { TYPE } from '../../src/dns/types.ts';
import { chunkOf, wordOf } from '../../src/memory/arena.ts';
import { BLOCK, DUPLICATE, RECORD, RRSET, RRSET_FLAG, SLOT_MASK } from '../../src/plane/layout.ts';
import { applyEntry, encodeChanges } from '../../src/plane/messages.ts';
import type { Change, NamePart, RRset } from '../../src/plane/records.ts';
import { SplitNames } from '../../src/server/table/split-names.ts';
import { createTable, type Table, wordsOf } from '../../src/server/table/table.ts';

const SEED = 7;
const NAMES = ['one.example.test.', 'two.example.test.'];

/** The records of a part: addresses of its own, and ports at targets of different lengths or one length. */
const part = fc.record({
  part: fc.nat(4),
  addresses: fc.nat(6),
  ports: fc.nat(6),
  differ: fc.boolean(),
  ttlSeconds: fc.constantFrom(5, 60),
});
const command = fc.record({
  name: fc.constantFrom(...NAMES),
  do: fc.constantFrom('parts', 'parts', 'parts', 'whole', 'replace', 'remove'),
  parts: fc.uniqueArray(part, { minLength: 1, maxLength: 4, selector: (one) => one.part }),
});

test('a name in parts is answered as one with the records of all its parts', () => {
  const property = fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
    const table = createTable();
    const splitNames = new SplitNames(table);
    const model = new Map<string, Map<number, readonly RRset[]>>();
    for (const { name, do: kind, parts } of commands) {
      const stated: NamePart[] = parts.map((one) => ({ part: one.part, rrsets: rrsetsOf(one) }));
      if (kind === 'remove') {
        apply(table, splitNames, { kind: 'remove-name', name: parseName(name) });
        model.delete(name);
      } else if (kind === 'replace') {
        const [{ rrsets }] = stated;
        apply(table, splitNames, { kind: 'replace-name', records: { name: parseName(name), rrsets } });
        model.set(name, new Map([[-1, rrsets]]));
      } else {
        // What is not in parts is never given some: they come with `isWhole`.
        const isWhole = kind === 'whole' || !model.has(name) || model.get(name)!.has(-1);
        apply(table, splitNames, { kind: 'replace-parts', name: parseName(name), isWhole, parts: stated });
        const known = isWhole ? new Map<number, readonly RRset[]>() : model.get(name)!;
        for (const one of stated) known.set(one.part, one.rrsets);
        model.set(name, known);
      }
      for (const each of NAMES) assert.deepEqual(recordsIn(table, each), wanted(model.get(each)));
    }
  });
  fc.assert(property, { numRuns: 300 });
});

function apply(table: Table, splitNames: SplitNames, change: Change): void {
  const message = encodeChanges([change][Symbol.iterator](), SEED, (_change, error) => {
    throw error;
  });
  applyEntry(new Int32Array(message!), 0, {
    replaceName(words, at) {
      splitNames.forget(words, at);
      table.replace(words, at);
    },
    replaceParts: (isWhole, blocks) => splitNames.replace(isWhole, blocks),
    removeName(hash, name) {
      splitNames.forgetName(hash, name);
      table.remove(hash, name);
    },
  } as Parameters<typeof applyEntry>[2]);
}

function rrsetsOf({ part, addresses, ports, differ, ttlSeconds }: PartShape): RRset[] {
  const answering = { ttlSeconds, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nxdomain' } as const;
  const a = Array.from({ length: addresses }, (_, i) => ({
    rdata: Uint8Array.of(10, 0, part, i),
    slot: 1 + i,
    weight: 1,
  }));
  const srv = Array.from({ length: ports }, (_, i) => {
    const label = differ ? `p${part}-${'x'.repeat(i * 3)}` : `p${part}-${i}`;
    return { rdata: srvRdata(0, 1, 80, parseName('example.test.'), label), slot: 100 + i, weight: 2 };
  });
  const rrsets: RRset[] = [];
  if (a.length > 0) rrsets.push({ type: TYPE.A, records: a, ...answering });
  if (srv.length > 0) rrsets.push({ type: TYPE.SRV, records: srv, ...answering });
  return rrsets;
}

interface PartShape {
  readonly part: number;
  readonly addresses: number;
  readonly ports: number;
  readonly differ: boolean;
  readonly ttlSeconds: number;
}

/** "TYPE SLOT WEIGHT RDATA", sorted; undefined: there is no such name. */
function wanted(parts: ReadonlyMap<number, readonly RRset[]> | undefined): string[] | undefined {
  if (parts === undefined) return undefined;
  const lines: string[] = [];
  for (const { type, records } of [...parts.values()].flat()) {
    for (const { rdata, slot, weight } of records) lines.push(lineOf(type, slot, weight, rdata));
  }
  return lines.sort();
}

const lineOf = (type: number, slot: number, weight: number, rdata: Uint8Array) =>
  `${type} ${slot} ${weight} ${Buffer.from(rdata).toString('hex')}`;

function recordsIn(table: Table, text: string): string[] | undefined {
  const name = parseName(text);
  const handle = table.findWords(hashName(name, SEED), wordsOf(name), name.length);
  if (handle < 0) return undefined;
  const words = table.arena.words[chunkOf(handle)];
  const block = wordOf(handle);
  const lines: string[] = [];
  const headers = block + BLOCK.NAME_BYTES + ((name.length + 3) >> 2);
  for (let i = 0; i < words[block + BLOCK.RRSETS]; i++) {
    const header = headers + i * RRSET.WORDS;
    const flags = words[header + RRSET.TYPE] >> 16;
    const [first, stride] = [block + words[header + RRSET.FIRST], words[header + RRSET.STRIDE]];
    for (let record = 0; record < words[header + RRSET.COUNT]; record++) {
      const at = stride > 0 ? first + record * stride : block + words[first + record];
      const length = words[at + RECORD.LENGTH] & 0xffff;
      const rdata = at + RECORD.WORDS + ((flags & RRSET_FLAG.HAS_TARGETS) !== 0 ? 1 : 0);
      assert.equal(words[at] & DUPLICATE, 0);
      const bytes = new Uint8Array(words.buffer, words.byteOffset + rdata * 4, length);
      const weight = words[at + RECORD.LENGTH] >>> 16;
      lines.push(lineOf(words[header + RRSET.TYPE] & 0xffff, words[at] & SLOT_MASK, weight, bytes));
    }
  }
  return lines.sort();
}
