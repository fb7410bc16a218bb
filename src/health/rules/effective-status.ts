// From the facts about one instance to a verdict. docs/health.md lists the rules for people, in the same order.
import type { Fact, ServicePolicy, Status, Verdict } from '../../registry/model.ts';

/**
 * Whether an instance may be answered, and why. The first rule that applies decides:
 * 1. `operator`: a person forced a status (HEALTHY or UNHEALTHY); the newest such fact counts.
 * 2. `publish-not-ready`: the service publishes whatever its health (Kubernetes publishNotReadyAddresses).
 * 3. `gone` or `unhealthy`: any fact says UNHEALTHY; `gone` where one says that it is being taken away.
 * 4. `healthy`: any fact says HEALTHY.
 * 5. `unknown` or `unknown-excluded`: nothing says either; the service's `unknown` policy decides.
 * Facts that only repeat what another source said earlier are left out where that source is known: an EndpointSlice
 * lags behind the pod it repeats.
 */
export function effectiveStatus(
  facts: readonly Fact[],
  policy: Pick<ServicePolicy, 'unknown' | 'publishNotReady'>,
): Verdict {
  const forced = newest(facts, (fact) => fact.source === 'operator' && fact.status !== 'UNKNOWN');
  if (forced !== undefined) return verdict(forced, 'operator', forced.status === 'HEALTHY');

  const own = fromFacts(firstHand(facts), policy.unknown);
  if (!policy.publishNotReady) return own;
  return { ...own, answered: true, rule: 'publish-not-ready' };
}

function fromFacts(facts: readonly Fact[], unknown: ServicePolicy['unknown']): Verdict {
  const gone = oldest(facts, (fact) => fact.status === 'UNHEALTHY' && fact.gone === true);
  if (gone !== undefined) return verdict(gone, 'gone', false);
  const bad = oldest(facts, (fact) => fact.status === 'UNHEALTHY');
  if (bad !== undefined) return verdict(bad, 'unhealthy', false);
  const good = newest(facts, (fact) => fact.status === 'HEALTHY');
  if (good !== undefined) return verdict(good, 'healthy', true);
  const answered = unknown === 'answer';
  const rule = answered ? 'unknown' : 'unknown-excluded';
  const unsure = newest(facts, () => true);
  if (unsure !== undefined) return verdict(unsure, rule, answered);
  return answered ? UNKNOWN_ANSWERED : UNKNOWN_EXCLUDED;
}

/** Without those that repeat a source which speaks for itself. */
function firstHand(facts: readonly Fact[]): readonly Fact[] {
  const repeats = (fact: Fact) =>
    fact.repeats !== undefined && facts.some((other) => other.source === fact.repeats && other !== fact);
  return facts.some(repeats) ? facts.filter((fact) => !repeats(fact)) : facts;
}

function verdict(fact: Fact, rule: string, answered: boolean): Verdict {
  return { status: fact.status, answered, rule, reason: fact.reason, sinceMs: fact.sinceMs, fact };
}

const NOTHING_KNOWN = { status: 'UNKNOWN' as Status, reason: 'nothing is known of its health', sinceMs: 0 };
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

/** The facts that this verdict was made from, for `explain`: false where a first-hand source stands in for it. */
export function counts(fact: Fact, facts: readonly Fact[]): boolean {
  return firstHand(facts).includes(fact);
}

/** Whether two verdicts say the same, so that the old one (and the memory it holds) is kept. */
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
