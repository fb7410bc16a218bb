// Requests from the control plane to the caches of the data threads, and their replies.
import type { WireName } from '../dns/name.ts';

export type FlushScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'name'; readonly name: WireName }
  | { readonly kind: 'below'; readonly name: WireName };

export interface CacheListing {
  readonly name: string;
  readonly type: string;
  readonly rcode: number;
  /** Below 0: expired, kept for serve-stale. */
  readonly ttlSeconds: number;
  readonly bytes: number;
  /** Of a failure, why. */
  readonly why?: string;
}

/** Cached answers on their way from a thread that leaves to the one that takes over; the entries are those of forward/cache. */
export interface CacheHandover {
  /** What decides about all of them, to be compared. */
  readonly stated: string;
  readonly filters: string;
  readonly routes: readonly string[];
  /** Now, by the clock of the thread that leaves. */
  readonly atMs: number;
  readonly entries: readonly HandedEntry[];
}

export interface HandedEntry {
  readonly bytes: Uint8Array;
  readonly storedMs: number;
  readonly expiresMs: number;
  readonly windowStartMs: number;
  readonly staleUntilMs: number;
  /** Its index in `routes`. */
  readonly route: number;
}
