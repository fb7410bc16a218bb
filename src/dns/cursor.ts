// Reading a message byte by byte, every read checked against its end. Nothing here trusts a length from the wire.
import { HEADER_BYTES, MAX_LABEL_BYTES, MAX_NAME_BYTES, MAX_POINTER_HOPS } from './limits.ts';
import type { WireName } from './name.ts';

/** The bytes are no DNS message. The only error that parsing throws, whatever the bytes are. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
}

/** A place in a message. `end` is the limit of what may be read now (the message's end, or the rdata's). */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
}

export function readUint8(cursor: Cursor): number {
  need(cursor, 1);
  return cursor.bytes[cursor.at++];
}

export function readUint16(cursor: Cursor): number {
  need(cursor, 2);
  const { bytes, at } = cursor;
  cursor.at += 2;
  return (bytes[at] << 8) | bytes[at + 1];
}

export function readUint32(cursor: Cursor): number {
  return readUint16(cursor) * 0x1_0000 + readUint16(cursor);
}

/** A copy of the next bytes. */
export function readBytes(cursor: Cursor, length: number): Uint8Array {
  need(cursor, length);
  cursor.at += length;
  // Not slice(): on a Buffer that would share memory with the packet, which the caller may reuse.
  return new Uint8Array(cursor.bytes.subarray(cursor.at - length, cursor.at));
}

/**
 * A name, pointers followed (RFC 1035 section 4.1.4), case kept. A pointer must point before the labels that led to it, so
 * no chain can loop; the first run of labels must be inside `cursor.end`.
 */
export function readName(cursor: Cursor): WireName {
  const { bytes } = cursor;
  const name = new Uint8Array(MAX_NAME_BYTES);
  let length = 0;
  let hops = 0;
  let runStart = cursor.at;
  let at = cursor.at;
  let end = cursor.end;
  for (;;) {
    if (at >= end) throw new MessageError(`a name at ${cursor.at} runs past the end`);
    const first = bytes[at];
    if (first >= 0xc0) {
      if (at + 2 > end) throw new MessageError(`a pointer at ${at} runs past the end`);
      const target = ((first & 0x3f) << 8) | bytes[at + 1];
      if (target >= runStart || target < HEADER_BYTES)
        throw new MessageError(`the pointer at ${at} does not point back`);
      if (++hops > MAX_POINTER_HOPS) throw new MessageError(`a name at ${cursor.at} has too many pointers`);
      if (hops === 1) cursor.at = at + 2;
      end = runStart;
      runStart = target;
      at = target;
      continue;
    }
    if (first > MAX_LABEL_BYTES)
      throw new MessageError(`a label at ${at} has the unknown kind 0x${first.toString(16)}`);
    const next = at + 1 + first;
    if (next > end) throw new MessageError(`a label at ${at} runs past the end`);
    if (length + 1 + first > MAX_NAME_BYTES) throw new MessageError(`a name is longer than ${MAX_NAME_BYTES} bytes`);
    name.set(bytes.subarray(at, next), length);
    length += 1 + first;
    at = next;
    if (first === 0) break;
  }
  if (hops === 0) cursor.at = at;
  return name.slice(0, length);
}

function need(cursor: Cursor, length: number): void {
  if (cursor.at + length > cursor.end)
    throw new MessageError(`${length} bytes at ${cursor.at} run past the end at ${cursor.end}`);
}
