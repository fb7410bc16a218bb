// All names of one data thread: found by hash, replaced and removed one at a time while queries run. plane/layout.ts
// describes the blocks.
import { Arena, chunkOf, wordOf } from '../../memory/arena.ts';
import { HashIndex } from '../../memory/hash-index.ts';
import { BLOCK, BLOCK_FLAG, RRSET } from '../../plane/layout.ts';
import { PodNames } from '../../plane/pod-names.ts';

const FEWEST_BUCKETS = 1024;
const CACHE_LINE_WORDS = 16;
/** Of a larger block the processor guesses the rest, once it is read in order. */
const TOUCHED_WORDS = 128;

export interface Table {
  /** Blocks lie here; see `chunkOf` and `wordOf` of arena.ts. */
  readonly arena: Pick<Arena, 'words'>;
  /** The handle of the block of a lower-case name of that hash: `length` bytes at `start` and 3 readable after. Or -1. */
  find(hash: number, view: DataView, start: number, length: number): number;
  /** The same for a whole name as words, the last padded with zeros. */
  findWords(hash: number, words: Int32Array, length: number): number;
  /** Has what `find` will need for `count` names of these hashes in the processor's caches. Overwrites `hashes`. */
  touch(hashes: Int32Array, count: number): void;
  /** Copies the compiled block that begins at `words[at]`, replacing the name's previous block. */
  replace(words: Int32Array, at: number): void;
  /** False where there was none. */
  remove(hash: number, name: Uint8Array): boolean;
  /** Those that exist of the names below one with VERIFIES_PODS. */
  readonly podNames: PodNames;
  /** Pod names included. */
  names(): number;
  records(): number;
  /** Names with an NS RRset. */
  cuts(): number;
  /** Names with a DNAME RRset. */
  dnames(): number;
  /** Names that begin with `*`. */
  wildcards(): number;
  /** Index and blocks, free room included. */
  bytes(): number;
}

export function createTable(): Table {
  const arena = new Arena();
  const index = new NameIndex(arena);
  const podNames = new PodNames();
  let records = 0;
  let cuts = 0;
  let dnames = 0;
  let wildcards = 0;

  /** Adds (or with sign -1 subtracts) the counts of a block. */
  const count = (words: Int32Array, block: number, sign: 1 | -1): void => {
    const headers = block + BLOCK.NAME_BYTES + (((words[block + BLOCK.NAME] & 0xff) + 3) >> 2);
    for (let i = 0; i < words[block + BLOCK.RRSETS]; i++) {
      records += sign * words[headers + i * RRSET.WORDS + RRSET.COUNT];
    }
    const flags = words[block + BLOCK.NAME] >> 16;
    if ((flags & BLOCK_FLAG.HAS_NS) !== 0) cuts += sign;
    if ((flags & BLOCK_FLAG.HAS_DNAME) !== 0) dnames += sign;
    if ((flags & BLOCK_FLAG.WILDCARD) !== 0) wildcards += sign;
  };

  const copy = (words: Int32Array, at: number, size: number, handle: number): void => {
    // The first word is the arena's own: the size it gave.
    arena.words[chunkOf(handle)].set(words.subarray(at + 1, at + size), wordOf(handle) + 1);
  };

  const moveBlock = (from: number, to: number): void => {
    index.handles.replace(arena.words[chunkOf(from)][wordOf(from) + BLOCK.HASH], from, to);
  };

  return {
    arena,
    find: (hash, view, start, length) => index.find(hash, view, start, length),
    findWords: (hash, words, length) => index.findWords(hash, words, length),
    touch: (hashes, count) => index.touch(hashes, count),
    replace(words, at) {
      const size = words[at + BLOCK.SIZE];
      const hash = words[at + BLOCK.HASH];
      const length = words[at + BLOCK.NAME] & 0xff;
      const nameWords = words.subarray(at + BLOCK.NAME_BYTES, at + BLOCK.NAME_BYTES + ((length + 3) >> 2));
      const old = index.findWords(hash, nameWords, length);
      count(words, at, 1);
      if (old < 0) {
        const handle = arena.allocate(size);
        copy(words, at, size, handle);
        index.handles.add(hash, handle);
      } else {
        const chunk = arena.words[chunkOf(old)];
        count(chunk, wordOf(old), -1);
        if (arena.fits(size, chunk[wordOf(old)])) {
          copy(words, at, size, old);
        } else {
          const handle = arena.allocate(size);
          copy(words, at, size, handle);
          index.handles.replace(hash, old, handle);
          arena.free(old);
        }
      }
      arena.tidy(moveBlock);
    },
    remove(hash, name) {
      const handle = index.findWords(hash, wordsOf(name), name.length);
      if (handle < 0) return false;
      count(arena.words[chunkOf(handle)], wordOf(handle), -1);
      index.handles.remove(hash, handle);
      arena.free(handle);
      arena.tidy(moveBlock);
      return true;
    },
    podNames,
    names: () => index.handles.size + podNames.size,
    records: () => records,
    cuts: () => cuts,
    dnames: () => dnames,
    wildcards: () => wildcards,
    bytes: () => arena.totalWords() * 4 + index.handles.bytes + podNames.bytes,
  };
}

