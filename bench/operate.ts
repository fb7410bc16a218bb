// `npm run bench:operate`: what it costs to remember and to explain. The same server twice, with the history and the text of
// extended errors and without, in the same rounds; while nothing changes, and while an instance flaps. Then what a scrape costs.
//   node build/bench/operate.js [--rounds N] [--seconds N] [--only PART] [--write]
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Measured, measure, median } from './measure.ts';
import { machine, table } from './report.ts';
import { replaceSection } from './results.ts';
import { measureScrapes, type Scrapes } from './scrape.ts';
import { type BenchServer, running } from './servers.ts';
import type { Workload } from './workloads.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);

const METRICS_ROW = '/metrics at 10,000 services × 10';
const ZONE = 'operate.test';
const SERVICES = 200;
/** Pushed verdicts, each of which changes the answer. */
const FLIPS_PER_SECOND = 200;

const folder = mkdtempSync(join(tmpdir(), 'healthdns-operate-'));

/** All services have three instances; those called empty- have none that is healthy. */
function configuration(isOn: boolean, dns: number, http: number): object {
  const service = (name: string) => ({
    name,
    externalHealth: { sources: [{ name: 'bench' }] },
    instances: [1, 2, 3].map((i) => ({ id: `${name}-${i}`, ipv4: `192.0.2.${i}` })),
  });
  const names = Array.from({ length: SERVICES }, (_, i) => [`alive-${i}`, `empty-${i}`]).flat();
  return {
    listen: [`127.0.0.1:${dns}`],
    http: `127.0.0.1:${http}`,
    threads: 1,
    logLevel: 'error',
    server: { errorText: isOn },
    history: isOn ? {} : { inAll: 0 },
    zones: [{ name: ZONE, services: names.map(service) }],
  };
}

interface Server extends BenchServer {
  readonly http: number;
}

async function start(name: string, isOn: boolean, port: number): Promise<Server> {
  const http = port + 10;
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, JSON.stringify(configuration(isOn, port, http)));
  const program = fileURLToPath(new URL('../../bin/healthdns', import.meta.url));
  const child = spawn(process.execPath, [program, 'serve', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  const server = { ...(await running(name, child, ZONE, port)), http };
  for (let i = 0; i < SERVICES; i++)
    for (const instance of [1, 2, 3]) await push(server, `empty-${i}`, instance, 'UNHEALTHY');
  return server;
}

async function push({ http }: Server, service: string, instance: number, status: string): Promise<void> {
  const body = { zone: ZONE, service, instance: `${service}-${instance}`, source: 'bench', status, reason: 'pushed' };
  const response = await fetch(`http://127.0.0.1:${http}/external-health`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.status !== 204) throw new Error(await response.text());
}

/** Instances of all services in turn, until it is stopped. */
function flapping(server: Server): () => Promise<void> {
  let isOver = false;
  const done = (async () => {
    for (let i = 0; !isOver; i++) {
      const status = Math.floor(i / SERVICES) % 2 === 0 ? 'UNHEALTHY' : 'HEALTHY';
      await push(server, `alive-${i % SERVICES}`, 1, status);
      await sleep(1_000 / FLIPS_PER_SECOND);
    }
  })();
  return () => {
    isOver = true;
    return done;
  };
}

const queries = (prefix: string): string => {
  const file = join(folder, `${prefix}queries`);
  writeFileSync(file, Array.from({ length: SERVICES }, (_, i) => `${prefix}${i}.${ZONE} A\n`).join(''));
  return file;
};

interface Case extends Workload {
  readonly flaps: boolean;
}

async function main(): Promise<void> {
  const all: Case[] = [
    { name: 'answers', queryFile: queries('alive-'), transport: 'udp', edns: true, flaps: false },
    {
      name: `answers, ${FLIPS_PER_SECOND} transitions/s`,
      queryFile: queries('alive-'),
      transport: 'udp',
      edns: true,
      flaps: true,
    },
    {
      name: 'emptied by health: with text, and without',
      queryFile: queries('empty-'),
      transport: 'udp',
      edns: true,
      flaps: false,
    },
  ];
  const cases = all.filter(({ name }) => name.includes(options.only));
  const servers = [await start('on', true, 5401), await start('off', false, 5402)];
  try {
    for (const one of cases) for (const server of servers) await measure(server, one, 1);
    const runs = new Map<string, Measured[]>();
    for (let round = 1; round <= rounds; round++)
      for (const one of cases)
        for (const server of round % 2 === 1 ? servers : servers.toReversed()) {
          const stop = one.flaps ? flapping(server) : undefined;
          const measured = await measure(server, one, seconds);
          await stop?.();
          const key = `${one.name}/${server.name}`;
          runs.set(key, [...(runs.get(key) ?? []), measured]);
          console.log(`${round}/${rounds} ${key}: ${measured.cpuMicrosecondsPerQuery.toFixed(3)} µs`);
        }
    const scrapes = METRICS_ROW.includes(options.only)
      ? await measureScrapes({ dns: 5403, http: 5413 }, seconds * rounds)
      : undefined;
    report(cases, runs, scrapes);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** The ratio is the median of the ratios of each round. */
function report(
  cases: readonly Case[],
  runs: ReadonlyMap<string, readonly Measured[]>,
  scrapes: Scrapes | undefined,
): void {
  const cost = (name: string, server: string) =>
    (runs.get(`${name}/${server}`) ?? []).map(({ cpuMicrosecondsPerQuery }) => cpuMicrosecondsPerQuery);
  const rows = cases.map(({ name }) => {
    const [on, off] = [cost(name, 'on'), cost(name, 'off')];
    const ratio = median(on.map((value, round) => value / off[round]));
    return [name, median(on).toFixed(2), median(off).toFixed(2), ratio.toFixed(3)];
  });
  const answers = table(['µs of CPU per answer', 'with history and text', 'without', 'ratio'], rows);
  const text = scrapes === undefined ? answers : `${answers}\n\n${scrapeTable(scrapes)}`;
  console.log(`\n${text}`);
  if (!options.write) return;
  const how = `${machine()}. \`npm run bench:operate\`: ${rounds} rounds of ${seconds} s, in turn, medians.`;
  replaceSection('operate', `${how}\n\n${text}`);
}

const scrapeTable = ({ firstMs, medianMs, longestMs, bytes }: Scrapes): string =>
  table(
    [`${METRICS_ROW}, ms`, 'first', 'median', 'longest', 'bytes'],
    [['once a second, 350 verdicts/s', ...[firstMs, medianMs, longestMs].map((ms) => ms.toFixed(2)), String(bytes)]],
  );

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
