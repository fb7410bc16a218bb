// The entry of `healthdns node`, which src/cli.ts loads by URL: a bundle of its own without a control plane.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { systemClock } from '../clock.ts';
import type { NodeLoadResult } from '../config/loading/load-node.ts';
import { trimFreedMemory } from '../native/libc.ts';
import { ListenError } from '../native/listen-error.ts';
import { formatSocketAddress } from '../native/socket-address.ts';
import { startAgent } from './agent.ts';
import { serveHttp } from './http.ts';
import { createNodeLogger } from './log.ts';
import { keepHeapSmall } from './tidy.ts';

/** Next to this file, both as built for tests and bundled. */
const loader = fileURLToPath(new URL('../config/loading/load-node-process.js', import.meta.url));

export interface NodeOptions {
  readonly file: string;
  out(line: string): void;
  err(line: string): void;
  onStop(callback: () => void): void;
}

/** Resolves to the exit code once stopped: 0, or 1 if it could not start. */
export async function runNode({ file, out, err, onStop }: NodeOptions): Promise<number> {
  // Small garbage is collected often, and a heap grows to twice what is alive: an agent allocates little.
  setFlagsFromString('--heap-growing-percent=100');
  setFlagsFromString('--semi-space-growth-factor=1');
  trimFreedMemory();
  const loaded = await loadAside(file);
  if (!loaded.ok) {
    for (const problem of loaded.problems) err(problem);
    return 1;
  }
  const { config, warnings } = loaded;
  for (const warning of warnings) err(`warning: ${warning}`);
  const log = createNodeLogger(config.logLevel, systemClock.now);
  const stopped = new Promise<void>((resolve) => onStop(resolve));
  const agent = startAgent(config, { clock: systemClock, random: Math.random, log });
  const http = config.http.map((listen) => serveHttp(listen, agent, systemClock, log));
  try {
    await agent.listen();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    err(`healthdns: ${error.message}`);
    for (const server of http) server.close();
    await agent.stop();
    return 1;
  }
  keepHeapSmall(systemClock);
  for (const { transport, mode, ...address } of agent.listening())
    if (transport === 'udp') out(`DNS   ${formatSocketAddress(address)} (UDP and TCP, ${mode})`);
  for (const zone of config.zones) out(`zone  ${zone} from ${agent.replicas.address()}`);
  await stopped;
  // The next process takes the address of probes at once, and its DNS addresses are shared with this one.
  for (const server of http) server.close();
  await new Promise<void>(
    (resolve) => void systemClock.setTimeoutKeepingAlive(resolve, config.server.lameduckSeconds * 1000),
  );
  await agent.stop();
  return 0;
}

async function loadAside(file: string): Promise<NodeLoadResult> {
  const child = fork(loader, { serialization: 'advanced', execArgv: [] });
  child.send(file);
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`reading ${file} ended with ${code}`);
  });
  failed.catch(() => {});
  const [result] = (await Promise.race([once(child, 'message'), failed])) as [NodeLoadResult];
  return result;
}
