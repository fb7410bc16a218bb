// What follows the question of a query: its OPT record (RFC 6891), read in place; everything else is only checked.
import { HEADER, readUint16 } from './header.ts';
import { MAX_LABEL_BYTES, MAX_NAME_BYTES } from './limits.ts';
import { TYPE } from './types.ts';

export interface Edns {
  present: boolean;
  /** The sender's UDP payload size, as stated. */
  udpBytes: number;
  version: number;
  dnssecOk: boolean;
}

export function emptyEdns(): Edns {
  return { present: false, udpBytes: 0, version: 0, dnssecOk: false };
}

/**
 * Reads the records that follow the question of the query at `queryAt`: from `start` to `end`, places in `bytes`. False
 * when they are malformed: a second OPT, an OPT outside the additional section or of a name that is not the root, a record
 * that does not end, a pointer that does not point back, or bytes left over.
 */
export function readEdns(bytes: Uint8Array, queryAt: number, start: number, end: number, edns: Edns): boolean {
  edns.present = false;
  const before = readUint16(bytes, queryAt + HEADER.ANCOUNT) + readUint16(bytes, queryAt + HEADER.NSCOUNT);
  const count = before + readUint16(bytes, queryAt + HEADER.ARCOUNT);
  let at = start;
  for (let i = 0; i < count; i++) {
    const fixed = skipName(bytes, queryAt, at, end);
    if (fixed < 0 || fixed + 10 > end) return false;
    const next = fixed + 10 + readUint16(bytes, fixed + 8);
    if (next > end) return false;
    if (readUint16(bytes, fixed) === TYPE.OPT) {
      if (edns.present || i < before || fixed !== at + 1 || !optionsAreWhole(bytes, fixed + 10, next)) return false;
      edns.present = true;
      edns.udpBytes = readUint16(bytes, fixed + 2);
      edns.version = bytes[fixed + 5];
      edns.dnssecOk = (bytes[fixed + 6] & 0x80) !== 0;
    }
    at = next;
  }
  return at === end;
}

/** RFC 6891 section 6.1.2: options are (code, length, data) and fill the rdata. What they say is not looked at. */
function optionsAreWhole(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at + 4 <= end) at += 4 + readUint16(bytes, at + 2);
  return at === end;
}

/** The place after a name, perhaps compressed; -1 when malformed. */
function skipName(bytes: Uint8Array, messageAt: number, start: number, limit: number): number {
  let at = start;
  while (at < limit && at - start < MAX_NAME_BYTES) {
    const length = bytes[at];
    if (length === 0) return at + 1;
    if (length >= 0xc0) {
      const target = at + 1 < limit ? readUint16(bytes, at) & 0x3fff : 0;
      return target >= 12 && target < start - messageAt ? at + 2 : -1;
    }
    if (length > MAX_LABEL_BYTES) return -1;
    at += 1 + length;
  }
  return -1;
}
