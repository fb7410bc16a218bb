// What the rest of the data plane asks of the forwarder, and what it gives it.
import type { Clock, Random } from '../clock.ts';
import type { WireName } from '../dns/name.ts';
import type { CacheListing, FlushScope } from '../plane/cache-orders.ts';
import type { ForwardCounters, ForwarderGauges, RouteCounters, UpstreamCounters } from '../plane/forward-statistics.ts';
import type { OpenSocket } from './upstream/datagram.ts';

export interface Forwarder {
  /**
   * Writes the whole response for a checked query (QDCOUNT 1, class IN, opcode QUERY; one OPT at most) into `out` at
   * `outOffset` if it is cached or stated in hosts or a template, and gives its length; 0: call `resolve`. `query` begins
   * at its header; `questionEnd` is the offset just after QCLASS. The response has the query's ID, RD, CD and spelling,
   * and an OPT if the query has one. Longer than `maxBytes`: TC.
   */
  fromCache(
    query: Uint8Array,
    queryLength: number,
    questionEnd: number,
    out: Uint8Array,
    outOffset: number,
    maxBytes: number,
  ): number;
  /**
   * The same for a query that may need an upstream. `query` is the caller's own copy (kept until the reply). Calls
   * `reply` exactly once, within the deadline, perhaps before returning; the response is valid until `reply` returns.
   * `maxBytes` is what the client takes: 65535 over TCP.
   */
  resolve(query: Uint8Array, questionEnd: number, maxBytes: number, reply: (response: Uint8Array) => void): void;
  /** Resolves the target of a CNAME that leaves our zones (ExternalName). Calls back once, perhaps before returning. */
  resolveTarget(name: WireName, type: number, dnssecOk: boolean, callback: (target: TargetAnswer) => void): void;
  /** Cache orders from the control plane. */
  flush(scope: FlushScope): number;
  /** At most `limit` entries that may still be given, those used last first; of names at or below `below`. */
  list(limit: number, below?: WireName): CacheListing[];
  readonly counters: ForwardCounters;
  /** Of the upstreams in use now. */
  upstreams(): readonly UpstreamCounters[];
  routes(): readonly RouteCounters[];
  /** Cache entries, their bytes, clients that wait, open sockets, deadlines. */
  gauges(): ForwarderGauges;
  /** Milliseconds until the next deadline; infinite where nothing waits. The event loop must have a turn by then. */
  nextDeadlineMs(): number;
  /** Drops every socket and timer; pending queries are answered SERVFAIL. */
  close(): void;
}

export interface TargetAnswer {
  /** RCODE to answer the client with. */
  readonly rcode: number;
  /** Answer records in order (a chain of CNAMEs, then the type asked for), TTLs already aged. */
  readonly records: readonly TargetRecord[];
  /** Served stale (RFC 8767): the answer carries EDE 3. */
  readonly stale: boolean;
}

export interface TargetRecord {
  readonly name: WireName;
  readonly type: number;
  readonly ttlSeconds: number;
  /** Uncompressed rdata. */
  readonly rdata: Uint8Array;
}

export interface ForwarderDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** True for names in our own zones: upstreams can never state anything about them. */
  isOurs(name: WireName): boolean;
  /** What we answer for such a name where an upstream's CNAME leads to it; never cached. undefined: SERVFAIL. */
  ourRecords?(name: WireName, type: number): readonly TargetRecord[] | undefined;
  log(level: 'info' | 'warn' | 'error', message: string): void;
  /** Opens sockets to upstreams; undefined: by node:dgram. */
  readonly openSocket?: OpenSocket;
  /** The same in all threads of the process and in no other: recognises our own loop probes. */
  readonly loopToken: string;
}
