// Exceptions in callbacks: counted, and logged at intervals, because they may occur with every reply.
import type { Clock } from '../clock.ts';
import type { ForwardCounters } from '../plane/forward-statistics.ts';

const AGAIN_MS = 60_000;

/** Returns a function that accepts an exception, and never throws itself. */
export function createBugReport(
  counters: ForwardCounters,
  clock: Clock,
  log: (level: 'error', message: string) => void,
): (error: Error) => void {
  let loggedMs = Number.NEGATIVE_INFINITY;
  return (error) => {
    counters.bugs++;
    if (clock.monotonicMs() - loggedMs < AGAIN_MS) return;
    loggedMs = clock.monotonicMs();
    log('error', `internal error while forwarding: ${error.stack ?? error}`);
  };
}
