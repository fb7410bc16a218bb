// `npm run bench:cluster`: a large cluster on the real API server. Resident memory, processor time and time until everything
// is answered, healthdns and CoreDNS in turn over the same objects, both watching pods; then a rolling restart.
//   node build/bench/cluster.js [--services N] [--endpoints N] [--restart PODS] [--former DIR] [--write]
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RCODE } from '../src/dns/types.ts';
import { type DnsServer, startCoreDns, startHealthdns } from '../test/e2e/compare/servers.ts';
import { rcodeOf } from '../test/e2e/compare/settle.ts';
import { startControlPlane } from '../test/support/control-plane.ts';
import { addressOf, type ClusterSize, loadCluster, namespaceOf, serviceName } from './cluster-load.ts';
import { cpuSeconds, residentBytes } from './measure.ts';
import { machine, ratio, table } from './report.ts';
import { replaceSection } from './results.ts';
import { restartPods } from './rolling-restart.ts';
import { askDuring, LATE_MS } from './steady-questions.ts';

const { values: options } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    endpoints: { type: 'string', default: '10' },
    restart: { type: 'string', default: '1000' },
    former: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const size: ClusterSize = { services: Number(options.services), endpoints: Number(options.endpoints) };
const instances = size.services * size.endpoints;

/** After everything is answered, so that what was needed to read it can be given back. */
const REST_MS = 20_000;
const READY_WITHIN_MS = 300_000;
const PATIENCE_MS = 100;

interface Figures {
  readonly readyMs: number;
  readonly cpuSecondsAtReady: number;
  readonly residentBytes: number;
  readonly peakBytes: number;
  /** With an empty cluster. */
  readonly bareBytes: number;
}

const startedMs = performance.now();
const say = (text: string) =>
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(5)} s  ${text}`);
const { former } = options;
/** In the order of their starts, the table's from the end. */
const starters = new Map<string, typeof startCoreDns>([
  ['CoreDNS', startCoreDns],
  ...(former ? [['former build', formerBuild(former)] as const] : []),
  ['healthdns', startHealthdns],
]);
const plane = await startControlPlane();
try {
  const report = await run();
  console.log(`\n${report}`);
  if (options.write) replaceSection('cluster', report);
} finally {
  await plane.stop();
}

async function run(): Promise<string> {
  const figures = new Map<string, Figures>();
  const bare = new Map<string, number>();
  for (const [name, start] of starters) bare.set(name, await bareBytes(start));
  say(`loading ${size.services} services of ${size.endpoints} endpoints and their ${instances} pods`);
  await loadCluster(plane.client, size, (share) => say(`${Math.round(share * 100)} %`));
  say('loaded');
  let restarted = '';
  for (const [name, start] of starters) {
    const server = await start(plane, { pods: 'verified' });
    figures.set(name, { ...(await measure(name, server)), bareBytes: bare.get(name)! });
    if (name === 'healthdns') restarted = await rollingRestart(server);
    await server.stop();
  }
  const names = [...starters.keys()].reverse();
  const head = ['', ...names, ...names.slice(1).map((name) => `healthdns / ${name}`)];
  const rows = figureRows(names.map((name) => figures.get(name)!));
  return `${machine()}. \`npm run bench:cluster\`: ${size.services.toLocaleString('en')} headless Services of ${size.endpoints} endpoints, and their ${instances.toLocaleString('en')} Pods; all servers watch Services, EndpointSlices, Namespaces and Pods, healthdns also Nodes; one after the other over the same API server.\n\n${table(head, rows)}\n\n${restarted}`;
}

function formerBuild(checkout: string): typeof startCoreDns {
  return (plane, settings) => startHealthdns(plane, settings, join(checkout, 'bin/healthdns'));
}

function nameOf(service: number): string {
  return `${serviceName(service)}.${namespaceOf(service)}.svc.cluster.local.`;
}

/** With an empty cluster. */
async function bareBytes(start: typeof startCoreDns): Promise<number> {
  const server = await start(plane, { pods: 'verified' });
  await answers(server, 'svc.cluster.local');
  await sleep(2_000);
  const bytes = residentBytes(server.pid);
  await server.stop();
  return bytes;
}

/** From the start of the server, which was just now. */
async function measure(name: string, server: DnsServer): Promise<Omit<Figures, 'bareBytes'>> {
  const fromMs = performance.now();
  const last = size.services - 1;
  await answers(server, nameOf(last).slice(0, -1));
  const address = addressOf(size, last, 0, size.endpoints - 1);
  await answers(server, `${address.replaceAll('.', '-')}.${namespaceOf(last)}.pod.cluster.local`);
  const readyMs = performance.now() - fromMs;
  const cpuSecondsAtReady = cpuSeconds(server.pid);
  say(`${name} answers everything after ${(readyMs / 1000).toFixed(1)} s`);
  await sleep(REST_MS);
  const figures = {
    ...{ readyMs, cpuSecondsAtReady },
    residentBytes: residentBytes(server.pid),
    peakBytes: peakBytes(server.pid),
  };
  say(`${name}: ${megabytes(figures.residentBytes)} MB, at most ${megabytes(figures.peakBytes)} MB`);
  return figures;
}

async function answers(server: DnsServer, name: string): Promise<void> {
  const endMs = performance.now() + READY_WITHIN_MS;
  // Neither listens before it has something to say, and what is sent till then is lost: `rcodeOf` would wait a second.
  const isAnswered = async () => (await rcodeOf(server, name)) === RCODE.NOERROR;
  while (!(await Promise.race([isAnswered(), sleep(PATIENCE_MS, false)]))) {
    if (performance.now() > endMs) throw new Error(`${server.name} does not answer ${name} within five minutes`);
    await sleep(20);
  }
}

function figureRows(figures: readonly Figures[]): string[][] {
  const line = (what: string, read: (one: Figures) => number, digits = 0) => {
    const values = figures.map(read);
    return [
      what,
      ...values.map((value) => value.toFixed(digits)),
      ...values.slice(1).map((value) => ratio(values[0], value)),
    ];
  };
  return [
    line('resident memory, MB', (one) => one.residentBytes / 1e6),
    line('maximum, MB', (one) => one.peakBytes / 1e6),
    line('with an empty cluster, MB', (one) => one.bareBytes / 1e6),
    line('additional bytes per instance', (one) => (one.residentBytes - one.bareBytes) / instances),
    line('until everything is answered, s', (one) => one.readyMs / 1000, 1),
    line('CPU time until then, s', (one) => one.cpuSecondsAtReady, 1),
  ];
}

async function rollingRestart(server: DnsServer): Promise<string> {
  const services = Math.min(size.services, Math.ceil(Number(options.restart) / size.endpoints));
  if (services === 0) return '';
  say(`restarting ${services * size.endpoints} pods`);
  const names = Array.from({ length: services }, (_, number) => nameOf(number));
  const asked = await askDuring(server.port, names, restartPods(plane.client, size, services));
  const text = `${(services * size.endpoints).toLocaleString('en')} pods restarted one after the other in ${services} services, which were asked ${asked.questions.toLocaleString('en')} questions meanwhile: ${asked.lost} lost, ${asked.empty} answered without an address, ${asked.late} answered after more than ${LATE_MS / 1000} s (the slowest after ${asked.slowestMs.toFixed(0)} ms). The kernel dropped ${asked.droppedAtServer} questions for want of room in the server's socket and ${asked.droppedAtClient} replies in the client's.`;
  say(text);
  return text;
}

function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
