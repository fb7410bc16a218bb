// `npm run bench:soak`: mixed load while instances fail and recover, the file is reloaded, the disk of the Cloud Map store is
// full, the log is not read, and the upstream server is silent. No answer of the server's own zone may be lost, none may
// have an address that is known to be dead, no acknowledged registration may be missing, and memory must stay flat.
//   node build/bench/soak.js [--seconds N] [--write]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { anonymousBytes, loadAt, median } from './measure.ts';
import { seededRandom } from './random.ts';
import { machine, table } from './report.ts';
import { replaceSection } from './results.ts';
import { type BenchServer, knot } from './servers.ts';
import { type Checked, type DeadSince, nowMs, startChecker } from './soak-checker.ts';
import { type Registrations, startRegistrations } from './soak-cloud-map.ts';
import { type SoakCluster, startSoakCluster } from './soak-cluster.ts';
import { type SoakServer, startSoakServer } from './soak-server.ts';
import { type Unanswered, watchUnanswered } from './soak-unanswered.ts';
import type { Workload } from './workloads.ts';

const { values: options } = parseArgs({
  options: { seconds: { type: 'string', default: '600' }, write: { type: 'boolean', default: false } },
});
const seconds = Number(options.seconds);

const [PORT, HTTP_PORT, UPSTREAM_PORT] = [5331, 5332, 5333];
const HTTP = `http://127.0.0.1:${HTTP_PORT}`;
const ZONE = 'soak.test';
const UPSTREAM_ZONE = 'upstream.test.';
const SERVICES = 20;
const INSTANCES = 10;
/** At most so many of a service are dead, so that each name has an answer. */
const MOST_DEAD = 5;
const UDP_RATE = 6_000;
const TCP_RATE = 500;
const FLIP_EVERY_MS = 20;
const SAMPLE_MS = 2_000;
/** Of the last minute over the second. */
const MOST_GROWTH = 1.1;

/** What was done to the server. */
const done = { flips: 0, failedPushes: 0, reloads: 0, outages: 0, fullDisks: 0, stoppedReaders: 0 };

