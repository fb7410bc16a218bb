// Whether the limits of the configuration fit the process's limit of open file descriptors (RLIMIT_NOFILE).
import { readFileSync } from 'node:fs';
import type { Config } from '../config/config.ts';

/** Listening sockets, epoll, watches of API servers, the store, files being read. */
const RESERVE = 128;
/** A check command has a pipe each for stdout and stderr, and others while it is spawned. */
const DESCRIPTORS_OF_A_CHECK = 4;

type Limited = Pick<Config, 'limits' | 'forward'>;

/** Limits whose connections come from clients: they must not use up the descriptors of everything else. */
export interface FittingLimits {
  readonly tcpConnections: number;
  /** Per thread. */
  readonly forwardedQueries: number;
}

/**
 * The limits that leave descriptors for HTTP (a probe that is not accepted ends the server), health checks and watches; those
 * of the configuration, if they do or the limit is unknown.
 */
export function fittingLimits({ limits, forward }: Limited, threads: number, descriptors?: number): FittingLimits {
  const { tcpConnections, forwardedQueries } = limits;
  if (descriptors === undefined) return { tcpConnections, forwardedQueries };
  const room = Math.max(Math.floor(descriptors / 2), descriptors - otherDescriptors(limits));
  const forwarding = forward === undefined ? 0 : forwardedQueries * threads;
  if (tcpConnections + forwarding <= room) return { tcpConnections, forwardedQueries };
  const connections = Math.min(tcpConnections, forwarding === 0 ? room : Math.ceil(room / 2));
  const queries = Math.max(1, Math.floor((room - connections) / threads));
  return { tcpConnections: connections, forwardedQueries: Math.min(forwardedQueries, queries) };
}

const otherDescriptors = ({ concurrentChecks, httpConnections }: Config['limits']): number =>
  RESERVE + httpConnections + concurrentChecks * DESCRIPTORS_OF_A_CHECK;

/** The number of descriptors that all limits together allow. */
function descriptorsNeeded({ limits, forward }: Limited, threads: number): number {
  const forwarding = forward === undefined ? 0 : limits.forwardedQueries * threads;
  return otherDescriptors(limits) + limits.tcpConnections + forwarding;
}

/** A warning if the process may not open as many; undefined: it may, or the limit is unknown. */
export function descriptorWarning(config: Limited, threads: number, limit: number | undefined): string | undefined {
  const needed = descriptorsNeeded(config, threads);
  if (limit === undefined || needed <= limit) return undefined;
  const { tcpConnections, forwardedQueries } = fittingLimits(config, threads, limit);
  const queries = config.forward === undefined ? '' : ` and ${forwardedQueries} forwarded queries a thread`;
  return `the limits need up to ${needed} file descriptors, but the process may open ${limit}: only ${tcpConnections} TCP connections${queries} are accepted. Raise \`ulimit -n\` (LimitNOFILE of systemd), or lower limits.tcpConnections or limits.forwardedQueries`;
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
