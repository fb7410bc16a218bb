// From names to the blocks that hold their records, wherever those lie.
import { type Arena, chunkOf, wordOf } from '../../memory/arena.ts';
import { HashIndex } from '../../memory/hash-index.ts';
import { BLOCK } from '../../plane/layout.ts';

const FEWEST_BUCKETS = 1024;
const CACHE_LINE_WORDS = 16;
/** Of a larger block the processor guesses the rest, once it is read in order. */
const TOUCHED_WORDS = 128;

export class NameIndex {
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

  /** Reads what `find` will need into the processor's caches. Overwrites `hashes`. */
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
