// Slow start: a new or recovered instance of a weighted service gets its share little by little.

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
  const share = Math.round((full * (stepsDone + 1)) / STEPS);
  const untilMs = Math.ceil(answeredSinceMs + (stepsDone + 1) * stepMs);
  return { weight: full === 0 ? 0 : Math.max(1, share), untilMs };
}
