// `npm run bench:forward`: the cache and the forwarder beside Unbound's and CoreDNS's, in front of the same Knot, asked in turn.
//   node build/bench/forward.js [--rounds N] [--seconds N] [--only PART] [--former DIR] [--write]
// --only: only the rows whose name contains PART, and neither memory nor floods.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type FloodZones, flood } from './forward-flood.ts';
import { type Measured, measure, median } from './measure.ts';
import { cpuTable, formerTable, machine, peakTable, type Row, ratio, table } from './report.ts';
import { replaceSection } from './results.ts';
import { assets, type BenchServer, FORMER, knot, onPath, running, withSbin } from './servers.ts';
import type { Workload } from './workloads.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string' },
    former: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);

const ZONE = 'forward.test.';
const UPSTREAM_PORT = 5411;
/** Where somebody hears and nobody answers. */
const SILENT_PORT = 5419;
const FLOOD_SECONDS = 4;
const OWN_ZONE = 'cluster.local.';
const FLOOD: FloodZones = { own: OWN_ZONE, wild: `flood.wild.${ZONE}`, gone: `gone.${ZONE}`, silent: 'silent.test.' };
const CACHED_NAMES = 100_000;
/** More than are asked for in one run, so that no name comes twice. */
const MISSING_NAMES = 400_000;

/** A single client asks, which may have what all together may have. */
const ONE_CLIENT = 'limits: { forwardedQueriesPerClient: 1000000, discardSeconds: 0, errorsPerSecond: 0 }\n';

const folder = mkdtempSync(join(tmpdir(), 'healthdns-forward-'));
try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  console.log(`${machine()}\n${rounds} rounds of ${seconds} s each, servers in turn, Knot as the upstream of all\n`);
  const upstream = await knot.start({ folder, zone: ZONE, zoneFile: writeZone() }, UPSTREAM_PORT);
  const silent = createSocket('udp4').bind(SILENT_PORT, '127.0.0.1');
  const servers: BenchServer[] = [];
  try {
    const { former } = options;
    const ours = fileURLToPath(new URL('../..', import.meta.url));
    const starts = [
      (port: number) => healthdns('healthdns', ours, port, ONE_CLIENT),
      // It knows no limits by client.
      ...(former ? [(port: number) => healthdns(FORMER, former, port, '')] : []),
      ...(options.only === undefined || !former ? [unbound, coredns] : []),
    ];
    for (const [i, start] of starts.entries()) {
      const server = await start(UPSTREAM_PORT + 1 + i);
      if (server !== undefined) servers.push(server);
    }
    if (options.only !== undefined) {
      const some = await compare(servers);
      console.log(`\n${former ? formerTable(some) : cpuTable(some, names(servers))}`);
      return;
    }
    // First, while nothing but the start has been kept.
    const filled = await memory(servers);
    const rows = await compare(servers);
    const own = await searchPath(servers[0]!);
    const withZone = servers.filter(({ name }) => name !== 'Unbound');
    const flooded = await flood(withZone, FLOOD, folder, FLOOD_SECONDS);
    const report = [cpuTable(rows, names(servers)), peakTable(rows, names(servers)), filled, own, flooded].join('\n\n');
    const toFormer = former ? formerTable(rows) : '';
    console.log(`\n${report}\n\n${toFormer}`);
    const how = `${machine()}. \`npm run bench:forward\`: ${rounds} rounds of ${seconds} s, servers in turn, medians.`;
    if (options.write) replaceSection('forward', `${how}\n\n${report}`);
    if (options.write && former) replaceSection('former-forward', `${how}\n\n${toFormer}`);
  } finally {
    silent.close();
    await Promise.all([...servers, upstream].map((server) => server.stop()));
  }
}

function names(servers: readonly BenchServer[]): string[] {
  return servers.map(({ name }) => name).filter((name) => name !== FORMER);
}

async function compare(servers: readonly BenchServer[]): Promise<Row[]> {
  const runs = new Map<string, Measured[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const workload of workloadsOf(round)) {
      for (const server of round % 2 === 1 ? servers : servers.toReversed()) {
        const key = `${workload.name}/${server.name}`;
        runs.set(key, [...(runs.get(key) ?? []), await measure(server, workload, seconds)]);
      }
    }
    console.log(`round ${round} done`);
  }
  return workloadsOf(0).map(({ name }) => {
    const of = (figure: (measured: Measured) => number) =>
      Object.fromEntries(
        servers.map((server) => [server.name, median((runs.get(`${name}/${server.name}`) ?? []).map(figure))]),
      );
    return {
      workload: name,
      cpuMicroseconds: of((measured) => measured.cpuMicrosecondsPerQuery),
      queriesPerSecond: of((measured) => measured.queriesPerSecond),
      lostShare: of((measured) => measured.lostShare),
    };
  });
}

