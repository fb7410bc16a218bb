// What to do when a list or a watch has ended: the state machine of list-and-watch, without I/O. list-and-watch.ts runs it.
//
//                      complete
//      ┌───────────┐ ───────────▶ ┌──────────┐ ──┐ ended: the next watch begins where this one ended,
//  ──▶ │  listing  │              │ watching │   │ at once if this one lasted, after a pause if it was cut short
//      └───────────┘ ◀── relist ─ └──────────┘ ◀─┘
//         ▲     │      (paused)     │     ▲
//         │     │                   │     │
//         └─────┘                   └─────┘
//         relist                    resume: the same place again
//        (paused)                  (paused)
//
//   failure        of a watch               pause             beside it
//   ─────────────  ───────────────────────  ────────────────  ─────────────────────────────────────────────────
//   expired        relist                   backoff, which starts again the first time: the server is back
//   misunderstood  relist                   backoff           of a streamed list: in pages from now on, no pause
//   ahead          relist                   backoff           the server has not reached this place (again)
//   unconfirmed    (a list)                 confirmMs         the next list comes in pages
//   absent         relist                   absentMs          another kind may stand in; only of optional kinds
//   forbidden      resume                   backoff           after refusedMs done without, unless essential: relist
//   unauthorized   resume                   backoff           credentials are read again
//   broken         resume, relist if twice  backoff           a list skips what is broken each time it is sent
//   silent         resume                   first backoff     the silence was a pause
//   lost           resume                   backoff
//   refused        resume                   backoff           any other status; the server's Retry-After counts
//
// A server that was unreachable for long (longAwayMs) is listed again, because a restored etcd may have another history.
// A list that failed as a stream is retried in pages, and the other way around. A pause is never shorter than Retry-After.
import type { Random } from '../../../clock.ts';
import type { KindCounter, KindState } from '../../status.ts';
import { ApiError, SilentConnection } from '../api/api-server.ts';
import { BrokenStream } from './event-stream.ts';
import { backoffMs, type WatchTimings } from './timings.ts';

export type Failure = keyof typeof REACTIONS;

/** The state of following a kind. */
export interface Recovery {
  readonly phase: 'listing' | 'watching';
  readonly listBy: 'stream' | 'pages';
  /** Until the server has rejected streaming lists (KEP-3157). */
  readonly canStream: boolean;
  /** Consecutive rounds that failed or were cut short. */
  readonly failures: number;
  readonly last: Failure | undefined;
  /** The reported problem: logged when it changes, not at each attempt. */
  readonly trouble: { readonly is: 'lost' | 'forbidden'; readonly sinceMs: number } | undefined;
}

/** One list or one watch, when it has ended. */
export interface Round {
  readonly nowMs: number;
  readonly startedMs: number;
  /** Minimum duration of a watch that ended as requested; undefined: no end was requested. */
  readonly askedMs?: number;
  /** Last sign of life from the server. */
  readonly heardMs: number;
}

export interface Step {
  readonly next: Recovery;
  readonly pauseMs: number;
  readonly counters: readonly KindCounter[];
  readonly state: KindState | undefined;
  /** The kind is abandoned from now on: the server keeps denying it. */
  readonly abandons: boolean;
}

export interface RecoveryRules {
  readonly timings: WatchTimings;
  readonly random: Random;
  /** Nothing can be answered without this kind: it is retried, however long the server denies it. */
  readonly essential: boolean;
}

export const STARTING: Recovery = {
  phase: 'listing',
  listBy: 'stream',
  canStream: true,
  failures: 0,
  last: undefined,
  trouble: undefined,
};

interface Reaction {
  readonly next: 'relist' | 'resume';
  readonly counters: readonly KindCounter[];
  /** undefined: expected; the source stays connected. */
  readonly trouble?: 'lost' | 'forbidden';
}

const REACTIONS = {
  expired: { next: 'relist', counters: ['expired'] },
  misunderstood: { next: 'relist', counters: [], trouble: 'lost' },
  ahead: { next: 'relist', counters: ['failures'], trouble: 'lost' },
  unconfirmed: { next: 'relist', counters: ['unconfirmed'] },
  absent: { next: 'relist', counters: [] },
  forbidden: { next: 'resume', counters: ['failures'], trouble: 'forbidden' },
  unauthorized: { next: 'resume', counters: ['failures'], trouble: 'lost' },
  broken: { next: 'resume', counters: ['malformed', 'failures'], trouble: 'lost' },
  silent: { next: 'resume', counters: ['silent'], trouble: 'lost' },
  lost: { next: 'resume', counters: ['failures'], trouble: 'lost' },
  refused: { next: 'resume', counters: ['failures'], trouble: 'lost' },
} as const satisfies Record<string, Reaction>;

