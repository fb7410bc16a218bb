// Panic threshold: when too many are unhealthy at once, the checks are likelier wrong than the instances (Envoy).
import type { ServicePolicy, Verdict } from '../../registry/model.ts';
import { concerned, isEjected } from '../rules/verdicts.ts';

/** Whether the service panics now. Between the two percentages it goes on as it was. */
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

/** The verdict on an instance of a service that panics: what was ejected is answered. */
export function inPanic(
  verdict: Verdict,
  { belowPercent, untilPercent }: NonNullable<ServicePolicy['panic']>,
): Verdict {
  if (!isEjected(verdict)) return verdict;
  const reason = `fewer than ${belowPercent} % were healthy, and all are answered until ${untilPercent} % are: ${verdict.reason}`;
  return { ...verdict, answered: true, rule: 'panic', reason };
}
