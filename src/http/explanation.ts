// Why a name is answered as it is, for people: the result of the lookup in the zones, with the facts and verdicts behind it.
import type { FactSource, ServicePolicy, Status } from '../registry/model.ts';
import type { Outcome, RRsetAnswer } from '../zone/explain/answers.ts';
import type { NameExplanation } from '../zone/explain/explain.ts';
import type { OwnerExplanation } from '../zone/explain/explain-owner.ts';
import type { AddressHolder } from './address-holders.ts';
import type { ForwardingExplanation } from './forwarding.ts';

export interface Explanation {
  /** Absolute, with the trailing dot. */
  readonly name: string;
  /** undefined: the name is external. */
  readonly zone: { readonly name: string; readonly ready: boolean; readonly stale: boolean } | undefined;
  readonly exists: NameExplanation['exists'];
  /** The wildcard that answers for the name, or the zone cut that it is below. */
  readonly wildcard?: string;
  readonly cut?: string;
  /** What is answered and why, in a sentence or two. */
  readonly summary: string;
  /** The current answer to each type, and to every other type. Lists are cut after MAX_INSTANCES. */
  readonly answers: readonly RRsetAnswer[];
  readonly otherwise: Outcome;
  /** Everything that publishes, or would publish, records at the name, with the deciding rule if there are several. */
  readonly claims: readonly Omit<OwnerExplanation, 'slots'>[];
  /** The services among them, with the instances that the name concerns. */
  readonly services: readonly ServiceExplanation[];
  /** For a CNAME: the explanation of its target. */
  readonly target?: Explanation;
  /** With NXDOMAIN: upstream servers are asked, if there are any. */
  readonly fallsThrough?: true;
  /** The sources of the zone that are not up to date; the answer is as old as they are. */
  readonly stale?: readonly StaleSource[];
  /** The short name that was completed to this one. */
  readonly askedFor?: string;
  /** Names that may have been meant. */
  readonly suggestions?: readonly string[];
  /** The address that was queried instead of a name, and its holders. */
  readonly address?: string;
  readonly holders?: readonly AddressHolder[];
  /** The search path of the pod that asks. */
  readonly search?: { readonly from: string; readonly note: string; readonly steps: readonly SearchStep[] };
  readonly forwarding?: ForwardingExplanation & { readonly isForwarded: boolean };
  /** The replica that explains. */
  readonly replica?: string;
}

export interface StaleSource {
  readonly source: string;
  /** Of the data; undefined: never read. */
  readonly ageSeconds?: number;
  /** The kinds of objects that are not followed, and why. */
  readonly problems: readonly string[];
}

export interface SearchStep {
  readonly name: string;
  readonly outcome: string;
}

export interface ServiceExplanation {
  readonly key: string;
  readonly source: string;
  readonly kind: string;
  readonly namespace: string;
  /** False: the name concerns some of its instances, a port, or none; those are in `instances`. */
  readonly isWhole: boolean;
  readonly clusterIps?: readonly string[];
  readonly externalName?: string;
  readonly policy: ServicePolicy;
  /** The policy in words. */
  readonly policyText: string;
  readonly instances: readonly InstanceExplanation[];
  /** Number of instances omitted from a long list. */
  readonly more: number;
  /** The parts that cannot be expressed in DNS. */
  readonly problems: readonly string[];
}

export interface InstanceExplanation {
  readonly id: string;
  readonly addresses: readonly string[];
  readonly status: Status;
  readonly answered: boolean;
  /** The rule that included or excluded it: docs/health.md. */
  readonly rule: string;
  readonly reason: string;
  /** ISO 8601; undefined: unknown. */
  readonly since: string | undefined;
  /** Slow start: the current share of its weight; absent if it has all of it. */
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
  /** Why the fact does not count. */
  readonly uncounted?: string;
}
