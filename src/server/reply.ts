// The response as it grows: where it is written, how far, what each section has, and what the header will say.
import { HEADER, writeUint16, writeUint32 } from '../dns/header.ts';
import { HEADER_BYTES } from '../dns/limits.ts';
import { CLASS, RCODE } from '../dns/types.ts';
import { NO_EDE } from './opt.ts';

export interface Reply {
  out: Uint8Array;
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
    out: new Uint8Array(0),
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

/** Begins a reply in `out` with the question as it stands in the query, its case included. */
export function beginReply(reply: Reply, query: Uint8Array, questionEnd: number, out: Uint8Array): void {
  for (let i = HEADER_BYTES; i < questionEnd; i++) out[i] = query[i];
  reply.out = out;
  reply.at = questionEnd;
  reply.answers = 0;
  reply.authority = 0;
  reply.additional = 0;
  reply.truncated = false;
  reply.authoritative = false;
  reply.rcode = RCODE.NOERROR;
  reply.ede = NO_EDE;
}

/** Writes the header: AD, CD and Z are zero, RD is copied. */
export function writeHeader(reply: Reply, query: Uint8Array, recursionAvailable: boolean): void {
  const { out } = reply;
  out[0] = query[0];
  out[1] = query[1];
  out[2] = 0x80 | (reply.authoritative ? 0x04 : 0) | (reply.truncated ? 0x02 : 0) | (query[2] & 0x01);
  out[3] = (recursionAvailable ? 0x80 : 0) | (reply.rcode & 15);
  writeUint16(out, HEADER.QDCOUNT, 1);
  writeUint16(out, HEADER.ANCOUNT, reply.answers);
  writeUint16(out, HEADER.NSCOUNT, reply.authority);
  writeUint16(out, HEADER.ARCOUNT, reply.additional);
}

/** A whole response without a question, for queries whose question cannot be repeated. */
export function writeHeaderOnly(query: Uint8Array, out: Uint8Array, flags: number): number {
  out[0] = query[0];
  out[1] = query[1];
  writeUint16(out, HEADER.FLAGS, flags);
  for (let i = HEADER.QDCOUNT; i < HEADER_BYTES; i++) out[i] = 0;
  return HEADER_BYTES;
}

/** Owner pointer, type, class IN, TTL and rdlength: 12 bytes at `at`. */
export function writeRecordHead(
  out: Uint8Array,
  at: number,
  ownerAt: number,
  type: number,
  ttl: number,
  rdlength: number,
): void {
  out[at] = 0xc0 | (ownerAt >>> 8);
  out[at + 1] = ownerAt;
  writeUint16(out, at + 2, type);
  writeUint16(out, at + 4, CLASS.IN);
  writeUint32(out, at + 6, ttl);
  writeUint16(out, at + 10, rdlength);
}

/** Adds one record to the answer section. False, and marked truncated, where it does not fit. */
export function addAnswer(
  reply: Reply,
  ownerAt: number,
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
  writeRecordHead(reply.out, reply.at, ownerAt, type, ttl, length);
  for (let i = 0; i < length; i++) reply.out[start + i] = rdata[i];
  reply.at = start + length;
  reply.answers++;
  return true;
}

/** The furthest place in a message that a compression pointer can say. */
export const MAX_POINTER = 0x3fff;
