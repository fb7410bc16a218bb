// The two ways of TCP, each over a plane in this thread.
import { type Clock, systemClock } from '../../src/clock.ts';
import type { SocketAddress, TcpSettings } from '../../src/plane/settings.ts';
import type { Engine } from '../../src/server/engine.ts';
import { type Libc, loadLibc } from '../../src/server/libc.ts';
import { findEventLoopFd, startReceiveLoop } from '../../src/server/receive-loop.ts';
import type { TcpListener } from '../../src/server/tcp-conversation.ts';
import { listenEpollTcp } from '../../src/server/tcp-epoll.ts';
import { listenPlainTcp } from '../../src/server/tcp-plain.ts';

export type TcpMode = TcpListener['mode'];

/** Those that this machine has. */
export const TCP_MODES: readonly TcpMode[] = process.platform === 'linux' ? ['epoll', 'plain'] : ['plain'];

const LOOPBACK: SocketAddress = { address: '127.0.0.1', port: 0 };

/** `replaced`: system calls that the test answers itself. */
export async function listenTcp(
  mode: TcpMode,
  engine: Engine,
  settings: TcpSettings,
  clock: Clock,
  { address = LOOPBACK, replaced = {} }: { address?: SocketAddress; replaced?: Partial<Libc> } = {},
): Promise<TcpListener> {
  if (mode === 'plain') return listenPlainTcp(engine, address, settings, clock);
  const loaded = loadLibc();
  if (typeof loaded === 'string') throw new Error(loaded);
  const libc: Libc = { ...loaded, ...replaced };
  const eventLoopFd = await findEventLoopFd();
  if (eventLoopFd === undefined) throw new Error('no descriptor of the event loop');
  const listener = listenEpollTcp(engine, address, settings, { libc, clock, shared: false });
  const loop = startReceiveLoop(libc, [listener], eventLoopFd, {
    monotonicMs: systemClock.monotonicMs,
    granularityMs: 1,
  });
  return {
    ...listener,
    async close() {
      loop.stop();
      await listener.close();
    },
  };
}
