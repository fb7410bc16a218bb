// `npm run bench:cluster`: large clusters on the real API server. Resident memory, processor time and time until everything is
// answered, healthdns and CoreDNS in turn over the same objects; then a rolling restart.
// Then what has a bench of its own, with fewer rounds: a large service, a storm, a static zone, /metrics.
//   node build/bench/cluster.js [--clusters 10000x10,3000x10,5000/2000] [--also large,storm,static,metrics] [--restart PODS]
//     [--former DIR] [--write]
// 10000x10 are 10,000 headless Services of 10 endpoints with their Pods; 5000/2000, 5,000 Services with cluster IPs in 2,000
// namespaces.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RCODE } from '../src/dns/types.ts';
import { type DnsServer, startCoreDns, startHealthdns } from '../test/e2e/compare/servers.ts';
import { rcodeOf } from '../test/e2e/compare/settle.ts';
import { type ControlPlane, startControlPlane } from '../test/support/control-plane.ts';
import { addressOf, type ClusterSize, loadCluster, loadClusterIps, namespaceOf, serviceName } from './cluster-load.ts';
import { measureLargeService } from './large-service.ts';
import { cpuSeconds, residentBytes } from './measure.ts';
import { machine, ratio, table } from './report.ts';
import { replaceSection } from './results.ts';
import { restartPods } from './rolling-restart.ts';
import { measureScrapes } from './scrape.ts';
import { FORMER } from './servers.ts';
import { measureStaticZone, STATIC_HEAD } from './static-zone.ts';
import { askDuring, LATE_MS } from './steady-questions.ts';
import { measureStorm, PATCHES_A_SECOND, QUESTIONS_A_SECOND, type Storm } from './storm.ts';

const { values: options } = parseArgs({
  options: {
    clusters: { type: 'string', default: '10000x10,3000x10,5000/2000' },
    also: { type: 'string', default: 'large,storm,static,metrics' },
    restart: { type: 'string', default: '1000' },
    former: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});

/** After everything is answered, so that what was needed to read it can be given back. */
const REST_MS = 20_000;
const READY_WITHIN_MS = 300_000;
const PATIENCE_MS = 100;

interface Cluster {
  readonly title: string;
  load(plane: ControlPlane): Promise<void>;
  /** A server that answers these has read everything. */
  readonly lastNames: readonly string[];
  /** Of a cluster with pods. */
  readonly size?: ClusterSize;
}

interface Figures {
  readonly readyMs: number;
  readonly cpuSecondsAtReady: number;
  readonly residentBytes: number;
  readonly peakBytes: number;
}

type Start = (plane: ControlPlane) => Promise<DnsServer>;

const startedMs = performance.now();
const say = (text: string) =>
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(0).padStart(5)} s  ${text}`);
const sayShare = (share: number) => say(`${Math.round(share * 100)} % loaded`);
const { former } = options;
const formerCommand = former === undefined ? undefined : join(former, 'bin/healthdns');
/** The first one is compared with the others; started from the last to the first. */
const starters = new Map<string, Start>([
  ['healthdns', (plane) => startHealthdns(plane, { pods: 'verified' })],
  ...(formerCommand
    ? [['former build', (plane: ControlPlane) => startHealthdns(plane, { pods: 'verified' }, formerCommand)] as const]
    : []),
  ['CoreDNS', (plane) => startCoreDns(plane, { pods: 'verified' })],
  // As kubeadm installs it: it does not watch pods, and answers for endpoints that are gone until their slice says so.
  ['CoreDNS without pods', (plane) => startCoreDns(plane, { pods: 'insecure' })],
]);

const empty: Cluster = { title: 'an empty cluster', load: async () => {}, lastNames: ['svc.cluster.local'] };
const clusters = options.clusters.split(',').filter((text) => text !== '');
const report = [await run([empty, ...clusters.map(clusterOf)]), ...(await runOthers(options.also.split(',')))].join(
  '\n\n',
);
console.log(`\n${report}`);
if (options.write) replaceSection('cluster', report);

function clusterOf(text: string): Cluster {
  const [first, second] = text.split(/[x/]/).map(Number);
  if (!(first > 0 && second > 0)) throw new Error(`--clusters: ${text} is neither like 3000x10 nor like 5000/2000`);
  return text.includes('x')
    ? headlessCluster({ services: first, endpoints: second })
    : addressCluster({ services: first, namespaces: second });
}

function headlessCluster(size: ClusterSize): Cluster {
  const last = size.services - 1;
  const address = addressOf(size, last, 0, size.endpoints - 1).replaceAll('.', '-');
  const pods = (size.services * size.endpoints).toLocaleString('en');
  return {
    title: `${size.services.toLocaleString('en')} headless Services, ${pods} Pods`,
    load: (plane) => loadCluster(plane.client, size, sayShare),
    lastNames: [nameOf(last).slice(0, -1), `${address}.${namespaceOf(last)}.pod.cluster.local`],
    size,
  };
}

function addressCluster(size: { readonly services: number; readonly namespaces: number }): Cluster {
  const last = size.services - 1;
  return {
    title: `${size.services.toLocaleString('en')} Services with cluster IPs, ${size.namespaces.toLocaleString('en')} namespaces`,
    load: (plane) => loadClusterIps(plane.client, size, sayShare),
    lastNames: [`${serviceName(last)}.ns-${last % size.namespaces}.svc.cluster.local`],
  };
}

async function run(clusters: readonly Cluster[]): Promise<string> {
  const names = [...starters.keys()];
  const head = ['', ...names, ...names.slice(1).map((name) => `healthdns / ${name}`)];
  const rows: string[][] = [];
  let restarted = '';
  for (const cluster of clusters) {
    const plane = await startControlPlane();
    try {
      say(`loading ${cluster.title}`);
      await cluster.load(plane);
      const figures = new Map<string, Figures>();
      for (const [name, start] of [...starters].reverse()) {
        const server = await start(plane);
        figures.set(name, await measure(cluster, name, server));
        if (name === 'healthdns' && cluster.size !== undefined && restarted === '')
          restarted = await rollingRestart(plane, server, cluster.size);
        await server.stop();
      }
      rows.push(
        ...figureRows(
          cluster,
          names.map((name) => figures.get(name)!),
        ),
      );
    } finally {
      await plane.stop();
    }
  }
  return `${machine()}. \`npm run bench:cluster\`: each cluster on an API server of its own, read by one server after the other. healthdns and CoreDNS watch Services, EndpointSlices, Namespaces and Pods, healthdns also Nodes; the last column watches no Pods (\`pods insecure\`, as kubeadm installs CoreDNS).\n\n${table(head, rows)}\n\n${restarted}`;
}

