// The processes of bench:push, and how they are spoken to.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { AgentsSetup, ToAgents } from './push-agents.ts';
import type { HoldersSetup, ToHolders } from './push-holders.ts';
import type { ServerSetup, ToServer } from './push-server.ts';

export async function answer<T>(child: ChildProcess, message?: ToServer | ToHolders | ToAgents): Promise<T> {
  const reply = once(child, 'message');
  if (message !== undefined) child.send(message);
  return (await reply)[0] as T;
}

export const childOf = (
  file: string,
  setup: ServerSetup | HoldersSetup | AgentsSetup,
  execArgv: readonly string[] = [],
): ChildProcess =>
  fork(new URL(file, import.meta.url), [JSON.stringify(setup)], { serialization: 'advanced', execArgv: [...execArgv] });

export async function end(...children: readonly ChildProcess[]): Promise<void> {
  for (const child of children) if (child.connected) child.disconnect();
  await Promise.all(
    children.map((child) => child.exitCode === null && child.signalCode === null && once(child, 'exit')),
  );
}
