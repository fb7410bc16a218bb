import type { Clock, Timer } from '../../src/clock.ts';

export interface FakeClock extends Clock {
  /** Moves time on and runs what falls due, in order; lets promises settle between timers. */
  advance(milliseconds: number): Promise<void>;
  pendingTimers(): number;
}

/** A clock that stands still until the test advances it; starts at 2026-01-01T00:00:00Z. */
export function fakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let elapsedMs = 0;
  let sequence = 0;
  const timers = new Map<number, { dueMs: number; callback: () => void }>();
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

  const nextDue = (untilMs: number) =>
    [...timers].filter(([, timer]) => timer.dueMs <= untilMs).sort((a, b) => a[1].dueMs - b[1].dueMs || a[0] - b[0])[0];

  const setFakeTimeout = (callback: () => void, delayMs: number): Timer => {
    const id = ++sequence;
    timers.set(id, { dueMs: elapsedMs + Math.max(0, delayMs), callback });
    return { cancel: () => void timers.delete(id) };
  };

  return {
    now: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    setTimeout: setFakeTimeout,
    setTimeoutKeepingAlive: setFakeTimeout,
    async advance(milliseconds) {
      const untilMs = elapsedMs + milliseconds;
      await settle();
      for (let next = nextDue(untilMs); next !== undefined; next = nextDue(untilMs)) {
        timers.delete(next[0]);
        elapsedMs = Math.max(elapsedMs, next[1].dueMs);
        next[1].callback();
        await settle();
      }
      elapsedMs = untilMs;
      await settle();
    },
    pendingTimers: () => timers.size,
  };
}
