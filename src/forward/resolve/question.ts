// A question that upstreams are asked, and its way to and from a query's bytes.
import { HEADER_BYTES } from '../../dns/limits.ts';
import { LOWER, type WireName } from '../../dns/name.ts';
import { ASKED_CHECKING_DISABLED, ASKED_DNSSEC, ASKED_RECURSION } from './asked.ts';

export interface ForwardQuestion {
  /** Lower case. */
  readonly name: WireName;
  readonly type: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly recursionDesired: boolean;
}

export function questionOf(query: Uint8Array, questionEnd: number, asked: number): ForwardQuestion {
  // Byte by byte: a view of a small array makes V8 move it out of its heap.
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

/** A header of zeros and the question: what the cache is asked with. */
export function questionBytes(question: ForwardQuestion): Uint8Array {
  const query = new Uint8Array(HEADER_BYTES + question.name.length + 4);
  query.set(question.name, HEADER_BYTES);
  query[query.length - 4] = question.type >> 8;
  query[query.length - 3] = question.type & 0xff;
  query[query.length - 1] = 1;
  return query;
}

/** The ASKED bits that the question stands for. */
export function bitsOf(question: ForwardQuestion): number {
  return (
    (question.dnssecOk ? ASKED_DNSSEC : 0) |
    (question.checkingDisabled ? ASKED_CHECKING_DISABLED : 0) |
    (question.recursionDesired ? ASKED_RECURSION : 0)
  );
}

/** What only healthdns itself wants to know: no DNSSEC records, validated where the upstream does. */
export function plainQuestion(name: WireName, type: number, recursionDesired = true): ForwardQuestion {
  return { name, type, dnssecOk: false, checkingDisabled: false, recursionDesired };
}
