// Names of large services, which cross the bridge in parts. A part is a block of the name that has only its own records; the table
// has the block that is joined from all of them, so that an answer reads one block, as for any name.
import { growth } from '../../memory/runs.ts';
import { BLOCK, RRSET } from '../../plane/layout.ts';
import type { PartBlock } from '../../plane/messages.ts';
import { type Table, wordsOf } from './table.ts';

export class SplitNames {
  private readonly table: Pick<Table, 'replace'>;
  /** By the hash of their name. */
  private readonly names = new Map<number, SplitName[]>();

  constructor(table: Pick<Table, 'replace'>) {
    this.table = table;
  }

  /** `isWhole`: the name has these parts only. */
  replace(isWhole: boolean, blocks: readonly PartBlock[]): void {
    const [{ words }] = blocks;
    const hash = words[BLOCK.HASH];
    if (isWhole) this.forget(words, 0);
    const named = this.names.get(hash) ?? [];
    let split = named.find(({ name }) => hasName(words, 0, name));
    if (split === undefined) {
      split = { name: words.slice(BLOCK.NAME_BYTES, headersOf(words)), parts: new Map() };
      this.names.set(hash, [...named, split]);
    }
    for (const { part, words } of blocks) {
      if (words[BLOCK.RRSETS] > 0) split.parts.set(part, words);
      else split.parts.delete(part);
    }
    // Without parts, the name exists until it is removed.
    this.table.replace(joinBlocks(split.parts.size > 0 ? [...split.parts.values()] : [words]), 0);
  }

  /** The name of the block at `words[at]` has no parts any more. */
  forget(words: Int32Array, at: number): void {
    if (this.names.size > 0) this.drop(words[at + BLOCK.HASH], ({ name }) => hasName(words, at, name));
  }

  forgetName(hash: number, bytes: Uint8Array): void {
    if (!this.names.has(hash)) return;
    const words = wordsOf(bytes);
    this.drop(hash, ({ name }) => name.length === words.length && name.every((word, i) => word === words[i]));
  }

  private drop(hash: number, isDropped: (split: SplitName) => boolean): void {
    const left = this.names.get(hash)?.filter((split) => !isDropped(split)) ?? [];
    if (left.length > 0) this.names.set(hash, left);
    else this.names.delete(hash);
  }
}

interface SplitName {
  /** Bytes as words, the last padded with zeros. */
  readonly name: Int32Array;
  readonly parts: Map<number, Int32Array>;
}

/** The words of a block before its RRset headers. */
const headersOf = (words: Int32Array, at = 0): number =>
  BLOCK.NAME_BYTES + (((words[at + BLOCK.NAME] & 0xff) + 3) >> 2);

function hasName(words: Int32Array, at: number, name: Int32Array): boolean {
  if (headersOf(words, at) !== BLOCK.NAME_BYTES + name.length) return false;
  return name.every((word, i) => word === words[at + BLOCK.NAME_BYTES + i]);
}

/** The RRset of one type in one block. */
interface Piece {
  readonly words: Int32Array;
  /** Its header. */
  readonly at: number;
  /** Its records, without the list of their offsets. */
  readonly start: number;
  readonly end: number;
}

/** Joining is synchronous, so all of it uses the same memory. */
let memory = new Int32Array(1024);

function room(size: number): Int32Array {
  if (size > memory.length) memory = new Int32Array(growth(size));
  return memory;
}

/** One block with the records of all, which have the same name. Overwritten by the next. */
function joinBlocks(blocks: readonly Int32Array[]): Int32Array {
  const [first] = blocks;
  const headers = headersOf(first);
  const types = piecesOf(blocks);
  const rrsets = [...types.values()].map((pieces) => ({ pieces, stride: commonStride(pieces) }));
  let size = headers + rrsets.length * RRSET.WORDS;
  for (const { pieces, stride } of rrsets) {
    for (const { words, at, start, end } of pieces) size += end - start + (stride > 0 ? 0 : words[at + RRSET.COUNT]);
  }
  const joined = room(size);
  joined.set(first.subarray(0, headers));
  joined[BLOCK.SIZE] = size;
  joined[BLOCK.RRSETS] = rrsets.length;
  for (const words of blocks) joined[BLOCK.NAME] |= words[BLOCK.NAME];
  let next = headers + rrsets.length * RRSET.WORDS;
  rrsets.forEach(({ pieces, stride }, i) => {
    next = putRRset(joined, headers + i * RRSET.WORDS, next, pieces, stride);
  });
  return joined;
}

function piecesOf(blocks: readonly Int32Array[]): ReadonlyMap<number, Piece[]> {
  const types = new Map<number, Piece[]>();
  for (const words of blocks) {
    const rrsets = words[BLOCK.RRSETS];
    for (let i = 0; i < rrsets; i++) {
      const at = headersOf(words) + i * RRSET.WORDS;
      const start = words[at + RRSET.FIRST] + (words[at + RRSET.STRIDE] > 0 ? 0 : words[at + RRSET.COUNT]);
      const end = i + 1 < rrsets ? words[at + RRSET.WORDS + RRSET.FIRST] : words[BLOCK.SIZE];
      const type = words[at + RRSET.TYPE] & 0xffff;
      const pieces = types.get(type);
      if (pieces === undefined) types.set(type, [{ words, at, start, end }]);
      else pieces.push({ words, at, start, end });
    }
  }
  return types;
}

/** The stride of all pieces; 0: the records need a list of offsets. */
function commonStride(pieces: readonly Piece[]): number {
  const [{ words, at }] = pieces;
  const stride = words[at + RRSET.STRIDE];
  return pieces.every((piece) => piece.words[piece.at + RRSET.STRIDE] === stride) ? stride : 0;
}

/** Puts header and records; returns the word after them. */
function putRRset(joined: Int32Array, header: number, from: number, pieces: readonly Piece[], stride: number): number {
  const [first] = pieces;
  let count = 0;
  for (const { words, at } of pieces) count += words[at + RRSET.COUNT];
  joined.set(first.words.subarray(first.at, first.at + RRSET.WORDS), header);
  joined[header + RRSET.COUNT] = count;
  joined[header + RRSET.FIRST] = from;
  joined[header + RRSET.STRIDE] = stride;
  let list = from;
  let next = stride > 0 ? from : from + count;
  for (const piece of pieces) {
    const { words, at, start, end } = piece;
    joined.set(words.subarray(start, end), next);
    if (stride === 0) {
      putOffsets(joined, list, piece, next);
      list += words[at + RRSET.COUNT];
    }
    next += end - start;
  }
  return next;
}

/** The offsets of records that begin at `to` in the joined block. */
function putOffsets(joined: Int32Array, list: number, { words, at, start }: Piece, to: number): void {
  const count = words[at + RRSET.COUNT];
  const stride = words[at + RRSET.STRIDE];
  const first = words[at + RRSET.FIRST];
  if (stride > 0) for (let i = 0; i < count; i++) joined[list + i] = to + i * stride;
  else for (let i = 0; i < count; i++) joined[list + i] = to + words[first + i] - start;
}
