// The counters of the data threads as CoreDNS 1.15 writes them, for dashboards and alerts that were made for it. As there,
// series exist from the first query on that they count. Forwarding has both of its names: `forward`, and since 1.11 `proxy`.
import { rcodeName, typeName } from '../dns/types.ts';
import type { MetricName } from '../metric-table.ts';
import type { Reading } from '../metrics.ts';
import {
  ANSWERED_BY,
  COUNTED_TYPES,
  COUNTER,
  type Counters,
  DURATION_BOUNDS_US,
  RCODE_SLOTS,
  TRANSPORTS,
  TYPE_SLOTS,
} from './counters.ts';
import { countOf, durations, latency, querySizes, responseSizes, sumOf } from './distributions.ts';
import type { ForwardStatistics, UpstreamCounters } from './forward-statistics.ts';

export interface CorednsSource {
  /** "dns://:53". */
  readonly server: string;
  /** The plugin that has own names: "kubernetes" or "file". */
  readonly ownPlugin: string;
  /** The counters of each view; those outside of any view are at ''. */
  readonly views: Iterable<readonly [view: string, rows: readonly Counters[]]>;
  readonly statistics: readonly ForwardStatistics[];
}

/** One server block for everything, as in the Corefile of kubeadm. */
const ZONE = '.';
const SIZE_BOUNDS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000];
const DURATION_BOUNDS = DURATION_BOUNDS_US.filter((bound) => bound >= 250);
const PROTOS = ['udp', 'tcp'] as const;
const PLUGIN = 'forward';
/** CoreDNS counts it under "other". */
const SVCB = 64;

export function corednsReadings(source: CorednsSource): Reading[] {
  const { server, statistics } = source;
  const readings: Reading[] = [];
  for (const [view, rows] of source.views) readings.push(...dnsReadings(source, view, rows));
  if (statistics.length > 0)
    readings.push(...cacheReadings(server, statistics), ...proxyReadings(statistics), ...hostsReadings(statistics));
  return readings;
}

/** `server` names the first address; the others count together with it. */
export function serverLabel(listening: readonly { readonly address: string; readonly port: number }[]): string {
  const [first] = listening;
  if (first === undefined) return 'dns://:53';
  const { address, port } = first;
  const isWildcard = address === '0.0.0.0' || address === '::';
  return `dns://${isWildcard ? '' : address.includes(':') ? `[${address}]` : address}:${port}`;
}

function dnsReadings({ server, ownPlugin }: CorednsSource, view: string, rows: readonly Counters[]): Reading[] {
  const readings: Reading[] = [];
  const add = (name: MetricName, labels: readonly string[], value: Reading['value']) =>
    readings.push({ name, labels: [server, ZONE, view, ...labels], value });
  for (const [t, { proto, family }] of TRANSPORTS.entries())
    for (const [type, value] of queriesByType(rows, t))
      add('coredns_dns_requests_total', [proto, family === '6' ? '2' : '1', type], value);
  const dnssecOk = sumOf(rows, COUNTER.DNSSEC_OK);
  if (dnssecOk > 0) add('coredns_dns_do_requests_total', [], dnssecOk);
  const plugins = [ownPlugin, 'cache', PLUGIN];
  for (const by of ANSWERED_BY.keys())
    for (let rcode = 0; rcode < RCODE_SLOTS; rcode++) {
      const value = sumOf(rows, COUNTER.RCODES + by * RCODE_SLOTS + rcode);
      if (value > 0) add('coredns_dns_responses_total', [rcodeName(rcode), plugins[by]], value);
    }
  const took = durations(rows, DURATION_BOUNDS);
  if (countOf(took) > 0) add('coredns_dns_request_duration_seconds', [], took);
  for (const [i, proto] of PROTOS.entries()) {
    const asked = querySizes(rows, [i as 0 | 1], SIZE_BOUNDS);
    const answered = responseSizes(rows, [i as 0 | 1], SIZE_BOUNDS);
    if (countOf(asked) > 0) add('coredns_dns_request_size_bytes', [proto], asked);
    if (countOf(answered) > 0) add('coredns_dns_response_size_bytes', [proto], answered);
  }
  return readings;
}

function queriesByType(rows: readonly Counters[], transport: number): Map<string, number> {
  const types = new Map<string, number>();
  for (let slot = 0; slot < TYPE_SLOTS; slot++) {
    const value = sumOf(rows, COUNTER.TYPES + transport * TYPE_SLOTS + slot);
    const type = COUNTED_TYPES[slot];
    const label = type === undefined || type === SVCB ? 'other' : typeName(type);
    if (value > 0) types.set(label, (types.get(label) ?? 0) + value);
  }
  return types;
}