function nameOf(service: number): string {
  return `${serviceName(service)}.${namespaceOf(service)}.svc.cluster.local.`;
}

/** From the start of the server, which was just now. */
async function measure({ lastNames }: Cluster, name: string, server: DnsServer): Promise<Figures> {
  const fromMs = performance.now();
  for (const each of lastNames) await answers(server, each);
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

function figureRows({ title }: Cluster, figures: readonly Figures[]): string[][] {
  const line = (what: string, read: (one: Figures) => number, digits = 0) => {
    const values = figures.map(read);
    return [
      what,
      ...values.map((value) => value.toFixed(digits)),
      ...values.slice(1).map((value) => ratio(values[0], value)),
    ];
  };
  return [
    line(`${title}: resident, MB`, (one) => one.residentBytes / 1e6),
    line('maximum, MB', (one) => one.peakBytes / 1e6),
    line('until everything is answered, s', (one) => one.readyMs / 1000, 1),
    line('CPU time until then, s', (one) => one.cpuSecondsAtReady, 2),
  ];
}

async function rollingRestart(plane: ControlPlane, server: DnsServer, size: ClusterSize): Promise<string> {
  const services = Math.min(size.services, Math.ceil(Number(options.restart) / size.endpoints));
  if (services === 0) return '';
  say(`restarting ${services * size.endpoints} pods`);
  const names = Array.from({ length: services }, (_, number) => nameOf(number));
  const asked = await askDuring(server.port, names, restartPods(plane.client, size, services));
  const text = `${(services * size.endpoints).toLocaleString('en')} pods of the first cluster restarted one after the other in ${services} services, which were asked ${asked.questions.toLocaleString('en')} questions meanwhile: ${asked.lost} lost, ${asked.empty} answered without an address, ${asked.late} answered after more than ${LATE_MS / 1000} s (the slowest after ${asked.slowestMs.toFixed(0)} ms). The kernel dropped ${asked.droppedAtServer} questions for want of room in the server's socket and ${asked.droppedAtClient} replies in the client's.`;
  say(text);
  return text;
}

/** What has a bench of its own, with fewer rounds than there. */
async function runOthers(wanted: readonly string[]): Promise<string[]> {
  const others: Readonly<Record<string, () => Promise<string>>> = { large, storm, static: staticZone, metrics };
  const reports: string[] = [];
  for (const name of wanted) {
    const other = others[name];
    if (other === undefined) continue;
    say(name);
    reports.push(await other());
  }
  return reports;
}

async function large(): Promise<string> {
  const { head, rows } = await measureLargeService({ endpoints: 10_000, rounds: 20, former });
  return table(['a service of 10,000 endpoints', ...head.slice(1)], rows);
}

async function storm(): Promise<string> {
  const { healthdns, CoreDNS, made } = await measureStorm();
  const row = (what: string, read: (one: Storm) => number) => {
    const [ours, theirs] = [read(healthdns), read(CoreDNS)];
    return [what, ours.toFixed(1), theirs.toFixed(1), ratio(ours, theirs)];
  };
  const rows = [
    row('a flip is seen after, ms', (one) => one.flipMs),
    row('answers, p99, ms', ({ latency }) => latency.p99Ms),
    row('p99.9, ms', ({ latency }) => latency.p999Ms),
    row('lost', ({ latency }) => latency.lost),
  ];
  const title = `${made.toFixed(0)} of ${PATCHES_A_SECOND} pod patches/s, ${QUESTIONS_A_SECOND} queries/s`;
  return table([title, 'healthdns', 'CoreDNS', 'healthdns / CoreDNS'], rows);
}

async function staticZone(): Promise<string> {
  const rows: string[][] = [];
  for (const records of [50_000, 150_000])
    rows.push(...(await measureStaticZone({ records, rounds: 1, former, only: ['healthdns', 'CoreDNS', FORMER] })));
  return table(STATIC_HEAD, rows);
}

async function metrics(): Promise<string> {
  const { firstMs, medianMs, longestMs } = await measureScrapes({ dns: 5403, http: 5413 }, 20);
  const row = ['once a second, 350 verdicts/s', ...[firstMs, medianMs, longestMs].map((ms) => ms.toFixed(2))];
  return table(['/metrics at 10,000 services × 10, ms', 'first', 'median', 'longest'], [row]);
}

function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
