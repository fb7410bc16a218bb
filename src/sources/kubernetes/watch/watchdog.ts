// Gives up a connection that shows no sign of life: TCP's own keep-alive finds machines that are gone, not processes that hang.
import { type Clock, setDeadline, type Timer } from '../../../clock.ts';
import { SilentConnection } from '../api/api-server.ts';

export interface Watchdog {
  /** Gives the connection up as dead unless called again within this time. */
  allow(milliseconds: number): void;
  /** Ends what runs, as the server would have, after this time. */
  leaveAfter(milliseconds: number): void;
}

/**
 * Runs `work` with a signal that ends its requests when `stop` does, or when the watchdog has waited for too long.
 * Resolves to undefined where it left, rejects with SilentConnection where it gave up, and as `work` does otherwise.
 */
export async function withWatchdog<T>(
  clock: Clock,
  stop: AbortSignal,
  work: (signal: AbortSignal, watchdog: Watchdog) => Promise<T>,
): Promise<T | undefined> {
  const giveUp = new AbortController();
  let timer: Timer | undefined;
  let gaveUp: 'silent' | 'left' | undefined;
  const giveUpAfter = (milliseconds: number, why: 'silent' | 'left') => {
    timer?.cancel();
    const end = () => {
      gaveUp = why;
      giveUp.abort();
    };
    timer = setDeadline(clock, end, milliseconds);
  };
  try {
    return await work(AbortSignal.any([stop, giveUp.signal]), {
      allow: (milliseconds) => giveUpAfter(milliseconds, 'silent'),
      leaveAfter: (milliseconds) => giveUpAfter(milliseconds, 'left'),
    });
  } catch (error) {
    if (gaveUp === 'left') return undefined;
    if (gaveUp === 'silent') throw new SilentConnection('the connection showed no sign of life and was given up');
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
