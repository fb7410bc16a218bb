// The counters of the data threads, in shared memory: each thread is the only writer of its row, so counting is one addition
// and reading never waits. 64-bit floats: exact up to 2^53, and written atomically.

/** Query types with a separate counter, all below 256; all others are "other". */
export const COUNTED_TYPES = [1, 2, 5, 6, 12, 15, 16, 28, 33, 43, 46, 47, 48, 50, 64, 65, 251, 252, 255] as const;
export const TYPE_SLOTS = COUNTED_TYPES.length + 1;
/** How a query arrived, in the order of its counters. */
export const TRANSPORTS = [
  { proto: 'udp', family: '4' },
  { proto: 'udp', family: '6' },
  { proto: 'tcp', family: '4' },
  { proto: 'tcp', family: '6' },
] as const;
export const RCODE_SLOTS = 17;
/** Source of the answer: own names; the cache, hosts and templates; upstream servers. */
export const ANSWERED_BY = ['own', 'cache', 'upstream'] as const;
/** Upper bounds of sizes: those of our histograms and of CoreDNS's. */
export const SIZE_BOUNDS = [
  64, 100, 128, 200, 256, 300, 400, 511, 512, 1023, 1232, 2047, 4095, 4096, 8291, 16_000, 32_000, 48_000, 64_000,
  65_535,
] as const;
/** Upper bounds of durations in microseconds: from 250 on those of CoreDNS. */
export const DURATION_BOUNDS_US = [
  1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000,
  1_024_000, 2_048_000, 4_096_000, 8_192_000,
] as const;

/** Why sessions of the push thread end. */
export const PUSH_ENDS = ['client', 'error', 'protocol', 'silent', 'inactive', 'unread', 'shutdown'] as const;

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
  /** By transport. */
  TYPES: take(TRANSPORTS.length * TYPE_SLOTS),
  /** By what answered. */
  RCODES: take(ANSWERED_BY.length * RCODE_SLOTS),
  /** Of UDP, then of TCP; so are the following. */
  SIZES: take(2 * SIZE_BOUNDS.length),
  SIZE_SUM: take(2),
  /** A sample, as DURATIONS. */
  QUERY_SIZES: take(2 * SIZE_BOUNDS.length),
  QUERY_SIZE_SUM: take(2),
  /** A sample, in which each response stands for those since the last one. */
  DURATIONS: take(DURATION_BOUNDS_US.length + 1),
  DURATION_SUM_MS: take(),
  DNSSEC_OK: take(),
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
  /** Of the push thread alone, from here on. */
  PUSH_SESSIONS: take(),
  PUSH_SUBSCRIPTIONS: take(),
  /** Names and types that are subscribed to. */
  PUSH_KEYS: take(),
  /** Changed, and not sent yet. */
  PUSH_WAITING: take(),
  PUSH_UNREAD_BYTES: take(),
  PUSH_OPENED: take(),
  /** Not admitted: the limit of sessions, or of those of one client. */
  PUSH_TURNED_AWAY: take(),
  /** A handshake failed. */
  PUSH_TLS_FAILED: take(),
  /** By PUSH_ENDS. */
  PUSH_ENDED: take(PUSH_ENDS.length),
  PUSH_SUBSCRIBES: take(),
  PUSH_UNSUBSCRIBES: take(),
  PUSH_KEEPALIVES: take(),
  PUSH_RECONFIRMS: take(),
  PUSH_QUERIES: take(),
  /** Requests of unknown types, malformed ones, and subscriptions that were refused. */
  PUSH_UNKNOWN: take(),
  PUSH_MALFORMED: take(),
  PUSH_REFUSED: take(),
  /** States of keys, and messages to subscribers. */
  PUSH_STATES: take(),
  PUSH_MESSAGES: take(),
  /** States that a slow subscriber was not sent. */
  PUSH_SKIPPED: take(),
} as const;

export const COUNTERS = next;

export type Counters = Float64Array;

/** Of a thread, and of each of its views, which count what they answer themselves; see `countersOfView`. */
export function createCounters(views = 0): Counters {
  return new Float64Array(new SharedArrayBuffer((1 + views) * COUNTERS * 8), 0, COUNTERS);
}

/** The counters of the view at this place in the settings, beside those of its thread. */
export function countersOfView(counters: Counters, index: number): Counters {
  return new Float64Array(counters.buffer, (1 + index) * COUNTERS * 8, COUNTERS);
}

/** Types → their counter, for types below 256. */
const TYPE_COUNTERS = Uint8Array.from({ length: 256 }, (_, type) => {
  const known = (COUNTED_TYPES as readonly number[]).indexOf(type);
  return COUNTER.TYPES + (known < 0 ? TYPE_SLOTS - 1 : known);
});

/** Of the first transport. */
export function typeCounter(type: number): number {
  return type < 256 ? TYPE_COUNTERS[type] : COUNTER.TYPES + TYPE_SLOTS - 1;
}

/** For `PacketMemory.arrival`: from the counter of arrivals. */
export const arrivalOf = (arrived: number): number => (arrived - COUNTER.UDP4) * TYPE_SLOTS;

/** The size of a message → its place among SIZE_BOUNDS. */
export const SIZE_SLOTS = new Uint8Array(65_536);
SIZE_BOUNDS.forEach((most, slot) => {
  SIZE_SLOTS.fill(slot, slot === 0 ? 0 : SIZE_BOUNDS[slot - 1] + 1, most + 1);
});

/** How long responses took, each of them for `weight`. */
export function countDuration(counters: Counters, milliseconds: number, weight: number): void {
  const microseconds = milliseconds * 1_000;
  let bucket = 0;
  while (bucket < DURATION_BOUNDS_US.length && microseconds > DURATION_BOUNDS_US[bucket]) bucket++;
  counters[COUNTER.DURATIONS + bucket] += weight;
  counters[COUNTER.DURATION_SUM_MS] += milliseconds * weight;
}

/** The size of a query, which stands for `weight` of them. */
export function countQuerySize(counters: Counters, length: number, overTcp: boolean, weight: number): void {
  const proto = overTcp ? 1 : 0;
  counters[COUNTER.QUERY_SIZES + proto * SIZE_BOUNDS.length + SIZE_SLOTS[length]] += weight;
  counters[COUNTER.QUERY_SIZE_SUM + proto] += length * weight;
}

/** A response that came from the cache or, later, from an upstream server. */
export function countResponse(counters: Counters, by: 1 | 2, rcode: number, length: number, overTcp: boolean): void {
  const proto = overTcp ? 1 : 0;
  counters[COUNTER.RCODES + by * RCODE_SLOTS + rcode]++;
  counters[COUNTER.SIZES + proto * SIZE_BOUNDS.length + SIZE_SLOTS[length]]++;
  counters[COUNTER.SIZE_SUM + proto] += length;
}

/** Maximum number of messages waiting for the control plane; a worker's port is unbounded. */
const MAX_POSTED = 1_000;

/** Counts an optional message to the control plane; false: too many are waiting, so drop it. */
export function mayPost(counters: Counters): boolean {
  if (counters[COUNTER.POSTED] - counters[COUNTER.TAKEN] >= MAX_POSTED) return false;
  counters[COUNTER.POSTED]++;
  return true;
}
