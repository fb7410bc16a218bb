// Writes responses in place: the header, heads of records whose owner is a pointer, our OPT. Allocates nothing. writer.ts and
// message/ write the same from values.
import { HEADER_BYTES } from '../limits.ts';
import { CLASS, EDNS_DO, FLAG, OPTION, TYPE } from '../types.ts';

export const NO_EDE = -1;
/** Our OPT without options: kept free at the end of every response to a query with EDNS. */
export const OPT_BYTES = 11;
/** With an extended error, which is left out where it does not fit, rather than truncating the answer. */
export const OPT_BYTES_WITH_EDE = OPT_BYTES + 6;
export const KEEPALIVE_BYTES = 6;
/** Owner (a pointer), type, class, TTL and rdlength. */
export const RECORD_HEAD_BYTES = 12;

/** Writes header and counts at `at`. The ID and RD are those of the query; QR is set; AD, CD and Z are 0. */
export function writeHeader(
  view: DataView,
  at: number,
  queryAt: number,
  flagsAndRcode: number,
  answers: number,
  authority: number,
  additional: number,
): void {
  const asked = view.getInt32(queryAt);
  view.setInt32(at, (asked & 0xffff_0000) | FLAG.QR | (asked & FLAG.RD) | flagsAndRcode);
  view.setInt32(at + 4, (1 << 16) | answers);
  view.setInt32(at + 8, (authority << 16) | additional);
}

/** A whole response without a question, for queries whose question cannot be repeated. Returns its length. */
export function writeHeaderOnly(view: DataView, at: number, queryAt: number, flags: number): number {
  view.setInt32(at, (view.getInt32(queryAt) & 0xffff_0000) | flags);
  view.setInt32(at + 4, 0);
  view.setInt32(at + 8, 0);
  return HEADER_BYTES;
}

/** RECORD_HEAD_BYTES at `at`, class IN. `owner` is an offset in the message, at most MAX_POINTER. */
export function writeRecordHead(
  view: DataView,
  at: number,
  owner: number,
  type: number,
  ttl: number,
  rdlength: number,
): void {
  view.setInt32(at, ((0xc000 | owner) << 16) | type);
  view.setInt32(at + 4, (CLASS.IN << 16) | (ttl >>> 16));
  view.setInt32(at + 8, (ttl << 16) | rdlength);
}

/**
 * Our OPT record (RFC 6891 section 6.1.2) at `at`, with an extended error (RFC 8914) unless `ede` is NO_EDE, and its text
 * (ASCII). DO is repeated (RFC 3225 section 3); no option of the query is. Returns the offset after it.
 */
export function writeOpt(
  bytes: Uint8Array,
  at: number,
  udpBytes: number,
  rcode: number,
  dnssecOk: boolean,
  ede: number,
  text = '',
): number {
  bytes[at] = 0;
  bytes[at + 1] = 0;
  bytes[at + 2] = TYPE.OPT;
  bytes[at + 3] = udpBytes >>> 8;
  bytes[at + 4] = udpBytes;
  bytes[at + 5] = rcode >>> 4;
  bytes[at + 6] = 0;
  bytes[at + 7] = dnssecOk ? EDNS_DO >>> 8 : 0;
  bytes[at + 8] = 0;
  bytes[at + 9] = 0;
  bytes[at + 10] = 0;
  if (ede === NO_EDE) return at + OPT_BYTES;
  bytes[at + 10] = 6 + text.length;
  bytes[at + 11] = 0;
  bytes[at + 12] = OPTION.EDE;
  bytes[at + 13] = 0;
  bytes[at + 14] = 2 + text.length;
  bytes[at + 15] = ede >>> 8;
  bytes[at + 16] = ede;
  for (let i = 0; i < text.length; i++) bytes[at + OPT_BYTES_WITH_EDE + i] = text.charCodeAt(i);
  return at + OPT_BYTES_WITH_EDE + text.length;
}

/** Adds edns-tcp-keepalive (RFC 7828) to the OPT at `optAt`, which ends at `at`. Returns the offset after it. */
export function writeKeepalive(bytes: Uint8Array, at: number, optAt: number, idleMs: number): number {
  const tenths = Math.min(0xffff, Math.floor(idleMs / 100));
  bytes[optAt + 10] += KEEPALIVE_BYTES;
  bytes[at] = 0;
  bytes[at + 1] = OPTION.TCP_KEEPALIVE;
  bytes[at + 2] = 0;
  bytes[at + 3] = 2;
  bytes[at + 4] = tenths >>> 8;
  bytes[at + 5] = tenths;
  return at + KEEPALIVE_BYTES;
}
