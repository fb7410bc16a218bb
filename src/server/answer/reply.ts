// The response as it grows: where it is written, how far, what each section has, and what the header will say. All places
// are places in the packet memory.
import { HEADER } from '../../dns/header.ts';
import { HEADER_BYTES } from '../../dns/limits.ts';
import { CLASS, RCODE } from '../../dns/types.ts';
import { NO_EDE } from './opt.ts';

export interface Reply {
  /** Where the message begins. */
  base: number;
  at: number;
  /** Records end before this; what is after it is kept for OPT. */
  limit: number;
  /** Over TCP, part of an RRset is better than none: there is no larger transport to ask again over. */
  overTcp: boolean;
  answers: number;
  authority: number;
  additional: number;
  truncated: boolean;
  authoritative: boolean;
  rcode: number;
  /** EDE's INFO-CODE, or NO_EDE. */
  ede: number;
}

export function emptyReply(): Reply {
  return {
    base: 0,
    at: 0,
    limit: 0,
    overTcp: false,
    answers: 0,
    authority: 0,
    additional: 0,
    truncated: false,
    authoritative: false,
    rcode: 0,
    ede: NO_EDE,
  };
}

/** Begins a reply at `base` whose header and question have `length` bytes. */
export function beginReply(reply: Reply, base: number, length: number): void {
  reply.base = base;
  reply.at = base + length;
  reply.answers = 0;
  reply.authority = 0;
  reply.additional = 0;
  reply.truncated = false;
  reply.authoritative = false;
  reply.rcode = RCODE.NOERROR;
  reply.ede = NO_EDE;
}

/** Writes the header: AD, CD and Z are zero, id and RD are those of the query. */
export function writeHeader(view: DataView, reply: Reply, queryAt: number, recursionAvailable: boolean): void {
  const { base } = reply;
  const asked = view.getInt32(queryAt);
  const said =
    0x8000 |
    (reply.authoritative ? 0x0400 : 0) |
    (reply.truncated ? 0x0200 : 0) |
    (asked & 0x0100) |
    (recursionAvailable ? 0x0080 : 0) |
    (reply.rcode & 15);
  view.setInt32(base, (asked & 0xffff_0000) | said);
  view.setInt32(base + HEADER.QDCOUNT, (1 << 16) | reply.answers);
  view.setInt32(base + HEADER.NSCOUNT, (reply.authority << 16) | reply.additional);
}

/** A whole response without a question, for queries whose question cannot be repeated. */
export function writeHeaderOnly(view: DataView, base: number, queryAt: number, flags: number): number {
  view.setInt32(base, (view.getInt32(queryAt) & 0xffff_0000) | flags);
  view.setInt32(base + HEADER.QDCOUNT, 0);
  view.setInt32(base + HEADER.NSCOUNT, 0);
  return HEADER_BYTES;
}

/** Owner, type, class IN, TTL and rdlength: 12 bytes at `at`. `owner` is a place in the message, for a pointer. */
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

/** Adds one record to the answer section. False, and marked truncated, where it does not fit. */
export function addAnswer(
  view: DataView,
  reply: Reply,
  owner: number,
  type: number,
  ttl: number,
  rdata: Uint8Array,
  length: number,
): boolean {
  const start = reply.at + 12;
  if (start + length > reply.limit) {
    reply.truncated = true;
    return false;
  }
  writeRecordHead(view, reply.at, owner, type, ttl, length);
  for (let i = 0; i < length; i++) view.setUint8(start + i, rdata[i]);
  reply.at = start + length;
  reply.answers++;
  return true;
}

/** The furthest place in a message that a compression pointer can say. */
export const MAX_POINTER = 0x3fff;
