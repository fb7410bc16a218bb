// Runs, OneOrMany, the word writer, and bytes that live shortly.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { added, lastOf, type OneOrMany, removed, valuesOf } from '../../src/memory/one-or-many.ts';
import { grown, growth, Runs } from '../../src/memory/runs.ts';
import { cutBytes } from '../../src/memory/short-lived-bytes.ts';
import { createWordWriter } from '../../src/memory/word-writer.ts';

test('runs never overlap, keep their numbers, and are used again for runs of their length', () => {
  const step = fc.record({ length: fc.integer({ min: 1, max: 40 }), giveUp: fc.boolean(), pick: fc.nat() });
  for (const make of [() => new Runs(new Uint8Array(4)), () => new Runs(new Int32Array(4))]) {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const runs = make();
        const live: { start: number; length: number; mark: number }[] = [];
        for (const [i, { length, giveUp, pick }] of steps.entries()) {
          if (giveUp && live.length > 0) {
            const [gone] = live.splice(pick % live.length, 1);
            runs.giveUp(gone!.start, gone!.length);
            continue;
          }
          const run = { start: runs.take(length), length, mark: (i % 250) + 1 };
          runs.numbers.fill(run.mark, run.start, run.start + length);
          live.push(run);
        }
        for (const { start, length, mark } of live) {
          const kept = runs.numbers.subarray(start, start + length);
          assert.ok(kept.length === length && kept.every((number) => number === mark));
        }
      }),
      { numRuns: 100 },
    );
  }
  const runs = new Runs(new Int32Array(4));
  const first = runs.take(3);
  assert.notEqual(runs.take(3), first);
  runs.giveUp(first, 3);
  assert.notEqual(runs.take(2), first);
  assert.equal(runs.take(3), first);
});

test('arrays grow by a quarter and keep what they hold', () => {
  assert.deepEqual([growth(4), growth(100), growth(101)], [5, 125, 127]);
  assert.deepEqual(grown(Int32Array.of(1, 2), 4), Int32Array.of(1, 2, 0, 0));
  assert.deepEqual(grown(Float64Array.of(0.5), 2), Float64Array.of(0.5, 0));
});

test('a OneOrMany holds what a Set of the same additions and removals holds, in their order', () => {
  const members = Array.from({ length: 300 }, (_, id) => ({ id }));
  const step = fc.record({ add: fc.boolean(), member: fc.constantFrom(...members) });
  const allAtFirst = fc.boolean();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), allAtFirst, (steps, many) => {
      let collection: OneOrMany<{ id: number }>;
      const model = new Set<{ id: number }>();
      const all = many ? [...members.map((member) => ({ add: true, member })), ...steps] : steps;
      for (const { add, member } of all) {
        collection = add ? added(collection, member) : removed(collection, member);
        if (add) model.add(member);
        else model.delete(member);
      }
      assert.deepEqual([...valuesOf(collection)], [...model]);
      assert.equal(lastOf(collection), [...model].at(-1));
      assert.equal(collection === undefined, model.size === 0);
    }),
    { numRuns: 200 },
  );
});

test('one member is kept as itself, a few in an array, many in a Set', () => {
  const [one, two] = [{}, {}];
  assert.equal(added(undefined, one), one);
  assert.ok(Array.isArray(added(one, two)));
  let many: OneOrMany<object>;
  for (let i = 0; i < 256; i++) many = added(many, { i });
  assert.ok(Array.isArray(many));
  assert.ok(added(many, {}) instanceof Set);
  assert.equal(removed(added(one, two), one), two);
});

test('words and bytes are written one after another, bytes padded with zeros to a word', () => {
  const part = fc.oneof(fc.array(fc.integer(), { maxLength: 5 }), fc.uint8Array({ maxLength: 200 }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
      const writer = createWordWriter(2);
      const expected: number[] = [];
      for (const written of parts) {
        if (written instanceof Uint8Array) {
          writer.putBytes(written);
          const padded = new Uint8Array((written.length + 3) & ~3);
          padded.set(written);
          expected.push(...new Int32Array(padded.buffer));
        } else {
          writer.put(...written);
          expected.push(...written);
        }
        assert.equal(writer.length, expected.length);
      }
      assert.deepEqual([...new Int32Array(writer.finish())], expected);
    }),
  );
  const writer = createWordWriter(1);
  writer.put(1, 2, 3);
  writer.truncate(1);
  writer.putWord(9);
  assert.deepEqual([...new Int32Array(writer.finish())], [1, 9]);
});

test('cut bytes are zero, of the asked length, and shared with no others', () => {
  const cuts = Array.from({ length: 2000 }, (_, i) => cutBytes(i % 97));
  cuts.forEach((bytes, i) => {
    assert.equal(bytes.length, i % 97);
    assert.ok(bytes.every((byte) => byte === 0));
    bytes.fill((i % 255) + 1);
  });
  cuts.forEach((bytes, i) => {
    assert.ok(bytes.every((byte) => byte === (i % 255) + 1));
  });
  const large = cutBytes(20_000);
  assert.deepEqual([large.length, large.byteLength, large.buffer.byteLength], [20_000, 20_000, 20_000]);
});