/** The server ended a watch without an error. */
export function afterWatch(before: Recovery, round: Round, { timings, random }: RecoveryRules): Step {
  // A server that ends every watch at once must not be queried a thousand times a second.
  const failures = hasSettled(round, timings) ? 0 : before.failures + 1;
  const pauseMs = failures === 0 ? 0 : backoffMs(failures, timings.backoff, random);
  const next: Recovery = { ...before, failures, last: undefined };
  return { next, pauseMs, counters: [], state: undefined, abandons: false };
}

/** A complete list was applied. */
export function afterList(before: Recovery): Recovery {
  return { ...before, phase: 'watching', listBy: before.canStream ? 'stream' : 'pages' };
}

/** The server has shown that it serves the kind. */
export function afterContact(before: Recovery): Recovery {
  return before.trouble === undefined ? before : { ...before, trouble: undefined };
}

export function afterFailure(
  before: Recovery,
  failure: Failure,
  round: Round,
  rules: RecoveryRules,
  retryAfterMs = 0,
): Step {
  const { timings, random } = rules;
  const reaction: Reaction = REACTIONS[failure];
  const startsAgain = hasSettled(round, timings) || (failure === 'expired' && before.last !== 'expired');
  const failures = startsAgain ? 1 : before.failures + 1;
  const trouble = troubleAfter(before, reaction, round.nowMs);
  const canStream = before.canStream && !(failure === 'misunderstood' && isStreaming(before));
  const stopsStreaming = canStream !== before.canStream;
  const abandons = failure === 'forbidden' && !rules.essential && round.nowMs - trouble!.sinceMs >= timings.refusedMs;
  const relists =
    abandons || reaction.next === 'relist' || isLongAway(round, timings) || isBrokenTwice(before, failure);
  return {
    next: {
      phase: relists ? 'listing' : before.phase,
      listBy: nextListBy(before, failure, canStream),
      canStream,
      failures,
      last: failure,
      trouble: stopsStreaming ? before.trouble : trouble,
    },
    pauseMs: stopsStreaming ? 0 : Math.max(pauseAfter(failure, failures, timings, random), retryAfterMs),
    counters: reaction.counters,
    state: stateAfter(failure, stopsStreaming ? undefined : reaction.trouble),
    abandons,
  };
}

function pauseAfter(failure: Failure, failures: number, timings: WatchTimings, random: Random): number {
  if (failure === 'unconfirmed') return timings.confirmMs * (0.5 + random());
  if (failure === 'absent') return timings.absentMs * (0.5 + random());
  return backoffMs(failure === 'silent' ? 1 : failures, timings.backoff, random);
}

function nextListBy(before: Recovery, failure: Failure, canStream: boolean): Recovery['listBy'] {
  if (!canStream || failure === 'unconfirmed') return 'pages';
  if (before.phase === 'watching') return before.listBy;
  return before.listBy === 'stream' ? 'pages' : 'stream';
}

function troubleAfter({ trouble: before }: Recovery, { trouble }: Reaction, nowMs: number): Recovery['trouble'] {
  if (trouble === undefined || trouble === before?.is) return before;
  return { is: trouble, sinceMs: nowMs };
}

function stateAfter(failure: Failure, trouble: Reaction['trouble']): KindState | undefined {
  if (failure === 'absent') return 'absent';
  if (trouble === undefined) return undefined;
  return trouble === 'lost' ? 'disconnected' : 'forbidden';
}

const hasSettled = ({ nowMs, startedMs, askedMs = Number.POSITIVE_INFINITY }: Round, timings: WatchTimings) =>
  nowMs - startedMs >= Math.min(timings.settledMs, askedMs);
const isLongAway = ({ nowMs, heardMs }: Round, timings: WatchTimings) => nowMs - heardMs > timings.longAwayMs;
const isBrokenTwice = (before: Recovery, failure: Failure) => failure === 'broken' && before.last === 'broken';
const isStreaming = ({ phase, listBy }: Recovery) => phase === 'listing' && listBy === 'stream';

/** A complete list lost most known objects, or is older than them; it counts when a second list confirms it. */
export class UnconfirmedList extends Error {
  override readonly name = 'UnconfirmedList';
}

/** `isOptional`: the server may lack this kind. */
export function failureOf(error: unknown, isOptional: boolean): Failure {
  if (error instanceof UnconfirmedList) return 'unconfirmed';
  if (error instanceof BrokenStream) return 'broken';
  if (error instanceof SilentConnection) return 'silent';
  if (!(error instanceof ApiError)) return 'lost';
  if (error.status === 410) return 'expired';
  if (error.status === 400 || error.status === 422) return 'misunderstood';
  if (error.status === 401) return 'unauthorized';
  if (error.status === 403) return 'forbidden';
  if (error.status === 404 && isOptional) return 'absent';
  return /too large resource version/i.test(error.message) ? 'ahead' : 'refused';
}
