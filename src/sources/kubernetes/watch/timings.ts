// How patient list-and-watch is.
import type { Random } from '../../../clock.ts';

/** Tests pass shorter ones. */
export interface WatchTimings {
  /** No headers after this long means a server that accepts connections and does nothing (stopped, overloaded). */
  readonly headersMs: number;
  /** The server is asked to end a watch after three quarters to all of this. */
  readonly watchSeconds: number;
  /** Longest a streamed list may take in all. */
  readonly listSeconds: number;
  /** How much later than asked a server may end a watch before it counts as dead. */
  readonly graceMs: number;
  /** Longest silence while a list is streamed. */
  readonly initialQuietMs: number;
  /** A connection that lived so long was good: what follows is a first failure. */
  readonly settledMs: number;
  readonly backoff: BackoffTimings;
  /** Longest pause after a watch that the server ended early without an error: what changes meanwhile comes as late. */
  readonly endedMaxMs: number;
  /** A server that was not heard for so long is listed anew. */
  readonly longAwayMs: number;
  /** Pause before the second list that confirms one that was not believed. */
  readonly confirmMs: number;
  /** How often a kind that the server does not have is asked for again. */
  readonly absentMs: number;
  /** A kind refused (403) for so long is done without, if it can be, and its statements no longer overrule others. */
  readonly refusedMs: number;
}

export interface BackoffTimings {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** A silently dead watch is found within watchSeconds + graceMs, 45 s. */
export const DEFAULT_TIMINGS: WatchTimings = {
  headersMs: 15_000,
  watchSeconds: 40,
  listSeconds: 600,
  graceMs: 5_000,
  initialQuietMs: 30_000,
  settledMs: 10_000,
  backoff: { firstMs: 500, maxMs: 30_000 },
  endedMaxMs: 5_000,
  longAwayMs: 120_000,
  confirmMs: 2_000,
  absentMs: 20_000,
  refusedMs: 15_000,
};

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
