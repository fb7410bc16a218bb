// Responses out of cached answers, for hits and for clients that waited. One object serves all of them, since a cache hit
// allocates nothing.
import { EDE, RCODE } from '../../dns/types.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import type { ForwardCounters } from '../../plane/forward-statistics.ts';
import { type Rendering, writeAnswer, writeFailure } from './answer.ts';
import type { CacheEntry } from './entry.ts';

const LARGEST_RESPONSE = 65_535 + 64;

export class ResponseWriter {
  private readonly how: Rendering = { asked: 0, ageSeconds: 0, fixedTtlSeconds: -1, ede: -1, rotation: 0, maxBytes: 0 };
  private readonly staleTtlSeconds: number;
  private readonly loadbalance: boolean;
  private readonly counters: ForwardCounters;
  private readonly scratch = new Uint8Array(LARGEST_RESPONSE);

  constructor(settings: CacheSettings, loadbalance: boolean, counters: ForwardCounters) {
    this.staleTtlSeconds = settings.serveStale?.ttlSeconds ?? 0;
    this.loadbalance = loadbalance;
    this.counters = counters;
  }

  /** Writes the response to `query` into `out` at `start` and returns its length. */
  write(
    entry: CacheEntry,
    stale: boolean,
    nowMs: number,
    query: Uint8Array,
    asked: number,
    maxBytes: number,
    out: Uint8Array,
    start: number,
  ): number {
    const { how } = this;
    how.asked = asked;
    how.maxBytes = maxBytes;
    how.ageSeconds = Math.floor((nowMs - entry.storedMs) / 1000);
    how.fixedTtlSeconds = stale ? this.staleTtlSeconds : -1;
    how.ede = stale ? staleEde(entry) : entry.ede;
    how.rotation = this.loadbalance ? (how.rotation + 1) & 0xffff : 0;
    if (stale) this.counters.servedStale++;
    return writeAnswer(entry, query, how, out, start);
  }

  /** The same in memory of its own: valid until the next response is composed. */
  compose(
    entry: CacheEntry,
    stale: boolean,
    nowMs: number,
    query: Uint8Array,
    asked: number,
    maxBytes: number,
  ): Uint8Array {
    return this.scratch.subarray(0, this.write(entry, stale, nowMs, query, asked, maxBytes, this.scratch, 0));
  }

  /** A response without records, for a query that ends at `questionEnd`; valid as long as that of `compose`. */
  composeFailure(
    query: Uint8Array,
    questionEnd: number,
    asked: number,
    rcode: number,
    ede: number,
    text?: string,
  ): Uint8Array {
    return this.scratch.subarray(0, writeFailure(query, questionEnd, asked, rcode, ede, this.scratch, 0, text));
  }
}

function staleEde(entry: CacheEntry): number {
  return entry.rcode === RCODE.NXDOMAIN ? EDE.STALE_NXDOMAIN_ANSWER : EDE.STALE_ANSWER;
}
