// The metrics of the control plane, read from its modules at each scrape.
import type { ConfigInForce } from '../config/in-force.ts';
import type { HealthSync } from '../health/sync.ts';
import type { Census, Counts } from '../http/census.ts';
import type { Distribution, Reading } from '../metrics.ts';
import type { Registry } from '../registry/registry.ts';
import type { SourceStatus, StatusBoard } from '../sources/status.ts';
import { VERSION } from '../version.ts';
import type { Zones } from '../zone/zones.ts';
import type { RunningChecks } from './checks.ts';
import type { EventLoopWatch } from './event-loop.ts';
import { processReadings } from './process-readings.ts';

export interface Rooms {
  readonly registry: Registry;
  readonly health: HealthSync;
  readonly census: Census;
  readonly checks: RunningChecks;
  readonly zones: Zones;
  readonly board: StatusBoard;
  readonly startedMs: number;
  readonly inForce: ConfigInForce;
  readonly eventLoop: EventLoopWatch;
  readonly programming: Distribution;
}

/** Services that a scrape counts anew, some 10 µs each. */
const MOST_SETTLED = 50;

export function controlReadings({
  registry,
  health,
  census,
  checks,
  zones,
  board,
  startedMs,
  inForce,
  eventLoop,
  programming,
}: Rooms): Reading[] {
  const { services, instances, groups, subjects } = registry.size();
  const sync = health.counts();
  census.settle(MOST_SETTLED);
  const check = checks.counts();
  return [
    { name: 'healthdns_build_info', labels: [VERSION, process.version], value: 1 },
    { name: 'healthdns_config_hash', labels: [inForce.status().hash], value: 1 },
    { name: 'healthdns_config_reload_failed_total', value: inForce.failures() },
    { name: 'healthdns_config_last_reload_success_timestamp_seconds', value: inForce.tookMs() / 1000 },
    { name: 'healthdns_registry_services', value: services },
    { name: 'healthdns_registry_instances', value: instances },
    { name: 'healthdns_registry_groups', value: groups },
    { name: 'healthdns_registry_subjects', value: subjects },
    ...[...census.settled.instances()].map(
      ({ zone, status, answered, n }): Reading => ({
        name: 'healthdns_instances',
        labels: [zone, status, String(answered)],
        value: n,
      }),
    ),
    ...unansweredReadings(census.settled, registry),
    { name: 'healthdns_health_passes_total', value: sync.passes },
    { name: 'healthdns_health_judged_total', value: sync.judged },
    { name: 'healthdns_health_changes_total', value: sync.changes },
    { name: 'healthdns_health_dirty', value: sync.dirty },
    { name: 'healthdns_checks', value: check.checks },
    { name: 'healthdns_checks_running', value: check.running },
    { name: 'healthdns_checks_waiting', value: check.waiting },
    { name: 'healthdns_check_results_total', labels: ['passed'], value: check.passed },
    { name: 'healthdns_check_results_total', labels: ['failed'], value: check.failed },
    { name: 'healthdns_check_results_total', labels: ['timeout'], value: check.timedOut },
    { name: 'healthdns_check_results_total', labels: ['not_run'], value: check.notRun },
    { name: 'healthdns_checks_late_total', value: check.late },
    { name: 'healthdns_name_conflicts', value: zones.size().conflicts },
    { name: 'healthdns_owners_dirty', value: zones.size().dirty },
    ...board.sources().flatMap(sourceReadings),
    ...board
      .degraded()
      .map(({ source, kind }): Reading => ({ name: 'healthdns_source_degraded', labels: [source, kind], value: 1 })),
    ...processReadings(startedMs),
    ...eventLoop.readings(),
    { name: 'healthdns_programming_duration_seconds', value: programming },
  ];
}

/** Services that have a metric of their own: of one zone, and of all. */
const MAX_UNANSWERED = 100;
const MAX_UNANSWERED_IN_ALL = 1_000;

function unansweredReadings(counts: Counts, registry: Pick<Registry, 'service'>): Reading[] {
  const readings: Reading[] = [];
  let left = MAX_UNANSWERED_IN_ALL;
  for (const zone of counts.zones()) {
    const { unanswered } = counts.zone(zone);
    readings.push({ name: 'healthdns_services_unanswered', labels: [zone], value: unanswered.size });
    let leftOfZone = MAX_UNANSWERED;
    for (const key of unanswered) {
      if (leftOfZone-- <= 0 || left <= 0) break;
      const service = registry.service(key)?.service;
      if (service === undefined) continue;
      left--;
      const labels = [zone, service.namespace, service.name];
      readings.push({ name: 'healthdns_service_unanswered', labels, value: 1 });
    }
  }
  return readings;
}

function sourceReadings({ name: source, synced, stale, ageMs, kinds }: SourceStatus): Reading[] {
  const age: Reading[] =
    ageMs === undefined ? [] : [{ name: 'healthdns_source_data_age_seconds', labels: [source], value: ageMs / 1000 }];
  return [
    { name: 'healthdns_source_synced', labels: [source], value: Number(synced) },
    { name: 'healthdns_source_stale', labels: [source], value: Number(stale) },
    ...age,
    ...kinds.flatMap(({ kind, objects, counters }): Reading[] => [
      { name: 'healthdns_source_objects', labels: [source, kind], value: objects },
      ...Object.entries(counters).map(
        ([event, value]): Reading => ({ name: 'healthdns_source_events_total', labels: [source, kind, event], value }),
      ),
    ]),
  ];
}
