// The response as it grows: where it is written, how far, what each section has, and what the header will say. All places
// are places in the packet memory.
import { NO_EDE, RECORD_HEAD_BYTES, writeRecordHead } from '../../dns/fast/response-writer.ts';
import { RCODE } from '../../dns/types.ts';

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
  const start = reply.at + RECORD_HEAD_BYTES;
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
