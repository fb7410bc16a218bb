// The share of one client: places to wait, late replies, errors. A client that asks for more must not affect others, and a
// forged address must not get many replies in a short time (DNSBomb, reflection).
import type { ClientLimits } from '../../plane/forward-settings.ts';
import type { ForwardCounters } from '../../plane/forward-statistics.ts';

/** An IPv4 address, or the /64 of an IPv6 address. */
export type Client = number | string;

export function clientOf(address: Uint8Array | undefined): Client | undefined {
  if (address === undefined || address.length === 0) return undefined;
  if (address.length === 4) return ((address[0] << 24) | (address[1] << 16) | (address[2] << 8) | address[3]) >>> 0;
  const mapped = address[10] === 0xff && address[11] === 0xff && address.subarray(0, 10).every((byte) => byte === 0);
  return mapped ? clientOf(address.subarray(12)) : Buffer.from(address.subarray(0, 8)).toString('latin1');
}

/** What to do with an error response. */
export const ERROR = {
  SEND: 0,
  /** As TC without records, which a client that really asked repeats over TCP. */
  TRUNCATE: 1,
  DROP: 2,
} as const;

/** A client with fewer waiting queries gets late replies: it is not a flood, and may still wait for them. */
const FEW_WAITING = 16;
/** Clients whose errors are counted; beyond it the ones seen first are forgotten. */
const MAX_COUNTED = 4096;

interface Bucket {
  /** Error responses that may be sent at once. */
  left: number;
  sinceMs: number;
  /** Over the limit, responses are truncated and dropped in turn. */
  turn: number;
}

export class Clients {
  private readonly limits: ClientLimits;
  private readonly counters: ForwardCounters;
  private readonly waiting = new Map<Client, number>();
  private readonly buckets = new Map<Client, Bucket>();
  private secondMs = 0;
  private errorsInSecond = 0;

  constructor(limits: ClientLimits, counters: ForwardCounters) {
    this.limits = limits;
    this.counters = counters;
  }

  /** Takes a place to wait. False: the client is at its limit. */
  enter(client: Client | undefined): boolean {
    if (client === undefined) return true;
    const count = this.waiting.get(client) ?? 0;
    if (count >= this.limits.maxWaiting) {
      this.counters.clientWaiting++;
      return false;
    }
    this.waiting.set(client, count + 1);
    return true;
  }

  leave(client: Client | undefined): void {
    if (client === undefined) return;
    const count = this.waiting.get(client) ?? 0;
    if (count > 1) this.waiting.set(client, count - 1);
    else this.waiting.delete(client);
  }

  /** Whether a reply after `waitedMs` is to be discarded: the client has many more that would leave with it. */
  isTooLate(client: Client | undefined, waitedMs: number): boolean {
    const { discardMs } = this.limits;
    if (client === undefined || discardMs === 0 || waitedMs <= discardMs) return false;
    if ((this.waiting.get(client) ?? 0) < FEW_WAITING) return false;
    this.counters.clientLate++;
    return true;
  }

  /** Counts a cached failure; true where one client may have had more in this second than it may have. */
  areErrorsMany(nowMs: number): boolean {
    if (this.limits.errorsPerSecond === 0) return false;
    if (nowMs - this.secondMs >= 1000) {
      this.secondMs = nowMs;
      this.errorsInSecond = 0;
    }
    return ++this.errorsInSecond > this.limits.errorsPerSecond;
  }

  /** One of ERROR: response rate limiting, as BIND's `errors-per-second`. */
  takeError(client: Client | undefined, nowMs: number): number {
    const { errorsPerSecond } = this.limits;
    if (client === undefined || errorsPerSecond === 0) return ERROR.SEND;
    const bucket = this.bucketOf(client, nowMs);
    const regained = ((nowMs - bucket.sinceMs) * errorsPerSecond) / 1000;
    bucket.left = Math.min(errorsPerSecond, bucket.left + regained);
    bucket.sinceMs = nowMs;
    if (bucket.left >= 1) {
      bucket.left--;
      return ERROR.SEND;
    }
    if (bucket.turn++ % 2 === 0) {
      this.counters.clientErrors++;
      return ERROR.DROP;
    }
    this.counters.clientTruncated++;
    return ERROR.TRUNCATE;
  }

  private bucketOf(client: Client, nowMs: number): Bucket {
    const known = this.buckets.get(client);
    if (known !== undefined) return known;
    for (const oldest of this.buckets.size >= MAX_COUNTED ? this.buckets.keys() : []) {
      this.buckets.delete(oldest);
      break;
    }
    const bucket = { left: this.limits.errorsPerSecond, sinceMs: nowMs, turn: 0 };
    this.buckets.set(client, bucket);
    return bucket;
  }
}