function cacheReadings(server: string, statistics: readonly ForwardStatistics[]): Reading[] {
  const counted = (read: (of: ForwardStatistics) => number) => sum(statistics, read);
  const hits = counted(({ counters }) => counters.hits);
  const denials = counted(({ counters }) => counters.negativeHits);
  const misses = counted(({ counters }) => counters.misses);
  const entries = counted(({ gauges }) => gauges.entries);
  const negativeEntries = counted(({ gauges }) => gauges.negativeEntries);
  const evictions = counted(({ counters }) => counters.evictions);
  const negativeEvictions = counted(({ counters }) => counters.negativeEvictions);
  const of = (name: MetricName, value: number): Reading => ({ name, labels: [server, ZONE, ''], value });
  const byType = (name: MetricName, success: number, denial: number): Reading[] => [
    { name, labels: [server, ZONE, '', 'success'], value: success },
    { name, labels: [server, ZONE, '', 'denial'], value: denial },
  ];
  return [
    ...byType('coredns_cache_entries', entries - negativeEntries, negativeEntries),
    ...byType('coredns_cache_hits_total', hits - denials, denials),
    ...byType('coredns_cache_evictions_total', evictions - negativeEvictions, negativeEvictions),
    of('coredns_cache_misses_total', misses),
    of('coredns_cache_requests_total', hits + misses),
    of(
      'coredns_cache_prefetch_total',
      counted(({ counters }) => counters.prefetches),
    ),
    of(
      'coredns_cache_served_stale_total',
      counted(({ counters }) => counters.servedStale),
    ),
    of(
      'coredns_cache_drops_total',
      counted(({ upstreams }) => sum(upstreams, ({ ignored }) => ignored)),
    ),
  ];
}

/** Every thread reads the same files. */
function hostsReadings([{ hosts }]: readonly ForwardStatistics[]): Reading[] {
  const files = new Map(hosts.map((one) => [one.file, one]));
  const readMs = Math.max(0, ...hosts.map((one) => one.readMs));
  return [
    ...[...files].map(
      ([file, { entries }]): Reading => ({ name: 'coredns_hosts_entries', labels: [file], value: entries }),
    ),
    ...(readMs > 0 ? [{ name: 'coredns_hosts_reload_timestamp_seconds' as const, value: readMs / 1_000 }] : []),
  ];
}

function proxyReadings(statistics: readonly ForwardStatistics[]): Reading[] {
  const routes = statistics.flatMap((one) => one.routes);
  const upstreams = new Map<string, UpstreamCounters[]>();
  for (const upstream of statistics.flatMap((one) => one.upstreams)) {
    const to = upstream.upstream.replace(/^[a-z]+:\/\//, '');
    upstreams.set(to, [...(upstreams.get(to) ?? []), upstream]);
  }
  return [
    { name: 'coredns_forward_max_concurrent_rejects_total', value: sum(routes, ({ rejected }) => rejected) },
    { name: 'coredns_forward_healthcheck_broken_total', value: sum(routes, ({ broken }) => broken) },
    ...[...upstreams].flatMap(([to, same]) => upstreamReadings(to, same)),
  ];
}

/** CoreDNS does not count health checks; of those that succeed there is one for each outage. */
const clientRequests = ({ requests, healthCheckFailures }: UpstreamCounters) =>
  Math.max(0, requests - healthCheckFailures);

function upstreamReadings(to: string, same: readonly UpstreamCounters[]): Reading[] {
  const readings: Reading[] = [];
  const failures = sum(same, ({ healthCheckFailures }) => healthCheckFailures);
  readings.push(
    { name: 'coredns_forward_requests_total', labels: [to], value: sum(same, clientRequests) },
    { name: 'coredns_forward_healthcheck_failures_total', labels: [to], value: failures },
    { name: 'coredns_proxy_healthcheck_failures_total', labels: [PLUGIN, to], value: failures },
  );
  const rcodes = new Set(same.flatMap(({ replies }) => replies.map(({ rcode }) => rcode)));
  for (const rcode of rcodes) {
    const replies = same.flatMap((one) => one.replies.filter((reply) => reply.rcode === rcode));
    const took = latency(replies);
    const name = rcodeName(rcode);
    readings.push(
      { name: 'coredns_forward_responses_total', labels: [to, name], value: countOf(took) },
      { name: 'coredns_forward_request_duration_seconds', labels: [to, name], value: took },
      { name: 'coredns_proxy_request_duration_seconds', labels: [PLUGIN, to, name], value: took },
    );
  }
  for (const [proto, { requests, opened }] of connections(same)) {
    if (requests === 0) continue;
    const hits = Math.max(0, requests - opened);
    readings.push(
      { name: 'coredns_forward_conn_cache_hits_total', labels: [to, proto], value: hits },
      { name: 'coredns_forward_conn_cache_misses_total', labels: [to, proto], value: opened },
      { name: 'coredns_proxy_conn_cache_hits_total', labels: [PLUGIN, to, proto], value: hits },
      { name: 'coredns_proxy_conn_cache_misses_total', labels: [PLUGIN, to, proto], value: opened },
    );
  }
  return readings;
}

function connections(same: readonly UpstreamCounters[]) {
  const streams = {
    requests: sum(same, ({ streamRequests }) => streamRequests),
    opened: sum(same, ({ streamSocketsOpened }) => streamSocketsOpened),
  };
  const all = {
    requests: sum(same, ({ requests }) => requests),
    opened: sum(same, ({ socketsOpened }) => socketsOpened),
  };
  const datagrams = { requests: all.requests - streams.requests, opened: all.opened - streams.opened };
  return [
    ['udp', datagrams],
    ['tcp', streams],
  ] as const;
}

const sum = <Of>(all: readonly Of[], read: (of: Of) => number): number => all.reduce((n, one) => n + read(one), 0);
