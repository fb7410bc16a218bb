// Slow start: a new or recovered instance of a weighted service regains its weight gradually.

import { seconds } from '../../reading/shape.ts';
import type { InstanceState, ServicePolicy } from '../../registry/model.ts';
import { healthPolicy, memory } from './policy.ts';

declare module '../../registry/model.ts' {
  interface ServicePolicy {
    /** `routing: weighted`: how long a new or recovered instance takes to reach its full weight. */
    readonly slowStartSeconds?: number;
  }
}

export const slowStart = healthPolicy({
  key: 'slowStartSeconds',
  schema: seconds(
    0,
    3600,
    'With routing: weighted, how long a new or recovered instance takes to reach its full weight.',
  ),
  setting: (written) => (written === 0 ? undefined : written),
  describe: (setting) => `slow start of ${setting} s`,
  rules() {
    const memoryOf = memory(({ verdict }) => ({
      answered: verdict.answered,
      answeredSinceMs: Number.NEGATIVE_INFINITY,
    }));
    return {
      weight(setting, { answered }, { state, policy, judging }) {
        if (policy.routing !== 'weighted') return undefined;
        const known = memoryOf(state, judging.nowMs);
        if (answered && !known.answered) known.answeredSinceMs = judging.nowMs;
        known.answered = answered;
        const ramp = slowStartWeight(state.instance.weight, known.answeredSinceMs, setting, judging.nowMs);
        if (answered) judging.wake(ramp.untilMs);
        return ramp.weight;
      },
    };
  },
});

/** For `explain`: the share of its weight that a starting instance has; undefined: all of it. */
export function sharePercent(
  { instance, verdict, weight }: InstanceState,
  { slowStartSeconds, routing }: ServicePolicy,
): number | undefined {
  if (slowStartSeconds === undefined || routing !== 'weighted' || !verdict.answered) return undefined;
  const whole = instance.weight * SLOW_START_SCALE;
  return weight >= whole ? undefined : Math.round((weight / whole) * 100);
}

/** Steps of a ramp: each is a change of the zone's records. */
const STEPS = 10;

/** Weights are multiplied by this, so that a tenth of the weight 1 is a whole number. */
export const SLOW_START_SCALE = 100;

/**
 * The weight (scaled by SLOW_START_SCALE) of an instance that has been answered since `answeredSinceMs`: a tenth at
 * first and a tenth more every tenth of `slowStartSeconds`. 0 stays 0, anything else stays above 0. `untilMs` is when
 * the next step comes.
 */
export function slowStartWeight(
  weight: number,
  answeredSinceMs: number,
  slowStartSeconds: number,
  nowMs: number,
): { readonly weight: number; readonly untilMs?: number } {
  const stepMs = (slowStartSeconds * 1000) / STEPS;
  const stepsDone = stepMs === 0 ? STEPS : Math.floor(Math.max(0, nowMs - answeredSinceMs) / stepMs);
  const full = weight * SLOW_START_SCALE;
  if (stepsDone >= STEPS - 1) return { weight: full };
  const untilMs = Math.ceil(answeredSinceMs + (stepsDone + 1) * stepMs);
  return { weight: (full * (stepsDone + 1)) / STEPS, untilMs };
}
