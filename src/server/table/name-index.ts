// Open addressing from names to blocks: pairs of (hash, handle + 1) in one typed array, probed linearly. It grows and
// shrinks by moving some pairs to a new array at each change, so no change waits for a rebuild; until all are moved a
// lookup looks into both.

import { type Arena, chunkOf, wordOf } from '../../memory/arena.ts';
import { BLOCK } from '../../plane/layout.ts';

const EMPTY = 0;
const GONE = -1;
const MIN_BUCKETS = 1024;
/** Buckets moved at each change. With growth at 70 % full the old array is empty long before the new one is full. */
const MOVED_AT_ONCE = 64;
const CACHE_LINE_WORDS = 16;
/** Of a larger block the processor guesses the rest, once it is read in order. */
const TOUCHED_WORDS = 128;

export interface NameIndex {
  /** The handle of a lower-case name of that hash: `length` bytes at `start`. -1 where there is none. */
  find(hash: number, view: DataView, start: number, length: number): number;
  /** The same for a whole name as words, the last padded with zeros. */
  findWords(hash: number, words: Int32Array, length: number): number;
  /** For a name that is not there. */
  add(hash: number, handle: number): void;
  /** For a name that is there. */
  point(hash: number, from: number, to: number): void;
  remove(hash: number, handle: number): void;
  /**
   * Reads the buckets, then the blocks, where names of these hashes would be, only to have them in the processor's caches:
   * reads that do not depend on one another wait together. Overwrites `hashes`.
   */
  touch(hashes: Int32Array, count: number): void;
  names(): number;
  bytes(): number;
}

export function createNameIndex(arena: Arena): NameIndex {
  let pairs = new Int32Array(2 * MIN_BUCKETS);
  let mask = MIN_BUCKETS - 1;
  let old = NO_PAIRS;
  let oldMask = 0;
  let moved = 0;
  let names = 0;
  /** Buckets of `pairs` that are not EMPTY. */
  let occupied = 0;
  const chunks = arena.words;

  const probe = (
    table: Int32Array,
    tableMask: number,
    hash: number,
    view: DataView,
    start: number,
    length: number,
  ): number => {
    const whole = length >> 2;
    for (let bucket = hash & tableMask; ; bucket = (bucket + 1) & tableMask) {
      const held = table[2 * bucket + 1];
      if (held === EMPTY) return -1;
      if (table[2 * bucket] !== hash || held === GONE) continue;
      const chunk = chunks[chunkOf(held - 1)];
      const block = wordOf(held - 1);
      if ((chunk[block + BLOCK.NAME] & 0xff) !== length) continue;
      const at = block + BLOCK.NAME_BYTES;
      let i = 0;
      while (i < whole && chunk[at + i] === view.getInt32(start + 4 * i, true)) i++;
      if (i < whole) continue;
      // The bytes after a name are not its own.
      const rest = length & 3;
      if (rest === 0 || (chunk[at + i] ^ view.getInt32(start + 4 * i, true)) << (32 - 8 * rest) === 0) return held - 1;
    }
  };

  const probeWords = (
    table: Int32Array,
    tableMask: number,
    hash: number,
    words: Int32Array,
    length: number,
  ): number => {
    const count = (length + 3) >> 2;
    for (let bucket = hash & tableMask; ; bucket = (bucket + 1) & tableMask) {
      const held = table[2 * bucket + 1];
      if (held === EMPTY) return -1;
      if (table[2 * bucket] !== hash || held === GONE) continue;
      const chunk = chunks[chunkOf(held - 1)];
      const block = wordOf(held - 1);
      if ((chunk[block + BLOCK.NAME] & 0xff) !== length) continue;
      const at = block + BLOCK.NAME_BYTES;
      let i = 0;
      while (i < count && chunk[at + i] === words[i]) i++;
      if (i === count) return held - 1;
    }
  };

  const bucketOf = (table: Int32Array, tableMask: number, hash: number, handle: number): number => {
    for (let bucket = hash & tableMask; table[2 * bucket + 1] !== EMPTY; bucket = (bucket + 1) & tableMask) {
      if (table[2 * bucket + 1] === handle + 1) return bucket;
    }
    return -1;
  };

  const insert = (hash: number, handle: number): void => {
    let bucket = hash & mask;
    while (pairs[2 * bucket + 1] > EMPTY) bucket = (bucket + 1) & mask;
    if (pairs[2 * bucket + 1] === EMPTY) occupied++;
    pairs[2 * bucket] = hash;
    pairs[2 * bucket + 1] = handle + 1;
  };

  const moveSome = (count: number): void => {
    const stop = Math.min(oldMask + 1, moved + count);
    for (; moved < stop; moved++) {
      const held = old[2 * moved + 1];
      if (held <= EMPTY) continue;
      insert(old[2 * moved], held - 1);
      old[2 * moved + 1] = GONE;
    }
    if (moved > oldMask) old = NO_PAIRS;
  };

  /** Begins a new array where this one is too full (of names or of what is gone) or far too empty. */
  const resizeIfNeeded = (): void => {
    if (old !== NO_PAIRS) {
      moveSome(MOVED_AT_ONCE);
      return;
    }
    const full = occupied > (mask + 1) * 0.7;
    const sparse = mask + 1 > MIN_BUCKETS && names < (mask + 1) >> 3;
    if (!full && !sparse) return;
    let buckets = MIN_BUCKETS;
    while (buckets < names * 2) buckets *= 2;
    old = pairs;
    oldMask = mask;
    moved = 0;
    pairs = new Int32Array(2 * buckets);
    mask = buckets - 1;
    occupied = 0;
  };

  return {
    find(hash, view, start, length) {
      const handle = probe(pairs, mask, hash, view, start, length);
      return handle >= 0 || old === NO_PAIRS ? handle : probe(old, oldMask, hash, view, start, length);
    },
    findWords(hash, words, length) {
      const handle = probeWords(pairs, mask, hash, words, length);
      return handle >= 0 || old === NO_PAIRS ? handle : probeWords(old, oldMask, hash, words, length);
    },
    touch(hashes, count) {
      for (let i = 0; i < count; i++) hashes[i] = pairs[2 * (hashes[i] & mask) + 1];
      for (let i = 0; i < count; i++) {
        const held = hashes[i];
        if (held <= EMPTY) continue;
        const block = wordOf(held - 1);
        const chunk = chunks[chunkOf(held - 1)];
        const end = Math.min(chunk[block], TOUCHED_WORDS);
        for (let word = CACHE_LINE_WORDS; word < end; word += CACHE_LINE_WORDS) hashes[i] ^= chunk[block + word];
      }
    },
    add(hash, handle) {
      resizeIfNeeded();
      insert(hash, handle);
      names++;
    },
    point(hash, from, to) {
      const bucket = bucketOf(pairs, mask, hash, from);
      if (bucket >= 0) pairs[2 * bucket + 1] = to + 1;
      else old[2 * bucketOf(old, oldMask, hash, from) + 1] = to + 1;
    },
    remove(hash, handle) {
      const bucket = bucketOf(pairs, mask, hash, handle);
      if (bucket >= 0) pairs[2 * bucket + 1] = GONE;
      else old[2 * bucketOf(old, oldMask, hash, handle) + 1] = GONE;
      names--;
      resizeIfNeeded();
    },
    names: () => names,
    bytes: () => pairs.byteLength + old.byteLength,
  };
}

const NO_PAIRS = new Int32Array(2);
