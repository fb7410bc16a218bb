// The answer of a name with several claimants.
import { TYPE } from '../../dns/types.ts';
import type { NameRecords, ResourceRecord, RRset } from '../../plane/records.ts';
import type { PublishedName } from '../names/published-name.ts';
import { excludes, type Owner, share } from './owner.ts';

export interface Claim {
  readonly owner: Owner;
  readonly name: PublishedName;
}

/**
 * The rule: static records come first, type by type; of services the first one (see compareOwners) has the name alone: half
 * of one service mixed with half of another is neither. Services that merge share it, and so do the parts of one service, all their
 * records of a type being one RRset. PTR records and bare existence are everybody's. `claims` are in the order of compareOwners.
 */
export function mergeClaims(claims: readonly Claim[]): NameRecords {
  const first = claims[0].name.records;
  if (claims.length === 1) return withoutCnameConflict(first);
  const winner = winnerOf(claims);
  const rrsets: Joined[] = [];
  const givers: Owner[] = [];
  let synthesizesPodAddresses: NameRecords['synthesizesPodAddresses'];
  for (const { name, owner } of claims) {
    const { records } = name;
    const pods = records.synthesizesPodAddresses;
    // The first, unless a later one answers every address.
    if (pods && (synthesizesPodAddresses === undefined || (synthesizesPodAddresses.isVerified && !pods.isVerified)))
      synthesizesPodAddresses = pods;
    const hasName = winner === undefined || !excludes(winner, owner);
    for (const rrset of records.rrsets) {
      const isPtr = rrset.type === TYPE.PTR;
      const at = rrsets.findIndex(({ type }) => type === rrset.type);
      if (at >= 0 && (isPtr || share(givers[at], owner))) join(rrsets[at], rrset);
      if (at >= 0 || !(hasName || isPtr)) continue;
      rrsets.push({ ...rrset, records: rrset.records.slice() });
      givers.push(owner);
    }
  }
  const merged = { name: first.name, rrsets };
  return withoutCnameConflict(synthesizesPodAddresses ? { ...merged, synthesizesPodAddresses } : merged);
}

/** The service that wins the name among those that compete for it. */
export function winnerOf(claims: readonly Claim[]): Owner | undefined {
  return claims.find(({ owner }) => owner.competes)?.owner;
}

/** Records of several claims in an RRset of their own. */
interface Joined extends RRset {
  ttlSeconds: number;
  readonly records: ResourceRecord[];
}

/** One RRset has one TTL (RFC 2181 section 5.2): the lower. */
function join(to: Joined, { ttlSeconds, records }: RRset): void {
  to.ttlSeconds = Math.min(to.ttlSeconds, ttlSeconds);
  for (const record of records) to.records.push(record);
}

export const hasCnameConflict = ({ rrsets }: NameRecords): boolean =>
  rrsets.length > 1 && rrsets.some(({ type }) => type === TYPE.CNAME);

/** A CNAME must be alone (RFC 1034 section 3.6.2). The first RRset is that of the first owner: it decides which stays. */
function withoutCnameConflict(records: NameRecords): NameRecords {
  if (!hasCnameConflict(records)) return records;
  const { rrsets } = records;
  const cnameFirst = rrsets[0].type === TYPE.CNAME;
  return { ...records, rrsets: rrsets.filter(({ type }) => (type === TYPE.CNAME) === cnameFirst) };
}
