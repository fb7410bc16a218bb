// Writes that another client of the API server was faster with (HTTP 409), and when to try them again.
import type { Clock, Random } from '../../../clock.ts';

/** Longer than any queue of competing writers; shorter than the timeout of clients. */
const PATIENCE_MS = 10_000;
/** The first attempts follow at once: after reading anew, most conflicts are over. */
const AT_ONCE = 3;
const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 100;

export interface ConflictTimes {
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Returns a function to call after each conflict of one write. It resolves to true when the write, made anew from the
 * object's present version, is to be tried again; to false if it has lost for 10 s. A number of attempts would not do:
 * a writer that competes with several others occasionally loses any number of times in a row. Waits are random between 0 and a
 * limit that doubles, so that equal writers do not stay in step.
 */
export function conflictRetries({ clock, random }: ConflictTimes): () => Promise<boolean> {
  const untilMs = clock.monotonicMs() + PATIENCE_MS;
  let conflicts = 0;
  return async () => {
    conflicts++;
    if (clock.monotonicMs() >= untilMs) return false;
    if (conflicts <= AT_ONCE) return true;
    const limitMs = Math.min(FIRST_WAIT_MS * 2 ** (conflicts - AT_ONCE - 1), LONGEST_WAIT_MS);
    await new Promise<void>((resolve) => void clock.setTimeoutKeepingAlive(resolve, random() * limitMs));
    return true;
  };
}
