// The TCP connections of this thread and the limits that close them: on their number, their time and the memory
// held for them (RFC 7766 sections 6.2.3 and 10).
import { type Clock, setDeadline, type Timer } from '../../clock.ts';
import { COUNTER, type Counters } from '../../plane/counters.ts';
import type { TcpSettings } from '../../plane/settings.ts';

export interface TimedConnection {
  readonly openedMs: number;
  /** When it last asked or read, or was opened. */
  lastActiveMs: number;
  /** Queries that wait for upstreams. */
  waiting: number;
  /** Bytes kept for it: unread answers, the beginning of a query. */
  heldBytes: number;
  /** Ends it; what has been sent still reaches the client. It may have been forgotten already. */
  close(connection: TimedConnection): void;
  /** Ends it at once and discards unread answers. It may have been removed already. */
  giveUp(connection: TimedConnection): void;
}

export interface TcpConnections {
  /** Whether a connection just accepted may stay, possibly by closing the one idle for longest. */
  admit(): boolean;
  /** Closes the one that has been idle for longest; false: all are active, or there is none. */
  makeRoom(): boolean;
  add(connection: TimedConnection): void;
  /** It sent a query that gets a response and has no unread answers, or it has read answers. */
  active(connection: TimedConnection): void;
  /** The number of bytes held for it. If the total is over the limit, closes those without progress for longest, perhaps this one. */
  holds(connection: TimedConnection, bytes: number): void;
  /** It was closed for any reason. */
  forget(connection: TimedConnection): void;
  /** Closes each as soon as it is idle, and at once if it is. */
  drain(): void;
  /** How many there are. */
  open(): number;
  /** Closes all, and stops checking limits. */
  close(): void;
}

/** How often connections are looked at for their limits, each time after the sockets were read; no timer runs without connections. */
const SWEEP_MS = 500;
/** In a thread that another has taken over from: clients between two queries reconnect. */
const DRAIN_IDLE_MS = 1_000;
/** A client that asked or read in this time is not idle: it does not make room for a new one. */
const ACTIVE_MS = 100;

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over the connections of one thread
export function createTcpConnections(settings: TcpSettings, clock: Clock, counters: Counters): TcpConnections {
  /** Those without a query yet, the oldest first. */
  const silent = new Set<TimedConnection>();
  /** The others; those that have not been active for longest come first. */
  const byActivity = new Set<TimedConnection>();
  /** Both, the oldest first. */
  const byAge = new Set<TimedConnection>();
  /** Those with bytes held; those without progress for longest come first. */
  const holding = new Set<TimedConnection>();
  let heldBytes = 0;
  let { idleMs } = settings;
  let sweep: Timer | undefined;

  const forget = (connection: TimedConnection): void => {
    if (!byAge.delete(connection)) return;
    if (!silent.delete(connection)) byActivity.delete(connection);
    holding.delete(connection);
    heldBytes -= connection.heldBytes;
    counters[COUNTER.TCP_OPEN]--;
  };

  const end = (connection: TimedConnection, counter: number): void => {
    counters[counter]++;
    forget(connection);
    connection.giveUp(connection);
  };

  /** Closes expired connections at the head of a list: the first one with time left ends the loop, so 10,000 cost nothing. */
  const closeExpired = (
    list: ReadonlySet<TimedConnection>,
    since: 'lastActiveMs' | 'openedMs',
    limitMs: number,
  ): void => {
    const now = clock.monotonicMs();
    for (const connection of list) {
      if (now - connection[since] < limitMs) return;
      end(connection, COUNTER.TCP_TIMEOUTS);
    }
  };

  const sweepNow = (): void => {
    closeExpired(silent, 'lastActiveMs', idleMs);
    closeExpired(byActivity, 'lastActiveMs', idleMs);
    closeExpired(byAge, 'openedMs', settings.totalMs);
    sweep = byAge.size > 0 ? setDeadline(clock, sweepNow, SWEEP_MS) : undefined;
  };

  /**
   * Undefined: all are active. One that has never sent a query is idle from the beginning: otherwise a client that opens
   * many at once would lock out all others.
   */
  const idlest = (): TimedConnection | undefined => {
    const oldestSilent: TimedConnection | undefined = silent.values().next().value;
    const before = Math.min(clock.monotonicMs() - ACTIVE_MS, oldestSilent?.lastActiveMs ?? Number.POSITIVE_INFINITY);
    for (const connection of byActivity) {
      if (connection.lastActiveMs > before) break;
      if (connection.waiting === 0) return connection;
    }
    return oldestSilent;
  };

  const makeRoom = (): boolean => {
    const leaving = idlest();
    if (leaving !== undefined) end(leaving, COUNTER.TCP_EVICTED);
    return leaving !== undefined;
  };

  return {
    admit() {
      counters[COUNTER.TCP_ACCEPTED]++;
      const admitted = byAge.size < settings.connections || makeRoom();
      if (!admitted) counters[COUNTER.TCP_REFUSED]++;
      return admitted;
    },
    makeRoom,
    add(connection) {
      silent.add(connection);
      byAge.add(connection);
      counters[COUNTER.TCP_OPEN]++;
      sweep ??= setDeadline(clock, sweepNow, SWEEP_MS);
    },
    active(connection) {
      connection.lastActiveMs = clock.monotonicMs();
      if (!silent.delete(connection) && !byActivity.delete(connection)) return;
      byActivity.add(connection);
      if (holding.delete(connection)) holding.add(connection);
    },
    holds(connection, bytes) {
      if (bytes === connection.heldBytes || !byAge.has(connection)) return;
      heldBytes += bytes - connection.heldBytes;
      connection.heldBytes = bytes;
      if (bytes === 0) holding.delete(connection);
      else holding.add(connection);
      for (const stuck of holding) {
        if (heldBytes <= settings.unreadTotalBytes) return;
        end(stuck, COUNTER.TCP_UNREAD);
      }
    },
    forget,
    drain() {
      idleMs = Math.min(idleMs, DRAIN_IDLE_MS);
      sweep?.cancel();
      sweepNow();
    },
    open: () => byAge.size,
    close() {
      sweep?.cancel();
      for (const connection of byAge) {
        forget(connection);
        connection.close(connection);
      }
    },
  };
}
