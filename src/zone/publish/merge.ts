// What one name answers where several owners claim it.
import { TYPE } from '../../dns/types.ts';
import type { NameRecords, RRset } from '../../plane/records.ts';
import type { PublishedName } from '../names/published-name.ts';
import type { Owner } from './owner.ts';

export interface Claim {
  readonly owner: Owner;
  readonly name: PublishedName;
}

/**
 * The rule: static records come first, type by type; of services the first one (see compareOwners) has the name alone: half
 * of one service mixed with half of another is neither. PTR records and bare existence are everybody's. `claims` are
 * in the order of compareOwners.
 */
export function mergeClaims(claims: readonly Claim[]): NameRecords {
  const first = claims[0].name.records;
  if (claims.length === 1) return withoutCnameConflict(first);
  const rrsets: RRset[] = [];
  let synthesizesPodAddresses: NameRecords['synthesizesPodAddresses'];
  for (const { name, owner } of claims) {
    const { records } = name;
    synthesizesPodAddresses ??= records.synthesizesPodAddresses;
    for (const rrset of records.rrsets) if (isKept(claims, owner, rrset)) addRRset(rrsets, rrset);
  }
  const merged = { name: first.name, rrsets };
  return withoutCnameConflict(synthesizesPodAddresses ? { ...merged, synthesizesPodAddresses } : merged);
}

/** The service that has the name, of those that compete for it. */
export function winnerOf(claims: readonly Claim[]): Owner | undefined {
  return claims.find(({ owner }) => owner.competes)?.owner;
}

function isKept(claims: readonly Claim[], owner: Owner, rrset: RRset): boolean {
  return rrset.type === TYPE.PTR || !owner.competes || owner === winnerOf(claims);
}

/** RRsets of one type: PTR are joined, with the lower TTL (RFC 2181 section 5.2); of others the first stays. */
function addRRset(rrsets: RRset[], rrset: RRset): void {
  const at = rrsets.findIndex(({ type }) => type === rrset.type);
  if (at < 0) rrsets.push(rrset);
  else if (rrset.type === TYPE.PTR) {
    const ttlSeconds = Math.min(rrsets[at].ttlSeconds, rrset.ttlSeconds);
    rrsets[at] = { ...rrsets[at], ttlSeconds, records: [...rrsets[at].records, ...rrset.records] };
  }
}

/** A CNAME stands alone (RFC 1034 section 3.6.2). The first RRset is that of the first owner: it decides which stays. */
function withoutCnameConflict(records: NameRecords): NameRecords {
  const { rrsets } = records;
  if (rrsets.length < 2 || !rrsets.some(({ type }) => type === TYPE.CNAME)) return records;
  const cnameFirst = rrsets[0].type === TYPE.CNAME;
  return { ...records, rrsets: rrsets.filter(({ type }) => (type === TYPE.CNAME) === cnameFirst) };
}
