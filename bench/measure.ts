import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchServer } from './servers.ts';
import type { Workload } from './workloads.ts';

const run = promisify(execFile);

export interface Measured {
  /** User and system time of the server's process over the queries it answered. */
  readonly cpuMicrosecondsPerQuery: number;
  readonly queriesPerSecond: number;
  /** Queries without an answer, of those sent. */
  readonly lostShare: number;
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly lost: number;
}

/**
 * So many questions are outstanding, over 20 sockets or connections. A socket with the kernel's usual receive buffer (208 KiB:
 * Knot's) holds 277 of them; with 1,000 outstanding it lost some 700 at the beginning of each run, by its own drop count.
 */
const OUTSTANDING = '200';
/** At a fixed rate more may wait, so that a server's pause shows as late answers and not as fewer questions. */
const OUTSTANDING_AT_RATE = '1000';

/** One run as fast as the server answers. */
export async function measure(server: BenchServer, workload: Workload, seconds: number): Promise<Measured> {
  const before = cpuSeconds(server.pid);
  const { stdout } = workload.connectionEach
    ? await connections(server, workload, seconds)
    : await dnsperf(server, workload, ['-l', String(seconds), '-q', OUTSTANDING]);
  const cpu = cpuSeconds(server.pid) - before;
  const completed = figure(stdout, /Queries completed:\s+(\d+)/);
  return {
    cpuMicrosecondsPerQuery: (cpu * 1e6) / Math.max(1, completed),
    queriesPerSecond: figure(stdout, /Queries per second:\s+([\d.]+)/),
    lostShare: figure(stdout, /Queries lost:\s+(\d+)/) / Math.max(1, figure(stdout, /Queries sent:\s+(\d+)/)),
  };
}

/** Latency at a fixed rate, from dnsperf's line for each reply. */
export async function measureLatency(
  server: BenchServer,
  workload: Workload,
  rate: number,
  seconds: number,
): Promise<Latency> {
  const { stdout } = await dnsperf(server, workload, [
    '-v',
    '-l',
    String(seconds),
    '-q',
    OUTSTANDING_AT_RATE,
    '-Q',
    String(Math.floor(rate)),
  ]);
  const times = [...stdout.matchAll(/^> \S+ \S+ \S+ ([\d.]+)$/gm)].map((match) => Number(match[1]) * 1000);
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), lost: figure(stdout, /Queries lost:\s+(\d+)/) };
}

/** Asks at a fixed rate, and nothing else. */
export async function loadAt(
  server: BenchServer,
  workload: Workload,
  rate: number,
  seconds: number,
): Promise<{ readonly sent: number; readonly lost: number }> {
  const { stdout } = await dnsperf(server, workload, [
    '-l',
    String(seconds),
    '-q',
    OUTSTANDING_AT_RATE,
    '-Q',
    String(Math.floor(rate)),
  ]);
  return { sent: figure(stdout, /Queries sent:\s+(\d+)/), lost: figure(stdout, /Queries lost:\s+(\d+)/) };
}

function dnsperf({ port }: BenchServer, workload: Workload, more: readonly string[]): Promise<{ stdout: string }> {
  const words = ['-s', '127.0.0.1', '-p', String(port), '-d', workload.queryFile, '-c', '20', '-T', '1'];
  if (workload.edns) words.push('-e');
  if (workload.transport === 'tcp') words.push('-m', 'tcp');
  return run('dnsperf', [...words, ...more], { maxBuffer: 1 << 30 });
}

let connectionsProgram: Promise<string> | undefined;

/** dnsperf's words from the client of ours for one query a connection. */
async function connections(
  { port }: BenchServer,
  { queryFile }: Workload,
  seconds: number,
): Promise<{ stdout: string }> {
  const program = join(dirname(queryFile), 'connections');
  connectionsProgram ??= run('cc', ['-O2', '-o', program, 'bench/connections.c']).then(() => program);
  return run(await connectionsProgram, [String(port), queryFile, String(seconds)]);
}

/** Processor time of all threads that the process has now, as the scheduler counts it: in nanoseconds, not in ticks of 10 ms. */
export function cpuSeconds(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) => threadNanoseconds(pid, thread));
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e9;
}

function threadNanoseconds(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  } catch {
    return 0; // ended meanwhile
  }
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

/** Memory without a file behind it, in bytes. */
export function anonymousBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

function figure(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`dnsperf did not print ${pattern}:\n${text.slice(-2000)}`);
  return Number(found);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
