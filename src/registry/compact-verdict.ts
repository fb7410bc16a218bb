// Nearly every verdict repeats one fact, which is kept anyway: then only the fact and the rule are kept.
import type { Fact, Verdict } from './model.ts';

/** What is left of a verdict: its fact and a rule's number, or the whole where no fact alone decided. */
export type Kept = { readonly judged: Fact; readonly rule: number } | { readonly judged: Verdict; readonly rule: -1 };

const rules: { readonly rule: string; readonly answered: boolean }[] = [];

function ruleNumber({ rule, answered }: Verdict): number {
  const known = rules.findIndex((one) => one.rule === rule && one.answered === answered);
  return known === -1 ? rules.push({ rule, answered }) - 1 : known;
}

export function compact(verdict: Verdict): Kept {
  const { fact } = verdict;
  const repeats =
    fact !== undefined &&
    fact.status === verdict.status &&
    fact.reason === verdict.reason &&
    fact.sinceMs === verdict.sinceMs;
  return repeats ? { judged: fact, rule: ruleNumber(verdict) } : { judged: verdict, rule: -1 };
}

export function expand({ judged, rule }: Kept): Verdict {
  if (rule === -1) return judged as Verdict;
  const fact = judged as Fact;
  const { status, reason, sinceMs } = fact;
  return { status, answered: rules[rule].answered, rule: rules[rule].rule, reason, sinceMs, fact };
}