function workloadsOf(round: number): Workload[] {
  const file = (name: string, lines: () => string[]) => {
    const path = join(folder, name);
    if (round > 0) writeFileSync(path, `${lines().join('\n')}\n`);
    return path;
  };
  const hits = (prefix: string) => file(prefix, () => Array.from({ length: 100 }, (_, i) => `${prefix}${i}.${ZONE} A`));
  const one = { name: 'hit, 1 A', queryFile: hits('one'), transport: 'udp' } as const;
  const all: Workload[] = [
    one,
    { name: 'hit, 10 A', queryFile: hits('ten'), transport: 'udp' },
    { name: 'hit, NXDOMAIN', queryFile: hits('none.gone'), transport: 'udp' },
    { ...one, name: 'hit, 1 A, TCP', transport: 'tcp' },
    {
      name: 'miss, 200 outstanding',
      queryFile: file('missing', () =>
        Array.from({ length: MISSING_NAMES }, (_, i) => `m${i}r${round}.wild.${ZONE} A`),
      ),
      transport: 'udp',
    },
  ];
  return all.filter(({ name }) => name.includes(options.only ?? ''));
}

/** What ndots:5 makes of one name, beside a name that is simply not there: all of them are NXDOMAIN of our own zone. */
async function searchPath(server: BenchServer): Promise<string> {
  const kinds: [string, (i: number) => string][] = [
    ['a service that does not exist', (i) => `none${i}.default.svc.${OWN_ZONE}`],
    ['www.example.com.NAMESPACE.svc.cluster.local', (i) => `www.example${i}.com.default.svc.${OWN_ZONE}`],
    ['www.example.com.svc.cluster.local', (i) => `www.example${i}.com.svc.${OWN_ZONE}`],
    ['www.example.com.cluster.local', (i) => `www.example${i}.com.${OWN_ZONE}`],
    ['eight labels below the zone', (i) => `a.b.c.d.e.f.g.n${i}.${OWN_ZONE}`],
  ];
  const runs: number[][] = kinds.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [k, [name, line]] of kinds.entries()) {
      const queryFile = join(folder, `search${k}`);
      writeFileSync(queryFile, `${Array.from({ length: 1000 }, (_, i) => `${line(i)} A`).join('\n')}\n`);
      runs[k]!.push(
        (await measure(server, { name, queryFile, transport: 'udp' }, Math.min(2, seconds))).cpuMicrosecondsPerQuery,
      );
    }
  }
  const plain = median(runs[0]!);
  const rows = kinds.map(([name], k) => [name, median(runs[k]!).toFixed(2), ratio(median(runs[k]!), plain)]);
  return table(['healthdns, NXDOMAIN in own zones', 'CPU µs per query', 'ratio to the first row'], rows);
}

/** Resident memory before and after 100,000 names with one A record each were asked for. */
async function memory(servers: readonly BenchServer[]): Promise<string> {
  const queryFile = join(folder, 'fill');
  const names = Array.from({ length: CACHED_NAMES }, (_, i) => `f${i}.wild.${ZONE} A`);
  writeFileSync(queryFile, `${names.join('\n')}\n`);
  const rows: string[][] = [];
  for (const server of servers) {
    const before = residentMiB(server.pid);
    await fill(server.port, queryFile);
    rows.push([server.name, before.toFixed(0), residentMiB(server.pid).toFixed(0)]);
  }
  const last = Number(rows.at(0)?.[2]);
  return table(
    ['MiB resident', 'before', `after ${CACHED_NAMES.toLocaleString('en')} more names`, 'healthdns / server'],
    rows.map((row) => [...row, ratio(last, Number(row[2]))]),
  );
}

