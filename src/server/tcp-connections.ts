// Which TCP connections there are and which of them must go: limits on their number and their time (RFC 7766 section 6.2.3).
import type { Clock, Timer } from '../clock.ts';
import { COUNTER, type Counters } from '../plane/counters.ts';
import type { TcpSettings } from '../plane/settings.ts';

export interface TimedConnection {
  readonly openedMs: number;
  lastQueryMs: number;
}

export interface TcpConnections<C extends TimedConnection> {
  /** Whether one more that has just been accepted may stay, perhaps at the cost of the one idle for longest. */
  admit(): boolean;
  add(connection: C): void;
  /** It asked something that deserves a response. */
  asked(connection: C): void;
  /** It is closed, for whatever reason. */
  forget(connection: C): void;
  /** Closes all, and looks at none any more. */
  close(): void;
}

/** How often connections are looked at for their limits; no timer runs without connections. */
const SWEEP_MS = 500;
/** At the limit, a connection that has been idle for so long makes room for a new one. */
const MAKES_ROOM_AFTER_MS = 1000;

/** `closeOne` ends a connection at once; what it has forgotten already need not be forgotten again. */
export function createTcpConnections<C extends TimedConnection>(
  settings: TcpSettings,
  clock: Clock,
  counters: Counters,
  closeOne: (connection: C) => void,
): TcpConnections<C> {
  /** Those without a query for longest come first. */
  const byLastQuery = new Set<C>();
  /** The same, the oldest first. */
  const byAge = new Set<C>();
  let sweep: Timer | undefined;

  const forget = (connection: C): void => {
    if (!byLastQuery.delete(connection)) return;
    byAge.delete(connection);
    counters[COUNTER.TCP_OPEN]--;
  };

  /** Closes those at the head of a list whose time is over: the first that has time left ends it, so 10,000 cost nothing. */
  const closeExpired = (list: ReadonlySet<C>, since: 'lastQueryMs' | 'openedMs', limitMs: number): void => {
    const now = clock.monotonicMs();
    for (const connection of list) {
      if (now - connection[since] < limitMs) return;
      counters[COUNTER.TCP_TIMEOUTS]++;
      forget(connection);
      closeOne(connection);
    }
  };

  const sweepNow = (): void => {
    closeExpired(byLastQuery, 'lastQueryMs', settings.idleMs);
    closeExpired(byAge, 'openedMs', settings.totalMs);
    sweep = byLastQuery.size > 0 ? clock.setTimeout(sweepNow, SWEEP_MS) : undefined;
  };

  const hasRoom = (): boolean => {
    if (byLastQuery.size < settings.connections) return true;
    const [oldest] = byLastQuery;
    if (oldest === undefined || clock.monotonicMs() - oldest.lastQueryMs < MAKES_ROOM_AFTER_MS) return false;
    forget(oldest);
    closeOne(oldest);
    return true;
  };

  return {
    admit() {
      counters[COUNTER.TCP_ACCEPTED]++;
      const admitted = hasRoom();
      if (!admitted) counters[COUNTER.TCP_REFUSED]++;
      return admitted;
    },
    add(connection) {
      byLastQuery.add(connection);
      byAge.add(connection);
      counters[COUNTER.TCP_OPEN]++;
      sweep ??= clock.setTimeout(sweepNow, SWEEP_MS);
    },
    asked(connection) {
      connection.lastQueryMs = clock.monotonicMs();
      if (byLastQuery.delete(connection)) byLastQuery.add(connection);
    },
    forget,
    close() {
      sweep?.cancel();
      for (const connection of byLastQuery) {
        forget(connection);
        closeOne(connection);
      }
    },
  };
}
