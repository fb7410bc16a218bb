// Which documented reasons explain that two answers differ.
import type { Answer } from '../answers/answer.ts';
import { sameAnswer } from '../answers/answer.ts';
import {
  ANY,
  APEX_NS,
  BELOW_POD_NAME,
  BELOW_REVERSE_NAME,
  IPV4_MAPPED_POD_NAME,
  LOOSE_SRV_NAMES,
  POD_NAME_HAS_SRV,
  PORT_WITHOUT_NUMBER,
  REVERSE_NS,
  SRV_NAME_HAS_ADDRESSES,
  TERMINATING_POD_NAME,
} from './accidents.ts';
import { ALIASES } from './aliases.ts';
import { DENIALS, REVERSE_SOA } from './denials.ts';
import { DEAD_POD, GLUE_OF_NAME, ORPHAN_SLICE, PUBLISH_NOT_READY, SLICES_DISAGREE, SRV_WEIGHT } from './endpoints.ts';
import { CACHED_TTL, FORWARDED_ANSWER, RECURSION_AVAILABLE, REFUSED, REVERSE_FALLTHROUGH } from './forwarding.ts';
import type { Case, Reason } from './reason.ts';
import { GLUE_LIMIT, TOO_LARGE, TRUNCATION } from './truncation.ts';

/** In the order in which they apply: question and size limits, then the endpoints answered, then the form of the answer. */
export const REASONS: readonly Reason[] = [
  TRUNCATION,
  TOO_LARGE,
  ...ALIASES,
  REVERSE_SOA,
  REVERSE_NS,
  APEX_NS,
  ANY,
  SRV_NAME_HAS_ADDRESSES,
  LOOSE_SRV_NAMES,
  PORT_WITHOUT_NUMBER,
  POD_NAME_HAS_SRV,
  IPV4_MAPPED_POD_NAME,
  TERMINATING_POD_NAME,
  BELOW_POD_NAME,
  BELOW_REVERSE_NAME,
  ORPHAN_SLICE,
  DEAD_POD,
  PUBLISH_NOT_READY,
  SLICES_DISAGREE,
  GLUE_OF_NAME,
  SRV_WEIGHT,
  GLUE_LIMIT,
  ...DENIALS,
];

export interface Explained {
  readonly coreDns: Answer;
  readonly healthdns: Answer;
  readonly reasons: readonly string[];
}

/** Of servers that forward, and of a CoreDNS that caches its cluster's names. */
export const REASONS_AS_INSTALLED: readonly Reason[] = [
  TRUNCATION,
  TOO_LARGE,
  RECURSION_AVAILABLE,
  CACHED_TTL,
  FORWARDED_ANSWER,
  REFUSED,
  REVERSE_FALLTHROUGH,
  ...REASONS.filter((reason) => reason !== TRUNCATION && reason !== TOO_LARGE),
];

/** Applies reasons until both answers are the same, or none is left. */
export async function explain(found: Case, all: readonly Reason[] = REASONS): Promise<Explained> {
  const reasons: string[] = [];
  let now = found;
  for (const reason of all) {
    if (sameAnswer(now.coreDns, now.healthdns)) break;
    const rewritten = await reason.rewrite(now);
    if (rewritten === undefined) continue;
    now = { ...now, ...rewritten };
    reasons.push(reason.id);
  }
  return { coreDns: now.coreDns, healthdns: now.healthdns, reasons };
}
