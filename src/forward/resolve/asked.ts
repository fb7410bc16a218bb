// What a query asks for beside its name and type, as one small number: no object per query.
import { emptyQueryEdns, readQueryEdns } from '../../dns/fast/query-edns.ts';

export const ASKED_EDNS = 1;
/** DO: DNSSEC records are wanted (RFC 4035). */
export const ASKED_DNSSEC = 2;
/** CD: the upstream is not to validate. */
export const ASKED_CHECKING_DISABLED = 4;
export const ASKED_RECURSION = 8;
/** AD in a query: the AD bit is wanted in the response (RFC 6840 section 5.7). */
export const ASKED_AUTHENTIC = 16;

/** Those that make another answer, so belong to the cache's key. RD too: what others asked is not for RD=0 to find out. */
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
