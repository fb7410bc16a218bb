// Why a name is answered as it is: the registry's facts and verdicts, and who owns the name, put together for people.
import { counts } from '../health/effective-status.ts';
import { SLOW_START_SCALE } from '../health/slow-start.ts';
import type { FactSource, ServicePolicy, Status } from '../registry/model.ts';
import type { InstanceState, Registry, ServiceState } from '../registry/registry.ts';
import type { StatusBoard } from '../sources/status.ts';
import type { NameExplanation, OwnerExplanation } from '../zone/explain.ts';

export interface Explanation {
  /** Absolute, with the trailing dot. */
  readonly name: string;
  /** undefined: the name is in none of our zones. */
  readonly zone: { readonly name: string; readonly ready: boolean; readonly stale: boolean } | undefined;
  readonly exists: NameExplanation['exists'];
  /** The wildcard that answers for the name. */
  readonly wildcard?: string;
  /** What is answered and because of what, in a sentence or two. */
  readonly summary: string;
  /** Everything that publishes records at the name; where more than one does, which rule decided. */
  readonly claims: readonly OwnerExplanation[];
  readonly services: readonly ServiceExplanation[];
  /** Of a CNAME: what is said of the name it points to. */
  readonly target?: Explanation;
}

export interface ServiceExplanation {
  readonly key: string;
  readonly source: string;
  readonly kind: string;
  readonly clusterIps?: readonly string[];
  readonly externalName?: string;
  readonly policy: ServicePolicy;
  readonly instances: readonly InstanceExplanation[];
  /** Instances left out of a long list. */
  readonly more: number;
}

export interface InstanceExplanation {
  readonly id: string;
  readonly addresses: readonly string[];
  readonly status: Status;
  readonly answered: boolean;
  /** The rule that let it in or kept it out: docs/health.md. */
  readonly rule: string;
  readonly reason: string;
  /** ISO 8601; undefined where no fact says since when. */
  readonly since: string | undefined;
  /** Slow start: the share of its weight that it has by now; left out where it has all of it. */
  readonly weightPercent?: number;
  readonly facts: readonly FactExplanation[];
}

export interface FactExplanation {
  readonly source: FactSource;
  readonly name?: string;
  readonly status: Status;
  readonly reason: string;
  readonly since: string;
  /** False where a source that speaks for itself stands in for this one. */
  readonly counted: boolean;
}

/** Longer lists are cut: a person reads this. */
const MAX_INSTANCES = 1_000;

/** As many CNAMEs as an answer follows. */
const MAX_ALIASES = 16;

/** Of `name`, and of the names that its CNAMEs lead to. `find` is what the zone room says; it throws NameError. */
export function explainChain(
  name: string,
  find: (name: string) => NameExplanation,
  registry: Pick<Registry, 'service'>,
  board: Pick<StatusBoard, 'zone' | 'missing'>,
  seen: ReadonlySet<string> = new Set(),
): Explanation {
  const owners = find(name);
  const explanation = explainName(owners, registry, board);
  const { alias } = owners;
  const followed = new Set([...seen, owners.name]);
  if (alias === undefined || followed.has(alias) || followed.size > MAX_ALIASES) return explanation;
  return { ...explanation, target: explainChain(alias, find, registry, board, followed) };
}

/** `owners` is what the zone room says of the name's owners. */
export function explainName(
  owners: NameExplanation,
  registry: Pick<Registry, 'service'>,
  board: Pick<StatusBoard, 'zone' | 'missing'>,
): Explanation {
  const { name, exists, wildcard } = owners;
  const zone = owners.zone === undefined ? undefined : { name: owners.zone, ...board.zone(owners.zone) };
  const services = owners.owners
    .filter(({ isService }) => isService)
    .map(({ owner }) => registry.service(owner))
    .map((state) => (state === undefined ? undefined : explainService(state)))
    .filter((service) => service !== undefined);
  const missing = board.missing().filter(({ zones }) => zone !== undefined && zones.includes(zone.name));
  const summary = summarize(
    owners,
    zone,
    services,
    missing.map(({ source }) => source),
  );
  return {
    name,
    zone,
    exists,
    ...(wildcard === undefined ? {} : { wildcard }),
    summary,
    claims: owners.owners,
    services,
  };
}

