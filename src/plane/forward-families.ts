// What the forwarders of the data threads count, as Prometheus families. Names follow CoreDNS's `cache` and `forward`.

import type { Family, Sample } from '../metrics.ts';
import type { ForwardStatistics, RouteCounters } from './forward-statistics.ts';

/** `statistics` are the last ones of each thread. */
export function forwardFamilies(statistics: readonly ForwardStatistics[]): Family[] {
  if (statistics.length === 0) return [];
  const sum = (of: (one: ForwardStatistics) => number) => statistics.reduce((total, one) => total + of(one), 0);
  const plain = (of: (one: ForwardStatistics) => number): Sample[] => [{ labels: {}, value: sum(of) }];
  const family = (type: 'counter' | 'gauge', name: string, help: string, samples: Sample[]): Family => ({
    name: `healthdns_${name}`,
    help,
    type,
    samples,
  });
  const routes = statistics.flatMap((one) => one.routes);
  const zones = [...new Set(routes.map(({ zone }) => zone))];
  const eachRoute = (of: (one: RouteCounters) => number): Sample[] =>
    zones.map((zone) => ({
      labels: { zone },
      value: routes.filter((route) => route.zone === zone).reduce((total, one) => total + of(one), 0),
    }));
  const hits = (type: string, of: (one: ForwardStatistics) => number) => ({ labels: { type }, value: sum(of) });
  return [
    family('counter', 'cache_hits_total', 'Answers from the cache.', [
      hits('success', ({ counters }) => counters.hits - counters.negativeHits),
      hits('denial', ({ counters }) => counters.negativeHits),
    ]),
    family(
      'counter',
      'cache_misses_total',
      'Questions that the cache had no answer for.',
      plain(({ counters }) => counters.misses),
    ),
    family(
      'gauge',
      'cache_entries',
      'Answers in the cache.',
      plain(({ gauges }) => gauges.entries),
    ),
    family(
      'gauge',
      'cache_bytes',
      'Memory of them, estimated.',
      plain(({ gauges }) => gauges.bytes),
    ),
    family(
      'counter',
      'cache_evictions_total',
      'Answers dropped to make room.',
      plain(({ counters }) => counters.evictions),
    ),
    family(
      'counter',
      'cache_served_stale_total',
      'Answers given past their TTL.',
      plain(({ counters }) => counters.servedStale),
    ),
    family(
      'counter',
      'cache_prefetch_total',
      'Answers fetched again before their end.',
      plain(({ counters }) => counters.prefetches),
    ),
    family(
      'gauge',
      'forward_waiting',
      'Clients that wait for the servers of a zone.',
      eachRoute((one) => one.waiting),
    ),
    family(
      'gauge',
      'forward_sockets',
      'Open sockets to other servers.',
      plain(({ gauges }) => gauges.sockets),
    ),
    family(
      'counter',
      'forward_coalesced_total',
      'Clients that waited for a question under way.',
      plain(({ counters }) => counters.coalesced),
    ),
    family(
      'counter',
      'forward_max_concurrent_rejects_total',
      'SERVFAIL since too many waited for the servers of a zone.',
      eachRoute((one) => one.rejected),
    ),
    family(
      'counter',
      'forward_failed_total',
      'Questions that no server answered.',
      plain(({ counters }) => counters.failed),
    ),
    family(
      'counter',
      'forward_malformed_replies_total',
      'Replies that could not be read or made no sense.',
      plain(({ counters }) => counters.malformed),
    ),
    family(
      'counter',
      'forward_rebinding_dropped_total',
      'Private addresses dropped from answers.',
      plain(({ counters }) => counters.rebindingDropped),
    ),
    family(
      'counter',
      'forward_loops_total',
      'Forwarding loops that were found.',
      plain(({ counters }) => counters.loops),
    ),
    family(
      'counter',
      'forward_internal_errors_total',
      'Exceptions while a reply or a failure was dealt with.',
      plain(({ counters }) => counters.bugs),
    ),
    ...upstreamFamilies(statistics, family),
  ];
}

type Upstream = ForwardStatistics['upstreams'][number];

function upstreamFamilies(
  statistics: readonly ForwardStatistics[],
  family: (type: 'counter' | 'gauge', name: string, help: string, samples: Sample[]) => Family,
): Family[] {
  const all = statistics.flatMap(({ upstreams }) => upstreams);
  const labels = [...new Set(all.map(({ upstream }) => upstream))];
  const each = (of: (one: Upstream) => number, join = (a: number, b: number) => a + b): Sample[] =>
    labels.map((to) => ({
      labels: { to },
      value: all
        .filter(({ upstream }) => upstream === to)
        .map(of)
        .reduce((joined, value) => join(joined, value)),
    }));
  return [
    family(
      'counter',
      'forward_requests_total',
      'Messages sent to a server.',
      each((one) => one.requests),
    ),
    family(
      'counter',
      'forward_responses_total',
      'Replies of a server that were accepted.',
      each((one) => one.responses),
    ),
    family(
      'counter',
      'forward_failures_total',
      'Messages without a reply: too late, refused, reset.',
      each((one) => one.failures),
    ),
    family(
      'counter',
      'forward_ignored_total',
      'Messages that were no reply to a question, or late.',
      each((one) => one.ignored),
    ),
    family(
      'counter',
      'forward_sockets_total',
      'Sockets and connections opened.',
      each((one) => one.socketsOpened),
    ),
    family(
      'counter',
      'forward_healthcheck_failures_total',
      'Health checks that failed.',
      each((one) => one.healthCheckFailures),
    ),
    family(
      'gauge',
      'forward_up',
      '1: the server is asked; 0: left out until it answers a health check.',
      each((one) => one.up, Math.min),
    ),
    latency(all, labels),
  ];
}

function latency(all: readonly Upstream[], labels: readonly string[]): Family {
  const samples = labels.flatMap((to): Sample[] => {
    const same = all.filter(({ upstream }) => upstream === to);
    let below = 0;
    const buckets = same[0].latencyBuckets.map((_, i): Sample => {
      below += same.reduce((sum, one) => sum + one.latencyBuckets[i], 0);
      const bound = same[0].latencyBoundsMs[i];
      return {
        suffix: '_bucket',
        labels: { to, le: bound === undefined ? '+Inf' : String(bound / 1000) },
        value: below,
      };
    });
    const seconds = same.reduce((sum, one) => sum + one.latencyMs, 0) / 1000;
    return [
      ...buckets,
      { suffix: '_sum', labels: { to }, value: seconds },
      { suffix: '_count', labels: { to }, value: below },
    ];
  });
  return {
    name: 'healthdns_forward_request_duration_seconds',
    help: 'From question to reply, by server.',
    type: 'histogram',
    samples,
  };
}
