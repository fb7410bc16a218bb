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