function fill(port: number, queryFile: string): Promise<void> {
  const child = spawn('dnsperf', ['-s', '127.0.0.1', '-p', String(port), '-d', queryFile, '-n', '1', '-q', '200'], {
    stdio: 'ignore',
  });
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

function healthdns(name: string, checkout: string, port: number, limits: string): Promise<BenchServer> {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(
    file,
    `listen: 127.0.0.1:${port}\nhttp: false\nthreads: 1\n${limits}` +
      `forward:\n  - to: [127.0.0.1:${UPSTREAM_PORT}]\n  - { zone: ${FLOOD.silent}, to: [127.0.0.1:${SILENT_PORT}] }\n` +
      `cache: { maxEntries: 400000, maxBytes: 2000000000 }\nzones:\n  - name: ${OWN_ZONE}\n    records:\n` +
      ownNames((name) => `      - { name: ${name}, type: A, value: 10.0.0.1 }\n`) +
      '      - { name: api.default.svc, type: A, value: 10.0.0.2 }\n',
  );
  const child = spawn(process.execPath, [join(checkout, 'bin/healthdns'), 'serve', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return running(name, child, ZONE, port);
}

async function unbound(port: number): Promise<BenchServer | undefined> {
  if (!onPath('unbound')) return leftOut('Unbound: apt-get install unbound');
  const home = join(folder, 'unbound');
  mkdirSync(home);
  writeFileSync(
    join(home, 'unbound.conf'),
    `server:\n  interface: 127.0.0.1@${port}\n  num-threads: 1\n  do-not-query-localhost: no\n  chroot: ""\n  username: ""\n` +
      `  directory: "${home}"\n  pidfile: "${home}/pid"\n  use-syslog: no\n  logfile: "${home}/log"\n  module-config: "iterator"\n` +
      '  local-zone: "test." nodefault\n  msg-cache-size: 1000m\n  rrset-cache-size: 1000m\n  rrset-roundrobin: yes\n' +
      '  outgoing-range: 4096\n  num-queries-per-thread: 4096\n  access-control: 127.0.0.0/8 allow_snoop\n' +
      `remote-control:\n  control-enable: no\nstub-zone:\n  name: "${ZONE}"\n  stub-addr: 127.0.0.1@${UPSTREAM_PORT}\n`,
  );
  const child = spawn('unbound', ['-d', '-c', join(home, 'unbound.conf')], { stdio: 'ignore', env: withSbin() });
  return running('Unbound', child, ZONE, port);
}

async function coredns(port: number): Promise<BenchServer | undefined> {
  if (!existsSync(assets('coredns'))) return leftOut('CoreDNS: set KUBEBUILDER_ASSETS to a folder with coredns');
  const file = join(folder, 'Corefile');
  const sizes = 'success 400000\n    denial 400000';
  const zoneFile = join(folder, 'own.zone');
  const apex = `${OWN_ZONE} 30 IN SOA ns.${OWN_ZONE} admin.${OWN_ZONE} 1 7200 3600 1209600 30\n`;
  writeFileSync(zoneFile, `${apex}${ownNames((name) => `${name}.${OWN_ZONE} 30 IN A 10.0.0.1\n`)}`);
  writeFileSync(
    file,
    `${OWN_ZONE}:${port} {\n  bind 127.0.0.1\n  file ${zoneFile}\n}\n` +
      `${FLOOD.silent}:${port} {\n  bind 127.0.0.1\n  forward . 127.0.0.1:${SILENT_PORT}\n}\n` +
      `.:${port} {\n  bind 127.0.0.1\n  forward . 127.0.0.1:${UPSTREAM_PORT}\n  cache {\n    ${sizes}\n  }\n}\n`,
  );
  const child = spawn(assets('coredns'), ['-conf', file, '-quiet'], { stdio: 'ignore' });
  return running('CoreDNS', child, ZONE, port);
}

function ownNames(line: (name: string) => string): string {
  return Array.from({ length: 100 }, (_, i) => line(`own${i}`)).join('');
}

function leftOut(what: string): undefined {
  console.log(`left out: ${what}`);
  return undefined;
}

function writeZone(): string {
  const file = join(folder, 'zone');
  const lines = [
    `${ZONE} 3600 IN SOA ns.${ZONE} admin.${ZONE} 1 7200 3600 1209600 3600`,
    `${ZONE} 3600 IN NS ns.${ZONE}`,
    `ns.${ZONE} 3600 IN A 127.0.0.1`,
    `*.wild.${ZONE} 3600 IN A 10.0.0.1`,
  ];
  for (let i = 0; i < 100; i++) {
    lines.push(`one${i}.${ZONE} 3600 IN A 10.0.0.1`);
    for (let n = 0; n < 10; n++) lines.push(`ten${i}.${ZONE} 3600 IN A 10.0.${n}.1`);
  }
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}
