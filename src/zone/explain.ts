// Who owns a name, who lost it, and by which rule.
import { formatName, parentOf, parseName, type WireName } from '../dns/name.ts';
import { TYPE, typeName } from '../dns/types.ts';
import type { NameRecords } from '../plane/records.ts';
import { type Claim, mergeClaims, winnerOf } from './merge.ts';
import type { Owner } from './owner.ts';
import type { Publication } from './publication.ts';
import { NO_NODE } from './tree.ts';
import { closestZone, type ZoneEntry } from './zone-table.ts';

export interface NameExplanation {
  readonly name: string;
  /** Absolute name of the zone that the name is in; undefined: outside all of them. */
  readonly zone: string | undefined;
  readonly exists: 'records' | 'empty-non-terminal' | 'wildcard' | 'absent';
  /** The wildcard that answers for the name. */
  readonly wildcard?: string;
  /** What its CNAME says. */
  readonly alias?: string;
  /** Whoever claims the name, the first in rank first. */
  readonly owners: readonly OwnerExplanation[];
}

export interface OwnerExplanation {
  /** A service's key, or "static records of ZONE". */
  readonly owner: string;
  readonly isService: boolean;
  /** Record types that it has here. */
  readonly types: readonly string[];
  /** Those of them that are answered. */
  readonly answered: readonly string[];
  readonly reason: string;
}

export function explainName(
  publication: Publication,
  table: ReadonlyMap<string, ZoneEntry>,
  name: WireName,
): NameExplanation {
  const entry = closestZone(name, table);
  const found = { name: formatName(name), zone: entry?.config.name };
  const node = publication.tree.find(name);
  if (node === NO_NODE || entry === undefined) {
    const wildcard = entry && wildcardFor(publication, name, entry.name);
    if (wildcard === undefined) return { ...found, exists: 'absent', owners: [] };
    const { owners, alias } = explainName(publication, table, wildcard);
    return { ...found, exists: 'wildcard', wildcard: formatName(wildcard), ...(alias && { alias }), owners };
  }
  const claims = publication.settler.claimsOf(node, publication.recordsOnDemand());
  if (claims.length === 0) return { ...found, exists: 'empty-non-terminal', owners: [] };
  const merged = mergeClaims(claims);
  const exists = merged.rrsets.length > 0 ? 'records' : 'empty-non-terminal';
  const alias = aliasOf(merged);
  return {
    ...found,
    exists,
    ...(alias && { alias }),
    owners: claims.map((claim) => explainClaim(claim, claims, merged)),
  };
}

function aliasOf({ rrsets }: NameRecords): string | undefined {
  const target = rrsets.find(({ type }) => type === TYPE.CNAME)?.records[0]?.rdata;
  return target && formatName(target);
}

function explainClaim({ owner, records }: Claim, claims: readonly Claim[], merged: NameRecords): OwnerExplanation {
  const types = records.rrsets.map(({ type }) => type);
  const answered = types.filter((type) => isAnswered(owner, type, claims, merged));
  return {
    owner: owner.key,
    isService: !owner.isStatic,
    types: types.map(typeName),
    answered: answered.map(typeName),
    reason: reasonFor(owner, claims, answered.length === types.length),
  };
}

function isAnswered(owner: Owner, type: number, claims: readonly Claim[], merged: NameRecords): boolean {
  if (!merged.rrsets.some((rrset) => rrset.type === type)) return false;
  const first = claims.find(({ owner: other, records }) => {
    const mayAnswer = !other.competes || other === winnerOf(claims);
    return mayAnswer && records.rrsets.some((rrset) => rrset.type === type);
  });
  return first === undefined || first.owner === owner;
}

function reasonFor(owner: Owner, claims: readonly Claim[], allAnswered: boolean): string {
  if (claims.length === 1) return 'nobody else claims the name';
  if (allAnswered) return owner.isStatic ? 'static records come first' : 'it comes first, or shares the name';
  const winner = winnerOf(claims);
  if (owner.competes && winner !== undefined && winner !== owner) {
    return winner.createdMs < owner.createdMs
      ? `${winner.key} is older`
      : `${winner.key} comes first in the order of keys`;
  }
  return 'static records of the same type, or a CNAME, come first';
}

/** RFC 4592: the wildcard below the closest name that exists. */
function wildcardFor({ tree }: Publication, name: WireName, apex: WireName): WireName | undefined {
  for (let above = parentOf(name); above !== undefined && above.length >= apex.length; above = parentOf(above)) {
    if (tree.find(above) === NO_NODE) continue;
    const wildcard = parseName('*', above);
    return tree.find(wildcard) === NO_NODE ? undefined : wildcard;
  }
  return undefined;
}
