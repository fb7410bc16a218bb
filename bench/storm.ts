// A cluster whose pods change all the time, under questions: how soon a flip is seen, and how late answers come. healthdns and
// CoreDNS in the same rounds; questions are asked of one after the other.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCoreDns, startHealthdns } from '../test/e2e/compare/servers.ts';
import { settle } from '../test/e2e/compare/settle.ts';
import { startControlPlane } from '../test/support/control-plane.ts';
import { pollAnswers } from './answer-poller.ts';
import { type Flipping, fill, flip, NAME, quantile, type Times } from './flips.ts';
import { type Latency, measureLatency } from './measure.ts';
import { watchPods } from './pod-events.ts';
import { startPodUpdates } from './pod-updates.ts';

export const PATCHES_A_SECOND = 350;
export const QUESTIONS_A_SECOND = 2_000;
const SECONDS = 20;
const ROUNDS = 30;

export interface Storm {
  /** Median milliseconds from sending a pod's status to the first answer that shows it. */
  readonly flipMs: number;
  readonly latency: Latency;
}

export async function measureStorm(): Promise<Readonly<Record<'healthdns' | 'CoreDNS', Storm>> & { made: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'healthdns-storm-'));
  const queryFile = join(folder, 'queries');
  writeFileSync(queryFile, `${NAME} A\n`);
  const workload = { name: 'storm', queryFile, transport: 'udp', edns: true } as const;
  const plane = await startControlPlane({ controllerManager: true });
  try {
    await fill(plane);
    const servers = [
      await startHealthdns(plane, { pods: 'verified' }),
      await startCoreDns(plane, { pods: 'verified' }),
    ] as const;
    const pollers = { healthdns: pollAnswers(servers[0].port, NAME), CoreDNS: pollAnswers(servers[1].port, NAME) };
    const events = watchPods(plane.url, 'token-of-admin', 'default');
    try {
      await settle(plane.client, servers, true);
      const updates = startPodUpdates(plane.url, 'token-of-admin', PATCHES_A_SECOND);
      const times: Times = { floor: [], CoreDNS: [], healthdns: [] };
      const bench: Flipping = { plane, events, pollers };
      for (let round = 0; round < ROUNDS; round++) await flip(bench, round % 2 === 1, times);
      const latencies = new Map<string, Latency>();
      for (const server of servers)
        latencies.set(server.name, await measureLatency(server, workload, QUESTIONS_A_SECOND, SECONDS));
      const made = await updates.stop();
      const of = (name: 'healthdns' | 'CoreDNS') => ({
        flipMs: quantile(times[name], 0.5),
        latency: latencies.get(name)!,
      });
      return { healthdns: of('healthdns'), CoreDNS: of('CoreDNS'), made };
    } finally {
      events.close();
      for (const poller of Object.values(pollers)) poller.close();
      for (const server of servers) await server.stop();
    }
  } finally {
    await plane.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
