// The data plane while it runs. There is one implementation with threads (threads.ts) and one in this thread, for tests
// (in-process.ts).

import type { Reading } from '../metrics.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import type { CacheListing, FlushScope } from './cache-orders.ts';
import type { Change, DataPlane } from './records.ts';

export interface RunningDataPlane extends DataPlane {
  /**
   * Opens the sockets of every thread; before this nothing is heard. State the zones first (even as not ready), or names
   * in them are REFUSED until they are stated. Rejects with ListenError where an address cannot be had.
   */
  listen(): Promise<readonly ListeningAddress[]>;
  /** Resolves when every thread has read the files of hosts and upstreams, or found that it cannot. */
  readonly filesRead: Promise<void>;
  /** Empty before `listen`. */
  listening(): readonly ListeningAddress[];
  /** All counters of all threads, for `metrics.collect`. */
  counters(): Iterable<Reading>;
  /** Forgets cached answers of forwarded names in every thread; resolves to how many. */
  flushCache(scope: FlushScope): Promise<number>;
  /** What the threads have cached, at most `limit` entries of each. */
  listCache(limit: number, below?: Uint8Array): Promise<readonly CacheListing[]>;
  /** Stops listening, answers what was read, ends the threads. */
  close(): Promise<void>;
}

export interface ListeningAddress extends SocketAddress {
  readonly transport: 'udp' | 'tcp';
  /** For people: "batched", "plain". */
  readonly mode: string;
}

export interface PlaneEvents {
  log(level: 'info' | 'warn' | 'error', message: string): void;
  /** The whole present state, for a data thread that replaces a dead one. */
  refill(): Iterable<Change>;
}