/** From names to the blocks that hold their records. */
class NameIndex {
  readonly handles = new HashIndex(FEWEST_BUCKETS);
  private readonly chunks: readonly Int32Array[];

  constructor(arena: Pick<Arena, 'words'>) {
    this.chunks = arena.words;
  }

  /** The handle of a lower-case name of that hash: `length` bytes at `start`, and 3 readable after. -1 where there is none. */
  find(hash: number, view: DataView, start: number, length: number): number {
    const { handles } = this;
    for (let handle = handles.first(hash); handle >= 0; handle = handles.next(hash)) {
      const chunk = this.chunks[chunkOf(handle)];
      const block = wordOf(handle);
      if ((chunk[block + BLOCK.NAME] & 0xff) === length && equalBytes(chunk, block, view, start, length)) return handle;
    }
    return -1;
  }

  /** The same for a whole name as words, the last padded with zeros. */
  findWords(hash: number, words: Int32Array, length: number): number {
    const { handles } = this;
    for (let handle = handles.first(hash); handle >= 0; handle = handles.next(hash)) {
      const chunk = this.chunks[chunkOf(handle)];
      const block = wordOf(handle);
      if ((chunk[block + BLOCK.NAME] & 0xff) === length && equalWords(chunk, block, words, length)) return handle;
    }
    return -1;
  }

  /** Prefetches the memory that `find` will read. Overwrites `hashes`. */
  touch(hashes: Int32Array, count: number): void {
    this.handles.touch(hashes, count);
    for (let i = 0; i < count; i++) {
      const handle = hashes[i];
      if (handle < 0) continue;
      const block = wordOf(handle);
      const chunk = this.chunks[chunkOf(handle)];
      const end = Math.min(chunk[block], TOUCHED_WORDS);
      for (let word = CACHE_LINE_WORDS; word < end; word += CACHE_LINE_WORDS) hashes[i] ^= chunk[block + word];
    }
  }
}

function equalBytes(chunk: Int32Array, block: number, view: DataView, start: number, length: number): boolean {
  const at = block + BLOCK.NAME_BYTES;
  const whole = length >> 2;
  let i = 0;
  while (i < whole && chunk[at + i] === view.getInt32(start + 4 * i, true)) i++;
  if (i < whole) return false;
  // The bytes after a name are not its own.
  const rest = length & 3;
  return rest === 0 || (chunk[at + i] ^ view.getInt32(start + 4 * i, true)) << (32 - 8 * rest) === 0;
}

function equalWords(chunk: Int32Array, block: number, words: Int32Array, length: number): boolean {
  const at = block + BLOCK.NAME_BYTES;
  const count = (length + 3) >> 2;
  for (let i = 0; i < count; i++) if (chunk[at + i] !== words[i]) return false;
  return true;
}

/** Bytes as words, the last padded with zeros. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  const words = new Int32Array((bytes.length + 3) >> 2);
  new Uint8Array(words.buffer).set(bytes);
  return words;
}
