// The question of a query, read once: checked, lower-cased, copied into the response with its case, and hashed from the
// right, suffix by suffix.
import { HEADER_BYTES, MAX_LABEL_BYTES, MAX_LABELS, MAX_NAME_BYTES } from '../../dns/limits.ts';
import type { LabelledName } from '../../dns/question.ts';
import type { PacketMemory } from '../../native/packet-memory.ts';
import type { HashSeed } from '../../plane/name-hash.ts';

export interface HashedName extends LabelledName {
  /** The same bytes as words; the last is padded with zeros. */
  readonly words: Int32Array;
  readonly view: DataView;
  /** The hash of each suffix, by how many labels it has. */
  readonly hashes: Int32Array;
}

export interface AskedQuestion {
  /** The name being answered: that of the question, then of each alias. */
  readonly name: HashedName;
  type: number;
  class: number;
  /** How long header and question are together. */
  length: number;
}

export interface QuestionReader {
  readonly question: AskedQuestion;
  /**
   * Reads the question of the query at `queryAt`, which ends before `end`, and copies it to the response at `responseAt`.
   * False when it is malformed: a label longer than 63 bytes, a compression pointer (there is nothing before it to point
   * to), a name longer than 255 bytes, or an early end.
   */
  readQuestion(queryAt: number, end: number, responseAt: number): boolean;
  /** Makes the uncompressed name at `at` the name being answered. */
  readAlias(at: number, end: number): void;
}

/** Bytes as they are, capital letters as small ones. */
export const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte));

export function createQuestionReader(memory: PacketMemory, seed: HashSeed): QuestionReader {
  const { bytes, spareAt } = memory;
  const words = new Int32Array((MAX_NAME_BYTES >> 2) + 2);
  const lower = new Uint8Array(words.buffer);
  const starts = new Uint8Array(MAX_LABELS + 1);
  const hashes = new Int32Array(MAX_LABELS + 1);
  const fromLeft = new Uint8Array(MAX_LABELS + 1);
  const name: HashedName = {
    bytes: lower,
    words,
    view: new DataView(words.buffer),
    length: 0,
    labels: 0,
    starts,
    hashes,
  };
  const question: AskedQuestion = { name, type: 0, class: 0, length: 0 };

  /** Reads the name at `start` and copies it to `to`: its length, 0 when malformed. */
  const readName = (start: number, end: number, to: number): number => {
    let labels = 0;
    let length = 0;
    for (;;) {
      const at = start + length;
      if (at >= end) return 0;
      const size = bytes[at];
      if (size === 0) break;
      if (size > MAX_LABEL_BYTES) return 0;
      fromLeft[labels++] = length;
      length += 1 + size;
      if (length >= MAX_NAME_BYTES) return 0;
    }
    let hash = seed | 0;
    hashes[0] = hash;
    starts[0] = length;
    bytes[to + length] = 0;
    // The root's byte, and zeros up to the end of its word.
    words[length >> 2] = 0;
    for (let suffix = 1; suffix <= labels; suffix++) {
      const first = fromLeft[labels - suffix];
      const last = first + bytes[start + first];
      for (let i = first; i <= last; i++) {
        const byte = bytes[start + i];
        const small = LOWER[byte];
        bytes[to + i] = byte;
        lower[i] = small;
        hash = Math.imul(hash ^ small, 0x01000193);
      }
      hash ^= hash >>> 15;
      hashes[suffix] = hash;
      starts[suffix] = first;
    }
    name.labels = labels;
    name.length = length + 1;
    return length + 1;
  };

  return {
    question,
    readQuestion(queryAt, end, responseAt) {
      const length = readName(queryAt + HEADER_BYTES, end, responseAt + HEADER_BYTES);
      const at = queryAt + HEADER_BYTES + length;
      if (length === 0 || at + 4 > end) return false;
      const to = responseAt + HEADER_BYTES + length;
      for (let i = 0; i < 4; i++) bytes[to + i] = bytes[at + i];
      question.type = (bytes[at] << 8) | bytes[at + 1];
      question.class = (bytes[at + 2] << 8) | bytes[at + 3];
      question.length = HEADER_BYTES + length + 4;
      return true;
    },
    readAlias(at, end) {
      readName(at, end, spareAt);
    },
  };
}
