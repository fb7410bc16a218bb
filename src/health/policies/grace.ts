// Grace period: failing checks do not exclude a new instance. ECS: healthCheckGracePeriodSeconds.
import { seconds } from '../../reading/shape.ts';
import type { Fact, FactSource, ServicePolicy, Verdict } from '../../registry/model.ts';
import { effectiveStatus } from '../rules/effective-status.ts';
import { healthPolicy, memory } from './policy.ts';

declare module '../../registry/model.ts' {
  interface ServicePolicy {
    /** How long a failing check or task health does not exclude a new instance. */
    readonly gracePeriodSeconds?: number;
  }
}

export const grace = healthPolicy({
  key: 'gracePeriodSeconds',
  schema: seconds(
    0,
    3600,
    'How long failing checks do not exclude a new instance, unless it has been healthy before (as in ECS).',
  ),
  setting: (written) => (written === 0 ? undefined : written),
  describe: (setting) => `grace period of ${setting} s`,
  rules() {
    // An instance that was judged before its service had the policy is not new.
    const memoryOf = memory(({ verdict }, nowMs) => ({
      firstSeenMs: verdict.rule === 'not-judged' ? nowMs : Number.NEGATIVE_INFINITY,
      everHealthy: verdict.status === 'HEALTHY',
    }));
    return {
      one(_setting, _verdict, { state, facts, policy, judging }) {
        const known = memoryOf(state, judging.nowMs);
        const { verdict, untilMs } = withGrace(facts, policy, known, judging.nowMs);
        judging.wake(untilMs);
        known.everHealthy ||= verdict.status === 'HEALTHY';
        return verdict;
      },
    };
  },
});

/** The sources that are ignored. Pods, nodes and operators never are: the kubelet has its own grace period. */
const OVERLOOKED: ReadonlySet<FactSource> = new Set(['check', 'task', 'custom', 'external']);

/**
 * The verdict on an instance that was first seen at `firstSeenMs`. Within the grace period, and until it has been
 * HEALTHY once, UNHEALTHY facts of checks, tasks, custom status and external sources are ignored; the rule is then
 * `grace`, and the status UNKNOWN or that of the other facts.
 */
export function withGrace(
  facts: readonly Fact[],
  policy: Pick<ServicePolicy, 'unknown' | 'publishNotReady' | 'gracePeriodSeconds'>,
  { firstSeenMs, everHealthy }: { readonly firstSeenMs: number; readonly everHealthy: boolean },
  nowMs: number,
): { readonly verdict: Verdict; readonly untilMs?: number } {
  const strict = effectiveStatus(facts, policy);
  const periodSeconds = policy.gracePeriodSeconds ?? 0;
  const untilMs = firstSeenMs + periodSeconds * 1000;
  if (strict.rule !== 'unhealthy' || everHealthy || nowMs >= untilMs) return { verdict: strict };
  const overlooked = (fact: Fact) => fact.status === 'UNHEALTHY' && OVERLOOKED.has(fact.source);
  const lenient = effectiveStatus(
    facts.filter((fact) => !overlooked(fact)),
    policy,
  );
  if (lenient.status === 'UNHEALTHY') return { verdict: strict };
  const reason = `new, in its grace period of ${periodSeconds} s: ${strict.reason}`;
  return { verdict: { ...strict, status: lenient.status, answered: lenient.answered, rule: 'grace', reason }, untilMs };
}
