// Memory for blocks of words that come and go while queries run: chunks that are filled from the start, free lists by
// size, and evacuation of sparse chunks in small steps. No operation touches more than one block or one step.
//
// A handle is chunk << CHUNK_BITS | word. A block's first word is its size; in a free block it is negative and followed by
// the links of its free list.

const CHUNK_BITS = 17;
const CHUNK_WORDS = 1 << CHUNK_BITS;
const WORD_MASK = CHUNK_WORDS - 1;
/** Larger blocks have a chunk of their own. */
const MAX_SHARED_WORDS = CHUNK_WORDS >> 1;
const MAX_CHUNKS = 1 << (31 - CHUNK_BITS);
const CLASSES = 64 + 8 * 8 + 1;
const NONE = -1;
/** Evacuation begins when more than half as much is free as is used, and that is worth the work. */
const MIN_FREE_WORDS = 4 * CHUNK_WORDS;
const EVACUATION_STEP_WORDS = 2048;

export interface Arena {
  /** The chunks, by chunk number; read with `chunkOf` and `wordOf`. */
  readonly words: readonly Int32Array[];
  /** Room for `size` words: its handle. Throws RangeError at 8 GiB. */
  allocate(size: number): number;
  free(handle: number): void;
  /** Whether a block of `size` words may stay where a block of `oldSize` words is. */
  fits(size: number, oldSize: number): boolean;
  /** Moves a few blocks where memory is sparse; `onMove` is told before the old place is given up. */
  tidy(onMove: (from: number, to: number) => void): void;
  totalWords(): number;
}

export function chunkOf(handle: number): number {
  return handle >>> CHUNK_BITS;
}

/** The place of a block's first word in its chunk. */
export function wordOf(handle: number): number {
  return handle & WORD_MASK;
}

