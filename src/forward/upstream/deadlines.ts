// One timer for everything that waits: a hashed timer wheel. A thousand queries in flight cost one setTimeout a tick, and a
// query that is answered in time costs two pointer writes (bench/RESULTS.md, "miss, 200 outstanding").
import type { Clock, Timer } from '../../clock.ts';

/** Something that can wait. Embed it, so that waiting allocates nothing. */
export interface Deadline {
  /** Called once when the time is over, unless `remove` was called. */
  expire(): void;
  /** Owned by the wheel. */
  previous: Deadline | undefined;
  next: Deadline | undefined;
  dueTick: number;
}

export interface Deadlines {
  /** Calls `deadline.expire()` after `delayMs`, at most one tick late. A deadline that already waits is moved. */
  add(deadline: Deadline, delayMs: number): void;
  /** No effect if it is not waiting. */
  remove(deadline: Deadline): void;
  pending(): number;
  /** Milliseconds until something may expire; infinite if nothing waits. */
  nextMs(): number;
  /** Removes everything: nothing expires any more. */
  close(): void;
}

export function deadline(expire: () => void): Deadline {
  return { expire, previous: undefined, next: undefined, dueTick: NOT_WAITING };
}

/** The `dueTick` of a deadline that is not waiting. */
export const NOT_WAITING = -1;
const BUCKETS = 512;

/** `onError` gets what an `expire` threw; the others expire all the same. */
export function createDeadlines(clock: Clock, tickMs = 20, onError: (error: Error) => void = rethrow): Deadlines {
  return new TimerWheel(clock, tickMs, onError);
}

class TimerWheel implements Deadlines {
  private readonly clock: Clock;
  private readonly tickMs: number;
  private readonly onError: (error: Error) => void;
  /** Each bucket is a ring with the bucket itself as its sentinel. */
  private readonly buckets = Array.from({ length: BUCKETS }, createRing);
  private count = 0;
  private timer: Timer | undefined;
  private immediate: NodeJS.Immediate | undefined;
  private timerTick = 0;
  private sweptTick = 0;
  /** Nothing is due earlier; removals since may make it too early. */
  private nextTick = 0;

  constructor(clock: Clock, tickMs: number, onError: (error: Error) => void) {
    this.clock = clock;
    this.tickMs = tickMs;
    this.onError = onError;
  }

  add(entry: Deadline, delayMs: number): void {
    if (entry.dueTick !== NOT_WAITING) this.unlink(entry);
    if (this.count === 0) {
      this.sweptTick = this.tickNow();
      this.nextTick = Number.POSITIVE_INFINITY;
    }
    // The first tick that begins after the time is over and has not been swept yet.
    entry.dueTick = Math.max(Math.ceil((this.clock.monotonicMs() + delayMs) / this.tickMs), this.sweptTick + 1);
    this.nextTick = Math.min(this.nextTick, entry.dueTick);
    const sentinel = this.buckets[entry.dueTick % BUCKETS];
    entry.previous = sentinel.previous;
    entry.next = sentinel;
    sentinel.previous!.next = entry;
    sentinel.previous = entry;
    this.count++;
    this.arm();
  }

  remove(entry: Deadline): void {
    if (entry.dueTick !== NOT_WAITING) this.unlink(entry);
  }

  pending(): number {
    return this.count;
  }

  nextMs(): number {
    if (this.count === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.nextTick * this.tickMs - this.clock.monotonicMs());
  }

  close(): void {
    clearImmediate(this.immediate);
    this.timer?.cancel();
    this.timer = undefined;
    for (const sentinel of this.buckets) while (sentinel.next !== sentinel) this.unlink(sentinel.next!);
  }

  private tickNow(): number {
    return Math.floor(this.clock.monotonicMs() / this.tickMs);
  }

  private unlink(entry: Deadline): void {
    entry.previous!.next = entry.next;
    entry.next!.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    entry.dueTick = NOT_WAITING;
    this.count--;
  }

  private arm(): void {
    if (this.count === 0 || (this.timer !== undefined && this.timerTick <= this.nextTick)) return;
    clearImmediate(this.immediate);
    this.timer?.cancel();
    this.timerTick = this.nextTick;
    this.timer = this.clock.setTimeout(() => this.readSocketsThenSweep(), Math.ceil(this.nextMs()));
  }

  /**
   * The event loop runs timers before it reads sockets: after a long turn a reply may have arrived in time and not been read.
   * Immediates run after both, node's sockets and those of the receive loop.
   */
  private readSocketsThenSweep(): void {
    this.immediate = setImmediate(() => this.sweep());
  }

  private sweep(): void {
    this.timer = undefined;
    this.immediate = undefined;
    const now = this.tickNow();
    const first = Math.max(this.sweptTick + 1, now - BUCKETS + 1);
    this.sweptTick = now;
    for (let tick = first; tick <= now && this.count > 0; tick++) this.sweepBucket(this.buckets[tick % BUCKETS], now);
    this.nextTick = now + 1;
    while (this.nextTick < now + BUCKETS && this.isEmpty(this.nextTick)) this.nextTick++;
    this.arm();
  }

  private sweepBucket(sentinel: Deadline, now: number): void {
    for (let entry = sentinel.next!; entry !== sentinel; ) {
      // expire() may remove others, the next one too: start again from the ring's head after each.
      if (entry.dueTick <= now) {
        this.unlink(entry);
        this.expire(entry);
        entry = sentinel.next!;
      } else {
        entry = entry.next!;
      }
    }
  }

  private expire(entry: Deadline): void {
    try {
      entry.expire();
    } catch (error) {
      this.onError(error as Error);
    }
  }

  private isEmpty(tick: number): boolean {
    const sentinel = this.buckets[tick % BUCKETS];
    return sentinel.next === sentinel;
  }
}

function createRing(): Deadline {
  const sentinel = deadline(() => {});
  sentinel.previous = sentinel;
  sentinel.next = sentinel;
  return sentinel;
}

function rethrow(error: Error): never {
  throw error;
}
