// Why a name is answered as it is: the registry's facts and verdicts, and who owns the name, put together for people.

import { SLOW_START_SCALE } from '../health/policies/slow-start.ts';
import { whyUncounted } from '../health/rules/effective-status.ts';
import type { Fact, FactSource, ServicePolicy, Status } from '../registry/model.ts';
import type { InstanceState, Registry, ServiceState } from '../registry/registry.ts';
import type { StatusBoard } from '../sources/status.ts';
import type { Outcome, RRsetAnswer } from '../zone/explain/answers.ts';
import type { NameExplanation } from '../zone/explain/explain.ts';
import type { OwnerExplanation } from '../zone/explain/explain-owner.ts';
import { summarize } from './explanation-summary.ts';

export interface Explanation {
  /** Absolute, with the trailing dot. */
  readonly name: string;
  /** undefined: the name is in none of our zones. */
  readonly zone: { readonly name: string; readonly ready: boolean; readonly stale: boolean } | undefined;
  readonly exists: NameExplanation['exists'];
  /** The wildcard that answers for the name, or the zone cut that it is below. */
  readonly wildcard?: string;
  readonly cut?: string;
  /** What is answered and because of what, in a sentence or two. */
  readonly summary: string;
  /** What each type is answered with now, and what every other type. Lists are cut after MAX_INSTANCES. */
  readonly answers: readonly RRsetAnswer[];
  readonly otherwise: Outcome;
  /** Everything that publishes records at the name, or would; where more than one does, which rule decided. */
  readonly claims: readonly Omit<OwnerExplanation, 'slots'>[];
  /** Of those, the services, with the instances that the name is about. */
  readonly services: readonly ServiceExplanation[];
  /** Of a CNAME: what is said of the name it points to. */
  readonly target?: Explanation;
}

export interface ServiceExplanation {
  readonly key: string;
  readonly source: string;
  readonly kind: string;
  readonly namespace: string;
  /** False: the name is about some of its instances, or a port of it, or none; those are in `instances`. */
  readonly isWhole: boolean;
  readonly clusterIps?: readonly string[];
  readonly externalName?: string;
  readonly policy: ServicePolicy;
  readonly instances: readonly InstanceExplanation[];
  /** Instances left out of a long list. */
  readonly more: number;
  /** What of it cannot be said in DNS. */
  readonly problems: readonly string[];
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
  readonly counted: boolean;
  /** Of a fact that does not count: the reason. */
  readonly uncounted?: string;
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
  board: Pick<StatusBoard, 'missing'>,
  seen: ReadonlySet<string> = new Set(),
): Explanation {
  const found = find(name);
  const explanation = explainName(found, registry, board);
  const { alias } = found;
  const followed = new Set([...seen, found.name]);
  if (alias === undefined || followed.has(alias) || followed.size > MAX_ALIASES) return explanation;
  return { ...explanation, target: explainChain(alias, find, registry, board, followed) };
}

/** `found` is what the zone room says of the name. */
export function explainName(
  found: NameExplanation,
  registry: Pick<Registry, 'service'>,
  board: Pick<StatusBoard, 'missing'>,
): Explanation {
  const { name, zone, ready, stale, exists, wildcard, cut, rrsets, otherwise, filledBy, owners } = found;
  const services = owners.flatMap((owner) => explainService(registry.service(owner.owner), owner) ?? []);
  const missing = board.missing().filter(({ zones }) => zones.some((each) => filledBy.includes(each)));
  return {
    name,
    zone: zone === undefined ? undefined : { name: zone, ready, stale },
    exists,
    ...(wildcard !== undefined && { wildcard }),
    ...(cut !== undefined && { cut }),
    summary: summarize(
      found,
      services,
      missing.map(({ source }) => source),
    ),
    answers: rrsets.map((answer) => ({
      ...answer,
      answered: answer.answered.slice(0, MAX_INSTANCES),
      leftOut: answer.leftOut.slice(0, MAX_INSTANCES),
    })),
    otherwise,
    claims: owners.map(({ slots, ...claim }) => claim),
    services,
  };
}

function explainService(
  state: ServiceState | undefined,
  { isService, slots, problems }: OwnerExplanation,
): ServiceExplanation | undefined {
  const service = state?.service;
  if (!isService || state === undefined || service === undefined) return undefined;
  const instances = [...state.instances.values()].filter((one) => slots === undefined || isAbout(state, one, slots));
  return {
    key: service.key,
    source: service.source,
    kind: service.kind,
    namespace: service.namespace,
    isWhole: slots === undefined,
    ...(service.clusterIps === undefined ? {} : { clusterIps: service.clusterIps }),
    ...(service.externalName === undefined ? {} : { externalName: service.externalName }),
    policy: service.policy,
    instances: instances.slice(0, MAX_INSTANCES).map((instance) => explainInstance(instance, service.policy)),
    more: Math.max(0, instances.length - MAX_INSTANCES),
    problems,
  };
}

/** Whether records with these slots are the instance's: its own, or of an address that it shares. */
function isAbout(service: ServiceState, state: InstanceState, slots: ReadonlySet<number>): boolean {
  return slots.has(state.slot) || state.addresses.some((address) => slots.has(service.slotFor(state, address)));
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
    facts: facts.map((fact) => explainFact(fact, facts)),
  };
}

function explainFact(fact: Fact, facts: readonly Fact[]): FactExplanation {
  const uncounted = whyUncounted(fact, facts);
  return {
    source: fact.source,
    ...(fact.name === undefined ? {} : { name: fact.name }),
    status: fact.status,
    reason: fact.reason,
    since: isoTime(fact.sinceMs),
    counted: uncounted === undefined,
    ...(uncounted !== undefined && { uncounted }),
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
