import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createIdTable } from '../../src/memory/id-table.ts';

test('a table of IDs behaves like a Map', () => {
  // Few different IDs in few homes, so that ways cross, and over the end.
  const id = fc.integer({ min: 0, max: 40 }).map((n) => (n % 8) * 16 + 12 + (n >> 3));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), id), { maxLength: 200 }), (steps) => {
      const table = createIdTable<string>(64);
      const model = new Map<number, string>();
      for (const [add, one] of steps) {
        if (!add) {
          table.delete(one);
          model.delete(one);
        } else if (!model.has(one)) {
          table.add(one, `${one}`);
          model.set(one, `${one}`);
        }
        for (let n = 0; n < 256; n++) assert.equal(table.get(n), model.get(n));
        assert.equal(table.size(), model.size);
      }
      assert.deepEqual(table.takeAll().sort(), [...model.values()].sort());
      assert.equal(table.size(), 0);
    }),
    { numRuns: 50 },
  );
});
