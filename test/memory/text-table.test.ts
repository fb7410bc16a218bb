import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TextTable } from '../../src/memory/text-table.ts';

const step = fc.record({
  key: fc.oneof(
    fc.nat(60).map((n) => `pod/${n}`),
    fc.string({ maxLength: 3 }),
  ),
  /** undefined: the key is taken out. */
  set: fc.option(fc.record({ number: fc.option(fc.integer({ min: -5, max: 2 ** 40 }), { nil: undefined }) }), {
    nil: undefined,
    freq: 3,
  }),
});

test('a text table behaves like a Map of texts', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new TextTable<{ text: string }>(({ text }) => text);
      const model = new Map<string, { entry: { text: string }; number: number | undefined }>();
      for (const { key, set } of steps) {
        if (set === undefined) assert.equal(table.delete(key), model.delete(key));
        else {
          const entry = { text: key };
          table.set(entry, set.number);
          model.set(key, { entry, number: set.number });
        }
        assert.equal(table.get(key), model.get(key)?.entry);
        assert.equal(table.size, model.size);
      }
      for (const [key, { entry, number }] of model) {
        assert.equal(table.get(key), entry);
        assert.equal(table.numberOf(key), number, key);
      }
      const texts = [...table.values()].map(({ text }) => text);
      assert.deepEqual(texts.sort(), [...model.keys()].sort());
      table.clear();
      assert.deepEqual([table.size, ...table.values()], [0]);
    }),
  );
});

test('deleting closes the gap, also where entries go on at the beginning of the table', () => {
  const texts = Array.from({ length: 40 }, (_, i) => `text-${i * 7919}`);
  const step = fc.record({ add: fc.boolean(), text: fc.constantFrom(...texts) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
      const table = new TextTable<string>((text) => text);
      const model = new Set<string>();
      for (const { add, text } of steps) {
        // Never so many that the table grows: it has 16 places.
        if (add && model.size < 12) {
          table.set(text, text.length);
          model.add(text);
        } else {
          assert.equal(table.delete(text), model.delete(text));
        }
        for (const one of texts) assert.equal(table.get(one), model.has(one) ? one : undefined);
        assert.equal(table.size, model.size);
      }
    }),
    { numRuns: 300 },
  );
});
