// The response as it grows: where it is written, how far, and how many records each section has.
import { writeUint16, writeUint32 } from '../dns/header.ts';
import { CLASS } from '../dns/types.ts';

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
  };
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

/** The furthest place in a message that a compression pointer can say. */
export const MAX_POINTER = 0x3fff;
