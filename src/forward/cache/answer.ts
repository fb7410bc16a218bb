// A ready answer, kept as bytes: giving it is a copy, then ID, flags, spelling and TTLs are written over.
import { NO_EDE, OPT_BYTES, OPT_BYTES_WITH_EDE, writeOpt } from '../../dns/fast/response-writer.ts';
import { HEADER_BYTES, UDP_BYTES_WITH_EDNS } from '../../dns/limits.ts';
import { FLAG } from '../../dns/types.ts';
import { writeUint16, writeUint32 } from '../../dns/writer.ts';
import {
  ASKED_AUTHENTIC,
  ASKED_CHECKING_DISABLED,
  ASKED_DNSSEC,
  ASKED_EDNS,
  ASKED_RECURSION,
} from '../resolve/asked.ts';

export interface Answer {
  /** Holds, from `start` on, a message of `length` bytes (ID 0, no OPT), then 16 bits for where each of its TTLs is. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly ttlCount: number;
  /** Offset just after QCLASS. */
  readonly questionEnd: number;
  readonly rcode: number;
  /** As the upstream says; shown to those who ask for it with AD or DO. */
  readonly authentic: boolean;
  /** The upstream had no room for all of it, over TCP either: TC goes on to the client. Such an answer is never cached. */
  readonly truncated: boolean;
  /** RFC 8914 info code; -1: none. */
  readonly ede: number;
  /** The A or AAAA records that may trade places: index of the first one's TTL offset, and how many (0: fewer than two). */
  readonly rotateFrom: number;
  readonly rotateCount: number;
  readonly addressBytes: number;
}

/** What is written differently for each client; one object is reused, since a hit must not allocate. */
export interface Rendering {
  asked: number;
  /** Taken off every TTL, never below 0. */
  ageSeconds: number;
  /** Written as every TTL where 0 or more (stale answers). */
  fixedTtlSeconds: number;
  /** RFC 8914 info code; -1: none. */
  ede: number;
  /** How many places the addresses are moved on. */
  rotation: number;
  /** What the client takes. */
  maxBytes: number;
}

/** Writes `answer` as the response to `query`, gives its length. Longer than maxBytes: TC and no records (RFC 2181 section 9). */
export function writeAnswer(answer: Answer, query: Uint8Array, how: Rendering, out: Uint8Array, start: number): number {
  const { questionEnd } = answer;
  const optBytes = (how.asked & ASKED_EDNS) === 0 ? 0 : how.ede === NO_EDE ? OPT_BYTES : OPT_BYTES_WITH_EDE;
  const isCut = answer.length + optBytes > how.maxBytes;
  if (isCut) {
    copy(answer, questionEnd, out, start);
    out.fill(0, start + 6, start + HEADER_BYTES);
  } else {
    copy(answer, answer.length, out, start);
    writeTtls(answer, how, out, start);
    if (how.rotation > 0 && answer.rotateCount > 1)
      rotateAddresses(answer, how.rotation % answer.rotateCount, out, start);
  }
  for (let i = HEADER_BYTES; i < questionEnd; i++) out[start + i] = query[i];
  const shown = answer.authentic && (how.asked & (ASKED_AUTHENTIC | ASKED_DNSSEC)) !== 0;
  writeFlags(query, how.asked, answer.rcode, isCut || answer.truncated, shown, out, start);
  const length = isCut ? questionEnd : answer.length;
  return optBytes === 0 ? length : appendOpt(how.asked, answer.rcode, how.ede, '', out, start, length);
}

/** Making a view to copy by costs as much as about a hundred bytes one by one. */
const COPIED_BY_VIEW = 100;

function copy(answer: Answer, length: number, out: Uint8Array, to: number): void {
  const { bytes, start } = answer;
  if (length >= COPIED_BY_VIEW) out.set(bytes.subarray(start, start + length), to);
  else for (let i = 0; i < length; i++) out[to + i] = bytes[start + i];
}

function writeTtls(answer: Answer, how: Rendering, out: Uint8Array, start: number): void {
  const { bytes, ttlCount } = answer;
  const { fixedTtlSeconds, ageSeconds } = how;
  // Fresh enough that no TTL has changed: what was copied is right.
  if (fixedTtlSeconds < 0 && ageSeconds === 0) return;
  const offsets = answer.start + answer.length;
  for (let i = 0; i < ttlCount; i++) {
    const at = start + ((bytes[offsets + 2 * i] << 8) | bytes[offsets + 2 * i + 1]);
    const stored = (out[at] << 24) | (out[at + 1] << 16) | (out[at + 2] << 8) | out[at + 3];
    const ttl = fixedTtlSeconds >= 0 ? fixedTtlSeconds : stored > ageSeconds ? stored - ageSeconds : 0;
    writeUint32(out, at, ttl);
  }
}

/** Owner, type and TTL of these records are the same, so it is enough to move the addresses (6 bytes after the TTL). */
function rotateAddresses(answer: Answer, places: number, out: Uint8Array, start: number): void {
  const { bytes, rotateCount, addressBytes } = answer;
  const message = answer.start + 6;
  const first = answer.start + answer.length + 2 * answer.rotateFrom;
  const end = first + 2 * rotateCount;
  let from = first + 2 * places;
  for (let to = first; to < end; to += 2) {
    let read = message + ((bytes[from] << 8) | bytes[from + 1]);
    const write = start + 6 + ((bytes[to] << 8) | bytes[to + 1]);
    for (let i = 0; i < addressBytes; i++) out[write + i] = bytes[read++];
    from += 2;
    if (from === end) from = first;
  }
}

/** A response without records: SERVFAIL, REFUSED and the like. `text` (ASCII) goes beside `ede`. */
export function writeFailure(
  query: Uint8Array,
  questionEnd: number,
  asked: number,
  rcode: number,
  ede: number,
  out: Uint8Array,
  start: number,
  text = '',
): number {
  for (let i = HEADER_BYTES; i < questionEnd; i++) out[start + i] = query[i];
  out.fill(0, start + 4, start + HEADER_BYTES);
  out[start + 5] = 1;
  writeFlags(query, asked, rcode, false, false, out, start);
  return (asked & ASKED_EDNS) === 0 ? questionEnd : appendOpt(asked, rcode, ede, text, out, start, questionEnd);
}

function writeFlags(
  query: Uint8Array,
  asked: number,
  rcode: number,
  truncated: boolean,
  authentic: boolean,
  out: Uint8Array,
  start: number,
): void {
  let flags = FLAG.QR | FLAG.RA | (rcode & 0x0f);
  if (asked & ASKED_RECURSION) flags |= FLAG.RD;
  if (asked & ASKED_CHECKING_DISABLED) flags |= FLAG.CD;
  if (truncated) flags |= FLAG.TC;
  if (authentic) flags |= FLAG.AD;
  out[start] = query[0];
  out[start + 1] = query[1];
  writeUint16(out, start + 2, flags);
}

/** Appends our OPT to a response of `length` bytes and counts it. Returns the new length. */
function appendOpt(
  asked: number,
  rcode: number,
  ede: number,
  text: string,
  out: Uint8Array,
  start: number,
  length: number,
): number {
  writeUint16(out, start + 10, 1);
  return writeOpt(out, start + length, UDP_BYTES_WITH_EDNS, rcode, (asked & ASKED_DNSSEC) !== 0, ede, text) - start;
}
