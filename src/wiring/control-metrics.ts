// What the control plane shows of itself, read from the rooms when scraped.

import type { HealthSync } from '../health/sync.ts';
import type { Family, Sample } from '../metrics.ts';
import type { Registry } from '../registry/registry.ts';
import type { SourceStatus, StatusBoard } from '../sources/status.ts';
import { VERSION } from '../version.ts';
import type { Zones } from '../zone/zones.ts';
import type { RunningChecks } from './checks.ts';

export interface Rooms {
  readonly registry: Registry;
  readonly health: HealthSync;
  readonly checks: RunningChecks;
  readonly zones: Zones;
  readonly board: StatusBoard;
  readonly startedMs: number;
}

export function controlFamilies({ registry, health, checks, zones, board, startedMs }: Rooms): Family[] {
  const { services, instances, groups, subjects } = registry.size();
  const sync = health.counts();
  const check = checks.counts();
  return [
    gauge('build_info', 'The version that runs.', 1, { version: VERSION, node: process.version }),
    gauge('registry_services', 'Services known.', services),
    gauge('registry_instances', 'Instances known.', instances),
    gauge('registry_groups', 'Source objects that state instances.', groups),
    gauge('registry_subjects', 'Subjects that facts are known of.', subjects),
    family(
      'gauge',
      'instances',
      'Instances by zone, status and whether they may be answered.',
      statusSamples(registry),
    ),
    counter('health_passes_total', 'Passes of the health-sync loop.', sync.passes),
    counter('health_judged_total', 'Verdicts made.', sync.judged),
    counter('health_changes_total', 'Verdicts that differed from the one before.', sync.changes),
    gauge('health_dirty', 'Services and instances waiting to be judged.', sync.dirty),
    gauge('checks', 'Instances with an active check.', check.checks),
    gauge('checks_running', 'Active checks under way.', check.running),
    gauge('checks_waiting', 'Active checks that are due and wait for others.', check.waiting),
    family('counter', 'check_results_total', 'Results of active checks.', [
      { labels: { result: 'passed' }, value: check.passed },
      { labels: { result: 'failed' }, value: check.failed },
      { labels: { result: 'timeout' }, value: check.timedOut },
    ]),
    counter(
      'checks_late_total',
      'Active checks begun over a second late: limits.concurrentChecks is small.',
      check.late,
    ),
    gauge('owners_dirty', 'Services and zones whose names wait to be compiled.', zones.size().dirty),
    ...sourceFamilies(board.sources()),
    ...processFamilies(startedMs),
  ];
}

function statusSamples(registry: Registry): Sample[] {
  const counts = new Map<string, { labels: Record<string, string>; value: number }>();
  for (const { service, instances } of registry.services()) {
    if (service === undefined || service.kind === 'namespace') continue;
    for (const { verdict } of instances.values()) {
      const key = `${service.zone} ${verdict.status} ${verdict.answered}`;
      const labels = { zone: service.zone, status: verdict.status, answered: String(verdict.answered) };
      const entry = counts.get(key) ?? { labels, value: 0 };
      entry.value++;
      counts.set(key, entry);
    }
  }
  return [...counts.values()];
}

function sourceFamilies(sources: readonly SourceStatus[]): Family[] {
  const kinds = sources.flatMap(({ name, kinds }) => kinds.map((kind) => ({ source: name, kind })));
  return [
    family(
      'gauge',
      'source_synced',
      '1 once a source has said all it knows.',
      each(sources, ({ synced }) => Number(synced)),
    ),
    family(
      'gauge',
      'source_stale',
      '1 while a source is served from its snapshot.',
      each(sources, ({ stale }) => Number(stale)),
    ),
    family(
      'gauge',
      'source_data_age_seconds',
      'Since the kind of object heard of longest ago gave a sign of life.',
      each(
        sources.filter(({ ageMs }) => ageMs !== undefined),
        ({ ageMs }) => ageMs! / 1000,
      ),
    ),
    family(
      'gauge',
      'source_objects',
      'Objects known of each kind.',
      kinds.map(({ source, kind }) => ({ labels: { source, kind: kind.kind }, value: kind.objects })),
    ),
    family(
      'counter',
      'source_events_total',
      'What happened while watching a kind of object.',
      kinds.flatMap(({ source, kind }) =>
        Object.entries(kind.counters).map(([event, value]) => ({ labels: { source, kind: kind.kind, event }, value })),
      ),
    ),
  ];
}

function processFamilies(startedMs: number): Family[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const plain = (type: Family['type'], name: string, help: string, value: number): Family => ({
    name,
    help,
    type,
    samples: [{ labels: {}, value }],
  });
  return [
    plain('counter', 'process_cpu_seconds_total', 'User and system CPU time, all threads.', (user + system) / 1e6),
    plain('gauge', 'process_resident_memory_bytes', 'Resident memory, all threads.', rss),
    plain('gauge', 'process_start_time_seconds', 'Start, Unix time.', startedMs / 1000),
    plain('gauge', 'nodejs_heap_used_bytes', "Heap of the control plane's thread.", heapUsed),
  ];
}

const family = (type: Family['type'], name: string, help: string, samples: Sample[]): Family => ({
  name: `healthdns_${name}`,
  help,
  type,
  samples,
});
const gauge = (name: string, help: string, value: number, labels: Record<string, string> = {}) =>
  family('gauge', name, help, [{ labels, value }]);
const counter = (name: string, help: string, value: number) => family('counter', name, help, [{ labels: {}, value }]);
const each = (sources: readonly SourceStatus[], value: (source: SourceStatus) => number): Sample[] =>
  sources.map((source) => ({ labels: { source: source.name }, value: value(source) }));
