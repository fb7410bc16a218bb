// From the facts about one instance to a verdict. docs/health.md lists the rules in the same order.
import type { Fact, FactSource, ServicePolicy, Status, Verdict } from '../../registry/model.ts';

/**
 * Whether an instance may be answered, and why. The first rule that applies decides:
 * 1. `operator`: a person forced a status (HEALTHY or UNHEALTHY); the newest such fact counts.
 * 2. `publish-not-ready`: the service publishes all instances (Kubernetes publishNotReadyAddresses).
 * 3. `gone` or `unhealthy`: any fact is UNHEALTHY; `gone` if one reports that the instance is going away.
 * 4. `healthy`: any fact is HEALTHY.
 * 5. `unknown` or `unknown-excluded`: neither; the service's `unknown` policy decides.
 * Facts that do not count (`whyUncounted`) are left out first.
 */
export function effectiveStatus(
  facts: readonly Fact[],
  policy: Pick<ServicePolicy, 'unknown' | 'publishNotReady'>,
): Verdict {
  const forced = newest(facts, isForced);
  if (forced !== undefined) return verdict(forced, 'operator', forced.status === 'HEALTHY');

  const own = fromFacts(firstHand(facts), policy.unknown);
  if (!policy.publishNotReady) return own;
  return { ...own, answered: true, rule: 'publish-not-ready' };
}

function fromFacts(facts: readonly Fact[], unknown: ServicePolicy['unknown']): Verdict {
  const gone = oldest(facts, isGone);
  if (gone !== undefined) return verdict(gone, 'gone', false);
  const bad = oldest(facts, isUnhealthy);
  if (bad !== undefined) return verdict(bad, 'unhealthy', false);
  const good = newest(facts, isHealthy);
  if (good !== undefined) return verdict(good, 'healthy', true);
  const answered = unknown === 'answer';
  const rule = answered ? 'unknown' : 'unknown-excluded';
  const unsure = newest(facts, isAny);
  if (unsure !== undefined) return verdict(unsure, rule, answered);
  return answered ? UNKNOWN_ANSWERED : UNKNOWN_EXCLUDED;
}

const isForced = (fact: Fact): boolean => fact.source === 'operator' && fact.status !== 'UNKNOWN';
const isGone = (fact: Fact): boolean => fact.status === 'UNHEALTHY' && fact.gone === true;
const isUnhealthy = (fact: Fact): boolean => fact.status === 'UNHEALTHY';
const isHealthy = (fact: Fact): boolean => fact.status === 'HEALTHY';
const isAny = (): boolean => true;
const isAlone = ({ repeats, staleSinceMs }: Fact): boolean => repeats === undefined && staleSinceMs === undefined;

/** The facts that count in view of the others. */
function firstHand(facts: readonly Fact[]): readonly Fact[] {
  if (facts.every(isAlone)) return facts;
  const counting: Fact[] = [];
  for (const fact of facts) if (overruling(fact, facts) === undefined) counting.push(fact);
  return counting;
}

/** Sources that report independently on the same pod. */
const OF_PODS: ReadonlySet<FactSource> = new Set(['endpointslice', 'endpoints', 'pod', 'node']);

/** Why a fact does not count in view of the others; undefined: it counts. */
export function whyUncounted(fact: Fact, facts: readonly Fact[]): string | undefined {
  const other = overruling(fact, facts);
  if (other === undefined) return undefined;
  if (repeatsFresh(fact, other)) return `repeats ${other.source}, which reports itself`;
  return `this source has been silent since ${timeText(fact.staleSinceMs!)}; ${other.source} counts instead`;
}

/** The fact in view of which this one does not count. */
function overruling(fact: Fact, facts: readonly Fact[]): Fact | undefined {
  for (const other of facts) {
    if (other !== fact && (repeatsFresh(fact, other) || replacesSilent(other, fact))) return other;
  }
  return undefined;
}

/**
 * A fact that repeats another source (a slice repeats its pod) does not count while that source is fresh and its own fact is
 * not older. If the repeating fact is newer, both count and the worst decides.
 */
const repeatsFresh = (fact: Fact, other: Fact): boolean =>
  fact.repeats === other.source &&
  (fact.staleSinceMs !== undefined || other.staleSinceMs === undefined) &&
  !isNewer(fact, other);

/**
 * A fact of a silent source does not count if a fresh one repeats that source or is newer. A pod that is gone does not come
 * back without a newer fact.
 */
const replacesSilent = (fresh: Fact, silent: Fact): boolean =>
  silent.staleSinceMs !== undefined &&
  fresh.staleSinceMs === undefined &&
  OF_PODS.has(fresh.source) &&
  OF_PODS.has(silent.source) &&
  ((fresh.repeats === silent.source && silent.gone !== true) || isNewer(fresh, silent));

const isNewer = (one: Fact, other: Fact): boolean =>
  one.sinceMs > other.sinceMs && (one.repeats === undefined || one.isDated === true);

const timeText = (ms: number): string => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms));

function verdict(fact: Fact, rule: string, answered: boolean): Verdict {
  return { status: fact.status, answered, rule, reason: fact.reason, sinceMs: fact.sinceMs, fact };
}

const NOTHING_KNOWN = { status: 'UNKNOWN' as Status, reason: 'its health is unknown', sinceMs: 0 };
const UNKNOWN_ANSWERED: Verdict = { ...NOTHING_KNOWN, answered: true, rule: 'unknown' };
const UNKNOWN_EXCLUDED: Verdict = { ...NOTHING_KNOWN, answered: false, rule: 'unknown-excluded' };

function newest(facts: readonly Fact[], wanted: (fact: Fact) => boolean): Fact | undefined {
  let found: Fact | undefined;
  for (const fact of facts) if (wanted(fact) && (found === undefined || fact.sinceMs > found.sinceMs)) found = fact;
  return found;
}

function oldest(facts: readonly Fact[], wanted: (fact: Fact) => boolean): Fact | undefined {
  let found: Fact | undefined;
  for (const fact of facts) if (wanted(fact) && (found === undefined || fact.sinceMs < found.sinceMs)) found = fact;
  return found;
}

/** Whether two verdicts are equal; if so, the old object is kept, to save memory. */
export function sameVerdict(one: Verdict, other: Verdict): boolean {
  return (
    one === other ||
    (one.answered === other.answered &&
      one.status === other.status &&
      one.rule === other.rule &&
      one.sinceMs === other.sinceMs &&
      one.reason === other.reason &&
      one.fact?.source === other.fact?.source)
  );
}
