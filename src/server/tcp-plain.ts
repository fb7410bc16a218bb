// TCP through node:net: everywhere, and where epoll of our own cannot be had.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { parseIp } from '../dns/ip.ts';
import { COUNTER } from '../plane/counters.ts';
import type { SocketAddress, TcpSettings } from '../plane/settings.ts';
import { withoutZone } from './client-address.ts';
import type { Engine } from './engine.ts';
import { createStreamReader } from './stream-reader.ts';
import { createTcpConnections } from './tcp-connections.ts';
import {
  type Conversation,
  createConversations,
  OUT_BYTES,
  TCP_BACKLOG,
  type TcpListener,
} from './tcp-conversation.ts';
import { listenError } from './udp.ts';

interface PlainConnection extends Conversation {
  readonly socket: Socket;
}

/** Rejects with ListenError. */
export async function listenPlainTcp(
  engine: Engine,
  address: SocketAddress,
  settings: TcpSettings,
  clock: Clock,
): Promise<TcpListener> {
  const { counters } = engine;
  const out = Buffer.alloc(OUT_BYTES);
  const connections = createTcpConnections<PlainConnection>(settings, clock, counters, ({ socket }) =>
    socket.destroy(),
  );
  const arrived = address.address.includes(':') ? COUNTER.TCP6 : COUNTER.TCP4;
  const conversations = createConversations<PlainConnection>(engine, settings, arrived, {
    connections,
    out,
    send: ({ socket }, length) => socket.write(Uint8Array.prototype.slice.call(out, 0, length)),
    // Only a stream that needs to drain tells when it has.
    unsentBytes: ({ socket }) => (socket.writableNeedDrain ? socket.writableLength : 0),
    setReading: ({ socket }, reading) => (reading ? socket.resume() : socket.pause()),
    end: ({ socket }) => socket.end(),
  });

  const serve = (socket: Socket): void => {
    if (!connections.admit()) {
      socket.destroy();
      return;
    }
    const client = engine.wantsClient ? parseIp(withoutZone(socket.remoteAddress ?? '')) : undefined;
    const nowMs = clock.monotonicMs();
    const connection: PlainConnection = {
      openedMs: nowMs,
      lastQueryMs: nowMs,
      reader: createStreamReader(),
      client,
      waiting: 0,
      ended: false,
      open: true,
      answering: false,
      socket,
    };
    connections.add(connection);
    socket.on('data', (chunk) => conversations.received(connection, chunk, chunk.length));
    socket.on('drain', () => conversations.answer(connection));
    socket.on('end', () => conversations.received(connection, out, 0));
    socket.on('error', () => counters[COUNTER.TCP_ABORTED]++);
    socket.on('close', () => {
      connection.open = false;
      connections.forget(connection);
    });
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, serve);
  await listen(server, address);
  server.on('error', () => counters[COUNTER.TCP_REFUSED]++);
  const bound = server.address() as SocketAddress;
  return {
    mode: 'plain',
    bound: { address: bound.address, port: bound.port },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      connections.close();
      await closed;
    },
  };
}

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
