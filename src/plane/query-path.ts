// How a data thread would treat a query: which settings apply to it. For explanations.
import type { WireName } from '../dns/name.ts';
import type { SocketAddress } from '../native/socket-address.ts';

export interface QueryPathRequest {
  /** Lower case. */
  readonly name: WireName;
  readonly type: number;
  /** 4 or 16 bytes; undefined: rules and views for certain clients are left out. */
  readonly client?: Uint8Array;
  /** Where it arrives; undefined: at an address without views. */
  readonly at?: SocketAddress;
}

export interface QueryPath {
  /** "acl rule 2: block", in the order in which they apply. */
  readonly rules: readonly string[];
  /** The rewritten name; absolute. */
  readonly rewritten?: string;
  /** Where the name is forwarded, unless rules answer it: the route's zone, and its servers. */
  readonly route?: { readonly zone: string; readonly upstreams: readonly string[] };
}
