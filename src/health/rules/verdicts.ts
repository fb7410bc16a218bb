import type { Verdict } from '../../registry/model.ts';

/**
 * Whether policies that look at a whole service may have this instance answered all the same: it is out for being
 * unhealthy, not for going away, by an operator's word, or because the service excludes what is unknown.
 */
export const isEjected = ({ answered, rule }: Verdict): boolean =>
  !answered && (rule === 'unhealthy' || rule === 'flap-damping');

/** Those that such policies count: answered, or ejected. */
export const concerned = (verdicts: readonly Verdict[]): readonly Verdict[] =>
  verdicts.filter((verdict) => verdict.answered || isEjected(verdict));
