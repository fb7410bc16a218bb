// Memory for blocks of words that are allocated and freed while queries run: chunks filled from the start, free lists by
// size, and evacuation of sparse chunks in small steps. No operation touches more than one block or one step.
//
// A handle is chunk << CHUNK_BITS | word. A block's first word is its size; in a free block it is negative and followed by
// the links of its free list.

const CHUNK_BITS = 17;
const CHUNK_WORDS = 1 << CHUNK_BITS;
const WORD_MASK = CHUNK_WORDS - 1;
/** Larger blocks have a separate chunk. */
const MAX_SHARED_WORDS = CHUNK_WORDS >> 1;
const MAX_CHUNKS = 1 << (31 - CHUNK_BITS);
const CLASSES = 64 + 8 * 8 + 1;
const NONE = -1;
/** Evacuation begins when more than half as much is free as is used, and that is worth the work. */
const MIN_FREE_WORDS = 4 * CHUNK_WORDS;
const EVACUATION_STEP_WORDS = 2048;

export class Arena {
  /** The chunks, by chunk number; read with `chunkOf` and `wordOf`. */
  readonly words: Int32Array[] = [];
  /** Words of each chunk that have been allocated at least once, in live and free blocks. */
  private readonly filled: number[] = [];
  private readonly live: number[] = [];
  private readonly emptyChunks: number[] = [];
  private readonly unusedNumbers: number[] = [];
  private readonly heads = new Int32Array(CLASSES).fill(NONE);
  private current = NONE;
  private evacuating = NONE;
  private evacuatedTo = 0;
  private used = 0;
  private total = 0;

  /** Allocates `asked` words and returns the handle. Throws RangeError at 8 GiB. */
  allocate(asked: number): number {
    const size = roundUp(asked);
    const handle = size > MAX_SHARED_WORDS ? this.newChunk(size) << CHUNK_BITS : this.take(size);
    this.words[chunkOf(handle)][wordOf(handle)] = size;
    this.live[chunkOf(handle)] += size;
    this.used += size;
    return handle;
  }

  free(handle: number): void {
    const chunk = chunkOf(handle);
    const size = this.words[chunk][wordOf(handle)];
    this.used -= size;
    this.live[chunk] -= size;
    if (size > MAX_SHARED_WORDS) this.dropChunk(chunk);
    else this.link(handle, size);
  }

  /** Whether a block of `size` words may stay where a block of `oldSize` words is. */
  fits(size: number, oldSize: number): boolean {
    return roundUp(size) === oldSize;
  }

  /** Moves a few blocks out of sparse chunks; `onMove` is called before the old block is freed. */
  tidy(onMove: (from: number, to: number) => void): void {
    if (this.evacuating !== NONE) {
      this.evacuate(onMove);
      return;
    }
    const spare = this.total - this.used - this.emptyChunks.length * CHUNK_WORDS;
    if (spare < MIN_FREE_WORDS || spare < this.used >> 1) return;
    this.evacuating = this.sparsest();
    this.evacuatedTo = 0;
  }

  totalWords(): number {
    return this.total;
  }

  private take(size: number): number {
    const reused = this.heads[classOf(size)];
    if (reused !== NONE && chunkOf(reused) !== this.evacuating) {
      this.unlink(reused, size);
      return reused;
    }
    if (this.current === NONE || this.filled[this.current] + size > CHUNK_WORDS) {
      this.retireCurrent();
      this.current = this.emptyChunks.pop() ?? this.newChunk(CHUNK_WORDS);
    }
    const handle = (this.current << CHUNK_BITS) | this.filled[this.current];
    this.filled[this.current] += size;
    return handle;
  }

  /** Turns the end of a chunk that is too short for the current request into free blocks. */
  private retireCurrent(): void {
    const { current, filled } = this;
    if (current === NONE) return;
    for (let rest = CHUNK_WORDS - filled[current]; rest >= 4; rest = CHUNK_WORDS - filled[current]) {
      let size = Math.min(rest, MAX_SHARED_WORDS);
      while (roundUp(size) !== size) size -= 4;
      this.link((current << CHUNK_BITS) | filled[current], size);
      filled[current] += size;
    }
    this.current = NONE;
  }

  private newChunk(size: number): number {
    const chunk = this.unusedNumbers.pop() ?? this.words.length;
    if (chunk === MAX_CHUNKS) throw new RangeError('the table is full: 8 GiB of records');
    this.words[chunk] = new Int32Array(size);
    this.filled[chunk] = 0;
    this.live[chunk] = 0;
    this.total += size;
    return chunk;
  }

  private dropChunk(chunk: number): void {
    this.total -= this.words[chunk].length;
    this.words[chunk] = EMPTY_WORDS;
    this.filled[chunk] = 0;
    this.unusedNumbers.push(chunk);
  }

  /** Puts a free block in front of the list of its size. */
  private link(handle: number, size: number): void {
    const { words, heads } = this;
    const block = words[chunkOf(handle)];
    const at = wordOf(handle);
    const sizeClass = classOf(size);
    const next = heads[sizeClass];
    block[at] = -size;
    block[at + 1] = next;
    block[at + 2] = NONE;
    if (next !== NONE) words[chunkOf(next)][wordOf(next) + 2] = handle;
    heads[sizeClass] = handle;
  }

  private unlink(handle: number, size: number): void {
    const { words } = this;
    const block = words[chunkOf(handle)];
    const next = block[wordOf(handle) + 1];
    const previous = block[wordOf(handle) + 2];
    if (previous === NONE) this.heads[classOf(size)] = next;
    else words[chunkOf(previous)][wordOf(previous) + 1] = next;
    if (next !== NONE) words[chunkOf(next)][wordOf(next) + 2] = previous;
  }

  private sparsest(): number {
    const { words, filled, live } = this;
    let best = NONE;
    for (let chunk = 0; chunk < words.length; chunk++) {
      if (chunk === this.current || filled[chunk] === 0 || words[chunk].length !== CHUNK_WORDS) continue;
      if (best === NONE || live[chunk] < live[best]) best = chunk;
    }
    return best;
  }

  private evacuate(onMove: (from: number, to: number) => void): void {
    const chunk = this.evacuating;
    const source = this.words[chunk];
    const stop = Math.min(this.filled[chunk], this.evacuatedTo + EVACUATION_STEP_WORDS);
    while (this.evacuatedTo < stop) {
      const from = (chunk << CHUNK_BITS) | this.evacuatedTo;
      const size = source[this.evacuatedTo];
      this.evacuatedTo += Math.abs(size);
      if (size < 0) {
        this.unlink(from, -size);
        continue;
      }
      const to = this.allocate(size);
      this.words[chunkOf(to)].set(source.subarray(wordOf(from) + 1, wordOf(from) + size), wordOf(to) + 1);
      onMove(from, to);
      this.used -= size;
      this.live[chunk] -= size;
      source[wordOf(from)] = -size;
    }
    if (this.evacuatedTo < this.filled[chunk]) return;
    this.evacuating = NONE;
    this.filled[chunk] = 0;
    if (this.emptyChunks.length < 4) this.emptyChunks.push(chunk);
    else this.dropChunk(chunk);
  }
}

export function chunkOf(handle: number): number {
  return handle >>> CHUNK_BITS;
}

/** Offset of a block's first word in its chunk. */
export function wordOf(handle: number): number {
  return handle & WORD_MASK;
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
