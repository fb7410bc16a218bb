// What a query asks for beside its name and type, as one small number: no object per query.

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

/** Reads the bits off a checked query (one question, at most one OPT; `questionEnd` is just after QCLASS). */
export function askedBits(query: Uint8Array, queryLength: number, questionEnd: number): number {
  let bits = 0;
  if (query[2] & 0x01) bits |= ASKED_RECURSION;
  if (query[3] & 0x10) bits |= ASKED_CHECKING_DISABLED;
  if (query[3] & 0x20) bits |= ASKED_AUTHENTIC;
  const opt = findOpt(query, queryLength, questionEnd);
  if (opt !== 0) {
    bits |= ASKED_EDNS;
    if (query[opt + 7] & 0x80) bits |= ASKED_DNSSEC;
  }
  return bits;
}

/** Offset of the OPT record’s root name; 0 if there is none. */
export function findOpt(query: Uint8Array, queryLength: number, questionEnd: number): number {
  const records = ((query[6] << 8) | query[7]) + ((query[8] << 8) | query[9]) + ((query[10] << 8) | query[11]);
  let at = questionEnd;
  for (let i = 0; i < records && at + 11 <= queryLength; i++) {
    if (query[at] === 0 && query[at + 1] === 0 && query[at + 2] === 41) return at;
    at = afterRecord(query, queryLength, at);
  }
  return 0;
}

function afterRecord(query: Uint8Array, queryLength: number, start: number): number {
  let at = start;
  while (at < queryLength && query[at] !== 0 && query[at] < 0xc0) at += 1 + query[at];
  at += query[at] >= 0xc0 ? 2 : 1;
  return at + 10 + ((query[at + 8] << 8) | query[at + 9]);
}
