// Names read in place from the bytes of a message, into memory that is used again for the next.
import { MAX_LABEL_BYTES, MAX_LABELS, MAX_NAME_BYTES } from './limits.ts';

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

export function emptyName(): LabelledName {
  return { bytes: new Uint8Array(MAX_NAME_BYTES + 1), length: 0, labels: 0, starts: new Uint8Array(MAX_LABELS + 1) };
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
  starts.subarray(0, labels).reverse();
  starts.copyWithin(1, 0, labels);
  starts[0] = at - start;
  name.labels = labels;
  name.length = at + 1 - start;
  return at + 1;
}
