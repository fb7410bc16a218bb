import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BrokenMessage, readMessage, schema } from '../../src/reading/protobuf.ts';
import { bytes, entry, fixed32, fixed64, number } from '../support/protobuf-writer.ts';

const INNER = schema({ 1: ['text', 'text'], 3: ['word', 'word'], 1000: ['integer', 'integer'] });
const OUTER = schema({
  1: ['inner', INNER],
  2: ['inners', INNER, 'repeated'],
  3: ['words', 'word', 'repeated'],
  5: ['labels', 'texts'],
  6: ['time', 'time'],
  7: ['boolean', 'boolean'],
  8: ['integer', 'integer'],
});

const read = (buffer: Buffer, message = OUTER) => readMessage({ buffer, start: 0, end: buffer.length }, message);

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 80 }), fc.constantFrom('ready', 'Running'));
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const inner = fc.record({ text, word: text, integer: int32 }, { noNullPrototype: true });
const key = text.filter((each) => each !== '__proto__');
const outer = fc.record({
  inner,
  inners: fc.array(inner, { minLength: 1, maxLength: 4 }),
  words: fc.array(text, { minLength: 1, maxLength: 4 }),
  labels: fc.dictionary(key, text, { minKeys: 1, noNullPrototype: true }),
  seconds: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }).filter((each) => each !== 0),
  nanos: int32,
  boolean: fc.boolean(),
  integer: int32,
});
/** Of fields that no schema names. */
const unknown = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((value) => bytes(17, Buffer.from(value))),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => number(536_870_911, value)),
  fc.constantFrom(fixed32(4), fixed64(9), bytes(2_000)),
);

const writeInner = (each: { text: string; word: string; integer: number }) =>
  Buffer.concat([bytes(1, each.text), bytes(3, each.word), number(1000, each.integer)]);

test('an encoded message is decoded, whatever unknown fields it contains', () => {
  fc.assert(
    fc.property(outer, fc.array(unknown, { minLength: 20, maxLength: 20 }), (made, between) => {
      const fields = [
        bytes(1, writeInner(made.inner)),
        ...made.inners.map((each) => bytes(2, writeInner(each))),
        ...made.words.map((each) => bytes(3, each)),
        ...Object.entries(made.labels).map(([name, value]) => entry(5, name, value)),
        bytes(6, number(1, made.seconds), number(2, made.nanos)),
        number(7, Number(made.boolean)),
        number(8, made.integer),
      ];
      const buffer = Buffer.concat(fields.flatMap((field, i) => [between[i % between.length], field]));
      const { seconds, nanos, ...rest } = made;
      assert.deepEqual(read(buffer), { ...rest, time: seconds * 1000 });
    }),
  );
});

test('fields may be in any order, and the last of repeated fields counts', () => {
  const buffer = Buffer.concat([number(8, 1), bytes(3, 'a'), number(8, -2), bytes(3, 'b')]);
  assert.deepEqual(read(buffer), { integer: -2, words: ['a', 'b'] });
});

test('an unset time is absent', () => {
  assert.deepEqual(read(bytes(6)), { time: undefined });
  assert.deepEqual(read(bytes(6, number(1, 0), number(2, 0))), { time: undefined });
});

test('a key named __proto__ does not change a prototype', () => {
  const { labels } = read(Buffer.concat([entry(5, '__proto__', 'x'), entry(5, 'a', 'b')])) as { labels: object };
  assert.equal(Object.getPrototypeOf(labels), Object.prototype);
  assert.deepEqual(labels, { a: 'b' });
});

const broken: Record<string, Buffer> = {
  'a length beyond the end': Buffer.from([0x0a, 5, 1]),
  'a length of four gigabytes': Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
  'a length beyond 32 bits': Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
  'an unknown field beyond the end': Buffer.from([0x8a, 0x01, 5, 1]),
  'a number that never ends': Buffer.concat([Buffer.from([0x40]), Buffer.alloc(11, 0xff)]),
  'a number that is cut': Buffer.from([0x40, 0x80]),
  'a tag that is cut': Buffer.from([0x80]),
  'four bytes that are cut': fixed32(4).subarray(0, 3),
  'text as a number': number(3, 1),
  'a number as text': bytes(8, 'a'),
  'the field 0': Buffer.from([0x00, 0x00]),
  'a group': Buffer.from([0x53, 0x54]),
  'a wire type that does not exist': Buffer.from([0x57]),
  'an inner message that is broken': bytes(1, Buffer.from([0x0a, 9])),
  'an inner message longer than the one around it': bytes(1, Buffer.from([0x0a, 9]), 'a').subarray(0, 4),
};
for (const [what, buffer] of Object.entries(broken)) {
  test(`decoding ${what} is an error`, () => {
    assert.throws(() => read(buffer), BrokenMessage);
  });
}

test('any bytes are an object or a malformed message', () => {
  const seed = Buffer.concat([bytes(1, writeInner({ text: 'é', word: 'a', integer: -1 })), entry(5, 'a', 'b')]);
  const mutated = fc
    .array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { maxLength: 4 })
    .map((changes) => changes.reduce((all, [at, byte]) => all.fill(byte, at, at + 1), Buffer.from(seed)));
  const cut = fc.nat(seed.length).map((end) => seed.subarray(0, end));
  const anything = fc.oneof(fc.uint8Array({ maxLength: 400 }).map(Buffer.from), mutated, cut);
  fc.assert(
    fc.property(anything, (buffer) => {
      try {
        assert.equal(typeof read(buffer), 'object');
      } catch (error) {
        assert.ok(error instanceof BrokenMessage, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
