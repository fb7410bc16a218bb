// The results of all questions: counts for each reason, with examples. Memory does not depend on how many there were.
import type { Difference } from './compare.ts';

export interface Tally {
  /** Questions read, repeated ones included. */
  asked: number;
  /** Questions sent: repeated ones once, unless much time passed in between. */
  distinct: number;
  same: number;
  /** Only TTLs that count down, or flags of forwarding, differ. */
  sameRecords: number;
  /** Differed, and no longer when asked again. */
  changed: number;
  /** By the id of docs/differences-from-coredns.md. */
  readonly explained: Map<string, Counted>;
  /** Questions with at least one other reason; one question may have several. */
  withReasons: number;
  readonly unexplained: Counted;
}

export interface Counted {
  /** Questions, repeated ones included. */
  count: number;
  distinct: number;
  readonly examples: Difference[];
}

export type Verdict = Difference | 'same' | 'changed';

export const createTally = (): Tally => ({
  ...{ asked: 0, distinct: 0, same: 0, sameRecords: 0, changed: 0, withReasons: 0 },
  explained: new Map(),
  unexplained: createCounted(),
});

const createCounted = (): Counted => ({ count: 0, distinct: 0, examples: [] });

/** Differences that affect nearly every answer of servers that forward and cache. */
const SLIGHT = ['recursion-available', 'cached-ttl'];

/** `count`: how often the question was asked; `isNew`: that its verdict was not counted before. */
export function addVerdict(tally: Tally, verdict: Verdict, count: number, isNew: boolean, maxExamples: number): void {
  if (verdict === 'same' || verdict === 'changed') {
    tally[verdict] += count;
    return;
  }
  const add = (counted: Counted) => {
    counted.count += count;
    if (!isNew) return;
    counted.distinct++;
    if (counted.examples.length < maxExamples) counted.examples.push(verdict);
  };
  if (verdict.reasons === undefined) add(tally.unexplained);
  else if (verdict.reasons.every((id) => SLIGHT.includes(id))) tally.sameRecords += count;
  else tally.withReasons += count;
  for (const id of verdict.reasons ?? []) {
    const counted = tally.explained.get(id) ?? createCounted();
    tally.explained.set(id, counted);
    add(counted);
  }
}
