import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSlab } from '../../src/memory/slab.ts';

test('slots of a slab never overlap, keep their content, and are reused', () => {
  const step = fc.record({ bytes: fc.integer({ min: 1, max: 70_000 }), free: fc.boolean(), pick: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const slab = createSlab();
      const live: { handle: number; bytes: number; mark: number }[] = [];
      const whole = (one: (typeof live)[number]) => {
        const at = slab.offsetOf(one.handle);
        return slab.chunkOf(one.handle).bytes.subarray(at, at + one.bytes);
      };
      steps.forEach(({ bytes, free, pick }, i) => {
        if (free && live.length > 0) {
          const [gone] = live.splice(pick % live.length, 1);
          slab.free(gone.handle);
        } else {
          const one = { handle: slab.allocate(bytes), bytes, mark: i & 0xff };
          whole(one).fill(one.mark);
          live.push(one);
        }
        for (const one of live) {
          assert.equal(whole(one).length, one.bytes);
          assert.ok(slab.slotBytes(one.bytes) >= one.bytes && slab.offsetOf(one.handle) % 32 === 0);
        }
      });
      for (const one of live) assert.ok(whole(one).every((byte) => byte === one.mark));
    }),
    { numRuns: 200 },
  );
});

test('a freed slot of any chunk is used again, and a chunk without used slots is given back', () => {
  const slab = createSlab();
  const handles = Array.from({ length: 3 * 2048 }, () => slab.allocate(64));
  const chunks = new Set(handles.map((handle) => slab.chunkOf(handle)));
  assert.equal(chunks.size, 3);
  for (const handle of [handles[10]!, handles[3000]!, handles[6143]!]) {
    slab.free(handle);
    assert.equal(slab.allocate(60), handle);
  }
  assert.equal(
    new Set(handles.map((handle) => [...chunks].indexOf(slab.chunkOf(handle)) * 1e6 + slab.offsetOf(handle))).size,
    6144,
  );
  const [, second] = chunks;
  for (const handle of handles.filter((one) => slab.chunkOf(one) === second)) slab.free(handle);
  const fresh = slab.allocate(64);
  assert.ok(!chunks.has(slab.chunkOf(fresh)) || slab.chunkOf(fresh) !== second);
  assert.deepEqual(
    [slab.slotBytes(1), slab.slotBytes(65), slab.slotBytes(300), slab.slotBytes(1025)],
    [64, 96, 320, 1280],
  );
});
