// Reading the one question of a query from the bytes of the packet, into memory that is used again for the next.
import { HEADER_BYTES, MAX_LABEL_BYTES, MAX_LABELS, MAX_NAME_BYTES } from './limits.ts';

/** A name in lower-case wire form, and where each of its suffixes begins. */
export interface LabelledName {
  readonly bytes: Uint8Array;
  /** With the root's zero byte. */
  length: number;
  /** Without the root. */
  labels: number;
  /** The place of the suffix of so many labels: `starts[0]` is the root's byte, `starts[labels]` is 0. */
  readonly starts: Uint8Array;
}

export interface Question {
  readonly name: LabelledName;
  type: number;
  class: number;
  /** The place after it in the message. */
  end: number;
}

export function emptyName(): LabelledName {
  return { bytes: new Uint8Array(MAX_NAME_BYTES + 1), length: 0, labels: 0, starts: new Uint8Array(MAX_LABELS + 1) };
}

export function emptyQuestion(): Question {
  return { name: emptyName(), type: 0, class: 0, end: 0 };
}

/**
 * Reads the question that follows the header of `query`. False when it is malformed: a label longer than 63 bytes, a
 * compression pointer (there is nothing before it to point to), a name longer than 255 bytes, or an early end.
 */
export function readQuestion(query: Uint8Array, queryLength: number, question: Question): boolean {
  const after = readName(query, HEADER_BYTES, queryLength, question.name);
  if (after < 0 || after + 4 > queryLength) return false;
  question.type = (query[after] << 8) | query[after + 1];
  question.class = (query[after + 2] << 8) | query[after + 3];
  question.end = after + 4;
  return true;
}

/** Reads an uncompressed name, lower-cased, into `name`: the place after it, or -1 when malformed. */
export function readName(bytes: Uint8Array, start: number, limit: number, name: LabelledName): number {
  const to = name.bytes;
  const { starts } = name;
  let at = start;
  let labels = 0;
  for (;;) {
    if (at >= limit) return -1;
    const length = bytes[at];
    if (length > MAX_LABEL_BYTES || at + length >= limit || at - start + length >= MAX_NAME_BYTES) return -1;
    const end = at + 1 + length;
    to[at - start] = length;
    if (length === 0) break;
    starts[labels++] = at - start;
    for (let i = at + 1; i < end; i++) {
      const byte = bytes[i];
      to[i - start] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    }
    at = end;
  }
  // Found from the left, wanted by how many labels are right of it.
  for (let low = 0, high = labels - 1; low < high; low++, high--) {
    const swapped = starts[low];
    starts[low] = starts[high];
    starts[high] = swapped;
  }
  for (let i = labels; i > 0; i--) starts[i] = starts[i - 1];
  starts[0] = at - start;
  name.labels = labels;
  name.length = at + 1 - start;
  return at + 1;
}
