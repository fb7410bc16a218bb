import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Arena, chunkOf, wordOf } from '../../src/memory/arena.ts';

interface Block {
  handle: number;
  readonly words: number;
  readonly mark: number;
}

/** Writes the block's mark to all its words but the first, which is the arena's own. */
function fill(arena: Arena, { handle, words, mark }: Block): void {
  arena.words[chunkOf(handle)]!.fill(mark, wordOf(handle) + 1, wordOf(handle) + words);
}

function assertKept(arena: Arena, { handle, words, mark }: Block): void {
  const kept = arena.words[chunkOf(handle)]!.subarray(wordOf(handle) + 1, wordOf(handle) + words);
  assert.ok(
    kept.length === words - 1 && kept.every((word) => word === mark),
    `block ${handle} of ${words} words lost its content`,
  );
}

/** Frees and allocates by the given steps, tidies after each, and follows the moves. */
function run(arena: Arena, steps: readonly { words: number; free: boolean; pick: number }[]): Block[] {
  const blocks: Block[] = [];
  steps.forEach(({ words, free, pick }, i) => {
    if (free && blocks.length > 0) {
      const [gone] = blocks.splice(pick % blocks.length, 1);
      assertKept(arena, gone!);
      arena.free(gone!.handle);
    } else {
      const block = { handle: arena.allocate(words), words, mark: i + 1 };
      fill(arena, block);
      blocks.push(block);
    }
    arena.tidy((from, to) => {
      const moved = blocks.find(({ handle }) => handle === from)!;
      moved.handle = to;
    });
  });
  return blocks;
}

test('blocks of any size keep their content while others come, go and move', () => {
  const words = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 4, max: 300 }) },
    { weight: 2, arbitrary: fc.integer({ min: 300, max: 20_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 140_000 }) },
  );
  const step = fc.record({ words, free: fc.boolean(), pick: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const arena = new Arena();
      for (const block of run(arena, steps)) assertKept(arena, block);
    }),
    { numRuns: 100 },
  );
});

test('unused memory is freed in steps, and live blocks keep their content', () => {
  const arena = new Arena();
  assert.equal(arena.totalWords(), 0);
  const blocks = Array.from({ length: 120_000 }, (_, i) => {
    const block = { handle: arena.allocate(40), words: 40, mark: i };
    fill(arena, block);
    return block;
  });
  const full = arena.totalWords();
  assert.ok(full >= 4_800_000 && full < 5_200_000, `${full} words`);
  const kept = blocks.filter((_, i) => i % 50 === 0);
  blocks.forEach(({ handle }, i) => {
    if (i % 50 !== 0) arena.free(handle);
  });
  const byHandle = new Map(kept.map((block) => [block.handle, block]));
  for (let steps = 0; steps < 6000; steps++) {
    arena.tidy((from, to) => {
      const block = byHandle.get(from)!;
      byHandle.delete(from);
      block.handle = to;
      byHandle.set(to, block);
    });
  }
  for (const block of kept) assertKept(arena, block);
  assert.ok(arena.totalWords() < full / 3, `${arena.totalWords()} of ${full} words are held for 1 in 50`);
});

test('a block fits where one of the same rounded size is', () => {
  const arena = new Arena();
  const handle = arena.allocate(37);
  const size = arena.words[chunkOf(handle)]![wordOf(handle)]!;
  assert.equal(size, 40);
  assert.ok(arena.fits(38, size) && arena.fits(40, size));
  assert.ok(!arena.fits(41, size) && !arena.fits(36, size));
});

test('a freed place is used again for a block of its size', () => {
  const arena = new Arena();
  const first = arena.allocate(100);
  arena.allocate(100);
  arena.free(first);
  assert.equal(arena.allocate(98), first);
});

test('a block larger than half a chunk has a chunk of its own, which is dropped with it', () => {
  const arena = new Arena();
  arena.allocate(10);
  const before = arena.totalWords();
  const handle = arena.allocate(100_000);
  assert.equal(wordOf(handle), 0);
  assert.ok(arena.totalWords() >= before + 100_000);
  arena.free(handle);
  assert.equal(arena.totalWords(), before);
  assert.equal(chunkOf(arena.allocate(100_000)), chunkOf(handle));
});
