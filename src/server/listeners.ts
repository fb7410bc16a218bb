// All sockets of one data thread: UDP and TCP on each address, through system calls if available, otherwise through Node.
import type { Clock } from '../clock.ts';
import { type Libc, refusedCall } from '../native/libc.ts';
import { ListenError } from '../native/listen-error.ts';
import { findEventLoopFd, type ReadableSocket, type ReceiveLoop, startReceiveLoop } from '../native/receive-loop.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import { COUNTER, type Counters } from '../plane/counters.ts';
import type { ListeningAddress } from '../plane/plane.ts';
import type { DataPlaneSettings } from '../plane/settings.ts';
import type { QueryHandler } from './answer/query-handler.ts';
import { createTcpConnections, type TcpConnections } from './tcp/tcp-connections.ts';
import { listenEpollTcp } from './tcp/tcp-epoll.ts';
import { listenPlainTcp } from './tcp/tcp-plain.ts';
import { openBatchedUdp } from './udp/udp-batched.ts';
import { openPlainUdp } from './udp/udp-plain.ts';

export interface Listeners {
  readonly addresses: readonly ListeningAddress[];
  /** Why both transports are plain although batches were allowed. */
  readonly fallback: string | undefined;
  /** Lets others bind the same addresses, or no longer; false: they cannot. */
  share(on: boolean): boolean;
  /** Stops receiving and accepting, and answers queries already received; connections are closed once idle. */
  stop(): Promise<void>;
  /** Open TCP connections. */
  connections(): number;
  close(): Promise<void>;
}

interface TransportSocket {
  readonly transport: 'udp' | 'tcp';
  readonly bound: SocketAddress;
  readonly mode: string;
  share(on: boolean): boolean;
  stop(): Promise<void> | void;
  close(): Promise<void>;
}

/** Timers of an idle thread are late by at most this; with others' timers, an idle process wakes at most 10 times a second. */
const IDLE_WAKE_MS = 150;
/** Attempts to have the same free port for UDP and TCP where port 0 was asked. */
const PORT_ATTEMPTS = 10;

export interface ListenerDeps {
  readonly clock: Clock;
  /** Other sockets may bind the same addresses. */
  readonly shared: boolean;
  /** The prerequisites of batches and epoll, or why they are not available. */
  readonly libc: Libc | string;
  /** Other descriptors that the receive loop waits for. */
  readonly alsoReadable?: readonly ReadableSocket[];
  /** Milliseconds until the event loop must have a turn; undefined: timers may be late. */
  readonly nextDeadlineMs?: () => number;
  /** The handler of queries to an address; default: the same everywhere. */
  readonly handlerAt?: (address: SocketAddress) => QueryHandler;
  /** A descriptor that stays open when the thread dies; see ReadableSocket for `marker`. */
  onDescriptor(fd: number, marker: number | undefined): void;
}

/** Opens the sockets of one data thread. Rejects with ListenError, and then nothing is open. */
export async function openListeners(
  handler: QueryHandler,
  settings: DataPlaneSettings,
  addresses: readonly SocketAddress[],
  deps: ListenerDeps,
): Promise<Listeners> {
  const native = await nativeFor(deps.libc);
  if (typeof native === 'string' && settings.udp === 'batched') throw new ListenError(native, 'ENOTSUP');
  if (typeof native === 'string' && settings.reusePort)
    throw new ListenError(`server.reusePort needs batched UDP: ${native}`, 'ENOTSUP');
  const handlerAt = deps.handlerAt ?? (() => handler);
  const sockets = createSockets(handlerAt, handler.counters, settings, deps, native);
  try {
    for (const address of addresses) await sockets.openPair(address);
  } catch (error) {
    await sockets.close();
    throw error;
  }
  const loop = typeof native === 'string' ? undefined : startLoop(native, sockets.opened, handler, settings, deps);
  return {
    addresses: sockets.opened.map(({ bound, transport, mode }) => ({ ...bound, transport, mode })),
    fallback: typeof native === 'string' && settings.udp === 'auto' ? native : undefined,
    share: (on) => sockets.opened.every((socket) => socket.share(on)),
    async stop() {
      await Promise.all(sockets.opened.map((socket) => socket.stop()));
      sockets.connections.drain();
    },
    connections: () => sockets.connections.open(),
    async close() {
      loop?.stop();
      await sockets.close();
    },
  };
}

