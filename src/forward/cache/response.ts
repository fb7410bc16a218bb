// Responses from cached answers, for hits and for clients that waited: a copy of the entry's bytes, over which ID, flags,
// spelling and TTLs are written.
import { NO_EDE, OPT_BYTES, OPT_BYTES_WITH_EDE, writeOpt } from '../../dns/fast/response-writer.ts';
import { HEADER_BYTES, UDP_BYTES_WITH_EDNS } from '../../dns/limits.ts';
import { EDE, FLAG, RCODE } from '../../dns/types.ts';
import { writeUint16, writeUint32 } from '../../dns/writer.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import type { ForwardCounters } from '../../plane/forward-statistics.ts';
import {
  ASKED_AUTHENTIC,
  ASKED_CHECKING_DISABLED,
  ASKED_DNSSEC,
  ASKED_EDNS,
  ASKED_RECURSION,
} from '../upstream/question.ts';
import { type CacheEntry, textOf } from './entry.ts';

const LARGEST_RESPONSE = 65_535 + 64;

export class ResponseWriter {
  private readonly how: Rendering = { asked: 0, ageSeconds: 0, fixedTtlSeconds: -1, ede: -1, rotation: 0, maxBytes: 0 };
  private readonly staleTtlSeconds: number;
  private readonly loadbalance: boolean;
  private readonly counters: ForwardCounters;
  private readonly scratch = new Uint8Array(LARGEST_RESPONSE);

  constructor(settings: CacheSettings, loadbalance: boolean, counters: ForwardCounters) {
    this.staleTtlSeconds = settings.serveStale?.ttlSeconds ?? 0;
    this.loadbalance = loadbalance;
    this.counters = counters;
  }

  /** Writes the response to `query` into `out` at `start` and returns its length. */
  write(
    entry: CacheEntry,
    stale: boolean,
    nowMs: number,
    query: Uint8Array,
    asked: number,
    maxBytes: number,
    out: Uint8Array,
    start: number,
  ): number {
    const { how } = this;
    how.asked = asked;
    how.maxBytes = maxBytes;
    how.ageSeconds = Math.floor((nowMs - entry.storedMs) / 1000);
    how.fixedTtlSeconds = stale ? this.staleTtlSeconds : -1;
    how.ede = stale ? staleEde(entry) : entry.ede;
    how.rotation = this.loadbalance ? (how.rotation + 1) & 0xffff : 0;
    if (stale) this.counters.servedStale++;
    return writeAnswer(entry, query, how, out, start);
  }

  /** The same in separate memory: valid until the next response is composed. */
  compose(
    entry: CacheEntry,
    stale: boolean,
    nowMs: number,
    query: Uint8Array,
    asked: number,
    maxBytes: number,
  ): Uint8Array {
    return this.scratch.subarray(0, this.write(entry, stale, nowMs, query, asked, maxBytes, this.scratch, 0));
  }

  /** TC and no records; valid as long as that of `compose`. */
  composeTruncated(query: Uint8Array, questionEnd: number, asked: number): Uint8Array {
    const response = this.composeFailure(query, questionEnd, asked, RCODE.NOERROR, NO_EDE);
    response[2] |= FLAG.TC >> 8;
    return response;
  }

  /** A response without records, for a query that ends at `questionEnd`; valid as long as that of `compose`. */
  composeFailure(
    query: Uint8Array,
    questionEnd: number,
    asked: number,
    rcode: number,
    ede: number,
    text?: string,
  ): Uint8Array {
    return this.scratch.subarray(0, writeFailure(query, questionEnd, asked, rcode, ede, this.scratch, 0, text));
  }
}

/** The parts of a response that depend on the client. */
interface Rendering {
  asked: number;
  /** Subtracted from every TTL, down to 0. */
  ageSeconds: number;
  /** Written as every TTL if 0 or more (stale answers). */
  fixedTtlSeconds: number;
  /** RFC 8914 info code; -1: none. */
  ede: number;
  /** How many places the addresses are moved. */
  rotation: number;
  /** The client's limit. */
  maxBytes: number;
}

/** Writes `entry` as the response to `query` and returns its length. Longer than `maxBytes`: TC and no records. */
function writeAnswer(entry: CacheEntry, query: Uint8Array, how: Rendering, out: Uint8Array, start: number): number {
  const { questionEnd } = entry;
  const optBytes = (how.asked & ASKED_EDNS) === 0 ? 0 : how.ede === NO_EDE ? OPT_BYTES : OPT_BYTES_WITH_EDE;
  const isCut = entry.length + optBytes > how.maxBytes;
  if (isCut) {
    copy(entry, questionEnd, out, start);
    out.fill(0, start + 6, start + HEADER_BYTES);
  } else {
    copy(entry, entry.length, out, start);
    writeTtls(entry, how, out, start);
    if (how.rotation > 0 && entry.rotateCount > 1) rotateAddresses(entry, how.rotation % entry.rotateCount, out, start);
  }
  for (let i = HEADER_BYTES; i < questionEnd; i++) out[start + i] = query[i];
  // Expired data are no longer known to be authentic.
  const shown = entry.authentic && how.fixedTtlSeconds < 0 && (how.asked & (ASKED_AUTHENTIC | ASKED_DNSSEC)) !== 0;
  writeFlags(query, how.asked, entry.rcode, isCut || entry.truncated, shown, out, start);
  const length = isCut ? questionEnd : entry.length;
  if (optBytes === 0) return length;
  // Left out where it does not fit, and where the error is that the answer is stale.
  const hasText = entry.textBytes > 0 && how.fixedTtlSeconds < 0 && length + optBytes + entry.textBytes <= how.maxBytes;
  return appendOpt(how.asked, entry.rcode, how.ede, hasText ? textOf(entry) : '', out, start, length);
}

/** Creating a view to copy with costs as much as copying about a hundred bytes one by one ("hit, 1 A"). */
const COPIED_BY_VIEW = 100;

function copy(entry: CacheEntry, length: number, out: Uint8Array, to: number): void {
  const { bytes, start } = entry;
  if (length >= COPIED_BY_VIEW) out.set(bytes.subarray(start, start + length), to);
  else for (let i = 0; i < length; i++) out[to + i] = bytes[start + i];
}

function writeTtls(entry: CacheEntry, how: Rendering, out: Uint8Array, start: number): void {
  const { bytes, ttlCount } = entry;
  const { fixedTtlSeconds, ageSeconds } = how;
  // So fresh that no TTL has changed.
  if (fixedTtlSeconds < 0 && ageSeconds === 0) return;
  const offsets = entry.start + entry.length;
  for (let i = 0; i < ttlCount; i++) {
    const at = start + ((bytes[offsets + 2 * i] << 8) | bytes[offsets + 2 * i + 1]);
    const stored = (out[at] << 24) | (out[at + 1] << 16) | (out[at + 2] << 8) | out[at + 3];
    const ttl = fixedTtlSeconds >= 0 ? fixedTtlSeconds : stored > ageSeconds ? stored - ageSeconds : 0;
    writeUint32(out, at, ttl);
  }
}

/** Owner, type and TTL of these records are the same, so it is enough to move the addresses (6 bytes after the TTL). */
function rotateAddresses(entry: CacheEntry, places: number, out: Uint8Array, start: number): void {
  const { bytes, rotateCount, addressBytes } = entry;
  const message = entry.start + 6;
  const first = entry.start + entry.length + 2 * entry.rotateFrom;
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

function staleEde(entry: CacheEntry): number {
  return entry.rcode === RCODE.NXDOMAIN ? EDE.STALE_NXDOMAIN_ANSWER : EDE.STALE_ANSWER;
}
