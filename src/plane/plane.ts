// The interface of a running data plane. Implemented with threads (threads.ts), and for tests in the main thread.

import type { Reading } from '../metrics.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import type { CacheListing, FlushScope } from './cache-orders.ts';
import type { QueryLogInstead } from './forward-settings.ts';
import type { UpstreamCounters } from './forward-statistics.ts';
import type { QueryLine } from './query-line.ts';
import type { QueryPath, QueryPathRequest } from './query-path.ts';
import type { Change, DataPlane } from './records.ts';
import type { DataPlaneSettings } from './settings.ts';

export interface RunningDataPlane extends DataPlane {
  /**
   * Opens the sockets of every thread. Apply the zones first (even if not ready), otherwise names in them are REFUSED until
   * then. Rejects with ListenError if an address is not available.
   */
  listen(): Promise<readonly ListeningAddress[]>;
  /**
   * Replaces every thread if these settings are different: the new ones are filled, listen, and the old ones answer what they
   * have received. Rejects with ListenError if an address is not available, and then nothing has changed.
   */
  replaceThreads(settings: DataPlaneSettings): Promise<void>;
  /** Resolves when every thread has read the files of hosts and upstream servers, or failed to. */
  readonly filesRead: Promise<void>;
  /** Empty before `listen`. */
  listening(): readonly ListeningAddress[];
  /** Of DNS Push; empty without it. */
  pushListening(): readonly ListeningAddress[];
  /** Whether a data thread does not respond, and replacing it has not helped. */
  isStuck(): boolean;
  /** All counters of all threads, for `metrics.collect`. */
  counters(): Iterable<Reading>;
  /** Those of CoreDNS. `ownPlugin` names the plugin that has own names. */
  corednsCounters(ownPlugin: string): Iterable<Reading>;
  /** Receivers of the threads' observations of queries; until set, these are lost. */
  observe(observer: PlaneObserver): void;
  /** Other query logs than the configured ones, also after a reload; undefined: as configured. */
  setQueryLog(instead: QueryLogInstead): void;
  /** Removes cached answers in every thread; resolves to their number. */
  flushCache(scope: FlushScope): Promise<number>;
  /** The cached answers of the threads, at most `limit` entries of each. */
  listCache(limit: number, below?: Uint8Array): Promise<readonly CacheListing[]>;
  /** How a query would be treated. */
  explainQuery(request: QueryPathRequest): Promise<QueryPath>;
  /** The upstream servers as each thread sees them. */
  upstreams(): readonly UpstreamCounters[];
  /** Stops listening, answers the queries already read, ends the threads. */
  close(): Promise<void>;
}

export interface ListeningAddress extends SocketAddress {
  readonly transport: 'udp' | 'tcp';
  /** For people: "batched", "plain". */
  readonly mode: string;
}

export interface PlaneObserver {
  /** A line of the query log. */
  onQuery(line: QueryLine): void;
  /** The tally of a thread (tally.ts). */
  onTally(bytes: ArrayBuffer): void;
}

export interface PlaneEvents {
  log(level: 'info' | 'warn' | 'error', message: string): void;
  /** The complete current state, for a data thread that replaces a dead one. */
  refill(): Iterable<Change>;
}
