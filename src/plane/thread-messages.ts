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
  /** Thread 0 reports events that all threads see. */
  readonly index: number;
  readonly queryLog: QueryLogInstead;
}

/** Requests from the control plane to a thread. */
export type Request =
  /** `shared`: beside the sockets of other threads. */
  | { readonly kind: 'listen'; readonly addresses: readonly SocketAddress[]; readonly shared: boolean }
  /** Lets others bind the same addresses, or no longer. */
  | { readonly kind: 'share'; readonly on: boolean }
  /** Closes the listening sockets, after what they have received has been answered. */
  | { readonly kind: 'stop-listening' }
  /** Adds the entries received through the port, until it is closed, to the cache. */
  | { readonly kind: 'take-cache-in'; readonly port: MessagePort }
  | { readonly kind: 'flush-cache'; readonly scope: FlushScope }
  | { readonly kind: 'list-cache'; readonly limit: number; readonly below?: Uint8Array }
  | { readonly kind: 'explain-query'; readonly request: QueryPathRequest };

/** The reply to each kind of request. */
export interface Replies {
  listen:
    | { readonly addresses: readonly ListeningAddress[]; readonly fallback: string | undefined }
    | { readonly problem: string; readonly code: string };
  /** Whether the sockets can be shared. */
  share: boolean;
  'stop-listening': undefined;
  'take-cache-in': undefined;
  /** The number of answers. */
  'flush-cache': number;
  'list-cache': readonly CacheListing[];
  'explain-query': QueryPath;
}

export type ToThread =
  | { readonly kind: 'changes'; readonly id: number; readonly bytes: ArrayBuffer }
  /** To the push thread: slots whose bytes have changed. */
  | { readonly kind: 'flips'; readonly slots: Int32Array }
  | { readonly kind: 'request'; readonly id: number; readonly request: Request }
  /** Sends the cached entries through the port. */
  | { readonly kind: 'hand-cache-over'; readonly port: MessagePort }
  | { readonly kind: 'query-log'; readonly instead: QueryLogInstead }
  /** Ends it when no client waits any more. */
  | { readonly kind: 'drain' }
  | { readonly kind: 'close' };

export type FromThread =
  | { readonly kind: 'applied'; readonly id: number }
  | { readonly kind: 'reply'; readonly id: number; readonly reply: Replies[keyof Replies] }
  /**
   * A socket that is not Node's, or an epoll descriptor with all that it watches: if the thread dies, the control plane
   * closes it, or it would go on taking queries.
   */
  | { readonly kind: 'opened'; readonly descriptor: ReportedDescriptor }
  /** The files of hosts and upstreams have been read. */
  | { readonly kind: 'files-read' }
  | { readonly kind: 'forward'; readonly statistics: ForwardStatistics }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly message: string }
  | { readonly kind: 'query'; readonly line: QueryLine }
  /** See tally.ts. */
  | { readonly kind: 'tally'; readonly bytes: ArrayBuffer }
  | { readonly kind: 'closed' };
