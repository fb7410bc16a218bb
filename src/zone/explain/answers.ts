// The current answer of a name, by the rules that the data plane applies to each answer (server/table/select.ts): for
// explanations, off the answer path.
import { formatIp } from '../../dns/ip.ts';
import type { WireName } from '../../dns/name.ts';
import { readPodAddress } from '../../dns/pod-address.ts';
import { formatRdata } from '../../dns/rdata/rdata.ts';
import { TYPE, typeName } from '../../dns/types.ts';
import type { NameRecords, ResourceRecord, RRset } from '../../plane/records.ts';

export type Outcome = 'answered' | 'NODATA' | 'NXDOMAIN' | 'SERVFAIL';

export interface RRsetAnswer {
  /** "A" */
  readonly type: string;
  readonly ttlSeconds: number;
  readonly outcome: Outcome;
  /** Rdata that may be answered now, as zone text without duplicates. */
  readonly answered: readonly string[];
  /** Rdata that may not be answered. */
  readonly leftOut: readonly string[];
  /** Maximum number of `answered` in one answer; 0: all. */
  readonly atMost: number;
}

export interface NameAnswer {
  readonly rrsets: readonly RRsetAnswer[];
  /** The outcome for every other type. */
  readonly otherwise: Outcome;
}

/** `isReady`: of the zone; until it is, there are no negative answers. */
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
  const others = failsOpen || alive.length === records.length ? [] : records.filter(({ slot }) => !isAnswered(slot));
  const leftOut = new Set(others.map(text).filter((one) => !answered.has(one)));
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

/** A policy is `nxdomain`, and no record of the name may be answered. */
function isGone(rrsets: readonly RRset[], isAnswered: (slot: number) => boolean): boolean {
  if (!rrsets.some(({ whenAllUnhealthy }) => whenAllUnhealthy === 'nxdomain')) return false;
  return rrsets.every(
    ({ whenAllUnhealthy, records }) => whenAllUnhealthy !== 'all' && !records.some(({ slot }) => isAnswered(slot)),
  );
}

/**
 * Of names like "10-1-0-1.<namespace>.pod", which are in no table and answer the address that they spell. `parent`: what the
 * name one label above has; undefined where the name spells no address, or none is answered. Whether a pod has to have the
 * address is for the caller to see (`isVerified`).
 */
export function podAddressAnswer(parent: NameRecords, name: WireName, isReady: boolean): NameAnswer | undefined {
  const { synthesizesPodAddresses } = parent;
  const address = new Uint8Array(16);
  const length = synthesizesPodAddresses === undefined ? 0 : readPodAddress(name, 0, address);
  if (synthesizesPodAddresses === undefined || length === 0) return undefined;
  const type = length === 4 ? 'A' : 'AAAA';
  const answered = [formatIp(address.subarray(0, length))];
  const { ttlSeconds } = synthesizesPodAddresses;
  return {
    rrsets: [{ type, ttlSeconds, outcome: 'answered', answered, leftOut: [], atMost: 0 }],
    otherwise: isReady ? 'NODATA' : 'SERVFAIL',
  };
}
