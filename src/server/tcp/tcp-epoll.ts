// TCP through accept4, recv and send, with a separate epoll descriptor that the receive loop treats like a socket: idle
// connections cost nothing, and a query costs no turn of Node's event loop.
import os from 'node:os';
import type { Clock } from '../../clock.ts';
import { createEpoll, type Epoll } from '../../native/epoll.ts';
import {
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  type Libc,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SHUT_WR,
} from '../../native/libc.ts';
import { listenError } from '../../native/listen-error.ts';
import { openTcpSocket, shareAddress } from '../../native/listening-socket.ts';
import type { ReadableSocket } from '../../native/receive-loop.ts';
import type { SocketAddress } from '../../native/socket-address.ts';
import { boundAddress } from '../../native/socket-address.ts';
import { closeWithReset, createUntakenBytes } from '../../native/tcp-connection.ts';
import { COUNTER } from '../../plane/counters.ts';
import type { TcpSettings } from '../../plane/settings.ts';
import type { QueryHandler } from '../answer/query-handler.ts';
import { createStreamReader } from './stream-reader.ts';
import { createAcceptor, TCP_BACKLOG } from './tcp-accept.ts';
import type { TcpConnections } from './tcp-connections.ts';
import { type Conversation, createConversations, OUT_BYTES, type TcpListener, TURN_WORK } from './tcp-conversation.ts';

export interface EpollTcpDeps {
  readonly libc: Libc;
  readonly clock: Clock;
  readonly connections: TcpConnections;
  /** Other threads bind the same address. */
  readonly shared: boolean;
}

/** `fd` watches all its sockets: where nobody closes them, they are those that /proc/self/fdinfo lists for it. */
export interface EpollTcpListener extends TcpListener, ReadableSocket {}

interface EpollConnection extends Conversation {
  readonly fd: number;
  /** Tells an event of this connection from one of an earlier one with the same descriptor. */
  readonly generation: number;
  /** Bytes that the kernel did not accept, in order. */
  unsent: Uint8Array[];
  unsentBytes: number;
  reading: boolean;
  /** It has queries waiting for its next turn: epoll reports it once it is writable, after all others. */
  postponed: boolean;
  ending: boolean;
  /** The events that epoll watches. */
  watched: number;
}

/**
 * What one turn may do at most beside TURN_WORK, so that neither transport keeps the other waiting: so many are read
 * from, so many bytes each. Epoll hands out those that are ready in turn.
 */
const EVENTS_A_TURN = 32;
const READ_BYTES = 4096;
const { EAGAIN, EINTR } = os.constants.errno;
/** The generation of the listening socket. */
const LISTENER = 0;
const MAX_GENERATION = 0x7fff_ffff;

