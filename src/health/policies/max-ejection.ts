// Maximum ejection: limits the share of a service that is left out, so that the rest is not overloaded (Envoy's outlier
// detection, max_ejection_percent).
import { integer } from '../../reading/shape.ts';
import type { Verdict } from '../../registry/model.ts';
import { concerned, healthPolicy, isEjected } from './policy.ts';

declare module '../../registry/model.ts' {
  interface ServicePolicy {
    /** Maximum percentage of the instances that is left out for being unhealthy. */
    readonly maxEjectionPercent?: number;
  }
}

export const maxEjection = healthPolicy({
  key: 'maxEjectionPercent',
  schema: integer(
    0,
    100,
    'At most this percentage of the instances, but at least one, is excluded for being unhealthy; 0: none.',
  ),
  setting: (written) => (written === 100 ? undefined : written),
  describe: (setting) => `at most ${setting} % left out`,
  rules: () => ({ all: (setting, verdicts) => limitEjections(verdicts, setting) }),
});

/**
 * The verdicts, in the same order, with at most `maxPercent` of the service ejected (rounded down; one may be unless it
 * is 0). Those that have been out longest stay out, the others are answered by the rule `max-ejection`. Instances that
 * are going away or that an operator took out stay out and are not counted.
 */
export function limitEjections(verdicts: readonly Verdict[], maxPercent: number): readonly Verdict[] {
  const ejected = verdicts.filter(isEjected).sort((one, other) => one.sinceMs - other.sinceMs);
  const share = Math.floor((concerned(verdicts).length * maxPercent) / 100);
  const allowed = maxPercent === 0 ? 0 : Math.max(1, share);
  if (ejected.length <= allowed) return verdicts;
  const back = new Set(ejected.slice(allowed));
  return verdicts.map((verdict) => (back.has(verdict) ? broughtBack(verdict, maxPercent) : verdict));
}

function broughtBack(verdict: Verdict, maxPercent: number): Verdict {
  const reason = `at most ${maxPercent} % may be left out: ${verdict.reason}`;
  return { ...verdict, answered: true, rule: 'max-ejection', reason };
}