function summarize(
  { exists, wildcard, alias, owners }: NameExplanation,
  zone: Explanation['zone'],
  services: readonly ServiceExplanation[],
  missing: readonly string[],
): string {
  if (zone === undefined) return 'Not in a zone of this server: forwarded if configured, else REFUSED.';
  const stale = zone.stale ? ' The data are last-known-good from a snapshot (EDE 3).' : '';
  if (exists === 'absent') {
    return zone.ready
      ? `NXDOMAIN: nothing in ${zone.name} has this name.${stale}`
      : `SERVFAIL (EDE 14, not ready): ${missing.join(', ')} has not said yet what there is in ${zone.name}`;
  }
  if (exists === 'empty-non-terminal') {
    const none = services.some((service) => service.kind === 'instances' && service.instances.length === 0);
    return `NODATA: ${none ? 'the service has no instances' : 'only names below it have records'}.${stale}`;
  }
  const through = wildcard === undefined ? '' : `, through the wildcard ${wildcard.replace(/\.$/, '')}`;
  const types = [...new Set(owners.flatMap(({ answered }) => answered))].join(', ');
  const what = alias === undefined ? `Has ${types} records` : `Alias (CNAME) of ${alias.replace(/\.$/, '')}`;
  return `${what}${through}.${services.map(answeredBy).join('')}${stale}`;
}

function answeredBy({ kind, policy, instances, more }: ServiceExplanation): string {
  if (kind !== 'instances' || more > 0) return '';
  if (instances.length === 0)
    return ` It has no instances: policy whenAllUnhealthy: ${policy.whenAllUnhealthy} decides.`;
  const answered = instances.filter((instance) => instance.answered).length;
  const none = answered === 0 ? `; policy whenAllUnhealthy: ${policy.whenAllUnhealthy} decides` : '';
  return ` ${answered} of ${instances.length} instances may be answered${none}.`;
}

function explainService(state: ServiceState): ServiceExplanation | undefined {
  const { service } = state;
  if (service === undefined) return undefined;
  const instances = [...state.instances.values()];
  return {
    key: service.key,
    source: service.source,
    kind: service.kind,
    ...(service.clusterIps === undefined ? {} : { clusterIps: service.clusterIps }),
    ...(service.externalName === undefined ? {} : { externalName: service.externalName }),
    policy: service.policy,
    instances: instances.slice(0, MAX_INSTANCES).map((instance) => explainInstance(instance, service.policy)),
    more: Math.max(0, instances.length - MAX_INSTANCES),
  };
}

function explainInstance(state: InstanceState, policy: ServicePolicy): InstanceExplanation {
  const { instance, verdict } = state;
  const facts = state.facts();
  return {
    id: instance.id,
    addresses: instance.addresses,
    status: verdict.status,
    answered: verdict.answered,
    rule: verdict.rule,
    reason: verdict.reason,
    since: verdict.sinceMs === 0 ? undefined : isoTime(verdict.sinceMs),
    ...slowStart(state, policy),
    facts: facts.map((fact) => ({
      source: fact.source,
      ...(fact.name === undefined ? {} : { name: fact.name }),
      status: fact.status,
      reason: fact.reason,
      since: isoTime(fact.sinceMs),
      counted: counts(fact, facts),
    })),
  };
}

function slowStart(
  { instance, verdict, weight }: InstanceState,
  { slowStartSeconds, routing }: ServicePolicy,
): { readonly weightPercent?: number } {
  if (slowStartSeconds === undefined || routing !== 'weighted' || !verdict.answered) return {};
  const whole = instance.weight * SLOW_START_SCALE;
  return weight >= whole ? {} : { weightPercent: Math.round((weight / whole) * 100) };
}

/** Facts may carry any number as their time; what is no date is shown as it is rather than thrown over. */
function isoTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? String(milliseconds) : date.toISOString();
}
