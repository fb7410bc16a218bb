// What follows the question of a query: its OPT record (RFC 6891), read in place; other records are only checked. Allocates
// nothing. message/opt.ts has OPT as a value.
import { HEADER_BYTES, MAX_LABEL_BYTES, MAX_NAME_BYTES } from '../limits.ts';
import { OPTION, TYPE } from '../types.ts';

export interface QueryEdns {
  present: boolean;
  /** The sender's UDP payload size, as stated. */
  udpBytes: number;
  version: number;
  dnssecOk: boolean;
  /** The edns-tcp-keepalive option is present (RFC 7828). */
  keepalive: boolean;
  /** The name server identifier is requested (RFC 5001). */
  nsid: boolean;
}

export function emptyQueryEdns(): QueryEdns {
  return { present: false, udpBytes: 0, version: 0, dnssecOk: false, keepalive: false, nsid: false };
}

const PLAIN_OPT_BYTES = 11;

/**
 * Reads the records after the question of the query at `queryAt`: from `start` to `end`, offsets in `bytes`. False when
 * they are malformed: a second OPT, an OPT outside the additional section or whose name is not the root, a record that does
 * not end, a pointer that does not point back, or bytes left over.
 */
export function readQueryEdns(
  bytes: Uint8Array,
  queryAt: number,
  start: number,
  end: number,
  edns: QueryEdns,
): boolean {
  edns.present = false;
  edns.keepalive = false;
  edns.nsid = false;
  const before = uint16(bytes, queryAt + 6) + uint16(bytes, queryAt + 8);
  const count = before + uint16(bytes, queryAt + 10);
  if (count === 0) return start === end;
  // The common case: OPT without options, and nothing else.
  if (count === 1 && before === 0 && end - start === PLAIN_OPT_BYTES && isPlainOpt(bytes, start)) {
    readFields(bytes, start + 1, edns);
    return true;
  }
  return readRecords(bytes, queryAt, start, end, before, count, edns);
}

function isPlainOpt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0 && uint16(bytes, at + 1) === TYPE.OPT && uint16(bytes, at + 9) === 0;
}

/** Of an OPT record, from its type on. */
function readFields(bytes: Uint8Array, at: number, edns: QueryEdns): void {
  edns.present = true;
  edns.udpBytes = uint16(bytes, at + 2);
  edns.version = bytes[at + 5];
  edns.dnssecOk = (bytes[at + 6] & 0x80) !== 0;
}

function readRecords(
  bytes: Uint8Array,
  queryAt: number,
  start: number,
  end: number,
  before: number,
  count: number,
  edns: QueryEdns,
): boolean {
  let at = start;
  for (let i = 0; i < count; i++) {
    const fixed = skipName(bytes, queryAt, at, end);
    if (fixed < 0 || fixed + 10 > end) return false;
    const next = fixed + 10 + uint16(bytes, fixed + 8);
    if (next > end) return false;
    if (uint16(bytes, fixed) === TYPE.OPT) {
      if (edns.present || i < before || fixed !== at + 1 || !readOptions(bytes, fixed + 10, next, edns)) return false;
      readFields(bytes, fixed, edns);
    }
    at = next;
  }
  return at === end;
}

/** RFC 6891 section 6.1.2: options are (code, length, data) and fill the rdata. Their contents are ignored. */
function readOptions(bytes: Uint8Array, start: number, end: number, edns: QueryEdns): boolean {
  let at = start;
  while (at + 4 <= end) {
    const code = uint16(bytes, at);
    if (code === OPTION.TCP_KEEPALIVE) edns.keepalive = true;
    else if (code === OPTION.NSID) edns.nsid = true;
    at += 4 + uint16(bytes, at + 2);
  }
  return at === end;
}

/** The offset after a name that may be compressed; -1 when malformed. */
function skipName(bytes: Uint8Array, messageAt: number, start: number, limit: number): number {
  let at = start;
  while (at < limit && at - start < MAX_NAME_BYTES) {
    const length = bytes[at];
    if (length === 0) return at + 1;
    if (length >= 0xc0) {
      const target = at + 1 < limit ? uint16(bytes, at) & 0x3fff : 0;
      return target >= HEADER_BYTES && target < start - messageAt ? at + 2 : -1;
    }
    if (length > MAX_LABEL_BYTES) return -1;
    at += 1 + length;
  }
  return -1;
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}
