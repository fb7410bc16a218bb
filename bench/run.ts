// `npm run bench`: every server with the same names, the rounds interleaved, medians and ratios.
//   node build/bench/run.js [--smoke] [--rounds N] [--seconds N] [--only PART] [--former DIR] [--write]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Latency, type Measured, measure, measureLatency, median } from './measure.ts';
import { seededRandom } from './random.ts';
import { chart, cpuTable, figure, formerTable, machine, peakTable, type Row, table } from './report.ts';
import { replaceSection } from './results.ts';
import {
  type BenchServer,
  coredns,
  echo,
  FORMER,
  former,
  healthdns,
  knot,
  onPath,
  type ServerFiles,
} from './servers.ts';
import { LARGE_ZONE, largeZoneLines, makeWorkloads, type Workload, ZONE, zoneText } from './workloads.ts';

const { values: options } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string', default: '' },
    former: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds ?? (options.smoke ? 1 : 5));
const seconds = Number(options.seconds ?? (options.smoke ? 1 : 3));

/** Compilers and caches warm up: not counted. */
const WARM_SECONDS = 1;
/** At a third of the peak these are some 200,000 answers, so that p99.9 is of 200. */
const LATENCY_SECONDS = options.smoke ? 1 : 5;

const folder = mkdtempSync(join(tmpdir(), 'healthdns-bench-'));
const kinds = [healthdns, ...(options.former ? [former(options.former)] : []), echo, knot, coredns].filter((kind) => {
  const missing = kind.missing();
  if (missing !== undefined) console.log(`left out: ${kind.name} (${missing})`);
  return missing === undefined;
});

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const zoneFile = join(folder, 'bench.zone');
  writeFileSync(zoneFile, zoneText());
  const workloads = makeWorkloads(join(folder, 'queries'), seededRandom(1), !options.smoke).filter(
    ({ name, connectionEach }) => name.includes(options.only) && (!connectionEach || onPath('cc')),
  );
  console.log(`${machine()}\n${rounds} rounds of ${seconds} s each, servers in turn\n`);
  const rows = await compare(
    { folder, zoneFile, zone: ZONE },
    workloads.filter(({ large }) => !large),
    5301,
  );
  const large = workloads.filter((workload) => workload.large);
  if (large.length > 0) rows.push(...(await compareLarge(large)));
  const servers = kinds.map(({ name }) => name).filter((name) => name !== FORMER);
  const latency = await latencies({ folder, zoneFile, zone: ZONE }, workloads, rows);
  const report = [cpuTable(rows, servers), peakTable(rows, servers), latency].join('\n\n');
  const toFormer = options.former ? formerTable(rows) : '';
  console.log(`\n${report}\n\n${toFormer}`);
  if (options.write) {
    const how = `${machine()}. \`npm run bench\`: ${rounds} rounds of ${seconds} s, servers in turn, medians.`;
    replaceSection('bench', `${how}\n\n${report}`);
    if (options.former) replaceSection('former', `${how}\n\n${toFormer}`);
    mkdirSync('docs', { recursive: true });
    writeFileSync('docs/bench.svg', chart(rows, servers));
  }
}

