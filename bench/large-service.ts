// One headless Service of many endpoints on the real API server. Memory, and how long after a slice is sent its new addresses are
// answered: healthdns and CoreDNS, both running, in the same rounds.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RCODE } from '../src/dns/types.ts';
import { startCoreDns, startHealthdns } from '../test/e2e/compare/servers.ts';
import { rcodeOf } from '../test/e2e/compare/settle.ts';
import { service, slice } from '../test/support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../test/support/control-plane.ts';
import { nowMs, pollAnswers } from './answer-poller.ts';
import { anonymousBytes, residentBytes } from './measure.ts';
import { ratio } from './report.ts';

export interface LargeService {
  readonly endpoints: number;
  readonly rounds: number;
  /** The checkout of a former build, which is measured beside them. */
  readonly former?: string | undefined;
}

const IN_A_SLICE = 100;
const REST_MS = 15_000;
const GIVE_UP_MS = 10_000;
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const nameOf = (address: string) => `${address.replaceAll('.', '-')}.large.default.svc.cluster.local.`;

/** The rows of a table, with its head. */
export async function measureLargeService(large: LargeService): Promise<{ head: string[]; rows: string[][] }> {
  const plane = await startControlPlane();
  try {
    return await measureOn(plane, large);
  } finally {
    await plane.stop();
  }
}

async function measureOn(
  plane: ControlPlane,
  { endpoints, rounds, former }: LargeService,
): Promise<{ head: string[]; rows: string[][] }> {
  await plane.client.create('/api/v1/namespaces/default/services', service('large'));
  const slices = Math.ceil(endpoints / IN_A_SLICE);
  for (let number = 0; number < slices; number++) await plane.client.create(SLICES, sliceOf(number, 0, IN_A_SLICE));
  const starters = [
    startHealthdns,
    startCoreDns,
    ...(former
      ? [(...[of, how]: Parameters<typeof startCoreDns>) => startHealthdns(of, how, join(former, 'bin/healthdns'))]
      : []),
  ];
  const names = ['healthdns', 'CoreDNS', ...(former ? ['former build'] : [])];
  const servers = await Promise.all(starters.map((start) => start(plane, { pods: 'disabled' })));
  try {
    for (const server of servers) {
      while ((await rcodeOf(server, nameOf(addressOf(slices - 1, 0, 99)).slice(0, -1))) !== RCODE.NOERROR)
        await sleep(50);
    }
    await sleep(REST_MS);
    const memory = [residentBytes, anonymousBytes].map((read) => servers.map(({ pid }) => read(pid) / 1e6));
    const [one, all] = [await rewrite(plane, servers, 1, rounds), await rewrite(plane, servers, IN_A_SLICE, rounds)];
    const after = servers.map(({ pid }) => residentBytes(pid) / 1e6);
    const head = ['', ...names, ...names.slice(1).map((name) => `healthdns / ${name}`)];
    const row = (what: string, values: readonly number[], digits: number, spread: readonly number[] = []) => [
      what,
      ...values.map(
        (value, i) => value.toFixed(digits) + (spread[i] === undefined ? '' : ` (${spread[i].toFixed(digits)})`),
      ),
      ...values.slice(1).map((value) => ratio(values[0], value)),
    ];
    const at = (times: readonly number[][], share: number) =>
      times.map((values) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)]!);
    const rows = [
      row('resident memory, MB', memory[0]!, 0),
      row('of which anonymous, MB', memory[1]!, 0),
      row('after the rounds, resident MB', after, 0),
      row('an endpoint of a slice is another, ms', at(one, 0.5), 1, at(one, 0.99)),
      row(`all ${IN_A_SLICE} of a slice are others, ms`, at(all, 0.5), 1, at(all, 0.99)),
    ];
    return { head, rows };
  } finally {
    for (const server of servers) await server.stop();
  }
}

/** Milliseconds of each round by server. */
async function rewrite(
  plane: ControlPlane,
  servers: readonly { readonly port: number }[],
  count: number,
  rounds: number,
): Promise<number[][]> {
  const [first, second] = [0, 1].map((generation) => addressOf(0, generation, 0)) as [string, string];
  const pollers = servers.map(({ port }) => [first, second].map((address) => pollAnswers(port, nameOf(address))));
  const times: number[][] = servers.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const generation = (round + 1) % 2;
    await sleep(60 + Math.random() * 60);
    const startMs = nowMs();
    const seen = pollers.map((of) => of[generation]!.until([first, second][generation]!, true, GIVE_UP_MS));
    await plane.client.replace(`${SLICES}/large-0`, sliceOf(0, generation, count));
    const arrivals = await Promise.all(seen);
    for (const [i, atMs] of arrivals.entries()) times[i]!.push((atMs ?? Number.POSITIVE_INFINITY) - startMs);
  }
  for (const poller of pollers.flat()) poller.close();
  return times;
}

/** The first `count` endpoints are of the generation, the others of the first. */
function sliceOf(number: number, generation: number, count: number): object {
  const made = Array.from({ length: IN_A_SLICE }, (_, i) => ({
    addresses: [addressOf(number, i < count ? generation : 0, i)],
    conditions: { ready: true, serving: true, terminating: false },
  }));
  return slice(`large-${number}`, 'large', made);
}

function addressOf(slice: number, generation: number, i: number): string {
  const number = slice * IN_A_SLICE + i;
  return `10.${generation}.${number >> 8}.${number & 255}`;
}
