// Why a name is answered as it is, for people: what the zone room says of the name, with the facts and verdicts behind it.
import type { FactSource, ServicePolicy, Status } from '../registry/model.ts';
import type { Outcome, RRsetAnswer } from '../zone/explain/answers.ts';
import type { NameExplanation } from '../zone/explain/explain.ts';
import type { OwnerExplanation } from '../zone/explain/explain-owner.ts';

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
