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
 * Reads the records from `start` to the end of the query. False when they are malformed: a second OPT, an OPT outside
 * the additional section or of a name that is not the root, a record that does not end, a pointer that does not point
 * back, or bytes left over.
 */
export function readEdns(query: Uint8Array, queryLength: number, start: number, edns: Edns): boolean {
  edns.present = false;
  const before = readUint16(query, HEADER.ANCOUNT) + readUint16(query, HEADER.NSCOUNT);
  const count = before + readUint16(query, HEADER.ARCOUNT);
  let at = start;
  for (let i = 0; i < count; i++) {
    const fixed = skipName(query, at, queryLength);
    if (fixed < 0 || fixed + 10 > queryLength) return false;
    const end = fixed + 10 + readUint16(query, fixed + 8);
    if (end > queryLength) return false;
    if (readUint16(query, fixed) === TYPE.OPT) {
      if (edns.present || i < before || fixed !== at + 1 || !optionsAreWhole(query, fixed + 10, end)) return false;
      edns.present = true;
      edns.udpBytes = readUint16(query, fixed + 2);
      edns.version = query[fixed + 5];
      edns.dnssecOk = (query[fixed + 6] & 0x80) !== 0;
    }
    at = end;
  }
  return at === queryLength;
}

/** RFC 6891 section 6.1.2: options are (code, length, data) and fill the rdata. What they say is not looked at. */
function optionsAreWhole(query: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at + 4 <= end) at += 4 + readUint16(query, at + 2);
  return at === end;
}

/** The place after a name, perhaps compressed; -1 when malformed. */
function skipName(query: Uint8Array, start: number, limit: number): number {
  let at = start;
  while (at < limit && at - start < MAX_NAME_BYTES) {
    const length = query[at];
    if (length === 0) return at + 1;
    if (length >= 0xc0) {
      const target = at + 1 < limit ? readUint16(query, at) & 0x3fff : limit;
      return target >= 12 && target < start ? at + 2 : -1;
    }
    if (length > MAX_LABEL_BYTES) return -1;
    at += 1 + length;
  }
  return -1;
}
