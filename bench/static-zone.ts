// A zone file of many A records. Time and processor time until all are answered, and memory; each server in turn. A former build
// may have no zone files and reads the same records as YAML.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RCODE } from '../src/dns/types.ts';
import { rcodeOf } from '../test/e2e/compare/settle.ts';
import { cpuSeconds, residentBytes } from './measure.ts';
import { ratio } from './report.ts';
import { coredns, FORMER, knot, running, type ServerFiles, type ServerKind } from './servers.ts';

export interface StaticZone {
  readonly records: number;
  readonly rounds: number;
  readonly former?: string | undefined;
  /** Names of the servers; default all. */
  readonly only?: readonly string[];
}

export const STATIC_HEAD = [
  'records',
  'server',
  'answered after, s',
  'processor s',
  'resident MB',
  'peak MB',
  'healthdns / it',
];

const ZONE = 'static.test';
const FIRST_PORT = 5410;
/** YAML of more records takes a former build too long. */
const MOST_AS_YAML = 50_000;
const POLL_MS = 10;
/** After everything is answered, so that what was needed to read it can be given back. */
const REST_MS = 3_000;

interface Figures {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly residentMb: number;
  readonly peakMb: number;
}

const healthdns: ServerKind = {
  name: 'healthdns',
  missing: () => undefined,
  start: (files, port) => serve('healthdns', '.', `file: ${files.zoneFile}`, files, port),
};

const formerBuild = (checkout: string, records: number): ServerKind => ({
  name: FORMER,
  missing: () => (records > MOST_AS_YAML ? `${FORMER}: only up to ${MOST_AS_YAML} records` : undefined),
  start(files, port) {
    const lines = readFileSync(files.zoneFile, 'utf8').matchAll(/^(host-\d+) A (\S+)$/gm);
    const yaml = [...lines].map(([, name, value]) => `      - { name: ${name}, type: A, value: ${value} }`);
    return serve(FORMER, checkout, `records:\n${yaml.join('\n')}`, files, port);
  },
});

function serve(name: string, checkout: string, records: string, { folder, zone }: ServerFiles, port: number) {
  const file = join(folder, `zones-${port}.yaml`);
  writeFileSync(file, `listen: 127.0.0.1:${port}\nhttp: false\nzones:\n  - name: ${zone}\n    ${records}\n`);
  const program = join(checkout, 'bin/healthdns');
  return running(name, spawn(process.execPath, [program, 'serve', file], { stdio: 'ignore' }), zone, port);
}

/** A row for each server, with the ratios of healthdns to it. */
export async function measureStaticZone(zone: StaticZone): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'healthdns-static-'));
  try {
    return await rowsOf(folder, zone);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function rowsOf(folder: string, { records, rounds, former, only }: StaticZone): Promise<string[][]> {
  const zoneFile = join(folder, `${records}.zone`);
  writeFileSync(zoneFile, zoneText(records));
  const kinds = [healthdns, knot, coredns, ...(former ? [formerBuild(former, records)] : [])];
  const present = kinds.filter((kind) => {
    if (only?.includes(kind.name) === false) return false;
    const missing = kind.missing();
    if (missing !== undefined) console.error(`left out: ${missing}`);
    return missing === undefined;
  });
  const found = new Map<string, Figures[]>(present.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const [i, kind] of present.entries())
      found.get(kind.name)!.push(await measure(kind, { folder, zoneFile, zone: ZONE }, FIRST_PORT + i, records));
  const medians = new Map([...found].map(([name, figures]) => [name, medianOf(figures)]));
  const own = medians.get('healthdns')!;
  return [...medians].map(([name, figures]) => rowOf(records, name, figures, own));
}

function zoneText(records: number): string {
  const lines = [
    `$ORIGIN ${ZONE}.`,
    '$TTL 300',
    '@ SOA ns hostmaster 1 3600 600 86400 60',
    '@ NS ns',
    'ns A 127.0.0.1',
  ];
  for (let i = 0; i < records; i++) lines.push(`host-${i} A 10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`);
  return `${lines.join('\n')}\n`;
}

async function measure(kind: ServerKind, files: ServerFiles, port: number, records: number): Promise<Figures> {
  const startedMs = performance.now();
  const server = await kind.start(files, port);
  try {
    // Names are published in no particular order: some of all.
    for (const i of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((tenth) => Math.ceil(((records - 1) * tenth) / 9)))
      while ((await rcodeOf(server, `host-${i}.${ZONE}`)) !== RCODE.NOERROR) await sleep(POLL_MS);
    const seconds = (performance.now() - startedMs) / 1000;
    const cpu = cpuSeconds(server.pid);
    await sleep(REST_MS);
    const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
    const peakMb = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    return { seconds, cpuSeconds: cpu, residentMb: residentBytes(server.pid) / 2 ** 20, peakMb };
  } finally {
    await server.stop();
  }
}

function medianOf(figures: readonly Figures[]): Figures {
  const median = (of: (one: Figures) => number) => figures.map(of).sort((a, b) => a - b)[figures.length >> 1]!;
  return {
    seconds: median((one) => one.seconds),
    cpuSeconds: median((one) => one.cpuSeconds),
    residentMb: median((one) => one.residentMb),
    peakMb: median((one) => one.peakMb),
  };
}

function rowOf(records: number, name: string, figures: Figures, own: Figures): string[] {
  const { seconds, cpuSeconds: cpu, residentMb, peakMb } = figures;
  const ratios = [
    ratio(own.seconds, seconds),
    ratio(own.cpuSeconds, cpu),
    ratio(own.residentMb, residentMb),
    ratio(own.peakMb, peakMb),
  ];
  return [
    records.toLocaleString('en'),
    name,
    seconds.toFixed(2),
    cpu.toFixed(2),
    residentMb.toFixed(0),
    peakMb.toFixed(0),
    ratios.join(' / '),
  ];
}