const folder = mkdtempSync(join(tmpdir(), 'healthdns-soak-'));
const random = seededRandom(1);
try {
  process.exitCode = await soak();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function soak(): Promise<number> {
  mkdirSync(join(folder, 'state'));
  const zoneFile = join(folder, 'upstream.zone');
  writeFileSync(zoneFile, upstreamZone());
  const upstream = await knot.start({ folder, zone: UPSTREAM_ZONE, zoneFile }, UPSTREAM_PORT);
  const file = join(folder, 'zones.yaml');
  const cluster = await startSoakCluster();
  writeFileSync(file, configuration(0, cluster));
  const server = await startSoakServer(folder, file, `${ZONE}.`, PORT, HTTP);
  const deadSince: DeadSince = new Float64Array(new SharedArrayBuffer(8 * SERVICES * 256));
  try {
    const registrations = await startRegistrations(HTTP);
    const names = Array.from({ length: SERVICES }, (_, service) => `s${service}.${ZONE}.`);
    const checker = startChecker(PORT, names, deadSince);
    const memory: number[] = [];
    const sampler = setInterval(() => memory.push(anonymousBytes(server.pid)), SAMPLE_MS);
    const unanswered = watchUnanswered(HTTP, PORT);
    const ending = new AbortController();
    const faults = Promise.all([
      flips(deadSince, ending.signal),
      every(10, ending.signal, () => reload(server, file, cluster)),
      every(20, ending.signal, () => outage(upstream)),
      every(45, ending.signal, () => fullDisk(server)),
      every(60, ending.signal, () => stoppedReader(server)),
      every(60, ending.signal, async () => cluster?.restartApiServer()),
    ]);
    faults.catch(() => {}); // Awaited below.
    const bench: BenchServer = { name: 'healthdns', pid: server.pid, port: PORT, stop: async () => {} };
    const [mixed, tcp] = await Promise.all([
      loadAt(bench, mixedQueries(), UDP_RATE, seconds),
      loadAt(bench, ownQueries(), TCP_RATE, seconds),
    ]);
    ending.abort();
    await faults;
    const checked = await checker.stop();
    clearInterval(sampler);
    await registrations.stop();
    const result = { checked, mixed, tcp, memory, unanswered: await unanswered.stop(), logLines: server.logLines() };
    await server.restart();
    const missing = await registrations.missing();
    await cluster?.stop();
    return report(result, registrations, missing, cluster);
  } finally {
    await cluster?.stop();
    await server.stop();
    await upstream.stop();
  }
}

interface Result {
  readonly checked: Checked;
  readonly mixed: { readonly sent: number; readonly lost: number };
  readonly tcp: { readonly sent: number; readonly lost: number };
  /** Samples of anonymous memory: what a container is charged for and the kernel cannot take back. */
  readonly memory: readonly number[];
  readonly unanswered: Unanswered;
  readonly logLines: number;
}

function report(result: Result, writes: Registrations, missing: number, cluster: SoakCluster | undefined): number {
  const { checked, mixed, tcp, memory, unanswered, logLines } = result;
  const ownLost = checked.lost + tcp.lost;
  const { withheld, droppedAtServer, droppedAtClients } = unanswered;
  const unexplained = Math.max(0, ownLost + mixed.lost - withheld - droppedAtServer - droppedAtClients);
  const minutes = mediansByMinute(memory);
  // The first minute warms up: JIT, buffers, heap, cache.
  const [early, late] = [minutes[Math.min(1, minutes.length - 1)]!, minutes.at(-1)!];
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const count = (value: number) => value.toLocaleString('en');
  const text = table(
    ['', ''],
    [
      ['length', `${seconds} s`],
      ['queries for own names, checked', count(checked.queries)],
      ['other queries over UDP: own names, cached, not cached', count(mixed.sent)],
      ['queries over TCP', count(tcp.sent)],
      ['health flips, of which failed; reloads', `${count(done.flips)}, ${done.failedPushes}; ${done.reloads}`],
      ['upstream outages of 3 s', String(done.outages)],
      ['times that the disk was full, that the log was not read', `${done.fullDisks}, ${done.stoppedReaders}`],
      [
        'pod patches per second, restarts of the API server',
        cluster ? `${cluster.patches().toFixed(0)}, ${cluster.restarts()}` : 'no cluster',
      ],
      ['**own answers lost**', `**${ownLost}**`],
      ['own answers without an address', String(checked.wrong)],
      ['**answers with an address known dead**', `**${checked.dead}**`],
      ['slowest own answer', `${checked.slowestMs.toFixed(0)} ms`],
      ['other queries without a response within 5 s', count(mixed.lost)],
      ['of them withheld by the limits of one client (`late`, `errors`)', count(withheld)],
      ['of them dropped by the kernel, at the server and at clients', `${droppedAtServer}, ${droppedAtClients}`],
      ['**queries lost for another reason**', `**${unexplained}**`],
      ['Cloud Map writes acknowledged, refused', `${count(writes.acknowledged())}, ${count(writes.refused())}`],
      ['**acknowledged writes lost after a restart**', `**${missing}**`],
      ['lines of log read', count(logLines)],
      ['anonymous memory, MiB, median of each minute', minutes.map(mib).join(', ')],
      ['**the last minute over the second**', `**${(late / early).toFixed(2)}**`],
    ],
  );
  console.log(text);
  if (options.write) replaceSection('soak', `${machine()}. \`npm run bench:soak\`.\n\n${text}`);
  const isWrong = unexplained > 0 || checked.wrong > 0 || checked.dead > 0 || missing > 0;
  return isWrong || late > MOST_GROWTH * early ? 1 : 0;
}

function mediansByMinute(samples: readonly number[]): number[] {
  const perMinute = 60_000 / SAMPLE_MS;
  const count = Math.max(1, Math.floor(samples.length / perMinute));
  return Array.from({ length: count }, (_, minute) => {
    return median(samples.slice(minute * perMinute, (minute + 1) * perMinute));
  });
}

/** Runs `act` every so many seconds, the first time after half of that. */
async function every(period: number, signal: AbortSignal, act: () => Promise<void> | void): Promise<void> {
  await pause((period * 1000) / 2, signal);
  while (!signal.aborted) {
    await act();
    await pause(period * 1000, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => {});
}

/** Instances fail and recover in turn, by reports of an external source. */
async function flips(deadSince: DeadSince, signal: AbortSignal): Promise<void> {
  const dead = Array.from({ length: SERVICES }, (): number[] => []);
  while (!signal.aborted) {
    const service = Math.floor(random() * SERVICES);
    const down = dead[service]!;
    const recovers = down.length === MOST_DEAD;
    const instance = recovers ? down.shift()! : Math.floor(random() * INSTANCES);
    if (!recovers && down.includes(instance)) continue;
    const index = (service << 8) | instance;
    if (recovers) deadSince[index] = 0;
    if (!recovers) down.push(instance);
    const pushed = await pushHealth(service, instance, recovers ? 'HEALTHY' : 'UNHEALTHY');
    if (pushed) done.flips++;
    else done.failedPushes++;
    if (pushed && !recovers) deadSince[index] = nowMs();
    await pause(FLIP_EVERY_MS, signal);
  }
}

async function pushHealth(service: number, instance: number, status: string): Promise<boolean> {
  const push = { zone: `${ZONE}.`, service: `s${service}`, instance: `i${instance}`, source: 'soak', status };
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(push) };
  try {
    const response = await fetch(`${HTTP}/external-health`, { ...init, signal: AbortSignal.timeout(10_000) });
    if (response.status !== 204) console.log(`push: ${response.status} ${await response.text()}`);
    return response.status === 204;
  } catch (error) {
    console.log(`push: ${(error as Error).message}`);
    return false;
  }
}

function reload(server: SoakServer, file: string, cluster: SoakCluster | undefined): void {
  writeFileSync(file, configuration(++done.reloads, cluster));
  server.reload();
}

async function outage(upstream: BenchServer): Promise<void> {
  done.outages++;
  process.kill(upstream.pid, 'SIGSTOP');
  await sleep(3_000);
  process.kill(upstream.pid, 'SIGCONT');
}

async function fullDisk(server: SoakServer): Promise<void> {
  done.fullDisks++;
  server.fillDisk();
  await sleep(5_000);
  server.freeDisk();
}

async function stoppedReader(server: SoakServer): Promise<void> {
  done.stoppedReaders++;
  server.readLog(false);
  await sleep(10_000);
  server.readLog(true);
}

function configuration(reloads: number, cluster: SoakCluster | undefined): string {
  const instance = (service: number, i: number) => `          - { id: i${i}, ipv4: 10.9.${service}.${i} }\n`;
  const service = (number: number) =>
    `      - name: s${number}\n        instances:\n` +
    Array.from({ length: INSTANCES }, (_, i) => instance(number, i)).join('');
  return (
    `listen: 127.0.0.1:${PORT}\nhttp: 127.0.0.1:${HTTP_PORT}\nthreads: 1\nqueryLog: { every: 10 }\n` +
    `cloudMap: { writes: loopback, store: { path: ./state/store } }\n` +
    `forward: [{ zone: ${UPSTREAM_ZONE}, to: [127.0.0.1:${UPSTREAM_PORT}] }]\ncache: { serveStale: true }\n` +
    `zones:\n  - name: ${ZONE}\n` +
    '    externalHealth: { sources: [{ name: soak }], combine: any, maxAgeSeconds: 86400 }\n' +
    `    records:\n      - { name: reloads, type: TXT, value: "${reloads}" }\n    services:\n` +
    Array.from({ length: SERVICES }, (_, number) => service(number)).join('') +
    (cluster ? `  - { name: cluster.local, kubernetes: { kubeconfig: ${cluster.kubeconfig} } }\n` : '')
  );
}

function upstreamZone(): string {
  const apex = `${UPSTREAM_ZONE} 3600 IN SOA ns.${UPSTREAM_ZONE} admin.${UPSTREAM_ZONE} 1 7200 3600 1209600 30\n`;
  return `${apex}${UPSTREAM_ZONE} 3600 IN NS ns.${UPSTREAM_ZONE}\nns.${UPSTREAM_ZONE} 3600 IN A 127.0.0.1\n*.wild.${UPSTREAM_ZONE} 5 IN A 10.0.0.1\n`;
}

/** Seven in ten for names of the zone, some of which do not exist, two for names that are cached, one for names that are not. */
function mixedQueries(): Workload {
  const line = (i: number) => {
    const kind = i % 10;
    if (kind < 6) return `s${i % SERVICES}.${ZONE} A`;
    if (kind < 7) return `absent${i}.${ZONE} A`;
    return kind < 9 ? `hit${i % 50}.wild.${UPSTREAM_ZONE} A` : `miss${i}.wild.${UPSTREAM_ZONE} A`;
  };
  return queries('mixed', 'udp', line, 200_000);
}

function ownQueries(): Workload {
  return queries('own', 'tcp', (i) => `s${i % SERVICES}.${ZONE} A`, 1_000);
}

function queries(name: string, transport: 'udp' | 'tcp', line: (i: number) => string, count: number): Workload {
  const queryFile = join(folder, `${name}.queries`);
  writeFileSync(queryFile, `${Array.from({ length: count }, (_, i) => line(i)).join('\n')}\n`);
  return { name, queryFile, transport };
}
