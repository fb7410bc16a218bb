// When changes are flushed: in the next turn of the event loop, or less often while a cluster is being read for the first
// time. Otherwise a namespace with 2,000 pods would be recompiled for every few pods that arrive.
import type { Clock, Timer } from '../clock.ts';

export interface FlushPace {
  /** There is something to flush. */
  wake(): void;
  /** Loading may have ended: a deferred flush is due if nothing is loading any more. */
  loaded(): void;
  stop(): void;
}

export interface FlushPaceSettings {
  /** Never rejects. */
  readonly flush: () => Promise<void>;
  /** Runs the callback in a later turn of the event loop. */
  readonly schedule: (callback: () => void) => void;
  readonly isLoading: () => boolean;
  readonly clock: Clock;
}

/** While loading, flushes take about a tenth of the time, and names wait at most this long. */
const REST_FACTOR = 9;
const MAX_REST_MS = 1_000;

export function createFlushPace({ flush, schedule, isLoading, clock }: FlushPaceSettings): FlushPace {
  let restUntilMs = 0;
  let resting: Timer | undefined;

  async function run(): Promise<void> {
    const beganMs = clock.monotonicMs();
    await flush();
    const nowMs = clock.monotonicMs();
    restUntilMs = nowMs + Math.min(MAX_REST_MS, (nowMs - beganMs) * REST_FACTOR);
  }

  function runSoon(): void {
    resting?.cancel();
    resting = undefined;
    schedule(() => void run());
  }

  return {
    wake() {
      const restMs = isLoading() ? restUntilMs - clock.monotonicMs() : 0;
      if (restMs <= 0) runSoon();
      else resting ??= clock.setTimeout(runSoon, restMs);
    },
    loaded() {
      if (resting !== undefined && !isLoading()) runSoon();
    },
    stop: () => resting?.cancel(),
  };
}