interface Sockets {
  readonly connections: TcpConnections;
  readonly opened: readonly TransportSocket[];
  /** UDP and TCP on the same address and port. */
  openPair(address: SocketAddress): Promise<void>;
  close(): Promise<void>;
}

function createSockets(
  handlerAt: (address: SocketAddress) => QueryHandler,
  counters: Counters,
  settings: DataPlaneSettings,
  { clock, shared }: Pick<ListenerDeps, 'clock' | 'shared'>,
  native: Native | string,
): Sockets {
  const opened: TransportSocket[] = [];
  const connections = createTcpConnections(settings.tcp, clock, counters);
  const { receiveBufferBytes, responder } = settings;
  const udpOptions = { shared, receiveBufferBytes, responseBytes: responder.udpPayloadBytes };

  const openUdp = async (address: SocketAddress): Promise<TransportSocket> => {
    const handler = handlerAt(address);
    const socket =
      typeof native === 'string'
        ? await openPlainUdp(handler, address, udpOptions)
        : openBatchedUdp(native.libc, handler, address, udpOptions);
    return { ...socket, transport: 'udp' };
  };

  const openTcp = async (address: SocketAddress, handler: QueryHandler): Promise<TransportSocket> => {
    const socket =
      typeof native === 'string'
        ? await listenPlainTcp(handler, address, settings.tcp, clock, connections)
        : listenEpollTcp(handler, address, settings.tcp, { libc: native.libc, clock, connections, shared });
    return { ...socket, transport: 'tcp' };
  };

  return {
    opened,
    connections,
    async openPair(address) {
      for (let attempt = 1; ; attempt++) {
        const udp = await openUdp(address);
        try {
          opened.push(udp, await openTcp({ address: address.address, port: udp.bound.port }, handlerAt(address)));
          return;
        } catch (error) {
          await udp.close();
          const isTaken = (error as ListenError).code === 'EADDRINUSE';
          if (address.port !== 0 || attempt === PORT_ATTEMPTS || !isTaken) throw error;
        }
      }
    },
    async close() {
      const closed = opened.map((socket) => socket.close());
      connections.close();
      await Promise.all(closed);
    },
  };
}

function startLoop(
  native: Native,
  opened: readonly TransportSocket[],
  handler: QueryHandler,
  settings: DataPlaneSettings,
  deps: ListenerDeps,
): ReceiveLoop {
  const readable: readonly ReadableSocket[] = [...opened.filter(isReadable), ...(deps.alsoReadable ?? [])];
  for (const { fd, marker } of readable) deps.onDescriptor(fd, marker);
  return startReceiveLoop(native.libc, readable, native.eventLoopFd, {
    monotonicMs: deps.clock.monotonicMs,
    setTimeout: deps.clock.setTimeout,
    granularityMs: IDLE_WAKE_MS * settings.threads,
    nextDeadlineMs: deps.nextDeadlineMs,
    failed: () => void handler.counters[COUNTER.POLL_FAILED]++,
  });
}

interface Native {
  readonly libc: Libc;
  readonly eventLoopFd: number;
}

async function nativeFor(libc: Libc | string): Promise<Native | string> {
  if (typeof libc === 'string') return libc;
  const refused = refusedCall(libc);
  if (refused !== undefined) return refused;
  const eventLoopFd = await findEventLoopFd(libc);
  if (eventLoopFd === undefined) return 'the descriptor of the event loop was not found in /proc/self/fdinfo';
  return { libc, eventLoopFd };
}

function isReadable<T extends object>(socket: T): socket is T & ReadableSocket {
  return 'drain' in socket;
}
