// `npm run bench:reload`: 20,000 queries/s through a reload each second of a file with 10,000 records. Half of the queries are
// for own names, half for cached external ones. None may be lost outside of a full kernel buffer, none answered wrongly.
// Options: --rate N, --seconds N, --records N.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { composeMessage, parseMessage } from '../src/dns/message/message.ts';
import { table } from './report.ts';

const run = promisify(execFile);
const option = (name: string, given: number) => {
  const { values } = parseArgs({ strict: false, options: { [name]: { type: 'string' } } });
  return Number(values[name] ?? given);
};
const RATE = option('rate', 20_000);
const SECONDS = option('seconds', 15);
const RECORDS = option('records', 10_000);
const EXTERNAL = 200;
const DNS_PORT = 5391;
const HTTP_PORT = 5392;

/** What changes from one reload to the next. */
const CHANGES: Readonly<Record<string, (round: number) => { readonly address: number; readonly settings: number }>> = {
  nothing: () => ({ address: 1, settings: 1 }),
  'every record': (round) => ({ address: round % 250, settings: 1 }),
  'every record, and settings of the data threads': (round) => ({ address: round % 250, settings: round }),
};

const folder = mkdtempSync(join(tmpdir(), 'healthdns-reload-'));
const upstream = await startUpstream();
try {
  const rows: string[][] = [['no reload', ...(await measure(undefined))]];
  for (const [name, changed] of Object.entries(CHANGES)) rows.push([name, ...(await measure(changed))]);
  const title = `${RATE} queries/s, ${RECORDS} records; each second changes`;
  console.log(table([title, 'reloads', 'queries', 'wrong', 'lost', 'of them in a full buffer', 'longest ms'], rows));
} finally {
  upstream.close();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(changed: (typeof CHANGES)[string] | undefined): Promise<string[]> {
  const file = join(folder, 'zones.yaml');
  writeZones(file, { address: 1, settings: 1 });
  const server = spawn(process.execPath, ['bin/healthdns', 'serve', file], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(server.stdout!, 'data');
  const queries = join(folder, 'queries');
  const own = Array.from({ length: EXTERNAL }, (_, i) => `r${(i * 37) % RECORDS}.a.local A`);
  const external = Array.from({ length: EXTERNAL }, (_, i) => `e${i}.example A`);
  writeFileSync(queries, own.flatMap((line, i) => [line, external[i]]).join('\n'));
  await dnsperf(queries, 1_000, 2); // fills the cache
  const load = dnsperf(queries, RATE, SECONDS);
  await sleep(1_000);
  for (let round = 2; changed !== undefined && round < SECONDS; round++) {
    writeZones(file, changed(round));
    server.kill('SIGHUP');
    await sleep(1_000);
  }
  const result = await load;
  const metrics = await (await fetch(`http://127.0.0.1:${HTTP_PORT}/metrics`)).text();
  const counted = (pattern: RegExp) => pattern.exec(metrics)?.[1] ?? '0';
  await stop(server);
  return [
    counted(/^healthdns_reloads_total\{result="ok"\} (\d+)$/m),
    ...[result.sent, result.wrong, result.lost].map(String),
    counted(/^healthdns_dns_dropped_total\{reason="receive-buffer"\} (\d+)$/m),
    result.longestMs.toFixed(0),
  ];
}

function writeZones(file: string, { address, settings }: ReturnType<(typeof CHANGES)[string]>): void {
  const records = Array.from(
    { length: RECORDS },
    (_, i) => `      - { name: r${i}, type: A, value: 10.${address}.${i >> 8}.${i & 255} }`,
  );
  const lines = [
    `listen: 127.0.0.1:${DNS_PORT}`,
    `http: 127.0.0.1:${HTTP_PORT}`,
    `forward: 127.0.0.1:${upstream.address().port}`,
    `hosts: { entries: [{ address: 10.0.0.${settings % 250}, names: changes.example }] }`,
    ...['zones:', '  - name: a.local', '    records:', ...records],
  ];
  writeFileSync(`${file}.new`, `${lines.join('\n')}\n`);
  renameSync(`${file}.new`, file);
}

async function dnsperf(queries: string, rate: number, seconds: number) {
  const options = [
    '-s',
    '127.0.0.1',
    '-p',
    `${DNS_PORT}`,
    '-d',
    queries,
    '-Q',
    `${rate}`,
    '-l',
    `${seconds}`,
    '-c',
    '8',
  ];
  const { stdout } = await run('dnsperf', options, { maxBuffer: 1 << 26 });
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? 0);
  const completed = number(/Queries completed: +(\d+)/);
  return {
    sent: number(/Queries sent: +(\d+)/),
    lost: number(/Queries lost: +(\d+)/),
    wrong: completed - number(/NOERROR (\d+)/),
    longestMs: number(/Average Latency.*max ([\d.]+)\)/) * 1000,
  };
}

/** Answers every question with one address, for an hour. */
async function startUpstream() {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.on('message', (query, { port, address }) => {
    const { id, questions } = parseMessage(query);
    const [{ name, type }] = questions;
    const answers = type === 1 ? [{ name, type, class: 1, ttlSeconds: 3600, rdata: Uint8Array.of(192, 0, 2, 1) }] : [];
    socket.send(composeMessage({ id, flags: 0x8180, questions, answers }), port, address);
  });
  return socket;
}

async function stop(server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  await ended;
}
