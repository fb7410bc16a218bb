import type { Random } from '../../../clock.ts';

export interface BackoffTimings {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Exponential backoff with jitter (half fixed, half random), so that replicas that lost the same server do not come
 * back together.
 *
 * @param failures how many tries in a row have failed, from 1
 */
export function backoffMs(failures: number, { firstMs, maxMs }: BackoffTimings, random: Random): number {
  const ceilingMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return ceilingMs * (0.5 + 0.5 * random());
}
