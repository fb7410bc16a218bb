// Grace period: a new instance is not left out for what its checks say. ECS: healthCheckGracePeriodSeconds.
import type { Fact, FactSource, ServicePolicy, Verdict } from '../../registry/model.ts';
import { effectiveStatus } from '../rules/effective-status.ts';

/** Those that judge health. What a pod, a node or an operator says is never overlooked: the kubelet has its own grace. */
const OVERLOOKED: ReadonlySet<FactSource> = new Set(['check', 'task', 'custom', 'external']);

/**
 * The verdict on an instance that was first seen at `firstSeenMs`. Within the grace period, and until it has been
 * HEALTHY once, facts of checks, tasks, custom status and external sources that say UNHEALTHY are overlooked; the rule
 * is then `grace` and the status UNKNOWN or what the other facts say.
 */
export function withGrace(
  facts: readonly Fact[],
  policy: Pick<ServicePolicy, 'unknown' | 'publishNotReady' | 'gracePeriodSeconds'>,
  { firstSeenMs, everHealthy }: { readonly firstSeenMs: number; readonly everHealthy: boolean },
  nowMs: number,
): { readonly verdict: Verdict; readonly untilMs?: number } {
  const strict = effectiveStatus(facts, policy);
  const seconds = policy.gracePeriodSeconds ?? 0;
  const untilMs = firstSeenMs + seconds * 1000;
  if (strict.rule !== 'unhealthy' || everHealthy || nowMs >= untilMs) return { verdict: strict };
  const overlooked = (fact: Fact) => fact.status === 'UNHEALTHY' && OVERLOOKED.has(fact.source);
  const lenient = effectiveStatus(
    facts.filter((fact) => !overlooked(fact)),
    policy,
  );
  if (lenient.status === 'UNHEALTHY') return { verdict: strict };
  const reason = `new, in its grace period of ${seconds} s: ${strict.reason}`;
  return { verdict: { ...strict, status: lenient.status, answered: lenient.answered, rule: 'grace', reason }, untilMs };
}
