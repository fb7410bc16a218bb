// Panic threshold: if too many are unhealthy at once, a fault in the checks is more likely (Envoy).
import * as v from 'valibot';
import { integer, mapping } from '../../reading/shape.ts';
import type { ServicePolicy, ServiceState, Verdict } from '../../registry/model.ts';
import { concerned, healthPolicy, isEjected } from './policy.ts';

declare module '../../registry/model.ts' {
  interface ServicePolicy {
    /** All are answered if fewer than `belowPercent` are eligible, until `untilPercent` are again. */
    readonly panic?: { readonly belowPercent: number; readonly untilPercent: number };
  }
}

/** Panic ends this far above the threshold at which it begins. */
const HYSTERESIS_PERCENT = 10;

export const panic = healthPolicy({
  key: 'panic',
  schema: v.pipe(
    mapping(
      {
        belowPercent: integer(
          0,
          100,
          'All instances are answered while the healthy share is below this percentage; 0: never.',
        ),
        untilPercent: v.optional(
          integer(0, 100, 'Ends when this percentage is healthy again; default: belowPercent plus 10.'),
        ),
      },
      'If too many instances are unhealthy at once, answer all of them, because a fault in the checks is more likely.',
    ),
    v.check(
      ({ belowPercent, untilPercent = 100 }) => untilPercent >= belowPercent,
      'expected `untilPercent` to be at least `belowPercent`',
    ),
  ),
  setting: ({ belowPercent, untilPercent = Math.min(100, belowPercent + HYSTERESIS_PERCENT) }) =>
    belowPercent === 0 ? undefined : { belowPercent, untilPercent },
  describe: ({ belowPercent, untilPercent }) => `panic below ${belowPercent} % until ${untilPercent} %`,
  rules() {
    const panicking = new WeakSet<ServiceState>();
    return {
      all(setting, verdicts, service, alone) {
        if (!panics(panicking.has(service), alone, setting)) {
          panicking.delete(service);
          return verdicts;
        }
        panicking.add(service);
        return verdicts.map((verdict) => inPanic(verdict, setting));
      },
      off: (service) => void panicking.delete(service),
    };
  },
});

/** Whether the service panics now. Between the two percentages nothing changes. */
export function panics(
  before: boolean,
  verdicts: readonly Verdict[],
  { belowPercent, untilPercent }: NonNullable<ServicePolicy['panic']>,
): boolean {
  const counted = concerned(verdicts);
  if (counted.length === 0) return false;
  const percent = (100 * counted.filter((verdict) => verdict.answered).length) / counted.length;
  return before ? percent < untilPercent : percent < belowPercent;
}

/** The verdict on an instance of a service that panics: ejected instances are answered. */
export function inPanic(
  verdict: Verdict,
  { belowPercent, untilPercent }: NonNullable<ServicePolicy['panic']>,
): Verdict {
  if (!isEjected(verdict)) return verdict;
  const reason = `fewer than ${belowPercent} % were healthy, and all are answered until ${untilPercent} % are: ${verdict.reason}`;
  return { ...verdict, answered: true, rule: 'panic', reason };
}
