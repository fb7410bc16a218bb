// All sockets of one data thread: UDP and TCP on each address, by calls of our own where they can be had, else Node's.
import type { Clock } from '../clock.ts';
import { type Libc, refusedCall } from '../native/libc.ts';
import { ListenError } from '../native/listen-error.ts';
import { findEventLoopFd, type ReadableSocket, type ReceiveLoop, startReceiveLoop } from '../native/receive-loop.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import { COUNTER } from '../plane/counters.ts';
import type { ListeningAddress } from '../plane/plane.ts';
import type { DataPlaneSettings } from '../plane/settings.ts';
import type { QueryHandler } from './answer/query-handler.ts';
import { createTcpConnections } from './tcp/tcp-connections.ts';
import { listenEpollTcp } from './tcp/tcp-epoll.ts';
import { listenPlainTcp } from './tcp/tcp-plain.ts';
import { openBatchedUdp } from './udp/udp-batched.ts';
import { openPlainUdp } from './udp/udp-plain.ts';

export interface Listeners {
  readonly addresses: readonly ListeningAddress[];
  /** Why both transports are plain although better was allowed. */
  readonly fallback: string | undefined;
  close(): Promise<void>;
}

interface OpenSocket {
  readonly bound: SocketAddress;
  readonly mode: string;
  close(): Promise<void>;
}

/** Timers of an idle thread are late by at most this; with others' timers, an idle process wakes at most 10 times a second. */
const IDLE_WAKE_MS = 150;
/** Attempts to have the same free port for UDP and TCP where port 0 was asked. */
const PORT_ATTEMPTS = 10;

export interface ListenerDeps {
  readonly clock: Clock;
  /** What batches and epoll need, or why they cannot be had. */
  readonly libc: Libc | string;
  /** What the receive loop waits for beside our sockets. */
  readonly alsoReadable?: readonly ReadableSocket[];
  /** Milliseconds until the event loop must have a turn, whatever else there is to wait for; undefined: timers may be late. */
  readonly nextDeadlineMs?: () => number;
  /** A descriptor that nobody closes when the thread dies; see ReadableSocket for `marker`. */
  onDescriptor(fd: number, marker: number | undefined): void;
}

/** Opens what `settings.listen` says; with several threads, each calls this. Rejects with ListenError, then nothing is open. */
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
  const opened: (OpenSocket & { transport: 'udp' | 'tcp' })[] = [];
  const shared = settings.threads > 1 || settings.reusePort === true;
  const connections = createTcpConnections(settings.tcp, deps.clock, handler.counters);

  const openUdp = async (address: SocketAddress) => {
    const options = {
      shared,
      receiveBufferBytes: settings.receiveBufferBytes,
      responseBytes: settings.responder.udpPayloadBytes,
    };
    const socket =
      typeof native === 'string'
        ? await openPlainUdp(handler, address, options)
        : openBatchedUdp(native.libc, handler, address, options);
    opened.push({ ...socket, transport: 'udp' });
    return socket;
  };

  const openTcp = async (address: SocketAddress) => {
    const listener =
      typeof native === 'string'
        ? await listenPlainTcp(handler, address, settings.tcp, deps.clock, connections)
        : listenEpollTcp(handler, address, settings.tcp, { libc: native.libc, clock: deps.clock, connections, shared });
    opened.push({ ...listener, transport: 'tcp' });
  };

  const openPair = async (address: SocketAddress) => {
    for (let attempt = 1; ; attempt++) {
      const udp = await openUdp(address);
      try {
        await openTcp({ address: address.address, port: udp.bound.port });
        return;
      } catch (error) {
        if (address.port !== 0 || attempt === PORT_ATTEMPTS || (error as ListenError).code !== 'EADDRINUSE')
          throw error;
        await udp.close();
        opened.pop();
      }
    }
  };

  let loop: ReceiveLoop | undefined;
  const close = async () => {
    loop?.stop();
    const closed = opened.map((socket) => socket.close());
    connections.close();
    await Promise.all(closed);
  };
  try {
    for (const address of addresses) await openPair(address);
  } catch (error) {
    await close();
    throw error;
  }
  const readable: readonly ReadableSocket[] = [...opened.filter(isReadable), ...(deps.alsoReadable ?? [])];
  if (typeof native !== 'string') {
    for (const { fd, marker } of readable) deps.onDescriptor(fd, marker);
    const wakeMs = IDLE_WAKE_MS * settings.threads;
    loop = startReceiveLoop(native.libc, readable, native.eventLoopFd, {
      monotonicMs: deps.clock.monotonicMs,
      setTimeout: deps.clock.setTimeout,
      granularityMs: wakeMs,
      nextDeadlineMs: deps.nextDeadlineMs,
      failed: () => void handler.counters[COUNTER.POLL_FAILED]++,
    });
  }
  return {
    addresses: opened.map(({ bound, transport, mode }) => ({ ...bound, transport, mode })),
    fallback: typeof native === 'string' && settings.udp === 'auto' ? native : undefined,
    close,
  };
}

interface Native {
  readonly libc: Libc;
  readonly eventLoopFd: number;
}

async function nativeFor(libc: Libc | string): Promise<Native | string> {
  if (typeof libc === 'string') return libc;
  const refused = refusedCall(libc);
  if (refused !== undefined) return refused;
  const eventLoopFd = await findEventLoopFd();
  if (eventLoopFd === undefined) return 'the descriptor of the event loop is not to be found in /proc/self/fdinfo';
  return { libc, eventLoopFd };
}

function isReadable<T extends object>(socket: T): socket is T & ReadableSocket {
  return 'drain' in socket;
}
