// How patient list-and-watch is.
import type { Random } from '../../../clock.ts';
import type { HeartbeatTimings } from './heartbeat.ts';

/** Tests pass shorter ones. */
export interface WatchTimings {
  /** No headers after this long means a server that accepts connections and does nothing (stopped, overloaded). */
  readonly headersMs: number;
  /** A request without headers for so long is sent again beside the first. */
  readonly againMs: number;
  /** The server is asked to end a watch after three quarters to all of this. */
  readonly watchSeconds: number;
  /** The same for a watch that only is to show whether the kind is served: after a failure, or where it is in doubt. */
  readonly probeSeconds: number;
  /** Longest a streamed list may take in all. */
  readonly listSeconds: number;
  /** How much later than asked a server may end a watch before it counts as dead. */
  readonly graceMs: number;
  /** Longest silence while a list is read. */
  readonly initialQuietMs: number;
  /** A connection that lived so long was good: what follows is a first failure. */
  readonly settledMs: number;
  readonly backoff: BackoffTimings;
  /** A server that was not heard for so long is listed anew. */
  readonly longAwayMs: number;
  /** Pause before the second list that confirms one that was not believed. */
  readonly confirmMs: number;
  /** How often a kind that the server does not have is asked for again. */
  readonly absentMs: number;
  /** A kind refused (403) for so long is done without, if it can be, and its statements no longer overrule others. */
  readonly refusedMs: number;
  /** A kind that was lost for so long, while what repeats it is followed, no longer overrules that. */
  readonly staleMs: number;
  readonly heartbeat: HeartbeatTimings;
}

export interface BackoffTimings {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** A watch that died without any other sign is found within watchSeconds + graceMs, 22 s. */
export const DEFAULT_TIMINGS: WatchTimings = {
  headersMs: 15_000,
  againMs: 3_000,
  watchSeconds: 20,
  probeSeconds: 3,
  listSeconds: 600,
  graceMs: 2_000,
  initialQuietMs: 10_000,
  settledMs: 10_000,
  backoff: { firstMs: 500, maxMs: 3_000 },
  longAwayMs: 120_000,
  confirmMs: 2_000,
  absentMs: 20_000,
  refusedMs: 15_000,
  staleMs: 3_000,
  heartbeat: { everyMs: 4_000, patienceMs: 4_000 },
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
