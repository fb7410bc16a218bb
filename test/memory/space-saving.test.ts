import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpaceSaving } from '../../src/memory/space-saving.ts';

const bytes = (text: string) => Buffer.from(text);
/** Few hashes, so that chains are long. */
const hashOf = (text: string) => [...text].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) & 3;

function count(stream: readonly (readonly [key: string, weight: number])[], capacity: number) {
  const sketch = new SpaceSaving(capacity);
  const exact = new Map<string, number>();
  for (const [key, weight] of stream) {
    sketch.add(bytes(key), key.length, hashOf(key), weight);
    exact.set(key, (exact.get(key) ?? 0) + weight);
  }
  return { sketch, exact };
}

test('no count is too small, none is too large by more than its error, and every frequent key is kept', () => {
  const entry = fc.tuple(fc.stringMatching(/^[a-d]{0,3}$/), fc.integer({ min: 1, max: 9 }));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 300 }), fc.integer({ min: 1, max: 20 }), (stream, capacity) => {
      const { sketch, exact } = count(stream, capacity);
      const total = stream.reduce((sum, [, weight]) => sum + weight, 0);
      const kept = new Map([...sketch.entries()].map((heavy) => [Buffer.from(heavy.key).toString(), heavy]));
      assert.equal(kept.size, Math.min(capacity, exact.size));
      let sum = 0;
      for (const [key, heavy] of kept) {
        const real = exact.get(key)!;
        assert.ok(heavy.count >= real && heavy.count - heavy.error <= real, key);
        sum += heavy.count;
      }
      assert.equal(sum, total);
      for (const [key, real] of exact) assert.ok(real <= total / capacity || kept.has(key), key);
    }),
  );
});

test('a million different keys stay within the capacity, beside which the frequent ones are exact to a thousandth', () => {
  const sketch = new SpaceSaving(1_000);
  const key = Buffer.alloc(255);
  for (let i = 0; i < 1_000_000; i++) {
    const name = i % 10 === 0 ? `frequent-${(i / 10) % 5}` : `rare-${i}`;
    const length = key.write(name);
    sketch.add(key, length, Math.imul(i % 10 === 0 ? (i / 10) % 5 : i, 0x9e37_79b1), 1);
  }
  assert.equal(sketch.size, 1_000);
  const top = [...sketch.entries()].sort((a, b) => b.count - a.count).slice(0, 5);
  for (const { key: name, count: estimate } of top) {
    assert.match(Buffer.from(name).toString(), /^frequent-/);
    assert.ok(Math.abs(estimate - 20_000) <= 1_000, `${estimate}`);
  }
});

test('a cleared sketch begins again', () => {
  const { sketch } = count(
    [
      ['a', 1],
      ['b', 2],
    ],
    2,
  );
  sketch.clear();
  sketch.add(bytes('b'), 1, 0, 5);
  assert.deepEqual(
    [...sketch.entries()].map(({ count: n, error }) => [n, error]),
    [[5, 0]],
  );
});
