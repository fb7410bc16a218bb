import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { NameRecords, ResourceRecord, RRset } from '../../src/plane/records.ts';
import { contentHash } from '../../src/zone/names/published-name.ts';

const record: fc.Arbitrary<ResourceRecord> = fc.record({
  rdata: fc.uint8Array({ minLength: 0, maxLength: 6 }),
  slot: fc.nat(3),
  weight: fc.constantFrom(0, 1, 2, 1000),
});

const rrset: fc.Arbitrary<RRset> = fc.record({
  type: fc.constantFrom(1, 28, 65_281),
  ttlSeconds: fc.constantFrom(0, 5, 2 ** 31 - 1),
  records: fc.array(record, { maxLength: 3 }),
  routing: fc.constantFrom('multivalue', 'weighted'),
  maxAnswers: fc.nat(2),
  whenAllUnhealthy: fc.constantFrom('nodata', 'nxdomain', 'servfail', 'all'),
});

const content: fc.Arbitrary<Omit<NameRecords, 'name'>> = fc.record(
  {
    rrsets: fc.array(rrset, { maxLength: 2 }),
    synthesizesPodAddresses: fc.record({ ttlSeconds: fc.constantFrom(0, 5) }),
  },
  { requiredKeys: ['rrsets'] },
);

test('two contents have the same hash exactly if they are equal', () => {
  fc.assert(
    fc.property(content, content, (one, other) => {
      assert.equal(contentHash(one) === contentHash(other), isDeepStrictEqual(plain(one), plain(other)));
    }),
    { numRuns: 2000 },
  );
});

/** A difference in one field only: the hash knows of every field that crosses to the data plane. */
test('every field of a content is part of its hash', () => {
  const base: RRset = {
    type: 1,
    ttlSeconds: 5,
    records: [{ rdata: Uint8Array.of(1, 2, 3, 4, 5), slot: 1, weight: 1 }],
    routing: 'multivalue',
    maxAnswers: 0,
    whenAllUnhealthy: 'nodata',
  };
  const [first] = base.records;
  const changes: { readonly [Key in keyof Required<RRset>]: readonly RRset[Key][] } = {
    type: [28, 0],
    ttlSeconds: [6, 4],
    records: [
      [],
      [first, first],
      [{ ...first, slot: 2 }],
      [{ ...first, weight: 2 }],
      [{ ...first, rdata: Uint8Array.of(1, 2, 3, 4) }],
      ...[0, 1, 2, 3, 4].map((at) => [{ ...first, rdata: first.rdata.map((byte, i) => (i === at ? byte ^ 1 : byte)) }]),
    ],
    routing: ['weighted'],
    maxAnswers: [1],
    whenAllUnhealthy: ['nxdomain', 'servfail', 'all'],
  };
  const variants = Object.entries(changes).flatMap(([key, values]) =>
    values.map((value) => ({ ...base, [key]: value })),
  );
  const contents: Omit<NameRecords, 'name'>[] = [
    { rrsets: [] },
    { rrsets: [], synthesizesPodAddresses: { ttlSeconds: 0 } },
    { rrsets: [], synthesizesPodAddresses: { ttlSeconds: 5 } },
    { rrsets: [base] },
    { rrsets: [base, base] },
    ...variants.map((variant) => ({ rrsets: [variant] })),
  ];
  assert.equal(new Set(contents.map(contentHash)).size, contents.length);
  assert.ok(contents.every((one) => contentHash(one) > 0));
});

const plain = (value: object): unknown =>
  JSON.parse(JSON.stringify(value, (_, each) => (each instanceof Uint8Array ? [...each] : each)));
