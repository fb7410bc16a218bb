// Whether the limits of the configuration fit the process's limit of open file descriptors (RLIMIT_NOFILE).
import { readFileSync } from 'node:fs';
import type { Config } from '../config/config.ts';

/** Listening sockets, epoll, watches of API servers, the store, files being read. */
const RESERVE = 128;
/** A check command has a pipe each for stdout and stderr, and others while it is spawned. */
const DESCRIPTORS_OF_A_CHECK = 4;

/** The number of descriptors that all limits together allow. */
export function descriptorsNeeded({ limits, forward }: Pick<Config, 'limits' | 'forward'>, threads: number): number {
  const forwarding = forward === undefined ? 0 : limits.forwardedQueries * threads;
  const checks = limits.concurrentChecks * DESCRIPTORS_OF_A_CHECK;
  return RESERVE + limits.tcpConnections + limits.httpConnections + checks + forwarding;
}

/** A warning if the process may not open as many; undefined: it may, or the limit is unknown. */
export function descriptorWarning(needed: number, limit: number | undefined): string | undefined {
  if (limit === undefined || needed <= limit) return undefined;
  return `the limits need up to ${needed} file descriptors, but the process may open ${limit}: raise \`ulimit -n\` (LimitNOFILE of systemd), or lower limits.tcpConnections or limits.forwardedQueries`;
}

/** The current soft limit, which Node.js raises to the hard limit at start-up. undefined: unknown or none. */
export function descriptorLimit(read: () => string = readLimits): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(read()) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined; // not Linux, or no /proc
  }
}

const readLimits = () => readFileSync('/proc/self/limits', 'utf8');