/** All servers up at once, asked in turn, so that a slower spell of the machine hits all. */
async function compare(files: ServerFiles, workloads: readonly Workload[], firstPort: number): Promise<Row[]> {
  if (workloads.length === 0) return [];
  const servers: BenchServer[] = [];
  try {
    for (const [i, kind] of kinds.entries()) servers.push(await kind.start(files, firstPort + i));
    for (const workload of options.smoke ? [] : workloads)
      for (const server of servers) if (asks(server, workload)) await measure(server, workload, WARM_SECONDS);
    const runs = new Map<string, Measured[]>();
    for (let round = 1; round <= rounds; round++)
      for (const workload of workloads)
        for (const server of inTurn(servers, round)) {
          if (!asks(server, workload)) continue;
          const key = `${workload.name}/${server.name}`;
          const measured = await measure(server, workload, seconds);
          runs.set(key, [...(runs.get(key) ?? []), measured]);
          console.log(
            `${round}/${rounds} ${workload.name}, ${server.name}: ${figure(measured.cpuMicrosecondsPerQuery)} µs, ${Math.round(measured.queriesPerSecond)} queries/s`,
          );
        }
    return workloads.map(({ name }) => rowOf(name, servers, runs));
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** There and back, so that a machine that gets slower or faster favors none. */
function inTurn(servers: readonly BenchServer[], round: number): readonly BenchServer[] {
  return round % 2 === 1 ? servers : servers.toReversed();
}

function rowOf(workload: string, servers: readonly BenchServer[], runs: ReadonlyMap<string, readonly Measured[]>): Row {
  const medians = (read: (measured: Measured) => number) =>
    Object.fromEntries(
      servers.flatMap(({ name }) => {
        const measured = runs.get(`${workload}/${name}`);
        return measured === undefined ? [] : [[name, median(measured.map(read))]];
      }),
    );
  return {
    workload,
    cpuMicroseconds: medians((measured) => measured.cpuMicrosecondsPerQuery),
    queriesPerSecond: medians((measured) => measured.queriesPerSecond),
    lostShare: medians((measured) => measured.lostShare),
  };
}

async function compareLarge(workloads: readonly Workload[]): Promise<Row[]> {
  const zoneFile = join(folder, 'large.zone');
  let text = '';
  for (const line of largeZoneLines()) text += line;
  writeFileSync(zoneFile, text);
  return compare({ folder, zoneFile, zone: LARGE_ZONE }, workloads, 5311);
}

/** The echo speaks UDP only. */
function asks(server: BenchServer, workload: Workload): boolean {
  return server.name !== 'echo' || workload.transport === 'udp';
}

/** Quiet and under churn in turn, at a third of the peak of "10 A"; medians of the rounds. */
async function latencies(files: ServerFiles, workloads: readonly Workload[], rows: readonly Row[]): Promise<string> {
  const workload = workloads.find(({ name }) => name === '10 A');
  const peaks = rows.find((row) => row.workload === '10 A')?.queriesPerSecond;
  if (workload === undefined || peaks === undefined) return '';
  const servers: BenchServer[] = [];
  const runs = new Map<string, Latency[]>();
  const run = async (server: BenchServer, what: string) => {
    const latency = await measureLatency(server, workload, peaks[server.name]! / 3, LATENCY_SECONDS);
    const key = `${server.name}, ${what}`;
    runs.set(key, [...(runs.get(key) ?? []), latency]);
    console.log(`latency, ${key}: p99.9 ${latency.p999Ms.toFixed(3)} ms, ${latency.lost} lost`);
  };
  try {
    for (const [i, kind] of kinds.entries()) {
      if (kind.name !== 'echo') servers.push(await kind.start(files, 5321 + i));
    }
    for (const server of servers) await measure(server, workload, WARM_SECONDS);
    for (let round = 1; round <= rounds; round++)
      for (const server of servers) {
        await run(server, 'quiet');
        if (server.churn === undefined) continue;
        server.churn(true);
        await run(server, 'churn');
        server.churn(false);
      }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  const lines = [...runs].map(([key, latencies]) => {
    const middle = (read: (latency: Latency) => number) => median(latencies.map(read)).toFixed(3);
    const rate = Math.round(peaks[key.slice(0, key.lastIndexOf(','))]! / 3).toLocaleString('en');
    const lost = latencies.reduce((sum, latency) => sum + latency.lost, 0);
    return [
      key,
      rate,
      middle(({ p50Ms }) => p50Ms),
      middle(({ p99Ms }) => p99Ms),
      middle(({ p999Ms }) => p999Ms),
      String(lost),
    ];
  });
  return table(['10 A at a third of the peak, ms', 'queries/s', 'p50', 'p99', 'p99.9', 'lost'], lines);
}
