// `npm run bench:node`: the agent of a node with 10,000 RRsets beside CoreDNS and Unbound as the cache of a node, asked in turn.
//   node build/bench/node.js [--rounds N] [--seconds N] [--write]
// The replica is one of this process, over plain TCP: the agent's own memory and processor time are what is measured.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startFakeReplica } from '../test/support/fake-replica.ts';
import { measure, median } from './measure.ts';
import { figure, machine, ratio, table } from './report.ts';
import { replaceSection } from './results.ts';
import { assets, type BenchServer, knot, onPath, running, withSbin } from './servers.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '3' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);

const ZONE = 'node.test.';
const NAMES = 10_000;
const UPSTREAM_PORT = 5471;
/** What was written while names were held is collected by then. */
const SETTLE_MS = 30_000;

const names = Array.from({ length: NAMES }, (_, i) => `service-${i}.production.svc.${ZONE}`);
const addresses = (i: number) => [1, 2, 3].map((n) => `10.${i >> 8}.${i & 0xff}.${n}`);

const folder = mkdtempSync(join(tmpdir(), 'healthdns-node-'));
try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const how = `${machine()}. \`npm run bench:node\`: ${NAMES.toLocaleString('en')} names of 3 A, ${rounds} rounds of ${seconds} s, servers in turn, medians.`;
  console.log(`${how}\n`);
  const records = names.map((name, i) => addresses(i).map((address) => `${name} 30 IN A ${address}`));
  const zoneFile = join(folder, 'zone');
  const apex = `${ZONE} 30 IN SOA ns.${ZONE} admin.${ZONE} 1 7200 3600 1209600 30\n${ZONE} 30 IN NS ns.${ZONE}\nns.${ZONE} 30 IN A 127.0.0.1\n`;
  writeFileSync(zoneFile, `${apex}${records.flat().join('\n')}\n`);
  const upstream = await knot.start({ folder, zone: ZONE, zoneFile }, UPSTREAM_PORT);
  const replica = await startFakeReplica([...apex.trim().split('\n'), ...records.flat()].join('\n'));
  const servers: BenchServer[] = [];
  try {
    for (const start of [agent, coredns, unbound]) {
      const server = await start(UPSTREAM_PORT + 1 + servers.length, replica.port);
      if (server !== undefined) servers.push(server);
    }
    const report = `${await memory(servers)}\n\n${await processor(servers)}`;
    console.log(report);
    if (options.write) replaceSection('node', `${how}\n\n${report}`);
  } finally {
    await Promise.all([...servers, upstream].map((server) => server.stop()));
    await replica.close();
  }
}

/** Each name is asked for once; then what is resident, and what of it is not of a file. */
async function memory(servers: readonly BenchServer[]): Promise<string> {
  const queryFile = questions();
  const rows: string[][] = [];
  for (const server of servers) {
    const before = mebibytes(server.pid);
    await once('dnsperf', ['-s', '127.0.0.1', '-p', String(server.port), '-d', queryFile, '-n', '1', '-q', '100']);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const after = mebibytes(server.pid);
    rows.push([server.name, before.resident, after.resident, before.anonymous, after.anonymous].map(shown));
  }
  const head = [
    'MiB',
    'resident at start',
    `with ${NAMES.toLocaleString('en')} RRsets`,
    'anonymous at start',
    'with them',
  ];
  return table(head, rows);
}

function shown(value: string | number): string {
  return typeof value === 'number' ? value.toFixed(1) : value;
}

