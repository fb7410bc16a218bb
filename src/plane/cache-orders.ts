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

/** Cached answers in transit from a retiring thread to its successor; the entries are those of forward/cache. */
export interface CacheHandover {
  /** Settings that apply to all entries, for comparison. */
  readonly stated: string;
  readonly filters: string;
  readonly routes: readonly string[];
  /** Now, by the clock of the retiring thread. */
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
