// TCP through node:net, where epoll is not available.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../clock.ts';
import { parseIp } from '../../dns/ip.ts';
import { listenError } from '../../native/listen-error.ts';
import type { SocketAddress } from '../../native/socket-address.ts';
import { withoutScope } from '../../native/socket-address.ts';
import { COUNTER } from '../../plane/counters.ts';
import type { TcpSettings } from '../../plane/settings.ts';
import type { QueryHandler } from '../answer/query-handler.ts';
import { createStreamReader } from './stream-reader.ts';
import { TCP_BACKLOG } from './tcp-accept.ts';
import type { TcpConnections } from './tcp-connections.ts';
import { type Conversation, createConversations, OUT_BYTES, type TcpListener, TURN_WORK } from './tcp-conversation.ts';

interface PlainConnection extends Conversation {
  readonly socket: Socket;
}

/**
 * Rejects with ListenError. Node has no way to say how much the kernel keeps of answers that nobody reads: it is what the
 * system allows (net.ipv4.tcp_wmem).
 */
export async function listenPlainTcp(
  handler: QueryHandler,
  address: SocketAddress,
  settings: TcpSettings,
  clock: Clock,
  connections: TcpConnections,
): Promise<TcpListener> {
  const { counters } = handler;
  const out = Buffer.alloc(OUT_BYTES);
  const arrived = address.address.includes(':') ? COUNTER.TCP6 : COUNTER.TCP4;
  const turns = createTurns(
    (connection) => conversations.answer(connection),
    () => conversations.work(),
  );
  const conversations = createConversations<PlainConnection>(handler, settings, arrived, {
    connections,
    out,
    send: ({ socket }, length) => socket.write(Uint8Array.prototype.slice.call(out, 0, length)),
    unsentBytes: ({ socket }) => socket.writableLength,
    expect(connection, reading, postponed) {
      if (postponed) turns.add(connection);
      if (reading) connection.socket.resume();
      else connection.socket.pause();
    },
    end: ({ socket }) => socket.end(),
  });

  const serve = (socket: Socket): void => {
    if (!connections.admit()) {
      socket.destroy();
      return;
    }
    const connection = newConnection(socket, clock.monotonicMs());
    connections.add(connection);
    const receive = (chunk: Uint8Array, length: number) => {
      conversations.received(connection, chunk, length);
      if (turns.has(connection)) socket.pause();
      turns.add(connection);
    };
    socket.on('data', (chunk) => receive(chunk, chunk.length));
    socket.on('drain', () => {
      connections.active(connection);
      turns.add(connection);
    });
    socket.on('end', () => receive(out, 0));
    socket.on('error', () => counters[COUNTER.TCP_ABORTED]++);
    socket.on('close', () => {
      connection.open = false;
      turns.remove(connection);
      connections.forget(connection);
    });
  };

  // A stream reports that it has drained if it had more than highWaterMark.
  const server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: 1 }, serve);
  await listen(server, address);
  server.on('error', () => counters[COUNTER.TCP_REFUSED]++);
  const bound = server.address() as SocketAddress;
  let closing: Promise<void> | undefined;
  const closed = () => {
    closing ??= new Promise((resolve) => server.close(() => resolve()));
    return closing;
  };
  return {
    mode: 'plain',
    bound: { address: bound.address, port: bound.port },
    share: () => false,
    stop: () => void closed(),
    close: closed,
  };
}

/** Queries are answered after the event loop has read them, so that its turns are not longer. */
function createTurns(answer: (connection: PlainConnection) => void, workDone: () => number) {
  /** Those that wait for a turn. */
  const due = new Set<PlainConnection>();
  let turnComes = false;
  const turn = (): void => {
    let work = 0;
    for (const connection of due) {
      if (work >= TURN_WORK) break;
      due.delete(connection);
      answer(connection);
      work += workDone();
    }
    turnComes = due.size > 0;
    if (turnComes) setImmediate(turn);
  };
  return {
    add(connection: PlainConnection): void {
      due.add(connection);
      if (!turnComes) setImmediate(turn);
      turnComes = true;
    },
    has: (connection: PlainConnection) => due.has(connection),
    remove: (connection: PlainConnection) => void due.delete(connection),
  };
}

const close = ({ socket }: PlainConnection) => void socket.destroy();
const giveUp = ({ socket }: PlainConnection) =>
  void (socket.writableLength > 0 ? socket.resetAndDestroy() : socket.destroy());

const newConnection = (socket: Socket, nowMs: number): PlainConnection => ({
  openedMs: nowMs,
  lastActiveMs: nowMs,
  reader: createStreamReader(),
  client: parseIp(withoutScope(socket.remoteAddress ?? '')),
  port: socket.remotePort,
  waiting: 0,
  heldBytes: 0,
  close: close as PlainConnection['close'],
  giveUp: giveUp as PlainConnection['giveUp'],
  ended: false,
  open: true,
  answering: false,
  socket,
});

async function listen(server: Server, address: SocketAddress): Promise<void> {
  const failed = new Promise<never>((_resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenError(address, 'tcp', error.code ?? `${error}`)),
    );
  });
  const ipv6Only = address.address.includes(':');
  const backlog = TCP_BACKLOG;
  server.listen({ host: address.address, port: address.port, backlog, exclusive: true, ipv6Only });
  await Promise.race([once(server, 'listening'), failed]);
}
