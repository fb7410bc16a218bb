// What a name answers at this moment, by the rules that the data plane applies to each answer (server/respond.ts): for people
// who ask, off the answer path.
import { formatRdata } from '../../dns/rdata/rdata.ts';
import { TYPE, typeName } from '../../dns/types.ts';
import type { NameRecords, ResourceRecord, RRset } from '../../plane/records.ts';

export type Outcome = 'answered' | 'NODATA' | 'NXDOMAIN' | 'SERVFAIL';

export interface RRsetAnswer {
  /** "A" */
  readonly type: string;
  readonly ttlSeconds: number;
  readonly outcome: Outcome;
  /** Rdata as zone text, each once: what may be answered now. */
  readonly answered: readonly string[];
  /** What may not. */
  readonly leftOut: readonly string[];
  /** How many of `answered` one answer has at most; 0 is all. */
  readonly atMost: number;
}

export interface NameAnswer {
  readonly rrsets: readonly RRsetAnswer[];
  /** What is said of every other type. */
  readonly otherwise: Outcome;
}

/** `isReady`: of the zone; until it is, nothing negative is said. */
export function answersOf(
  { rrsets }: Pick<NameRecords, 'rrsets'>,
  isAnswered: (slot: number) => boolean,
  isReady: boolean,
): NameAnswer {
  const otherwise = isReady ? (isGone(rrsets, isAnswered) ? 'NXDOMAIN' : 'NODATA') : 'SERVFAIL';
  return { rrsets: rrsets.map((rrset) => answerOf(rrset, isAnswered, otherwise)), otherwise };
}

function answerOf(rrset: RRset, isAnswered: (slot: number) => boolean, otherwise: Outcome): RRsetAnswer {
  const { type, ttlSeconds, records, routing, maxAnswers, whenAllUnhealthy } = rrset;
  const text = ({ rdata }: ResourceRecord) => formatRdata(type, rdata);
  const alive = records.filter(({ slot }) => isAnswered(slot));
  const failsOpen = alive.length === 0 && whenAllUnhealthy === 'all';
  // Equal records are one, answered if any of their instances is (RFC 2181 section 5).
  const answered = new Set((failsOpen ? records : alive).map(text));
  const leftOut = new Set(records.map(text).filter((one) => !answered.has(one)));
  const none = whenAllUnhealthy === 'servfail' ? 'SERVFAIL' : otherwise;
  return {
    type: typeName(type),
    ttlSeconds,
    outcome: answered.size > 0 ? 'answered' : none,
    answered: [...answered],
    leftOut: [...leftOut],
    atMost: routing === 'weighted' || type === TYPE.CNAME ? 1 : maxAnswers,
  };
}

/** server/alive.ts: a policy says `nxdomain`, and nothing at all of the name may be answered. */
function isGone(rrsets: readonly RRset[], isAnswered: (slot: number) => boolean): boolean {
  if (!rrsets.some(({ whenAllUnhealthy }) => whenAllUnhealthy === 'nxdomain')) return false;
  return rrsets.every(
    ({ whenAllUnhealthy, records }) => whenAllUnhealthy !== 'all' && !records.some(({ slot }) => isAnswered(slot)),
  );
}
