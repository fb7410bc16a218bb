// All sockets of one data thread: UDP (batched where it can be) and TCP on each address.
import type { Clock } from '../clock.ts';
import type { ListeningAddress } from '../plane/plane.ts';
import { ListenError } from '../plane/plane.ts';
import type { DataPlaneSettings, SocketAddress } from '../plane/settings.ts';
import type { Engine } from './engine.ts';
import { type Libc, refusedCall } from './libc.ts';
import { findEventLoopFd, type ReceiveLoop, startReceiveLoop } from './receive-loop.ts';
import { listenTcp } from './tcp.ts';
import { openSharedTcpSocket } from './tcp-shared.ts';
import { type BatchedUdpSocket, openBatchedUdp } from './udp-batched.ts';
import { openPlainUdp } from './udp-plain.ts';

export interface Listeners {
  readonly addresses: readonly ListeningAddress[];
  /** Why UDP is plain although batches were allowed. */
  readonly fallback: string | undefined;
  close(): Promise<void>;
}

interface Closable {
  close(): Promise<void>;
}

/** Timers of an idle thread are late by at most this; with others' timers, an idle process wakes at most 10 times a second. */
const IDLE_WAKE_MS = 150;
/** Attempts to have the same free port for UDP and TCP where port 0 was asked. */
const PORT_ATTEMPTS = 10;

export interface ListenerDeps {
  readonly clock: Clock;
  /** What batches need, or why they cannot be had. */
  readonly libc: Libc | string;
  /** Descriptors that nobody closes when the thread dies. */
  onDescriptor(fd: number): void;
}

/** Opens what `settings.listen` says; with several threads, each calls this. Rejects with ListenError, then nothing is open. */
export async function openListeners(
  engine: Engine,
  settings: DataPlaneSettings,
  addresses: readonly SocketAddress[],
  deps: ListenerDeps,
): Promise<Listeners> {
  const native = await nativeFor(deps.libc);
  if (typeof native === 'string' && settings.udp === 'batched') throw new ListenError(native, 'ENOTSUP');
  const opened: (Closable & { bound: SocketAddress; transport: 'udp' | 'tcp'; mode: string })[] = [];
  const batched: BatchedUdpSocket[] = [];
  const shared = settings.threads > 1;

  const openUdp = async (address: SocketAddress) => {
    const options = {
      shared,
      receiveBufferBytes: settings.receiveBufferBytes,
      responseBytes: settings.responder.udpPayloadBytes,
    };
    const socket =
      typeof native === 'string'
        ? await openPlainUdp(engine, address, options)
        : openBatchedUdp(native.libc, engine, address, options);
    if (isBatched(socket)) batched.push(socket);
    opened.push({ ...socket, transport: 'udp' });
    return socket;
  };

  const openTcp = async (address: SocketAddress) => {
    const fd = shared && typeof native !== 'string' ? openSharedTcpSocket(native.libc, address) : undefined;
    const listener = await listenTcp(engine, address, settings.tcp, { clock: deps.clock, fd });
    opened.push({ ...listener, transport: 'tcp', mode: 'stream' });
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
        batched.splice(batched.indexOf(udp as BatchedUdpSocket), 1);
      }
    }
  };

  let loop: ReceiveLoop | undefined;
  const close = async () => {
    loop?.stop();
    await Promise.all(opened.map((socket) => socket.close()));
  };
  try {
    for (const address of addresses) await openPair(address);
  } catch (error) {
    await close();
    throw error;
  }
  if (typeof native !== 'string' && batched.length > 0) {
    for (const { fd } of batched) deps.onDescriptor(fd);
    const wakeMs = IDLE_WAKE_MS * settings.threads;
    loop = startReceiveLoop(native.libc, batched, native.eventLoopFd, wakeMs);
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

function isBatched(socket: object): socket is BatchedUdpSocket {
  return 'drain' in socket;
}
