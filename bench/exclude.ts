// `npm run bench:exclude`: from sending a pod's status to the first answer without it, and back; healthdns and CoreDNS in the
// same rounds over one real control plane, the raw watch event as the floor.
//   node build/bench/exclude.js [--rounds N] [--write]
import { parseArgs } from 'node:util';
import { startCoreDns, startHealthdns } from '../test/e2e/compare/servers.ts';
import { settle } from '../test/e2e/compare/settle.ts';
import { podStatus } from '../test/support/cluster-objects.ts';
import { startControlPlane } from '../test/support/control-plane.ts';
import { type AnswerPoller, pollAnswers } from './answer-poller.ts';
import { ADDRESS, FLIPPED, type Flipping, fill, flip, GIVE_UP_MS, NAME, PODS, quantile, type Times } from './flips.ts';
import { watchPods } from './pod-events.ts';
import { startPodUpdates } from './pod-updates.ts';
import { machine, table } from './report.ts';
import { replaceSection } from './results.ts';

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '200' }, write: { type: 'boolean', default: false } },
});
const rounds = Number(options.rounds);

const UPDATES_A_SECOND = 200;
const ROUNDS_WITHOUT_CONTROLLER = 20;

const plane = await startControlPlane({ controllerManager: true });
try {
  const report = await run();
  console.log(`\n${report}`);
  if (options.write) replaceSection('exclude', report);
} finally {
  await plane.stop();
}

async function run(): Promise<string> {
  await fill(plane);
  // Both watch pods.
  const servers = [
    await startCoreDns(plane, { pods: 'verified' }),
    await startHealthdns(plane, { pods: 'verified' }),
  ] as const;
  const [CoreDNS, healthdns] = servers.map(({ port }) => pollAnswers(port, NAME)) as [AnswerPoller, AnswerPoller];
  const events = watchPods(plane.url, 'token-of-admin', 'default');
  const bench: Flipping = { plane, events, pollers: { CoreDNS, healthdns } };
  try {
    await settle(plane.client, servers, true);
    const rows: string[][] = [];
    rows.push(...(await measure(bench, 'quiet', rounds)));
    const updates = startPodUpdates(plane.url, 'token-of-admin', UPDATES_A_SECOND);
    rows.push(...(await measure(bench, `${UPDATES_A_SECOND} pod updates/s`, rounds)));
    const made = await updates.stop();
    console.log(`${made.toFixed(0)} pod updates a second were made`);
    const interval = { healthdns: healthdns.intervalMs().toFixed(1), CoreDNS: CoreDNS.intervalMs().toFixed(1) };
    await plane.controllerManager!.stop();
    rows.push(...(await withoutController(bench)));
    const head = ['ms', 'watch event', 'healthdns', 'CoreDNS', 'healthdns / CoreDNS', 'after the event'];
    return `${machine()}. \`npm run bench:exclude\`: ${rounds} rounds each, both asked in the same rounds; medians, and the 99th percentile in brackets; 'after the event' is the median of the rounds' differences. healthdns was asked every ${interval.healthdns} ms, CoreDNS every ${interval.CoreDNS} ms: half of that is in each figure.\n\n${table(head, rows)}`;
  } finally {
    events.close();
    for (const poller of [CoreDNS, healthdns]) poller.close();
    for (const server of servers) await server.stop();
  }
}

async function measure(bench: Flipping, what: string, count: number): Promise<string[][]> {
  const out: Times = { floor: [], CoreDNS: [], healthdns: [] };
  const back: Times = { floor: [], CoreDNS: [], healthdns: [] };
  for (let round = 0; round < count; round++) {
    await flip(bench, false, out);
    await flip(bench, true, back);
    if (round % 50 === 49) console.log(`${what}: ${round + 1} of ${count} rounds`);
  }
  return [row(`${what}: excluded`, out), row(`${what}: back`, back)];
}

async function withoutController(bench: Flipping): Promise<string[][]> {
  let [byHealthdns, byCoreDns] = [0, 0];
  for (let round = 0; round < ROUNDS_WITHOUT_CONTROLLER; round++) {
    await bench.plane.client.patch(`${PODS}/${FLIPPED}/status`, podStatus(ADDRESS, false));
    if ((await bench.pollers.healthdns.until(ADDRESS, false, 1_000)) !== undefined) byHealthdns++;
    if ((await bench.pollers.CoreDNS.until(ADDRESS, false, 1_000)) !== undefined) byCoreDns++;
    await bench.plane.client.patch(`${PODS}/${FLIPPED}/status`, podStatus(ADDRESS, true));
    await bench.pollers.healthdns.until(ADDRESS, true, GIVE_UP_MS);
  }
  const of = (count: number) => `${count} of ${ROUNDS_WITHOUT_CONTROLLER}`;
  return [['controller stopped: excluded within 1 s', '', of(byHealthdns), of(byCoreDns), '', '']];
}

function row(what: string, times: Times): string[] {
  const shown = (values: readonly (number | undefined)[]) =>
    `${quantile(values, 0.5).toFixed(1)} (${quantile(values, 0.99).toFixed(1)})`;
  const [ours, theirs] = [times.healthdns, times.CoreDNS].map((values) => quantile(values, 0.5));
  // Of each round: the API server's own time differs more between rounds than we are above it.
  const above = times.healthdns.map((value, round) => value && value - (times.floor[round] ?? Number.NaN));
  return [
    what,
    ...[times.floor, times.healthdns, times.CoreDNS].map(shown),
    (ours! / theirs!).toFixed(2),
    quantile(above, 0.5).toFixed(1),
  ];
}
