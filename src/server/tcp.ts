// TCP (RFC 7766): many queries on one connection, split or joined in any way, answered as they are ready; limits on
// connections, on their time, and on answers that nobody reads.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import { parseIp } from '../dns/ip.ts';
import { COUNTER } from '../plane/counters.ts';
import type { SocketAddress, TcpSettings } from '../plane/settings.ts';
import { withoutZone } from './client-address.ts';
import type { Engine } from './engine.ts';
import { DROP, LATER } from './respond.ts';
import { createStreamReader } from './stream-reader.ts';
import { listenError } from './udp.ts';

export interface TcpDeps {
  readonly clock: Clock;
  /** A bound socket to listen on, shared with other threads; undefined: bind here. */
  readonly fd?: number;
}

export interface TcpListener {
  readonly bound: SocketAddress;
  /** Stops accepting and closes all connections. */
  close(): Promise<void>;
}

interface Connection {
  readonly openedMs: number;
  lastQueryMs: number;
  close(): void;
}

/** How often connections are looked at for their limits; no timer runs without connections. */
const SWEEP_MS = 500;
/** At the limit, a connection that has been idle for so long makes room for a new one. */
const MAKES_ROOM_AFTER_MS = 1000;
/** Queries of one connection that wait for upstreams; beyond it, it is not read from. */
const MAX_WAITING = 100;

/** Rejects with ListenError. */
export async function listenTcp(
  engine: Engine,
  address: SocketAddress,
  settings: TcpSettings,
  deps: TcpDeps,
): Promise<TcpListener> {
  const { clock } = deps;
  const { counters } = engine;
  /** Those without a query for longest come first. */
  const connections = new Set<Connection>();
  /** The same, the oldest first. */
  const byAge = new Set<Connection>();
  const out = Buffer.alloc(2 + 65_535);
  const body = out.subarray(2);
  let sweep: Timer | undefined;

  /** Closes those at the head of a list whose time is over: the first that has time left ends it, so 10,000 cost nothing. */
  const closeExpired = (list: ReadonlySet<Connection>, since: 'lastQueryMs' | 'openedMs', limitMs: number): void => {
    const now = clock.monotonicMs();
    for (const connection of list) {
      if (now - connection[since] < limitMs) return;
      counters[COUNTER.TCP_TIMEOUTS]++;
      forget(connection);
      connection.close();
    }
  };

  const forget = (connection: Connection): void => {
    if (!connections.delete(connection)) return;
    byAge.delete(connection);
    counters[COUNTER.TCP_OPEN]--;
  };

  const sweepNow = (): void => {
    closeExpired(connections, 'lastQueryMs', settings.idleMs);
    closeExpired(byAge, 'openedMs', settings.totalMs);
    sweep = connections.size > 0 ? clock.setTimeout(sweepNow, SWEEP_MS) : undefined;
  };

  /** Whether one more connection may be had, perhaps at the cost of the one idle for longest. */
  const hasRoom = (): boolean => {
    if (connections.size < settings.connections) return true;
    const [oldest] = connections;
    if (oldest === undefined || clock.monotonicMs() - oldest.lastQueryMs < MAKES_ROOM_AFTER_MS) return false;
    forget(oldest);
    oldest.close();
    return true;
  };

  const serve = (socket: Socket): void => {
    counters[COUNTER.TCP_ACCEPTED]++;
    if (!hasRoom()) {
      counters[COUNTER.TCP_REFUSED]++;
      socket.destroy();
      return;
    }
    const arrived = socket.remoteFamily === 'IPv6' ? COUNTER.TCP6 : COUNTER.TCP4;
    const connection: Connection = {
      openedMs: clock.monotonicMs(),
      lastQueryMs: clock.monotonicMs(),
      close: () => socket.destroy(),
    };
    connections.add(connection);
    byAge.add(connection);
    counters[COUNTER.TCP_OPEN]++;
    sweep ??= clock.setTimeout(sweepNow, SWEEP_MS);
    const client = engine.wantsClient ? parseIp(withoutZone(socket.remoteAddress ?? '')) : undefined;
    const reader = createStreamReader();
    let waiting = 0;
    let ended = false;
    let answering = false;

    /** Only a stream that needs to drain tells when it has. */
    const held = () =>
      waiting >= MAX_WAITING || (socket.writableNeedDrain && socket.writableLength > settings.unreadBytes);

    const send = (length: number): void => {
      out[0] = length >>> 8;
      out[1] = length;
      socket.write(Uint8Array.prototype.slice.call(out, 0, 2 + length));
    };

    const answerLater = (query: Uint8Array): void => {
      waiting++;
      engine.respondLater(query, true, (response) => {
        waiting--;
        if (socket.destroyed) return;
        if (response.length > 0) {
          body.set(response);
          send(response.length);
        }
        answerHeld();
      });
    };

    /** Answers what has been read, as far as the limits allow; reading goes on when all of it is answered. */
    const answerHeld = (): void => {
      // A reply may come while its query is being handed on.
      if (answering) return;
      answering = true;
      socket.cork();
      let answered = false;
      while (!held()) {
        const query = reader.next();
        if (query === undefined) break;
        counters[arrived]++;
        const length = engine.respond(query, query.length, body, true, client);
        // What deserves no response does not keep the connection either.
        if (length !== DROP) answered = true;
        if (length > 0) send(length);
        else if (length === LATER) answerLater(query.slice());
      }
      socket.uncork();
      answering = false;
      if (answered) {
        connection.lastQueryMs = clock.monotonicMs();
        if (connections.delete(connection)) connections.add(connection);
      }
      if (held()) socket.pause();
      else if (ended && waiting === 0) socket.end();
      else socket.resume();
    };

    socket.on('data', (chunk) => {
      reader.push(chunk);
      answerHeld();
    });
    socket.on('drain', answerHeld);
    socket.on('end', () => {
      ended = true;
      answerHeld();
    });
    socket.on('error', () => counters[COUNTER.TCP_ABORTED]++);
    socket.on('close', () => forget(connection));
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, serve);
  await listen(server, address, deps.fd);
  server.on('error', () => counters[COUNTER.TCP_REFUSED]++);
  const bound = server.address() as SocketAddress;
  return {
    bound: { address: bound.address, port: bound.port },
    async close() {
      sweep?.cancel();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.close();
      await closed;
    },
  };
}

async function listen(server: Server, address: SocketAddress, fd: number | undefined): Promise<void> {
  const failed = new Promise<never>((_resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenError(address, 'tcp', error.code ?? `${error}`)),
    );
  });
  const backlog = 1024;
  if (fd !== undefined) server.listen({ fd, backlog, exclusive: true });
  else {
    const ipv6Only = address.address.includes(':');
    server.listen({ host: address.address, port: address.port, backlog, exclusive: true, ipv6Only });
  }
  await Promise.race([once(server, 'listening'), failed]);
}
