// The two ways of TCP, each over a plane in this thread.
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '../../src/clock.ts';
import { type Libc, loadLibc } from '../../src/native/libc.ts';
import { findEventLoopFd, startReceiveLoop } from '../../src/native/receive-loop.ts';
import type { SocketAddress } from '../../src/native/socket-address.ts';
import type { TcpSettings } from '../../src/plane/settings.ts';
import { createTcpConnections } from '../../src/server/tcp/tcp-connections.ts';
import type { TcpListener } from '../../src/server/tcp/tcp-conversation.ts';
import { type EpollTcpDeps, listenEpollTcp } from '../../src/server/tcp/tcp-epoll.ts';
import { listenPlainTcp } from '../../src/server/tcp/tcp-plain.ts';
import type { Engine } from '../../src/thread/engine.ts';

export type TcpMode = TcpListener['mode'];

/** Those that this machine has. */
export const TCP_MODES: readonly TcpMode[] = process.platform === 'linux' ? ['epoll', 'plain'] : ['plain'];

/** Few connections; the rest as it is by default, for one thread. */
export const TCP_SETTINGS: TcpSettings = {
  connections: 10,
  idleMs: 10_000,
  totalMs: 60_000,
  unreadBytes: 65_536,
  unreadTotalBytes: 1 << 26,
};

/** The same test over each way of TCP. */
export function testEachTcp(title: string, run: (context: TestContext, mode: TcpMode) => Promise<void>): void {
  for (const mode of TCP_MODES) test(`${title} (${mode})`, (context) => run(context, mode));
}

const LOOPBACK: SocketAddress = { address: '127.0.0.1', port: 0 };

interface Replacing {
  readonly address: SocketAddress;
  /** System calls that the test answers itself. */
  readonly replaced: Partial<Libc>;
}

export async function listenTcp(
  mode: TcpMode,
  engine: Engine,
  settings: TcpSettings,
  clock: Clock,
  { address = LOOPBACK, replaced = {} }: Partial<Replacing> = {},
): Promise<TcpListener> {
  const connections = createTcpConnections(settings, clock, engine.counters);
  const listening = await listen(mode, engine, settings, { address, clock, connections, replaced });
  return {
    ...listening,
    async close() {
      const closed = listening.close();
      connections.close();
      await closed;
    },
  };
}

async function listen(
  mode: TcpMode,
  engine: Engine,
  settings: TcpSettings,
  { address, clock, connections, replaced }: Pick<EpollTcpDeps, 'clock' | 'connections'> & Replacing,
): Promise<TcpListener> {
  if (mode === 'plain') return listenPlainTcp(engine, address, settings, clock, connections);
  const loaded = loadLibc();
  if (typeof loaded === 'string') throw new Error(loaded);
  const libc: Libc = { ...loaded, ...replaced };
  const eventLoopFd = await findEventLoopFd(libc);
  if (eventLoopFd === undefined) throw new Error('no descriptor of the event loop');
  const listener = listenEpollTcp(engine, address, settings, { libc, clock, connections, shared: false });
  const loop = startReceiveLoop(libc, [listener], eventLoopFd, {
    monotonicMs: systemClock.monotonicMs,
    setTimeout: systemClock.setTimeout,
    failed() {},
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
