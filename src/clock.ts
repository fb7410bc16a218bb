/** Time and randomness are passed in, so that tests advance a clock and never sleep for luck. */
export interface Clock {
  /** Wall-clock time, milliseconds since the epoch: for what people read. */
  now(): number;
  /** Milliseconds that never go back: for intervals and deadlines. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs`; a pending timer does not keep the process alive. */
  setTimeout(callback: () => void, delayMs: number): Timer;
  /** The same, but the process lives until it is called or cancelled. */
  setTimeoutKeepingAlive(callback: () => void, delayMs: number): Timer;
}

export interface Timer {
  cancel(): void;
}

/** A number in [0, 1), as Math.random gives. */
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
