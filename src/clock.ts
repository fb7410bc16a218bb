/** Time and randomness are passed in, so that tests advance a clock instead of sleeping. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch, for people. */
  now(): number;
  /** Monotonic milliseconds, for intervals and deadlines. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`; a pending timer does not keep the process alive. */
  setTimeout(callback: () => void, delayMs: number): Timer;
  /** The same, but keeps the process alive until it is called or cancelled. */
  setTimeoutKeepingAlive(callback: () => void, delayMs: number): Timer;
}

export interface Timer {
  cancel(): void;
}

/** A number in [0, 1), like Math.random. */
export type Random = () => number;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout(callback, delayMs) {
    const handle = setTimeout(callback, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  setTimeoutKeepingAlive(callback, delayMs) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** A timer that is later than this: the event loop was stalled, or the process was not running. */
const STALLED_MS = 50;

/**
 * For deadlines of replies. libuv runs timers before it reads sockets, so after a stall a plain timer would give up on a
 * reply that arrived long ago. This calls back after the sockets were read once more; if the stall took time from the
 * exchange, it is granted again, once.
 */
export function setDeadline(clock: Clock, callback: () => void, delayMs: number): Timer {
  let isCancelled = false;
  let timer = arm(delayMs, true);

  function arm(waitMs: number, mayExtend: boolean): Timer {
    const dueMs = clock.monotonicMs() + waitMs;
    return clock.setTimeout(() => {
      const lateMs = clock.monotonicMs() - dueMs;
      if (mayExtend && lateMs > STALLED_MS) timer = arm(Math.min(lateMs, delayMs), false);
      else setImmediate(() => isCancelled || callback());
    }, waitMs);
  }

  return {
    cancel() {
      isCancelled = true;
      timer.cancel();
    },
  };
}
