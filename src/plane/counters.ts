// The counters of the data threads, in shared memory: each thread is the only writer of its row, so counting is one addition
// and reading never waits. 64-bit floats: exact up to 2^53, and written atomically.

/** Query types with a separate counter; all others are "other". */
export const COUNTED_TYPES = [1, 2, 5, 6, 12, 15, 16, 28, 33, 64, 65, 255] as const;
const TYPE_SLOTS = COUNTED_TYPES.length + 1;
export const RCODE_SLOTS = 17;
/** Upper bounds of response sizes, as CoreDNS's histogram has them in part; the last is everything above. */
export const SIZE_BOUNDS = [64, 128, 256, 512, 1232, 4096, 65_535] as const;

let next = 0;
const take = (count = 1): number => {
  next += count;
  return next - count;
};

export const COUNTER = {
  UDP4: take(),
  UDP6: take(),
  TCP4: take(),
  TCP6: take(),
  TYPES: take(TYPE_SLOTS),
  RCODES: take(RCODE_SLOTS),
  SIZES: take(SIZE_BOUNDS.length),
  SIZE_SUM: take(),
  TRUNCATED: take(),
  FORWARDED: take(),
  DROPPED_SHORT: take(),
  DROPPED_RESPONSE: take(),
  DROPPED_PORT: take(),
  DROPPED_SEND: take(),
  /** Reported by the kernel: the receive buffer was full. */
  DROPPED_KERNEL: take(),
  ERRORS: take(),
  BATCHES: take(),
  BATCHED: take(),
  TCP_OPEN: take(),
  TCP_ACCEPTED: take(),
  TCP_REFUSED: take(),
  TCP_TIMEOUTS: take(),
  TCP_ABORTED: take(),
  /** Idle longest when a new one arrived at the limit. */
  TCP_EVICTED: take(),
  /** Closed because the total of unread answers was too large. */
  TCP_UNREAD: take(),
  NAMES: take(),
  RECORDS: take(),
  TABLE_BYTES: take(),
  ZONES: take(),
  APPLIED: take(),
  /** Messages posted to the control plane, and those that it has read: the only counter that it writes itself. */
  POSTED: take(),
  TAKEN: take(),
  LOG_DROPPED: take(),
  DNSTAP_SENT: take(),
  DNSTAP_DROPPED: take(),
  /** Heartbeats, from which the control plane sees that the thread responds (watchdog.ts). */
  BEATS: take(),
  /** poll() failed, or a descriptor was invalid. */
  POLL_FAILED: take(),
} as const;

export const COUNTERS = next;

export type Counters = Float64Array;

export function createCounters(): Counters {
  return new Float64Array(new SharedArrayBuffer(COUNTERS * 8));
}

/** Types → their counter, for types below 256. */
const TYPE_COUNTERS = Uint8Array.from({ length: 256 }, (_, type) => {
  const known = (COUNTED_TYPES as readonly number[]).indexOf(type);
  return COUNTER.TYPES + (known < 0 ? TYPE_SLOTS - 1 : known);
});

export function typeCounter(type: number): number {
  return type < 256 ? TYPE_COUNTERS[type] : COUNTER.TYPES + TYPE_SLOTS - 1;
}

/** The size of a response in steps of 16 bytes, rounded up → its counter. All bounds are multiples of 16. */
export const SIZE_COUNTERS = Uint8Array.from({ length: 0x1000 + 1 }, (_, sixteenths) => {
  const bound = SIZE_BOUNDS.findIndex((most) => sixteenths * 16 <= most);
  return COUNTER.SIZES + (bound < 0 ? SIZE_BOUNDS.length - 1 : bound);
});

/** Maximum number of messages waiting for the control plane; a worker's port is unbounded. */
export const MAX_POSTED = 1_000;

/** Counts an optional message to the control plane; false: too many are waiting, so drop it. */
export function mayPost(counters: Counters): boolean {
  if (counters[COUNTER.POSTED] - counters[COUNTER.TAKEN] >= MAX_POSTED) return false;
  counters[COUNTER.POSTED]++;
  return true;
}
