// What follows the question of a query: its OPT record (RFC 6891), read in place; everything else is only checked.
import { HEADER } from './header.ts';
import { MAX_LABEL_BYTES, MAX_NAME_BYTES } from './limits.ts';
import { OPTION, TYPE } from './types.ts';

export interface Edns {
  present: boolean;
  /** The sender's UDP payload size, as stated. */
  udpBytes: number;
  version: number;
  dnssecOk: boolean;
  /** The edns-tcp-keepalive option is there (RFC 7828). */
  keepalive: boolean;
}

export function emptyEdns(): Edns {
  return { present: false, udpBytes: 0, version: 0, dnssecOk: false, keepalive: false };
}

/**
 * Reads the records that follow the question of the query at `queryAt`: from `start` to `end`, places in `view`. False
 * when they are malformed: a second OPT, an OPT outside the additional section or of a name that is not the root, a record
 * that does not end, a pointer that does not point back, or bytes left over.
 */
export function readEdns(view: DataView, queryAt: number, start: number, end: number, edns: Edns): boolean {
  edns.present = false;
  edns.keepalive = false;
  const before = view.getUint16(queryAt + HEADER.ANCOUNT) + view.getUint16(queryAt + HEADER.NSCOUNT);
  const count = before + view.getUint16(queryAt + HEADER.ARCOUNT);
  if (count === 0) return start === end;
  // What most queries have: OPT without options, and nothing else.
  if (count === 1 && before === 0 && end - start === PLAIN_OPT_BYTES && isPlainOpt(view, start)) {
    readFields(view, start + 1, edns);
    return true;
  }
  return readRecords(view, queryAt, start, end, before, count, edns);
}

const PLAIN_OPT_BYTES = 11;

function isPlainOpt(view: DataView, at: number): boolean {
  return view.getInt32(at) >>> 8 === TYPE.OPT && view.getUint16(at + 9) === 0;
}

/** Of an OPT record, from its type on. */
function readFields(view: DataView, at: number, edns: Edns): void {
  edns.present = true;
  edns.udpBytes = view.getUint16(at + 2);
  edns.version = view.getUint8(at + 5);
  edns.dnssecOk = (view.getUint8(at + 6) & 0x80) !== 0;
}

function readRecords(
  view: DataView,
  queryAt: number,
  start: number,
  end: number,
  before: number,
  count: number,
  edns: Edns,
): boolean {
  let at = start;
  for (let i = 0; i < count; i++) {
    const fixed = skipName(view, queryAt, at, end);
    if (fixed < 0 || fixed + 10 > end) return false;
    const next = fixed + 10 + view.getUint16(fixed + 8);
    if (next > end) return false;
    if (view.getUint16(fixed) === TYPE.OPT) {
      if (edns.present || i < before || fixed !== at + 1 || !readOptions(view, fixed + 10, next, edns)) return false;
      readFields(view, fixed, edns);
    }
    at = next;
  }
  return at === end;
}

/** RFC 6891 section 6.1.2: options are (code, length, data) and fill the rdata. What they say is not looked at. */
function readOptions(view: DataView, start: number, end: number, edns: Edns): boolean {
  let at = start;
  while (at + 4 <= end) {
    if (view.getUint16(at) === OPTION.TCP_KEEPALIVE) edns.keepalive = true;
    at += 4 + view.getUint16(at + 2);
  }
  return at === end;
}

/** The place after a name, perhaps compressed; -1 when malformed. */
function skipName(view: DataView, messageAt: number, start: number, limit: number): number {
  let at = start;
  while (at < limit && at - start < MAX_NAME_BYTES) {
    const length = view.getUint8(at);
    if (length === 0) return at + 1;
    if (length >= 0xc0) {
      const target = at + 1 < limit ? view.getUint16(at) & 0x3fff : 0;
      return target >= 12 && target < start - messageAt ? at + 2 : -1;
    }
    if (length > MAX_LABEL_BYTES) return -1;
    at += 1 + length;
  }
  return -1;
}
