// Names of our own while others are missed: latency and loss at a fixed rate, alone and beside 10,000 different missing names a
// second, whose upstream answers, says NXDOMAIN, or says nothing.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { measureLatency, residentBytes } from './measure.ts';
import { table } from './report.ts';
import type { BenchServer } from './servers.ts';
import type { Workload } from './workloads.ts';

const OWN_RATE = 5_000;
const MISSES_RATE = 10_000;
/** More at a time than a second's worth: a silent upstream must not slow the flood down. */
const MOST_OUTSTANDING = '60000';

export interface FloodZones {
  /** Answered by the server itself: own0 … own99, one address each. */
  readonly own: string;
  /** Upstreams answer every name in it… */
  readonly wild: string;
  /** …say that there is none… */
  readonly gone: string;
  /** …or never say anything. */
  readonly silent: string;
}

/** A table with a row for each server and kind of upstream. */
export async function flood(
  servers: readonly BenchServer[],
  zones: FloodZones,
  folder: string,
  seconds: number,
): Promise<string> {
  const file = (name: string, count: number, line: (i: number) => string) => {
    const path = join(folder, `flood-${name}`);
    writeFileSync(path, `${Array.from({ length: count }, (_, i) => line(i)).join('\n')}\n`);
    return path;
  };
  const own: Workload = {
    name: 'our own',
    queryFile: file('own', 100, (i) => `own${i}.${zones.own} A`),
    transport: 'udp',
  };
  const missing = (zone: string) => (i: number) => `x${i}.${zone} A`;
  const count = MISSES_RATE * (seconds + 2);
  const kinds: [string, string | undefined][] = [
    ['no flood', undefined],
    ['answered', file('wild', count, missing(zones.wild))],
    ['NXDOMAIN', file('gone', count, missing(zones.gone))],
    ['silent', file('silent', count, missing(zones.silent))],
  ];
  const rows: string[][] = [];
  for (const server of servers) {
    await measureLatency(server, own, OWN_RATE, 1);
    for (const [kind, queryFile] of kinds) {
      const flooding = queryFile === undefined ? undefined : misses(server, queryFile, seconds + 1);
      if (flooding !== undefined) await sleep(500);
      const { p50Ms, p99Ms, p999Ms, lost } = await measureLatency(server, own, OWN_RATE, seconds);
      await flooding;
      const mebibytes = (residentBytes(server.pid) / 2 ** 20).toFixed(0);
      rows.push([
        `${server.name}, ${kind}`,
        ...[p50Ms, p99Ms, p999Ms].map((ms) => ms.toFixed(3)),
        `${lost}`,
        mebibytes,
      ]);
    }
  }
  const head = `own names at ${OWN_RATE.toLocaleString('en')}/s beside ${MISSES_RATE.toLocaleString('en')} misses/s, ms`;
  return table([head, 'p50', 'p99', 'p99.9', 'lost', 'MiB resident after'], rows);
}

async function misses({ port }: BenchServer, queryFile: string, seconds: number): Promise<void> {
  const words = ['-s', '127.0.0.1', '-p', String(port), '-d', queryFile, '-n', '1', '-l', String(seconds), '-t', '1'];
  await promisify(execFile)(
    'dnsperf',
    [...words, '-q', MOST_OUTSTANDING, '-Q', String(MISSES_RATE), '-c', '20', '-T', '1'],
    { maxBuffer: 1 << 30 },
  );
}
