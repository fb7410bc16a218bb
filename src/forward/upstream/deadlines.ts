// One timer for all that waits: a hashed timer wheel. A thousand queries in flight cost one setTimeout a tick, and a
// query that is answered in time costs two pointer writes.
import type { Clock, Timer } from '../../clock.ts';

/** Something that can wait. Embed it: nothing is allocated to wait. */
export interface Deadline {
  /** Called once, when the time is over and `remove` was not called. */
  expire(): void;
  /** Owned by the wheel. */
  previous: Deadline | undefined;
  next: Deadline | undefined;
  dueTick: number;
}

export interface Deadlines {
  /** Calls `deadline.expire()` after `delayMs`, at most one tick late. A deadline that waits already is moved. */
  add(deadline: Deadline, delayMs: number): void;
  /** Does nothing if it is not waiting. */
  remove(deadline: Deadline): void;
  pending(): number;
  /** Milliseconds until something may expire; 0: now; infinite: nothing waits. */
  nextMs(): number;
  /** Forgets everything; nothing expires any more. */
  close(): void;
}

export function deadline(expire: () => void): Deadline {
  return { expire, previous: undefined, next: undefined, dueTick: NOT_WAITING };
}

/** The `dueTick` of what waits for nothing. */
export const NOT_WAITING = -1;
const BUCKETS = 512;

/** `onError`: what an `expire` threw; the others expire all the same. */
export function createDeadlines(clock: Clock, tickMs = 20, onError: (error: Error) => void = rethrow): Deadlines {
  // Each bucket is a ring with the bucket itself as its sentinel.
  const buckets = Array.from({ length: BUCKETS }, () => {
    const sentinel = deadline(() => {});
    sentinel.previous = sentinel;
    sentinel.next = sentinel;
    return sentinel;
  });
  let pending = 0;
  let timer: Timer | undefined;
  let timerTick = 0;
  let sweptTick = 0;
  /** Nothing is due before; what was removed since may leave it too early. */
  let nextTick = 0;

  const tickNow = () => Math.floor(clock.monotonicMs() / tickMs);

  function unlink(entry: Deadline): void {
    entry.previous!.next = entry.next;
    entry.next!.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    entry.dueTick = NOT_WAITING;
    pending--;
  }

  function expire(entry: Deadline): void {
    try {
      entry.expire();
    } catch (error) {
      onError(error as Error);
    }
  }

  function sweepBucket(sentinel: Deadline, now: number): void {
    for (let entry = sentinel.next!; entry !== sentinel; ) {
      // expire() may remove others, the next one too: start again from the ring's head after each.
      if (entry.dueTick <= now) {
        unlink(entry);
        expire(entry);
        entry = sentinel.next!;
      } else {
        entry = entry.next!;
      }
    }
  }

  function sweep(): void {
    timer = undefined;
    const now = tickNow();
    const first = Math.max(sweptTick + 1, now - BUCKETS + 1);
    sweptTick = now;
    for (let tick = first; tick <= now && pending > 0; tick++) sweepBucket(buckets[tick % BUCKETS], now);
    nextTick = now + 1;
    while (nextTick < now + BUCKETS && isEmpty(nextTick)) nextTick++;
    arm();
  }

  function isEmpty(tick: number): boolean {
    const sentinel = buckets[tick % BUCKETS];
    return sentinel.next === sentinel;
  }

  function nextMs(): number {
    return pending === 0 ? Number.POSITIVE_INFINITY : Math.max(0, nextTick * tickMs - clock.monotonicMs());
  }

  function arm(): void {
    if (pending === 0 || (timer !== undefined && timerTick <= nextTick)) return;
    timer?.cancel();
    timerTick = nextTick;
    timer = clock.setTimeout(sweep, Math.ceil(nextMs()));
  }

  return {
    add(entry, delayMs) {
      if (entry.dueTick !== NOT_WAITING) unlink(entry);
      if (pending === 0) {
        sweptTick = tickNow();
        nextTick = Number.POSITIVE_INFINITY;
      }
      // The first tick that begins after the time is over, and that is not swept yet.
      entry.dueTick = Math.max(Math.ceil((clock.monotonicMs() + delayMs) / tickMs), sweptTick + 1);
      nextTick = Math.min(nextTick, entry.dueTick);
      const sentinel = buckets[entry.dueTick % BUCKETS];
      entry.previous = sentinel.previous;
      entry.next = sentinel;
      sentinel.previous!.next = entry;
      sentinel.previous = entry;
      pending++;
      arm();
    },
    remove(entry) {
      if (entry.dueTick !== NOT_WAITING) unlink(entry);
    },
    pending: () => pending,
    nextMs,
    close() {
      timer?.cancel();
      timer = undefined;
      for (const sentinel of buckets) while (sentinel.next !== sentinel) unlink(sentinel.next!);
    },
  };
}

function rethrow(error: Error): never {
  throw error;
}