async function processor(servers: readonly BenchServer[]): Promise<string> {
  const workload = { name: 'hit, 3 A', queryFile: questions(), transport: 'udp' } as const;
  const runs = servers.map((): { cpu: number; rate: number }[] => []);
  for (let round = 0; round < rounds; round++) {
    const order = servers.map((server, i) => [server, i] as const);
    for (const [server, i] of round % 2 === 0 ? order : order.toReversed()) {
      const { cpuMicrosecondsPerQuery: cpu, queriesPerSecond: rate } = await measure(server, workload, seconds);
      runs[i]!.push({ cpu, rate });
    }
  }
  const cpu = runs.map((run) => median(run.map((one) => one.cpu)));
  return table(
    ['A cached query', 'CPU µs', 'queries/s', 'agent / server, CPU'],
    servers.map(({ name }, i) => [
      name,
      figure(cpu[i]),
      Math.round(median(runs[i]!.map((one) => one.rate))).toLocaleString('en'),
      ratio(cpu[0], cpu[i]),
    ]),
  );
}

function questions(): string {
  const file = join(folder, 'questions');
  writeFileSync(file, names.map((name) => `${name} A\n`).join(''));
  return file;
}

function mebibytes(pid: number) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const of = (key: string) => Number(new RegExp(`^${key}: +(\\d+)`, 'm').exec(text)?.[1]) / 1024;
  return { resident: of('Rss'), anonymous: of('Anonymous') };
}

function once(command: string, words: readonly string[]): Promise<void> {
  const child = spawn(command, words, { stdio: 'ignore' });
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

function agent(port: number, push: number): Promise<BenchServer> {
  const file = join(folder, 'node.yaml');
  writeFileSync(
    file,
    `listen: 127.0.0.1:${port}\nhttp: false\nzones: [${ZONE}]\nlogLevel: warn\n` +
      `replicas: { push: "127.0.0.1:${push}", dns: "127.0.0.1:${UPSTREAM_PORT}", plaintext: true }\n` +
      'limits: { forwardedQueriesPerClient: 1000000, discardSeconds: 0, errorsPerSecond: 0 }\n',
  );
  const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
  const child = spawn(process.execPath, [program, 'node', '--config', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return running('healthdns node', child, ZONE, port);
}

async function coredns(port: number): Promise<BenchServer | undefined> {
  if (!existsSync(assets('coredns'))) return leftOut('CoreDNS: set KUBEBUILDER_ASSETS to a folder with coredns');
  const file = join(folder, 'Corefile');
  // As in NodeLocal DNSCache's configuration, with room for all names.
  const cache = 'cache {\n    success 30000 30\n    denial 9984 5\n  }';
  writeFileSync(file, `.:${port} {\n  bind 127.0.0.1\n  forward . 127.0.0.1:${UPSTREAM_PORT}\n  ${cache}\n}\n`);
  return running('CoreDNS', spawn(assets('coredns'), ['-conf', file, '-quiet'], { stdio: 'ignore' }), ZONE, port);
}

async function unbound(port: number): Promise<BenchServer | undefined> {
  if (!onPath('unbound')) return leftOut('Unbound: apt-get install unbound');
  const home = join(folder, 'unbound');
  mkdirSync(home);
  writeFileSync(
    join(home, 'unbound.conf'),
    `server:\n  interface: 127.0.0.1@${port}\n  num-threads: 1\n  do-not-query-localhost: no\n  do-not-query-localhost: no\n  chroot: ""\n  username: ""\n` +
      `  directory: "${home}"\n  pidfile: "${home}/pid"\n  use-syslog: no\n  logfile: "${home}/log"\n  access-control: 127.0.0.0/8 allow_snoop\n` +
      '  module-config: "iterator"\n  local-zone: "test." nodefault\n  rrset-roundrobin: yes\n' +
      `remote-control:\n  control-enable: no\nstub-zone:\n  name: "${ZONE}"\n  stub-addr: 127.0.0.1@${UPSTREAM_PORT}\n`,
  );
  const child = spawn('unbound', ['-d', '-c', join(home, 'unbound.conf')], { stdio: 'ignore', env: withSbin() });
  return running('Unbound', child, ZONE, port);
}

function leftOut(what: string): undefined {
  console.log(`left out: ${what}`);
  return undefined;
}
