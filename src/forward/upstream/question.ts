// A question for upstreams, and how it is read from a query's bytes and written back to them.
import { emptyQueryEdns, readQueryEdns } from '../../dns/fast/query-edns.ts';
import { HEADER_BYTES } from '../../dns/limits.ts';
import { LOWER, type WireName } from '../../dns/name.ts';

export interface ForwardQuestion {
  /** Lower case. */
  readonly name: WireName;
  readonly type: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly recursionDesired: boolean;
}

export function questionOf(query: Uint8Array, questionEnd: number, asked: number): ForwardQuestion {
  // Byte by byte: creating a view of a small array makes V8 move it out of its heap.
  const name = new Uint8Array(questionEnd - 4 - HEADER_BYTES);
  for (let i = 0; i < name.length; i++) name[i] = LOWER[query[HEADER_BYTES + i]];
  return {
    name,
    type: (query[questionEnd - 4] << 8) | query[questionEnd - 3],
    dnssecOk: (asked & ASKED_DNSSEC) !== 0,
    checkingDisabled: (asked & ASKED_CHECKING_DISABLED) !== 0,
    recursionDesired: (asked & ASKED_RECURSION) !== 0,
  };
}

/** A header of zeros and the question: the form that the cache takes. */
export function questionBytes(question: ForwardQuestion): Uint8Array {
  const query = new Uint8Array(HEADER_BYTES + question.name.length + 4);
  query.set(question.name, HEADER_BYTES);
  query[query.length - 4] = question.type >> 8;
  query[query.length - 3] = question.type & 0xff;
  query[query.length - 1] = 1;
  return query;
}

/** The ASKED bits of the question. */
export function bitsOf(question: ForwardQuestion): number {
  return (
    (question.dnssecOk ? ASKED_DNSSEC : 0) |
    (question.checkingDisabled ? ASKED_CHECKING_DISABLED : 0) |
    (question.recursionDesired ? ASKED_RECURSION : 0)
  );
}

/** A question of healthdns itself: without DNSSEC records, validated if the upstream validates. */
export function plainQuestion(name: WireName, type: number, recursionDesired = true): ForwardQuestion {
  return { name, type, dnssecOk: false, checkingDisabled: false, recursionDesired };
}

/** The flags of a query besides its name and type, as bits of a small integer: no object per query. */
export const ASKED_EDNS = 1;
/** DO: DNSSEC records (RFC 4035). */
export const ASKED_DNSSEC = 2;
/** CD: upstreams do not validate. */
export const ASKED_CHECKING_DISABLED = 4;
export const ASKED_RECURSION = 8;
/** AD in a query asks for the AD bit in the response (RFC 6840 section 5.7). */
export const ASKED_AUTHENTIC = 16;

/** Those that change the answer and so belong to the cache's key. RD too: RD=0 must not reveal what others asked. */
export const ASKED_OF_KEY = ASKED_DNSSEC | ASKED_CHECKING_DISABLED | ASKED_RECURSION;

const edns = emptyQueryEdns();

/** Reads the bits off a well-formed query (one question, at most one OPT; `questionEnd` is just after QCLASS). */
export function askedBits(query: Uint8Array, queryLength: number, questionEnd: number): number {
  let bits = 0;
  if (query[2] & 0x01) bits |= ASKED_RECURSION;
  if (query[3] & 0x10) bits |= ASKED_CHECKING_DISABLED;
  if (query[3] & 0x20) bits |= ASKED_AUTHENTIC;
  readQueryEdns(query, 0, questionEnd, queryLength, edns);
  if (edns.present) bits |= edns.dnssecOk ? ASKED_EDNS | ASKED_DNSSEC : ASKED_EDNS;
  return bits;
}

/** Whether two wire names of `length` bytes are the same, letters compared without case. */
export function sameQuestionName(
  a: Uint8Array,
  aStart: number,
  b: Uint8Array,
  bStart: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) {
    if (a[aStart + i] !== b[bStart + i] && LOWER[a[aStart + i]] !== LOWER[b[bStart + i]]) return false;
  }
  return true;
}
