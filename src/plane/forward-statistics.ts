// The counters of the forwarder: plain numbers, written by one thread and copied by plane/ for the metrics.

export interface UpstreamCounters {
  /** "1.1.1.1:53", "tls://1.1.1.1:853". */
  readonly upstream: string;
  /** Of the route that it belongs to. */
  readonly zone: string;
  requests: number;
  responses: number;
  /** Attempts that ended without a reply: timed out, refused, reset. */
  failures: number;
  healthCheckFailures: number;
  /** Messages ignored: wrong ID, question or source, or too late. */
  ignored: number;
  socketsOpened: number;
  /** Of these and of `requests`: over TCP or TLS. */
  streamSocketsOpened: number;
  streamRequests: number;
  /** Sum of the times from query to reply. */
  latencyMs: number;
  /** One for each rcode that it has sent. */
  readonly replies: ReplyCounters[];
  /** 0 or 1. */
  up: number;
  /** The reason for `up`. */
  reason: string;
  /** The last failure, and when (wall-clock milliseconds); '' and 0: none yet. */
  lastError: string;
  lastErrorMs: number;
  /** It is part of a forwarding loop and must not be used. */
  loops: boolean;
}

export interface ReplyCounters {
  readonly rcode: number;
  /** Sum of the times from query to reply, and the count under each bound of LATENCY_BOUNDS_MS. */
  ms: number;
  readonly buckets: number[];
}

/** Clients that wait for the servers of one route. */
export interface RouteCounters {
  readonly zone: string;
  readonly maxWaiting: number;
  waiting: number;
  /** Rejected because too many were waiting. */
  rejected: number;
  /** Questions while every server was down. */
  broken: number;
}

export interface ForwardCounters {
  hits: number;
  /** Of the hits: negative answers. */
  negativeHits: number;
  misses: number;
  servedStale: number;
  prefetches: number;
  evictions: number;
  /** Of the evictions: negative answers. */
  negativeEvictions: number;
  coalesced: number;
  /** SERVFAIL because no upstream server answered. */
  failed: number;
  /** Replies that violated a limit or the format. */
  malformed: number;
  /** Private addresses dropped from answers. */
  rebindingDropped: number;
  loops: number;
  /** Refused since their client had too many waiting; replies discarded for coming late. */
  clientWaiting: number;
  clientLate: number;
  /** Errors over a client's rate: dropped, and truncated. */
  clientErrors: number;
  clientTruncated: number;
  /** Exceptions that ended an attempt or a wait: bugs. */
  bugs: number;
}

export interface ForwarderGauges {
  readonly entries: number;
  /** Of these: negative answers. */
  readonly negativeEntries: number;
  readonly bytes: number;
  readonly waiting: number;
  readonly questions: number;
  readonly sockets: number;
  readonly deadlines: number;
}

/** Of `hosts` of one forwarder. */
export interface HostsCounts {
  /** Its files; '': only the configuration. */
  readonly file: string;
  readonly entries: number;
  readonly readMs: number;
}

/** All counters, as sent to the control plane. */
export interface ForwardStatistics {
  readonly counters: ForwardCounters;
  readonly gauges: ForwarderGauges;
  readonly upstreams: readonly UpstreamCounters[];
  readonly routes: readonly RouteCounters[];
  readonly hosts: readonly HostsCounts[];
}

/** Those of several forwarders of one thread together. */
export function sumOfStatistics(all: readonly ForwardStatistics[]): ForwardStatistics {
  const [first] = all;
  if (all.length === 1) return first;
  return {
    counters: sumOfNumbers(all.map(({ counters }) => counters)),
    gauges: sumOfNumbers(all.map(({ gauges }) => gauges)),
    upstreams: all.flatMap(({ upstreams }) => upstreams),
    routes: all.flatMap(({ routes }) => routes),
    hosts: all.flatMap(({ hosts }) => hosts),
  };
}

function sumOfNumbers<Numbers extends ForwardCounters | ForwarderGauges>(all: readonly Numbers[]): Numbers {
  const keys = Object.keys(all[0]) as (keyof Numbers)[];
  const sums = keys.map((key) => [key, all.reduce((sum, one) => sum + (one[key] as number), 0)]);
  return Object.fromEntries(sums) as Numbers;
}

export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192,
];

export function createForwardCounters(): ForwardCounters {
  return {
    hits: 0,
    negativeHits: 0,
    misses: 0,
    servedStale: 0,
    prefetches: 0,
    evictions: 0,
    negativeEvictions: 0,
    coalesced: 0,
    failed: 0,
    malformed: 0,
    rebindingDropped: 0,
    loops: 0,
    clientWaiting: 0,
    clientLate: 0,
    clientErrors: 0,
    clientTruncated: 0,
    bugs: 0,
  };
}

export function createUpstreamCounters(upstream: string, zone: string): UpstreamCounters {
  return {
    upstream,
    zone,
    requests: 0,
    responses: 0,
    failures: 0,
    healthCheckFailures: 0,
    ignored: 0,
    socketsOpened: 0,
    streamSocketsOpened: 0,
    streamRequests: 0,
    latencyMs: 0,
    replies: [],
    up: 1,
    lastError: '',
    lastErrorMs: 0,
    reason: '',
    loops: false,
  };
}

/** A reply with this rcode. */
export function countReply(counters: UpstreamCounters, rcode: number, milliseconds: number): void {
  counters.responses++;
  counters.latencyMs += milliseconds;
  const reply = counters.replies.find((one) => one.rcode === rcode) ?? addReply(counters, rcode);
  reply.ms += milliseconds;
  let bucket = 0;
  while (bucket < LATENCY_BOUNDS_MS.length && milliseconds > LATENCY_BOUNDS_MS[bucket]) bucket++;
  reply.buckets[bucket]++;
}

function addReply({ replies }: UpstreamCounters, rcode: number): ReplyCounters {
  const reply = { rcode, ms: 0, buckets: new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0) };
  replies.push(reply);
  return reply;
}
