// One pod of a service becomes unready and ready again, on a real API server: when each server is first seen to answer so. The
// raw watch event is the floor.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DnsServer } from '../test/e2e/compare/servers.ts';
import { pod, podStatus, service } from '../test/support/cluster-objects.ts';
import type { ControlPlane } from '../test/support/control-plane.ts';
import { type AnswerPoller, nowMs } from './answer-poller.ts';
import type { PodEvents } from './pod-events.ts';

export const NAME = 'web.default.svc.cluster.local.';
export const PODS = '/api/v1/namespaces/default/pods';
export const [FLIPPED, ADDRESS] = ['web-1', '10.1.0.1'];
export const GIVE_UP_MS = 10_000;

/** Milliseconds of each round; undefined where it did not come. */
export type Times = Record<'floor' | DnsServer['name'], (number | undefined)[]>;

export interface Flipping {
  readonly plane: ControlPlane;
  readonly events: PodEvents;
  readonly pollers: Readonly<Record<DnsServer['name'], AnswerPoller>>;
}

/** The value below which this share of them is; what did not come is infinite. */
export function quantile(values: readonly (number | undefined)[], share: number): number {
  const sorted = values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

export async function fill({ client }: ControlPlane): Promise<void> {
  await client.create('/api/v1/nodes', { metadata: { name: 'node-1' } });
  await client.create('/api/v1/namespaces/default/services', service('web'));
  for (const i of [1, 2, 3]) {
    await client.create(PODS, pod(`web-${i}`, 'web'));
    await client.patch(`${PODS}/web-${i}/status`, podStatus(`10.1.0.${i}`, true));
  }
}

export async function flip(bench: Flipping, ready: boolean, times: Times): Promise<void> {
  // Not in step with anything, and after the controller has come to rest.
  await sleep(60 + Math.random() * 60);
  const startMs = nowMs();
  const arrivals = Promise.all([
    bench.events.until(FLIPPED, ready),
    bench.pollers.CoreDNS.until(ADDRESS, ready, GIVE_UP_MS),
    bench.pollers.healthdns.until(ADDRESS, ready, GIVE_UP_MS),
  ]);
  await bench.plane.client.patch(`${PODS}/${FLIPPED}/status`, podStatus(ADDRESS, ready));
  const [floor, coreDns, healthdns] = (await arrivals).map((at) => (at === undefined ? undefined : at - startMs));
  times.floor.push(floor);
  times.CoreDNS.push(coreDns);
  times.healthdns.push(healthdns);
}
