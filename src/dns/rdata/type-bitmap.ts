// The set of types in NSEC (RFC 4034 section 4.1.2): windows of 256 types, each with a bitmap of 1 to 32 bytes.
import { parseType, typeName } from '../types.ts';
import type { Field } from './fields.ts';
import { RdataError, type Word } from './text.ts';

export function typeBitmap(label: string): Field {
  return {
    label,
    kind: 'plain',
    takes: 'rest',
    optional: true,
    compose: composeBitmap,
    end: bitmapEnd,
    format: (bytes) => typesOf(bytes).map(typeName).join(' '),
  };
}

function composeBitmap(words: readonly Word[]): Uint8Array {
  const windows = new Map<number, Uint8Array>();
  for (const word of words) {
    const type = parseType(word.text);
    if (type === undefined) throw new RdataError(`contains "${word.text}", which is not a record type`);
    const bits = windows.get(type >> 8) ?? new Uint8Array(32);
    bits[(type & 0xff) >> 3] |= 0x80 >> (type & 7);
    windows.set(type >> 8, bits);
  }
  const bytes: number[] = [];
  for (const [window, bits] of [...windows].sort(([a], [b]) => a - b)) {
    const length = bits.findLastIndex((byte) => byte !== 0) + 1;
    bytes.push(window, length, ...bits.subarray(0, length));
  }
  return Uint8Array.from(bytes);
}

/** Past the end when a window is cut short, empty, out of order or not in its shortest form. */
function bitmapEnd(rdata: Uint8Array, start: number): number {
  let lastWindow = -1;
  for (let at = start; at < rdata.length; ) {
    const [window, length] = [rdata[at], rdata[at + 1] ?? 0];
    const end = at + 2 + length;
    if (window <= lastWindow || length < 1 || length > 32 || end > rdata.length || rdata[end - 1] === 0)
      return Number.POSITIVE_INFINITY;
    lastWindow = window;
    at = end;
  }
  return rdata.length;
}

function typesOf(bytes: Uint8Array): number[] {
  const types: number[] = [];
  for (let at = 0; at < bytes.length; at += 2 + bytes[at + 1]) {
    for (let bit = 0; bit < 8 * bytes[at + 1]; bit++) {
      if (bytes[at + 2 + (bit >> 3)] & (0x80 >> (bit & 7))) types.push(bytes[at] * 256 + bit);
    }
  }
  return types;
}
