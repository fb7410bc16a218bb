// `npm run bench:start`: from exec to the first answer, with a small static zone: healthdns, CoreDNS, and a bare Node.js that starts
// a worker and binds a UDP socket in it, in turn. Memory is that of a server at rest.
//   node build/bench/start.js [--rounds N] [--rest SECONDS] [--former DIR] [--write]
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuSeconds, median } from './measure.ts';
import { machine, ratio, table } from './report.ts';
import { replaceSection } from './results.ts';
import { assets } from './servers.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    former: { type: 'string' },
    rest: { type: 'string', default: '1.5' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);

// With it, Node.js parses the certificates of a file before it runs anything: 37 ms for those of Debian.
delete process.env.NODE_EXTRA_CA_CERTS;

const FIRST_PORT = 5481;
const TIMEOUT_MS = 30_000;
/** Until memory is measured. V8 collects what a start left within a minute. */
const REST_MS = 1_000 * Number(options.rest);
const folder = mkdtempSync(join(tmpdir(), 'healthdns-start-'));

interface Starter {
  readonly name: string;
  start(port: number): ChildProcess;
}

interface Start {
  readonly answeredMs: number;
  readonly cpuMs: number;
  readonly anonymousMiB: number;
  readonly residentMiB: number;
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const starters = [
    healthdns('healthdns', fileURLToPath(new URL('../..', import.meta.url))),
    ...(options.former ? [healthdns('former build', options.former)] : []),
    ...(existsSync(assets('coredns')) ? [coreDns()] : []),
    bareNode(),
  ];
  const runs = new Map(starters.map(({ name }) => [name, [] as Start[]]));
  for (let round = 0; round < rounds; round++)
    for (const [i, starter] of starters.entries())
      runs.get(starter.name)!.push(await measureStart(starter, FIRST_PORT + i));
  const rows = starters.map(({ name }) => {
    const of = (read: (start: Start) => number) => median(runs.get(name)!.map(read));
    const first = median(runs.get(starters[0]!.name)!.map(({ answeredMs }) => answeredMs));
    const values = [of((one) => one.answeredMs), of((one) => one.cpuMs)].map((value) => value.toFixed(0));
    const sizes = [of((one) => one.anonymousMiB), of((one) => one.residentMiB)].map((value) => value.toFixed(1));
    return [
      name,
      ...values,
      ratio(
        first,
        of((one) => one.answeredMs),
      ),
      ...sizes,
    ];
  });
  const head = [
    '',
    'first answer, ms after exec',
    'CPU ms until then',
    'healthdns / server',
    'anonymous MiB',
    'resident MiB',
  ];
  const report = `${machine()}. \`npm run bench:start\`: ${rounds} starts each, servers in turn, medians.\n\n${table(head, rows)}`;
  console.log(report);
  if (options.write) replaceSection('start', report);
}

async function measureStart({ name, start }: Starter, port: number): Promise<Start> {
  const fromMs = performance.now();
  const child = start(port);
  try {
    while (!(await answersWithin(port, 1))) {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode} before it answered`);
      if (performance.now() - fromMs > TIMEOUT_MS)
        throw new Error(`${name} did not answer within ${TIMEOUT_MS / 1000} s`);
    }
    const answeredMs = performance.now() - fromMs;
    const cpuMs = 1000 * cpuSeconds(child.pid!);
    await sleep(REST_MS);
    return { answeredMs, cpuMs, anonymousMiB: statusMiB(child, 'RssAnon'), residentMiB: statusMiB(child, 'VmRSS') };
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

function statusMiB({ pid }: ChildProcess, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024;
}

/** www.start.test. A; a new socket each time, because an ICMP error closes the way for the next query. */
function answersWithin(port: number, ms: number): Promise<boolean> {
  const query = Buffer.from('0001010000010000000000000377777705737461727404746573740000010001', 'hex');
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (answered: boolean) => {
      clearTimeout(timer);
      socket.close(() => resolve(answered));
    };
    const timer = setTimeout(() => done(false), ms);
    socket.on('error', () => {}); // nobody listens yet
    socket.on('message', () => done(true));
    socket.connect(port, '127.0.0.1', () => socket.send(query));
  });
}

function healthdns(name: string, checkout: string): Starter {
  return {
    name,
    start(port) {
      const file = join(folder, `${port}.yaml`);
      writeFileSync(
        file,
        `listen: 127.0.0.1:${port}\nhttp: false\nlogLevel: warn\nthreads: 1\nzones:\n  - name: start.test\n    records:\n      - { name: www, type: A, value: 10.0.0.1 }\n`,
      );
      return spawn(process.execPath, [join(checkout, 'bin/healthdns'), 'serve', file], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    },
  };
}

function coreDns(): Starter {
  return {
    name: 'CoreDNS',
    start(port) {
      const zone = join(folder, 'zone');
      const file = join(folder, 'Corefile');
      writeFileSync(
        zone,
        'start.test. 30 IN SOA ns.start.test. a.start.test. 1 7200 1800 86400 30\nwww.start.test. 30 IN A 10.0.0.1\n',
      );
      writeFileSync(file, `start.test:${port} {\n  bind 127.0.0.1\n  file ${zone}\n}\n`);
      return spawn(assets('coredns'), ['-conf', file, '-quiet'], { stdio: 'ignore' });
    },
  };
}

/** The least that a data thread in Node.js can cost: it echoes. */
function bareNode(): Starter {
  const worker = (port: number) =>
    `const s = require('node:dgram').createSocket('udp4'); s.on('message', (m, r) => s.send(m, r.port, r.address)); s.bind(${port}, '127.0.0.1');`;
  const main = (port: number) =>
    `new (require('node:worker_threads').Worker)(${JSON.stringify(worker(port))}, { eval: true });`;
  return {
    name: 'bare Node.js with a worker',
    start: (port) => spawn(process.execPath, ['-e', main(port)], { stdio: 'ignore' }),
  };
}
