// Messages between the control plane and a data thread. Changes are sent as transferred bytes (messages.ts).

import type { MessagePort } from 'node:worker_threads';
import type { ReportedDescriptor } from '../native/orphaned-descriptors.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import type { CacheListing, FlushScope } from './cache-orders.ts';
import type { QueryLogInstead } from './forward-settings.ts';
import type { ForwardStatistics } from './forward-statistics.ts';
import type { ListeningAddress } from './plane.ts';
import type { QueryLine } from './query-line.ts';
import type { QueryPath, QueryPathRequest } from './query-path.ts';
import type { DataPlaneSettings } from './settings.ts';

/** The initial data of a data thread. */
export interface ThreadData {
  readonly settings: DataPlaneSettings;
  readonly slots: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly hashSeed: number;
  readonly rotationSeed: number;
  /** The same in all threads of the process and in no other. */
  readonly loopToken: string;
  /** 0: reports for all threads what all of them see. */
  readonly index: number;
  readonly queryLog: QueryLogInstead;
}

export type ToThread =
  | { readonly kind: 'changes'; readonly id: number; readonly bytes: ArrayBuffer }
  /** `shared`: beside the sockets of other threads. */
  | { readonly kind: 'listen'; readonly addresses: readonly SocketAddress[]; readonly shared: boolean }
  /** Lets others bind the same addresses, or no longer. */
  | { readonly kind: 'share'; readonly on: boolean }
  /** Closes the listening sockets, after what they have received has been answered. */
  | { readonly kind: 'stop-listening' }
  /** Sends what is cached through the port, or takes in what comes out of it until it is closed. */
  | { readonly kind: 'hand-cache-over' | 'take-cache-in'; readonly port: MessagePort }
  /** Ends it when no client waits any more. */
  | { readonly kind: 'drain' }
  | { readonly kind: 'query-log'; readonly instead: QueryLogInstead }
  | { readonly kind: 'flush-cache'; readonly id: number; readonly scope: FlushScope }
  | { readonly kind: 'list-cache'; readonly id: number; readonly limit: number; readonly below?: Uint8Array }
  | { readonly kind: 'explain-query'; readonly id: number; readonly request: QueryPathRequest }
  | { readonly kind: 'close' };

export type FromThread =
  | { readonly kind: 'applied'; readonly id: number }
  /**
   * A socket that is not Node's, or an epoll descriptor with all that it watches: if the thread dies, the control plane
   * closes it, or it would go on taking queries.
   */
  | { readonly kind: 'opened'; readonly descriptor: ReportedDescriptor }
  | {
      readonly kind: 'listening';
      readonly addresses: readonly ListeningAddress[];
      readonly fallback: string | undefined;
    }
  | { readonly kind: 'listen-failed'; readonly message: string; readonly code: string }
  /** `done`: whether the sockets can be shared. */
  | { readonly kind: 'shared'; readonly done: boolean }
  | { readonly kind: 'stopped-listening' }
  /** All that came through the port is in the cache. */
  | { readonly kind: 'cache-taken-in' }
  /** The files of hosts and upstreams have been read. */
  | { readonly kind: 'files-read' }
  | { readonly kind: 'cache'; readonly id: number; readonly flushed: number; readonly listing: readonly CacheListing[] }
  | { readonly kind: 'query-path'; readonly id: number; readonly path: QueryPath }
  | { readonly kind: 'forward'; readonly statistics: ForwardStatistics }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly message: string }
  | { readonly kind: 'query'; readonly line: QueryLine }
  /** See tally.ts. */
  | { readonly kind: 'tally'; readonly bytes: ArrayBuffer }
  | { readonly kind: 'closed' };
