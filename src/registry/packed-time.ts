// Facts and verdicts without their times. Nearly all of 100,000 pods have equal facts that differ only in their time: one
// shared object, a reference to it and a small integer replace 130 bytes. bench/RESULTS.md, "Memory per instance": 205
// bytes.
import type { Fact, Verdict } from './model.ts';

/** Instead of seconds: the value includes its time, because that is not a whole second or the value cannot be shared. */
export const WHOLE = -1;

const shared = new Map<string, Fact>();
/** The last packed fact: the next one is mostly equal, and comparing is cheaper than a lookup. */
let last: Fact | undefined;
const sharedVerdicts = new WeakMap<Fact, Verdict[]>();
/** Reasons may be any text: beyond this many facts, sharing starts over. */
const MAX_SHARED = 5_000;

export interface PackedFacts {
  /** One fact without its time, or all facts with WHOLE. */
  readonly stated: Fact | readonly Fact[];
  readonly seconds: number;
}

export function packFacts(facts: readonly Fact[]): PackedFacts {
  const seconds = facts.length === 1 ? secondsOf(facts[0]) : WHOLE;
  return { stated: seconds === WHOLE ? facts : withoutTime(facts[0]), seconds };
}

export const unpackFacts = ({ stated, seconds }: PackedFacts): readonly Fact[] =>
  seconds === WHOLE ? (stated as readonly Fact[]) : [withTime(stated as Fact, seconds)];

/** More do not fit into 32 bits. */
const MOST_MS = 2 ** 32 * 1000;

/**
 * Seconds since 1970, or WHOLE if the fact cannot be stored without its time. The shift makes an integer of a quotient: V8 keeps any
 * other number in 16 bytes of its own.
 */
function secondsOf({ sinceMs, reportedMs, untilMs, addresses, staleSinceMs }: Fact): number {
  return reportedMs === undefined &&
    untilMs === undefined &&
    addresses === undefined &&
    staleSinceMs === undefined &&
    sinceMs >= 0 &&
    sinceMs < MOST_MS &&
    sinceMs % 1000 === 0
    ? (sinceMs / 1000) >>> 0
    : WHOLE;
}

/** The fact as of 1970: the same object for all equal facts. Only for facts that have `secondsOf`. */
function withoutTime(fact: Fact): Fact {
  if (last === undefined || !isEqual(last, fact)) last = share(fact);
  return last;
}

const isEqual = (one: Fact, other: Fact): boolean =>
  one.reason === other.reason &&
  one.source === other.source &&
  one.status === other.status &&
  one.name === other.name &&
  one.repeats === other.repeats &&
  one.isDated === other.isDated &&
  one.gone === other.gone;

function share(fact: Fact): Fact {
  const { source, name = '', status, reason, repeats = '', isDated = false, gone = false } = fact;
  const key = `${source}\n${name}\n${status}\n${repeats}\n${isDated}\n${gone}\n${reason}`;
  const known = shared.get(key);
  if (known !== undefined) return known;
  if (shared.size >= MAX_SHARED) shared.clear();
  const fresh: Fact = { ...fact, sinceMs: 0 };
  shared.set(key, fresh);
  return fresh;
}

const withTime = (fact: Fact, seconds: number): Fact => ({ ...fact, sinceMs: seconds * 1000 });

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
  const timeless = withoutTime(fact);
  const known = sharedVerdicts.get(timeless) ?? [];
  const same = known.find(({ rule, answered }) => rule === verdict.rule && answered === verdict.answered);
  if (same !== undefined) return same;
  const judged: Verdict = { ...verdict, sinceMs: 0, fact: timeless };
  sharedVerdicts.set(timeless, [...known, judged]);
  return judged;
}

export function unpackVerdict({ judged, seconds }: PackedVerdict): Verdict {
  if (seconds === WHOLE) return judged;
  return { ...judged, sinceMs: seconds * 1000, fact: withTime(judged.fact!, seconds) };
}
