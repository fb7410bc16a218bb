// Writes the wire format, with name compression (RFC 1035 section 4.1.4).
import { MAX_LABEL_BYTES, MAX_LABELS, MAX_NAME_BYTES } from './limits.ts';
import type { WireName } from './name.ts';
import { LOWER } from './name.ts';
import { extendHash } from './name-hash.ts';
import { MessageError } from './reader.ts';

/** A compression pointer has 14 bits. */
export const MAX_POINTER = 0x3fff;

/**
 * Which names a pointer may stand for: none; those that are equal byte for byte, so that case survives; or those that are
 * equal under RFC 4343.
 */
export type Compression = 'none' | 'exact' | 'ignoring-case';

/** Writes into `bytes`, whose size is the caller's responsibility. The message begins at offset 0. */
export class WireWriter {
  readonly bytes: Uint8Array;
  at = 0;
  private readonly compression: Compression;
  /** Hash of a suffix, ignoring case → where the first name with that hash was written. */
  private readonly suffixes = new Map<number, number>();
  /** Where the last name without a pointer was written; 0: nowhere. Most records have the owner of the one before. */
  private lastAt = 0;

  constructor(bytes: Uint8Array, compression: Compression) {
    this.bytes = bytes;
    this.compression = compression;
  }

  uint16(value: number): void {
    this.at = writeUint16(this.bytes, this.at, value);
  }

  uint32(value: number): void {
    this.at = writeUint32(this.bytes, this.at, value);
  }

  put(source: Uint8Array): void {
    this.bytes.set(source, this.at);
    this.at += source.length;
  }

  /** Labels up to the first suffix that was written before, then a pointer to it. Throws MessageError for a bad name. */
  name(name: WireName): void {
    const labels = split(name);
    if (this.compression === 'none') {
      this.put(name);
      return;
    }
    if (this.lastAt > 0 && this.standsAt(name, 0, this.lastAt)) {
      this.uint16(0xc000 | this.lastAt);
      return;
    }
    const start = this.at;
    hashes[labels] = 0;
    for (let i = labels - 1; i >= 0; i--) hashes[i] = extendHash(hashes[i + 1], name, starts[i]);
    for (let i = 0; i < labels; i++) {
      const known = this.suffixes.get(hashes[i]);
      if (known !== undefined && this.standsAt(name, starts[i], known)) {
        this.uint16(0xc000 | known);
        return;
      }
      if (known === undefined && this.at <= MAX_POINTER) this.suffixes.set(hashes[i], this.at);
      for (let at = starts[i], end = at + name[at]; at <= end; at++) this.bytes[this.at++] = name[at];
    }
    this.bytes[this.at++] = 0;
    if (labels > 0 && start <= MAX_POINTER) this.lastAt = start;
  }

  /** Whether exactly the labels of `name` from `start` on were written at `target`. */
  private standsAt(name: WireName, start: number, target: number): boolean {
    const { bytes, compression } = this;
    let at = target;
    for (let from = start; ; from++, at++) {
      // At the beginning of a label only: inside one, a byte above 0xbf is data.
      while (bytes[at] >= 0xc0) at = ((bytes[at] & 0x3f) << 8) | bytes[at + 1];
      if (bytes[at] !== name[from]) return false;
      if (name[from] === 0) return true;
      for (let end = from + name[from]; from < end; ) {
        const written = bytes[++at];
        const asked = name[++from];
        if (written !== asked && (compression === 'exact' || LOWER[written] !== LOWER[asked])) return false;
      }
    }
  }
}

/** Returns the offset after it, as do the others. */
export function writeUint16(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
  return at + 2;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

/** Of the name being written: where its labels begin, and the hashes of the suffixes that begin there. */
const starts = new Uint8Array(MAX_LABELS + 1);
const hashes = new Int32Array(MAX_LABELS + 1);

/** The number of labels; their offsets are in `starts`. */
function split(name: WireName): number {
  let labels = 0;
  let at = 0;
  while (at < name.length && name[at] !== 0) {
    if (name[at] > MAX_LABEL_BYTES) throw new MessageError(`a name has a label of ${name[at]} bytes`);
    if (at + name[at] >= MAX_NAME_BYTES) throw new MessageError(`a name is longer than ${MAX_NAME_BYTES} bytes`);
    starts[labels++] = at;
    at += 1 + name[at];
  }
  if (at + 1 > name.length) throw new MessageError('a name has no end');
  if (at + 1 < name.length) throw new MessageError('a name has bytes after the root');
  return labels;
}