export function createArena(): Arena {
  const words: Int32Array[] = [];
  /** Words of each chunk that have been given out once, live blocks and free ones. */
  const filled: number[] = [];
  const live: number[] = [];
  const emptyChunks: number[] = [];
  const unusedNumbers: number[] = [];
  const heads = new Int32Array(CLASSES).fill(NONE);
  let current = NONE;
  let evacuating = NONE;
  let evacuatedTo = 0;
  let used = 0;
  let total = 0;

  const newChunk = (size: number): number => {
    const chunk = unusedNumbers.pop() ?? words.length;
    if (chunk === MAX_CHUNKS) throw new RangeError('the table is full: 8 GiB of records');
    words[chunk] = new Int32Array(size);
    filled[chunk] = 0;
    live[chunk] = 0;
    total += size;
    return chunk;
  };

  const dropChunk = (chunk: number): void => {
    total -= words[chunk].length;
    words[chunk] = EMPTY_WORDS;
    filled[chunk] = 0;
    unusedNumbers.push(chunk);
  };

  const link = (handle: number, size: number): void => {
    const block = words[chunkOf(handle)];
    const at = wordOf(handle);
    const sizeClass = classOf(size);
    const next = heads[sizeClass];
    block[at] = -size;
    block[at + 1] = next;
    block[at + 2] = NONE;
    if (next !== NONE) words[chunkOf(next)][wordOf(next) + 2] = handle;
    heads[sizeClass] = handle;
  };

  const unlink = (handle: number, size: number): void => {
    const block = words[chunkOf(handle)];
    const next = block[wordOf(handle) + 1];
    const previous = block[wordOf(handle) + 2];
    if (previous === NONE) heads[classOf(size)] = next;
    else words[chunkOf(previous)][wordOf(previous) + 1] = next;
    if (next !== NONE) words[chunkOf(next)][wordOf(next) + 2] = previous;
  };

  /** The end of a chunk that is too short for what is asked now becomes free blocks. */
  const retireCurrent = (): void => {
    if (current === NONE) return;
    for (let rest = CHUNK_WORDS - filled[current]; rest >= 4; rest = CHUNK_WORDS - filled[current]) {
      let size = Math.min(rest, MAX_SHARED_WORDS);
      while (roundUp(size) !== size) size -= 4;
      link((current << CHUNK_BITS) | filled[current], size);
      filled[current] += size;
    }
    current = NONE;
  };

  const take = (size: number): number => {
    const reused = heads[classOf(size)];
    if (reused !== NONE && chunkOf(reused) !== evacuating) {
      unlink(reused, size);
      return reused;
    }
    if (current === NONE || filled[current] + size > CHUNK_WORDS) {
      retireCurrent();
      current = emptyChunks.pop() ?? newChunk(CHUNK_WORDS);
    }
    const handle = (current << CHUNK_BITS) | filled[current];
    filled[current] += size;
    return handle;
  };

  const allocate = (asked: number): number => {
    const size = roundUp(asked);
    const handle = size > MAX_SHARED_WORDS ? newChunk(size) << CHUNK_BITS : take(size);
    words[chunkOf(handle)][wordOf(handle)] = size;
    live[chunkOf(handle)] += size;
    used += size;
    return handle;
  };

  const free = (handle: number): void => {
    const chunk = chunkOf(handle);
    const size = words[chunk][wordOf(handle)];
    used -= size;
    live[chunk] -= size;
    if (size > MAX_SHARED_WORDS) dropChunk(chunk);
    else link(handle, size);
  };

  const sparsest = (): number => {
    let best = NONE;
    for (let chunk = 0; chunk < words.length; chunk++) {
      if (chunk === current || filled[chunk] === 0 || words[chunk].length !== CHUNK_WORDS) continue;
      if (best === NONE || live[chunk] < live[best]) best = chunk;
    }
    return best;
  };

  const evacuate = (onMove: (from: number, to: number) => void): void => {
    const chunk = evacuating;
    const source = words[chunk];
    const stop = Math.min(filled[chunk], evacuatedTo + EVACUATION_STEP_WORDS);
    while (evacuatedTo < stop) {
      const from = (chunk << CHUNK_BITS) | evacuatedTo;
      const size = source[evacuatedTo];
      evacuatedTo += Math.abs(size);
      if (size < 0) {
        unlink(from, -size);
        continue;
      }
      const to = allocate(size);
      words[chunkOf(to)].set(source.subarray(wordOf(from) + 1, wordOf(from) + size), wordOf(to) + 1);
      onMove(from, to);
      used -= size;
      live[chunk] -= size;
      source[wordOf(from)] = -size;
    }
    if (evacuatedTo < filled[chunk]) return;
    evacuating = NONE;
    filled[chunk] = 0;
    if (emptyChunks.length < 4) emptyChunks.push(chunk);
    else dropChunk(chunk);
  };

  return {
    words,
    allocate,
    free,
    fits: (size, oldSize) => roundUp(size) === oldSize,
    tidy(onMove) {
      if (evacuating !== NONE) {
        evacuate(onMove);
        return;
      }
      const spare = total - used - emptyChunks.length * CHUNK_WORDS;
      if (spare < MIN_FREE_WORDS || spare < used >> 1) return;
      evacuating = sparsest();
      evacuatedTo = 0;
    },
    totalWords: () => total,
  };
}

const EMPTY_WORDS = new Int32Array(0);

/** Sizes are multiples of 16 bytes up to 1 KiB, then eight to each doubling. */
function roundUp(size: number): number {
  if (size <= 256) return (size + 3) & ~3;
  const step = 1 << (28 - Math.clz32(size - 1));
  return (size + step - 1) & -step;
}

/** The number of the free list of a rounded size. */
function classOf(size: number): number {
  if (size <= 256) return size >> 2;
  const shift = 28 - Math.clz32(size - 1);
  return 64 + (shift - 5) * 8 + (((size - 1) >> shift) & 7) + 1;
}
