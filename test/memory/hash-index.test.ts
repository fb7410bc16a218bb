import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HashIndex } from '../../src/memory/hash-index.ts';

function valuesOf(index: HashIndex, hash: number): number[] {
  const values: number[] = [];
  for (let value = index.first(hash); value >= 0; value = index.next(hash)) values.push(value);
  return values.sort((a, b) => a - b);
}

/** Few hashes, so that values share them, and some that differ only above the mask. */
const hash = fc.oneof(fc.nat(5), fc.constantFrom(1 << 20, -1, -(2 ** 31), 0x7fff_ffff), fc.integer());

test('a hash index returns exactly the values that were added and not removed', () => {
  const step = fc.record({ kind: fc.constantFrom('add', 'add', 'remove', 'replace'), hash, value: fc.nat(1000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const index = new HashIndex(8);
      const model = new Map<number, Set<number>>();
      let size = 0;
      for (const { kind, hash, value } of steps) {
        const known = model.get(hash) ?? new Set<number>();
        model.set(hash, known);
        const [first] = known;
        if (kind === 'add' && !known.has(value)) {
          index.add(hash, value);
          known.add(value);
          size++;
        } else if (kind === 'remove' && first !== undefined) {
          index.remove(hash, first);
          known.delete(first);
          size--;
        } else if (kind === 'replace' && first !== undefined && !known.has(value)) {
          index.replace(hash, first, value);
          known.delete(first);
          known.add(value);
        }
        assert.equal(index.size, size);
      }
      for (const [of, values] of model)
        assert.deepEqual(
          valuesOf(index, of),
          [...values].sort((a, b) => a - b),
        );
    }),
    { numRuns: 1000 },
  );
});

test('while the table grows and shrinks in steps, exactly the stored values are found', () => {
  const index = new HashIndex(8);
  const of = (value: number) => Math.imul(value, 0x9e37_79b1);
  const COUNT = 20_000;
  for (let value = 0; value < COUNT; value++) {
    index.add(of(value), value);
    for (const sample of [0, value >> 1, value]) assert.deepEqual(valuesOf(index, of(sample)), [sample]);
    assert.equal(index.first(of(value + 1)), -1);
  }
  const full = index.bytes;
  for (let value = 0; value < COUNT - 10; value++) {
    index.remove(of(value), value);
    assert.equal(index.first(of(value)), -1);
    assert.deepEqual(valuesOf(index, of(COUNT - 1)), [COUNT - 1]);
  }
  assert.equal(index.size, 10);
  assert.ok(index.bytes < full / 8, `${index.bytes} of ${full} bytes are kept for 10 values`);
});

test('absent values can neither be removed nor replaced', () => {
  const index = new HashIndex(8);
  index.add(3, 1);
  assert.throws(() => index.remove(3, 2), RangeError);
  assert.throws(() => index.replace(4, 1, 2), RangeError);
  assert.deepEqual(valuesOf(index, 3), [1]);
});

test('touching returns the value in the home bucket, or a negative number', () => {
  const index = new HashIndex(8);
  index.add(1, 77);
  index.add(2, 88);
  index.remove(2, 88);
  const hashes = Int32Array.of(1, 2, 3, 5);
  index.touch(hashes, 3);
  assert.equal(hashes[0], 77);
  assert.ok(hashes[1]! < 0 && hashes[2]! < 0);
  assert.equal(hashes[3], 5);
});
