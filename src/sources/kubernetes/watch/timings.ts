// Timeouts of list-and-watch.
import type { Random } from '../../../clock.ts';
import type { HeartbeatTimings } from './heartbeat.ts';

/** Tests use shorter ones. */
export interface WatchTimings {
  /** No headers after this long means a server that accepts connections and does nothing (stopped, overloaded). */
  readonly headersMs: number;
  /** A request without headers after this time is sent again beside the first. */
  readonly againMs: number;
  /** Requested duration of a watch: between three quarters of this and all of it. */
  readonly watchSeconds: number;
  /** The same for a watch that only verifies that the kind is served: after a failure, or in doubt. */
  readonly probeSeconds: number;
  /** Longest a streamed list may take in all. */
  readonly listSeconds: number;
  /** How much later than asked a server may end a watch before it counts as dead. */
  readonly graceMs: number;
  /** Longest silence while a list is read. */
  readonly initialQuietMs: number;
  /** A connection that lived this long was good: the next failure is a first one. */
  readonly settledMs: number;
  readonly backoff: BackoffTimings;
  /** A server without contact for this long is listed again. */
  readonly longAwayMs: number;
  /** Pause before the second list that confirms a doubtful one. */
  readonly confirmMs: number;
  /** How often a kind that the server does not have is requested. */
  readonly absentMs: number;
  /** An optional kind denied (403) for this long is abandoned, and its facts no longer override others. */
  readonly refusedMs: number;
  /** A kind lost for this long no longer overrides the kind that repeats it, if that is followed. */
  readonly staleMs: number;
  readonly heartbeat: HeartbeatTimings;
}

export interface BackoffTimings {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** A watch that died without any other sign is found within watchSeconds + graceMs, 8 s. */
export const DEFAULT_TIMINGS: WatchTimings = {
  headersMs: 15_000,
  againMs: 3_000,
  watchSeconds: 6,
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
 * @param failures number of consecutive failures, from 1
 */
export function backoffMs(failures: number, { firstMs, maxMs }: BackoffTimings, random: Random): number {
  const ceilingMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return ceilingMs * (0.5 + 0.5 * random());
}
