// One owner's part in what a name answers, and by which rule it has it or lost it.
import { sameName, type WireName } from '../../dns/name.ts';
import { typeName } from '../../dns/types.ts';
import type { NameRecords } from '../../plane/records.ts';
import type { Registry } from '../../registry/registry.ts';
import { basesOf } from '../names/compile.ts';
import { type Claim, winnerOf } from '../publish/merge.ts';
import type { Owner } from '../publish/owner.ts';
import type { ZoneEntry } from '../publish/zone-table.ts';

export interface OwnerExplanation {
  /** A service's key, or "static records of ZONE". */
  readonly owner: string;
  readonly isService: boolean;
  /** Record types that it has here. */
  readonly types: readonly string[];
  /** Those of them that are its to answer. */
  readonly answered: readonly string[];
  readonly reason: string;
  /** What of the service cannot be said in DNS. */
  readonly problems: readonly string[];
  /** The slots of those of its instances that the name is about; undefined: of all, for it is the service's own name. */
  readonly slots: ReadonlySet<number> | undefined;
}

interface Sources {
  readonly table: ReadonlyMap<string, ZoneEntry>;
  readonly registry: Pick<Registry, 'service'>;
}

/** `merged`: what is answered of all the claims on the name. */
export function explainClaim(
  { owner, records }: Claim,
  claims: readonly Claim[],
  merged: NameRecords,
  sources: Sources,
): OwnerExplanation {
  const types = records.rrsets.map(({ type }) => type);
  const answered = types.filter((type) => isAnswered(owner, type, claims, merged));
  return {
    owner: owner.key,
    isService: !owner.isStatic,
    types: types.map(typeName),
    answered: answered.map(typeName),
    reason: reasonFor(owner, claims, answered.length === types.length),
    problems: [...owner.problems],
    slots: isOwnName(owner, records.name, sources) ? undefined : slotsOf(records),
  };
}

function isOwnName({ key }: Owner, name: WireName, { table, registry }: Sources): boolean {
  const service = registry.service(key)?.service;
  const zone = service && table.get(service.zone)?.name;
  if (service === undefined || zone === undefined || service.kind === 'namespace') return false;
  return basesOf(service, { zone, leftOut() {} }).some((base) => sameName(base, name));
}

function slotsOf({ rrsets }: NameRecords): ReadonlySet<number> {
  return new Set(rrsets.flatMap(({ records }) => records.map(({ slot }) => slot)).filter((slot) => slot > 0));
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
