// The owners of a name: those that claim it, the rule by which each won or lost it, and services that publish nothing there.
import { formatName, isSubdomain, sameName, type WireName } from '../../dns/name.ts';
import { TYPE, typeName } from '../../dns/types.ts';
import type { NameRecords } from '../../plane/records.ts';
import type { ServiceState } from '../../registry/model.ts';
import type { Registry } from '../../registry/registry.ts';
import { basesOf } from '../names/compilation.ts';
import { type Claim, winnerOf } from '../publish/merge.ts';
import { excludes, type Owner, type Owners, serviceKeyOf, share, titleOf } from '../publish/owner.ts';
import type { ZoneEntry } from '../publish/zone-table.ts';

export interface OwnerExplanation {
  /** A service's key, or "static records of ZONE". */
  readonly owner: string;
  readonly isService: boolean;
  /** Its record types at the name. */
  readonly types: readonly string[];
  /** Those of them that are answered from its records. */
  readonly answered: readonly string[];
  readonly reason: string;
  /** The parts of the service that cannot be expressed in DNS. */
  readonly problems: readonly string[];
  /** The slots of the instances that the name concerns; undefined: all, because it is the service's own name. */
  readonly slots: ReadonlySet<number> | undefined;
}

interface Sources {
  readonly table: ReadonlyMap<string, ZoneEntry>;
  readonly registry: Pick<Registry, 'service'>;
}

/** `merged`: the answer from all claims on the name. */
export function explainClaim(
  { owner, name: { records } }: Claim,
  claims: readonly Claim[],
  merged: NameRecords,
  sources: Sources,
): OwnerExplanation {
  const types = records.rrsets.map(({ type }) => type);
  const answered = types.filter((type) => isAnswered(owner, type, claims, merged));
  return {
    owner: titleOf(owner),
    isService: !owner.isStatic,
    types: types.map(typeName),
    answered: answered.map(typeName),
    reason: reasonFor(owner, claims, answered.length === types.length),
    problems: [...owner.problems],
    slots: isOwnName(owner, records.name, sources) ? undefined : slotsOf(records),
  };
}

function isOwnName(owner: Owner, name: WireName, { table, registry }: Sources): boolean {
  const service = registry.service(serviceKeyOf(owner.key))?.service;
  const zone = service && table.get(service.zone)?.name;
  if (service === undefined || zone === undefined || service.kind === 'namespace') return false;
  return basesOf(service, { zone, leftOut() {} }).some((base) => sameName(base, name));
}

function slotsOf({ rrsets }: NameRecords): ReadonlySet<number> {
  return new Set(rrsets.flatMap(({ records }) => records.map(({ slot }) => slot)).filter((slot) => slot > 0));
}

function isAnswered(owner: Owner, type: number, claims: readonly Claim[], merged: NameRecords): boolean {
  if (!merged.rrsets.some((rrset) => rrset.type === type)) return false;
  if (type === TYPE.PTR) return true;
  const winner = winnerOf(claims);
  const isGiven = ({ owner: other, name }: Claim) =>
    (winner === undefined || !excludes(winner, other)) && name.records.rrsets.some((rrset) => rrset.type === type);
  const first = claims.find(isGiven);
  if (first === undefined || first.owner === owner) return true;
  return share(first.owner, owner) && (winner === undefined || !excludes(winner, owner));
}

function reasonFor(owner: Owner, claims: readonly Claim[], allAnswered: boolean): string {
  if (claims.length === 1) return 'no other owner claims the name';
  if (allAnswered) return owner.isStatic ? 'static records come first' : 'it comes first, or shares the name';
  const winner = winnerOf(claims);
  if (winner !== undefined && excludes(winner, owner)) {
    if (winner.rank < owner.rank) return `the cluster of ${winner.key} comes first in the list of the zone`;
    return winner.createdMs < owner.createdMs
      ? `${winner.key} is older`
      : `${winner.key} comes first in the order of keys`;
  }
  return 'static records of the same type, or a CNAME, come first';
}

interface Asked {
  readonly context: {
    readonly registry: Pick<Registry, 'services'>;
    readonly publication: { readonly owners: Pick<Owners, 'ofKey'> };
  };
  readonly entry: ZoneEntry;
  readonly name: WireName;
}

/** Services with this name that do not claim it yet; those of the first cluster in the list first. */
export function silentServices(asked: Asked, claiming: ReadonlySet<string>): OwnerExplanation[] {
  const { context, name } = asked;
  const silent: OwnerExplanation[] = [];
  const rankOf = ({ state: { service } }: { readonly state: ServiceState }) => service?.rank ?? 0;
  for (const { state, bases } of [...servicesNamedIn(asked)].sort((a, b) => rankOf(a) - rankOf(b))) {
    if (claiming.has(state.key) || !bases.some((base) => sameName(base, name))) continue;
    const problems = [...(context.publication.owners.ofKey(state.key)?.problems ?? [])];
    const reason = whySilent(state, problems);
    silent.push({
      ...{ owner: state.key, isService: true, types: [], answered: [] },
      ...{ reason, problems, slots: undefined },
    });
  }
  return silent;
}

/** The key of a service whose name `name` is below. */
export function serviceAbove(asked: Asked): string | undefined {
  for (const { state, bases } of servicesNamedIn(asked)) {
    const isAbove = bases.some((base) => isSubdomain(asked.name, base) && !sameName(asked.name, base));
    if (isAbove && state.service?.kind !== 'namespace') return state.key;
  }
  return undefined;
}

function* servicesNamedIn({ context, entry, name }: Asked) {
  const text = formatName(name);
  for (const state of context.registry.services()) {
    const { service } = state;
    // Templates are expanded only for services whose name occurs: there may be 100,000 others.
    if (service?.zone !== entry.config.name || !text.includes(service.name.toLowerCase())) continue;
    yield { state, bases: basesOf(service, { zone: entry.name, leftOut() {} }) };
  }
}

function whySilent({ service, instances }: ServiceState, problems: readonly string[]): string {
  const { kind, ignoreEmpty, policy } = service!;
  if (kind === 'instances' && instances.size === 0) {
    return `it has no instances: policy whenAllUnhealthy: ${policy.whenAllUnhealthy} decides`;
  }
  if (kind === 'clusterIp' && ignoreEmpty) {
    return 'none of its instances may be answered, and services without any are left out (ignoreEmptyService)';
  }
  return problems.length > 0 ? problems.join('; ') : 'it has not been published yet';
}
