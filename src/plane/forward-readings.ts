// The counters of the forwarders as metrics, summed over threads. Names follow CoreDNS's `cache` and `forward`.
import type { MetricName } from '../metric-table.ts';
import type { Reading } from '../metrics.ts';
import { latency } from './distributions.ts';
import type { ForwardStatistics, RouteCounters, UpstreamCounters } from './forward-statistics.ts';

type Read<Of> = Partial<Record<MetricName, (of: Of) => number>>;

const OF_THREAD: Read<ForwardStatistics> = {
  healthdns_cache_misses_total: ({ counters }) => counters.misses,
  healthdns_cache_entries: ({ gauges }) => gauges.entries,
  healthdns_cache_bytes: ({ gauges }) => gauges.bytes,
  healthdns_cache_evictions_total: ({ counters }) => counters.evictions,
  healthdns_cache_served_stale_total: ({ counters }) => counters.servedStale,
  healthdns_cache_prefetch_total: ({ counters }) => counters.prefetches,
  healthdns_forward_sockets: ({ gauges }) => gauges.sockets,
  healthdns_forward_coalesced_total: ({ counters }) => counters.coalesced,
  healthdns_forward_failed_total: ({ counters }) => counters.failed,
  healthdns_forward_malformed_replies_total: ({ counters }) => counters.malformed,
  healthdns_forward_rebinding_dropped_total: ({ counters }) => counters.rebindingDropped,
  healthdns_forward_loops_total: ({ counters }) => counters.loops,
  healthdns_forward_internal_errors_total: ({ counters }) => counters.bugs,
};

const CLIENT_REASONS: readonly (readonly [reason: string, read: (of: ForwardStatistics) => number])[] = [
  ['waiting', ({ counters }) => counters.clientWaiting],
  ['late', ({ counters }) => counters.clientLate],
  ['errors', ({ counters }) => counters.clientErrors],
  ['truncated', ({ counters }) => counters.clientTruncated],
];

const OF_ROUTE: Read<RouteCounters> = {
  healthdns_forward_waiting: ({ waiting }) => waiting,
  healthdns_forward_max_concurrent_rejects_total: ({ rejected }) => rejected,
};

const OF_UPSTREAM: Read<UpstreamCounters> = {
  healthdns_forward_requests_total: ({ requests }) => requests,
  healthdns_forward_responses_total: ({ responses }) => responses,
  healthdns_forward_failures_total: ({ failures }) => failures,
  healthdns_forward_ignored_total: ({ ignored }) => ignored,
  healthdns_forward_sockets_total: ({ socketsOpened }) => socketsOpened,
  healthdns_forward_healthcheck_failures_total: ({ healthCheckFailures }) => healthCheckFailures,
};

/** `statistics` are the last ones of each thread. */
export function forwardReadings(statistics: readonly ForwardStatistics[]): Reading[] {
  if (statistics.length === 0) return [];
  const hits = sum(statistics, ({ counters }) => counters.hits);
  const denials = sum(statistics, ({ counters }) => counters.negativeHits);
  const routes = statistics.flatMap((one) => one.routes);
  const upstreams = statistics.flatMap((one) => one.upstreams);
  return [
    { name: 'healthdns_cache_hits_total', labels: ['success'], value: hits - denials },
    { name: 'healthdns_cache_hits_total', labels: ['denial'], value: denials },
    ...CLIENT_REASONS.map(([reason, read]) => ({
      name: 'healthdns_forward_client_limited_total' as const,
      labels: [reason],
      value: sum(statistics, read),
    })),
    ...sums(OF_THREAD, statistics, () => ''),
    ...sums(OF_ROUTE, routes, ({ zone }) => zone),
    ...sums(OF_UPSTREAM, upstreams, ({ upstream }) => upstream),
    ...[...groupedBy(upstreams, ({ upstream }) => upstream)].flatMap(([to, same]): Reading[] => [
      // A server that one thread skips is worth reporting.
      { name: 'healthdns_forward_up', labels: [to], value: Math.min(...same.map(({ up }) => up)) },
      {
        name: 'healthdns_forward_request_duration_seconds',
        labels: [to],
        value: latency(same.flatMap(({ replies }) => replies)),
      },
    ]),
  ];
}

/** A reading of each metric for each label; '': no label. */
function sums<Of>(table: Read<Of>, all: readonly Of[], labelOf: (of: Of) => string): Reading[] {
  const groups = [...groupedBy(all, labelOf)];
  return Object.entries(table).flatMap(([name, read]) =>
    groups.map(([label, same]) => ({ name: name as MetricName, labels: [label], value: sum(same, read) })),
  );
}

function groupedBy<Of>(all: readonly Of[], labelOf: (of: Of) => string): Map<string, Of[]> {
  const groups = new Map<string, Of[]>();
  for (const one of all) groups.set(labelOf(one), [...(groups.get(labelOf(one)) ?? []), one]);
  return groups;
}

const sum = <Of>(all: readonly Of[], read: (of: Of) => number): number => all.reduce((n, one) => n + read(one), 0);
