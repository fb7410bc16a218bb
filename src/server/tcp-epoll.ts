// TCP by accept4, recv and send, with an epoll of its own that the receive loop waits for like for one more socket: idle
// connections cost nothing, and a query costs no turn of Node's event loop.
import os from 'node:os';
import type { Clock, Timer } from '../clock.ts';
import { COUNTER } from '../plane/counters.ts';
import type { SocketAddress, TcpSettings } from '../plane/settings.ts';
import type { Engine } from './engine.ts';
import { createEpoll, type Epoll } from './epoll.ts';
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  type Libc,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from './libc.ts';
import type { ReadableSocket } from './receive-loop.ts';
import { boundAddress, ipOf, SOCKADDR_BYTES } from './socket-address.ts';
import { createStreamReader } from './stream-reader.ts';
import type { TcpConnections } from './tcp-connections.ts';
import {
  type Conversation,
  createConversations,
  OUT_BYTES,
  TCP_BACKLOG,
  type TcpListener,
  TURN_WORK,
} from './tcp-conversation.ts';
import { openTcpSocket } from './tcp-socket.ts';
import { listenError } from './udp.ts';

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
  /** What the kernel did not take, in order. */
  unsent: Uint8Array[];
  unsentBytes: number;
  reading: boolean;
  /** It has queries that wait for its next turn: epoll tells of it as soon as it can be written to, behind all others. */
  postponed: boolean;
  ending: boolean;
  /** What epoll watches it for. */
  watched: number;
}

/**
 * What one turn may do at most beside TURN_WORK, so that neither transport keeps the other waiting: so many connections are
 * accepted, so many are read from, so many bytes each. Epoll hands out those that are ready in turn.
 */
const ACCEPTS_A_TURN = 32;
const EVENTS_A_TURN = 32;
const READ_BYTES = 4096;
/** Where there are no descriptors left, accepting rests for so long: epoll would tell of the next connection again and again. */
const ACCEPT_AGAIN_MS = 100;
const { EAGAIN, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM } = os.constants.errno;
/** The generation of the listening socket. */
const LISTENER = 0;
const MAX_GENERATION = 0x7fff_ffff;

/** Binds and listens at once; read by receive-loop.ts. Throws ListenError. */
export function listenEpollTcp(
  engine: Engine,
  address: SocketAddress,
  settings: TcpSettings,
  { libc, clock, connections, shared }: EpollTcpDeps,
): EpollTcpListener {
  const { counters, wantsClient } = engine;
  const epoll = createEpoll(libc, EVENTS_A_TURN);
  const listener = openWatched(libc, epoll, address, shared);
  const input = libc.allocate(READ_BYTES);
  const output = libc.allocate(OUT_BYTES);
  const peer = libc.allocate(SOCKADDR_BYTES + 4);
  const peerBytes = new Uint8Array(peer.buffer);
  const peerLength = new Uint32Array(peer.buffer, SOCKADDR_BYTES, 1);
  const chunk = new Uint8Array(input.buffer);
  const out = new Uint8Array(output.buffer);
  const byDescriptor: (EpollConnection | undefined)[] = [];
  let generation = LISTENER;
  /** Of what epoll told last, the first `served` of `told` have had their turn. */
  let told = 0;
  let served = 0;
  let acceptAgain: Timer | undefined;

  const close = (connection: EpollConnection): void => {
    if (!connection.open) return;
    connection.open = false;
    connections.forget(connection);
    byDescriptor[connection.fd] = undefined;
    libc.close(connection.fd);
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
    if (connection.ending && unsent.length === 0) close(connection);
    else if (connection.unsentBytes < unsentBytes) conversations.sent(connection);
    else conversations.answer(connection);
  };

  const conversations = createConversations<EpollConnection>(
    engine,
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
        if (connection.unsentBytes === 0) close(connection);
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

  const serve = (fd: number): void => {
    if (!connections.admit()) {
      libc.close(fd);
      return;
    }
    generation = generation === MAX_GENERATION ? LISTENER + 1 : generation + 1;
    const nowMs = clock.monotonicMs();
    const connection: EpollConnection = {
      openedMs: nowMs,
      lastActiveMs: nowMs,
      reader: createStreamReader(),
      client: wantsClient ? ipOf(peerBytes).slice() : undefined,
      waiting: 0,
      heldBytes: 0,
      close,
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

  const setListening = (on: boolean): void => {
    epoll.change(listener, LISTENER, on ? EPOLLIN : 0);
  };

  const accept = (): void => {
    const from = wantsClient ? peer.address : null;
    const length = wantsClient ? peer.address + BigInt(SOCKADDR_BYTES) : null;
    for (let i = 0; i < ACCEPTS_A_TURN; i++) {
      peerLength[0] = SOCKADDR_BYTES;
      const fd = libc.accept4(listener, from, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        serve(fd);
        continue;
      }
      const errno = libc.errno();
      if (errno === EAGAIN) return;
      // All else is about the connection that was to be accepted (accept(2)): the next may be well.
      counters[COUNTER.TCP_REFUSED]++;
      if (errno !== EMFILE && errno !== ENFILE && errno !== ENOBUFS && errno !== ENOMEM) continue;
      setListening(false);
      acceptAgain = clock.setTimeout(() => setListening(true), ACCEPT_AGAIN_MS);
      return;
    }
  };

  const serveEvent = (fd: number, of: number, events: number): void => {
    const connection = byDescriptor[fd];
    if (connection === undefined || connection.generation !== of) return;
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
      abort(connection);
      return;
    }
    if ((events & EPOLLOUT) !== 0) goOn(connection);
    if ((events & EPOLLIN) !== 0 && connection.open && connection.reading) read(connection);
  };

  return {
    fd: epoll.fd,
    mode: 'epoll',
    bound: boundAddress(libc, listener),
    drain() {
      // Those that the turn before did not come to are first: epoll would tell of the same ones in the same order again.
      if (served >= told) {
        told = epoll.wait();
        served = 0;
      }
      for (let work = 0; served < told && work < TURN_WORK; work += conversations.work()) {
        const i = served++;
        if (epoll.tag(i) === LISTENER) accept();
        else serveEvent(epoll.descriptor(i), epoll.tag(i), epoll.events(i));
      }
      return 0;
    },
    beganLater: conversations.beganLater,
    async close() {
      acceptAgain?.cancel();
      libc.close(listener);
      epoll.close();
    },
  };
}

/** The listening socket; where it cannot be had, nothing stays open. */
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

/** Nothing is wrong with the connection. */
function isTransient(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR;
}
