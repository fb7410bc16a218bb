// Closes a connection without a sign of life: TCP keep-alive detects machines that are gone, not processes that hang.
import { type Clock, setDeadline, type Timer } from '../../../clock.ts';
import { SilentConnection } from '../api/api-server.ts';

export interface Watchdog {
  /** Considers the connection dead unless called again within this time. */
  allow(milliseconds: number): void;
  /** Ends the work after this time, as the server would have done. */
  leaveAfter(milliseconds: number): void;
}

type GivenUp = 'silent' | 'left';

/**
 * Runs `work` with a signal that ends its requests when `stop` aborts, or when the watchdog has waited too long. Resolves to
 * undefined if it ended the work, rejects with SilentConnection if it gave up, and otherwise behaves like `work`.
 */
export async function withWatchdog<T>(
  clock: Clock,
  stop: AbortSignal,
  work: (signal: AbortSignal, watchdog: Watchdog) => Promise<T>,
): Promise<T | undefined> {
  const giveUp = new AbortController();
  let timer: Timer | undefined;
  let timerDueMs = 0;
  let dueMs = 0;
  let reason: GivenUp = 'silent';
  let gaveUp: GivenUp | undefined;
  const arm = (milliseconds: number) => {
    timer?.cancel();
    timerDueMs = clock.monotonicMs() + milliseconds;
    timer = setDeadline(clock, end, milliseconds);
  };
  const end = () => {
    const leftMs = dueMs - clock.monotonicMs();
    if (leftMs > 0) return arm(leftMs);
    gaveUp = reason;
    giveUp.abort();
  };
  // A later deadline keeps the timer: there is a new one for each chunk of a list.
  const giveUpAfter = (milliseconds: number, why: GivenUp) => {
    reason = why;
    dueMs = clock.monotonicMs() + milliseconds;
    if (timer === undefined || dueMs < timerDueMs) arm(milliseconds);
  };
  try {
    return await work(AbortSignal.any([stop, giveUp.signal]), {
      allow: (milliseconds) => giveUpAfter(milliseconds, 'silent'),
      leaveAfter: (milliseconds) => giveUpAfter(milliseconds, 'left'),
    });
  } catch (error) {
    if (gaveUp === 'left') return undefined;
    if (gaveUp === 'silent') throw new SilentConnection('the connection showed no sign of life and was closed');
    throw error;
  } finally {
    timer?.cancel();
    giveUp.abort();
  }
}

/** Resolves after this time, or at once when `stop` aborts. */
export function waitFor(milliseconds: number, clock: Pick<Clock, 'setTimeout'>, stop: AbortSignal): Promise<void> {
  if (milliseconds === 0 || stop.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      stop.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimeout(done, milliseconds);
    stop.addEventListener('abort', done);
  });
}