/** Binds and listens at once; read by receive-loop.ts. Throws ListenError. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over one listening socket and its connections
export function listenEpollTcp(
  handler: QueryHandler,
  address: SocketAddress,
  settings: TcpSettings,
  { libc, clock, connections, shared }: EpollTcpDeps,
): EpollTcpListener {
  const { counters } = handler;
  const epoll = createEpoll(libc, EVENTS_A_TURN);
  const listener = openWatched(libc, epoll, address, shared);
  const input = libc.allocate(READ_BYTES);
  const output = libc.allocate(OUT_BYTES);
  const chunk = new Uint8Array(input.buffer);
  const out = new Uint8Array(output.buffer);
  const byDescriptor: (EpollConnection | undefined)[] = [];
  const untakenBytes = createUntakenBytes(libc);
  let generation = LISTENER;
  let stopped = false;
  /** Of the `told` events that epoll reported last, the first `served` have been handled. */
  let told = 0;
  let served = 0;

  const close = (connection: EpollConnection, reset = false): void => {
    if (!connection.open) return;
    connection.open = false;
    connections.forget(connection);
    byDescriptor[connection.fd] = undefined;
    if (reset) closeWithReset(libc, connection.fd);
    else libc.close(connection.fd);
  };
  const giveUp = (connection: EpollConnection): void => {
    if (!connection.open) return;
    close(connection, connection.unsentBytes > 0 || untakenBytes(connection.fd) > 0);
  };
  /**
   * The client has ended its side, and the kernel has all answers for it. Until the client has received them, the connection
   * counts like any other; epoll reports its end once.
   */
  const finish = (connection: EpollConnection): void => {
    if (untakenBytes(connection.fd) === 0) close(connection);
    else if (connection.watched !== EPOLLET) {
      libc.shutdown(connection.fd, SHUT_WR);
      connection.watched = EPOLLET;
      epoll.change(connection.fd, connection.generation, EPOLLET);
    }
  };
  const abort = (connection: EpollConnection): void => {
    counters[COUNTER.TCP_ABORTED]++;
    close(connection);
  };

  const watch = (connection: EpollConnection): void => {
    const writing = connection.postponed || connection.unsentBytes > 0;
    const wanted = (connection.reading ? EPOLLIN : 0) | (writing ? EPOLLOUT : 0);
    if (wanted === connection.watched) return;
    connection.watched = wanted;
    epoll.change(connection.fd, connection.generation, wanted);
  };

  /** Gives how many bytes the kernel took; 0 also where the connection had to be closed. */
  const sendNow = (connection: EpollConnection, from: bigint | Uint8Array, length: number): number => {
    const sent = libc.send(connection.fd, from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (!isTransient(libc.errno())) abort(connection);
    return 0;
  };

  /** It can be written to. */
  const goOn = (connection: EpollConnection): void => {
    const { unsent, unsentBytes } = connection;
    while (connection.open && unsent.length > 0) {
      const sent = sendNow(connection, unsent[0], unsent[0].length);
      connection.unsentBytes -= sent;
      if (sent < unsent[0].length) {
        unsent[0] = unsent[0].subarray(sent);
        break;
      }
      unsent.shift();
    }
    if (!connection.open) return;
    if (connection.ending && unsent.length === 0) finish(connection);
    else if (connection.unsentBytes < unsentBytes) conversations.sent(connection);
    else conversations.answer(connection);
  };

  const conversations = createConversations<EpollConnection>(
    handler,
    settings,
    address.address.includes(':') ? COUNTER.TCP6 : COUNTER.TCP4,
    {
      connections,
      out,
      send(connection, length) {
        const sent = connection.unsentBytes > 0 ? 0 : sendNow(connection, output.address, length);
        if (sent === length || !connection.open) return;
        connection.unsent.push(out.slice(sent, length));
        connection.unsentBytes += length - sent;
      },
      unsentBytes: (connection) => connection.unsentBytes,
      expect(connection, reading, postponed) {
        connection.reading = reading;
        connection.postponed = postponed;
        watch(connection);
      },
      end(connection) {
        connection.ending = true;
        connection.reading = false;
        connection.postponed = false;
        if (connection.unsentBytes === 0) finish(connection);
        else watch(connection);
      },
    },
  );

  const read = (connection: EpollConnection): void => {
    const length = libc.recv(connection.fd, input.address, READ_BYTES, MSG_DONTWAIT);
    if (length >= 0) {
      conversations.received(connection, chunk, length);
      conversations.answer(connection);
    } else if (!isTransient(libc.errno())) abort(connection);
  };

  const serve = (fd: number, client: Uint8Array, port: number): void => {
    if (!connections.admit()) {
      libc.close(fd);
      return;
    }
    generation = generation === MAX_GENERATION ? LISTENER + 1 : generation + 1;
    const nowMs = clock.monotonicMs();
    // Not spread from a shared beginning: such objects are slow, and a connection with one query costs half as much again.
    const connection: EpollConnection = {
      openedMs: nowMs,
      lastActiveMs: nowMs,
      reader: createStreamReader(),
      client,
      port,
      waiting: 0,
      heldBytes: 0,
      close: close as EpollConnection['close'],
      giveUp: giveUp as EpollConnection['giveUp'],
      ended: false,
      open: true,
      answering: false,
      fd,
      generation,
      unsent: [],
      unsentBytes: 0,
      reading: true,
      postponed: false,
      ending: false,
      watched: EPOLLIN,
    };
    connections.add(connection);
    byDescriptor[fd] = connection;
    if (!epoll.add(fd, generation, EPOLLIN)) abort(connection);
  };

  const acceptor = createAcceptor({
    libc,
    clock,
    counters,
    fd: listener,
    setListening: (on) => epoll.change(listener, LISTENER, on ? EPOLLIN : 0),
    makeRoom: connections.makeRoom,
    serve,
  });

  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    acceptor.acceptAll();
    acceptor.stop();
    libc.close(listener);
  };

  const serveEvent = (fd: number, of: number, events: number): void => {
    const connection = byDescriptor[fd];
    if (connection === undefined || connection.generation !== of) return;
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
      if (connection.watched === EPOLLET && (events & EPOLLERR) === 0) finish(connection);
      else abort(connection);
      return;
    }
    if ((events & EPOLLOUT) !== 0) goOn(connection);
    if ((events & EPOLLIN) !== 0 && connection.open && connection.reading) read(connection);
  };

  return {
    fd: epoll.fd,
    marker: listener,
    mode: 'epoll',
    bound: boundAddress(libc, listener),
    drain() {
      // First those that the previous turn did not reach: epoll would report the same ones in the same order again.
      if (served >= told) {
        told = epoll.wait();
        served = 0;
      }
      for (let work = 0; served < told && work < TURN_WORK; work += conversations.work()) {
        const i = served++;
        if (epoll.tag(i) === LISTENER) {
          if (!stopped) acceptor.accept();
        } else serveEvent(epoll.descriptor(i), epoll.tag(i), epoll.events(i));
      }
      return 0;
    },
    beganLater: conversations.beganLater,
    share: (on) => shareAddress(libc, listener, on),
    stop,
    async close() {
      stop();
      epoll.close();
    },
  };
}

/** The listening socket; on failure, nothing stays open. */
function openWatched(libc: Libc, epoll: Epoll, address: SocketAddress, shared: boolean): number {
  try {
    const fd = openTcpSocket(libc, address, shared, TCP_BACKLOG);
    if (epoll.add(fd, LISTENER, EPOLLIN)) return fd;
    libc.close(fd);
    throw listenError(address, 'tcp', 'ENOMEM');
  } catch (error) {
    epoll.close();
    throw error;
  }
}

/** The connection is healthy. */
function isTransient(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR;
}
