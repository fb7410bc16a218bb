// Facts and verdicts without their times. Of 100,000 pods nearly all say the same, each since another second: what they
// say is then one object, and what each of them keeps is a reference and a small integer, not 130 bytes.
import type { Fact, Verdict } from './model.ts';

/** In place of seconds: the value has its time in it, which is no whole second, or it is one of a kind. */
export const WHOLE = -1;

const saidOnce = new Map<string, Fact>();
/** What was said last: the next most often says the same, and to compare costs less than to look it up. */
let saidLast: Fact | undefined;
const judgedOnce = new WeakMap<Fact, Verdict[]>();
/** Reasons may be any text; beyond this many the oldest are said anew. */
const MAX_SAID = 5_000;

export interface PackedFacts {
  /** One fact without its time, or with WHOLE all of them. */
  readonly stated: Fact | readonly Fact[];
  readonly seconds: number;
}

export function packFacts(facts: readonly Fact[]): PackedFacts {
  const seconds = facts.length === 1 ? secondsOf(facts[0]) : WHOLE;
  return { stated: seconds === WHOLE ? facts : withoutTime(facts[0]), seconds };
}

export const unpackFacts = ({ stated, seconds }: PackedFacts): readonly Fact[] =>
  seconds === WHOLE ? (stated as readonly Fact[]) : [withTime(stated as Fact, seconds)];

/** Seconds since 1970, or WHOLE where the fact cannot be kept without its time. */
function secondsOf({ sinceMs, reportedMs, addresses, staleSinceMs }: Fact): number {
  return reportedMs === undefined &&
    addresses === undefined &&
    staleSinceMs === undefined &&
    sinceMs >= 0 &&
    sinceMs % 1000 === 0
    ? sinceMs / 1000
    : WHOLE;
}

/** The fact as of 1970: the same object for all that say the same. Only for facts that have `secondsOf`. */
function withoutTime(fact: Fact): Fact {
  if (saidLast === undefined || !saysSame(saidLast, fact)) saidLast = sayOnce(fact);
  return saidLast;
}

const saysSame = (one: Fact, other: Fact): boolean =>
  one.reason === other.reason &&
  one.source === other.source &&
  one.status === other.status &&
  one.name === other.name &&
  one.repeats === other.repeats &&
  one.isDated === other.isDated &&
  one.gone === other.gone;

function sayOnce(fact: Fact): Fact {
  const { source, name = '', status, reason, repeats = '', isDated = false, gone = false } = fact;
  const key = `${source}\n${name}\n${status}\n${repeats}\n${isDated}\n${gone}\n${reason}`;
  const known = saidOnce.get(key);
  if (known !== undefined) return known;
  if (saidOnce.size >= MAX_SAID) saidOnce.clear();
  const said: Fact = { ...fact, sinceMs: 0 };
  saidOnce.set(key, said);
  return said;
}

const withTime = (said: Fact, seconds: number): Fact => ({ ...said, sinceMs: seconds * 1000 });

export interface PackedVerdict {
  readonly judged: Verdict;
  /** WHOLE: `judged` is the verdict itself. */
  readonly seconds: number;
}

/** Nearly every verdict repeats one fact. */
export function packVerdict(verdict: Verdict): PackedVerdict {
  const { fact, status, reason, sinceMs } = verdict;
  const repeats = fact?.status === status && fact.reason === reason && fact.sinceMs === sinceMs;
  const seconds = repeats ? secondsOf(fact) : WHOLE;
  return seconds === WHOLE ? { judged: verdict, seconds } : { judged: verdictWithoutTime(verdict, fact!), seconds };
}

function verdictWithoutTime(verdict: Verdict, fact: Fact): Verdict {
  const said = withoutTime(fact);
  const known = judgedOnce.get(said) ?? [];
  const same = known.find(({ rule, answered }) => rule === verdict.rule && answered === verdict.answered);
  if (same !== undefined) return same;
  const judged: Verdict = { ...verdict, sinceMs: 0, fact: said };
  judgedOnce.set(said, [...known, judged]);
  return judged;
}

export function unpackVerdict({ judged, seconds }: PackedVerdict): Verdict {
  if (seconds === WHOLE) return judged;
  return { ...judged, sinceMs: seconds * 1000, fact: withTime(judged.fact!, seconds) };
}
