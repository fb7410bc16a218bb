// Mistakes of ours that showed in a callback: counted, and told once in a while, since they may come with every reply.
import type { Clock } from '../clock.ts';
import type { ForwardCounters } from '../plane/forward-statistics.ts';

const AGAIN_MS = 60_000;

/** Gives a function that takes what was thrown, and never throws itself. */
export function createBugReport(
  counters: ForwardCounters,
  clock: Clock,
  log: (level: 'error', message: string) => void,
): (error: Error) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (error) => {
    counters.bugs++;
    if (clock.monotonicMs() - toldMs < AGAIN_MS) return;
    toldMs = clock.monotonicMs();
    log('error', `forwarding went wrong: ${error.stack ?? error}`);
  };
}
