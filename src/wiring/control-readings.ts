// The metrics of the control plane, read from its modules at each scrape.
import type { ConfigInForce } from '../config/in-force.ts';
import type { HealthSync } from '../health/sync.ts';
import type { Census } from '../http/census.ts';
import type { Reading } from '../metrics.ts';
import type { Registry } from '../registry/registry.ts';
import type { SourceStatus, StatusBoard } from '../sources/status.ts';
import { VERSION } from '../version.ts';
import type { Zones } from '../zone/zones.ts';
import type { RunningChecks } from './checks.ts';

export interface Rooms {
  readonly registry: Registry;
  readonly health: HealthSync;
  readonly census: Census;
  readonly checks: RunningChecks;
  readonly zones: Zones;
  readonly board: StatusBoard;
  readonly startedMs: number;
  readonly inForce: ConfigInForce;
}

export function controlReadings({
  registry,
  health,
  census,
  checks,
  zones,
  board,
  startedMs,
  inForce,
}: Rooms): Reading[] {
  const { services, instances, groups, subjects } = registry.size();
  const sync = health.counts();
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
    ...[...census.instances()].map(
      ({ zone, status, answered, n }): Reading => ({
        name: 'healthdns_instances',
        labels: [zone, status, String(answered)],
        value: n,
      }),
    ),
    ...census.zones().flatMap((zone) => unansweredReadings(zone, census, registry)),
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
    { name: 'healthdns_checks_late_total', value: check.late },
    { name: 'healthdns_name_conflicts', value: zones.size().conflicts },
    { name: 'healthdns_owners_dirty', value: zones.size().dirty },
    ...board.sources().flatMap(sourceReadings),
    ...board
      .degraded()
      .map(({ source, kind }): Reading => ({ name: 'healthdns_source_degraded', labels: [source, kind], value: 1 })),
    ...processReadings(startedMs),
  ];
}

/** Services of a zone that have a metric of their own. */
const MAX_UNANSWERED = 100;

function unansweredReadings(zone: string, census: Census, registry: Pick<Registry, 'service'>): Reading[] {
  const { unanswered } = census.zone(zone);
  const readings: Reading[] = [{ name: 'healthdns_services_unanswered', labels: [zone], value: unanswered.size }];
  for (const key of unanswered) {
    if (readings.length > MAX_UNANSWERED) break;
    const service = registry.service(key)?.service;
    if (service === undefined) continue;
    readings.push({ name: 'healthdns_service_unanswered', labels: [zone, service.namespace, service.name], value: 1 });
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

function processReadings(startedMs: number): Reading[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return [
    { name: 'process_cpu_seconds_total', value: (user + system) / 1e6 },
    { name: 'process_resident_memory_bytes', value: rss },
    { name: 'process_start_time_seconds', value: startedMs / 1000 },
    { name: 'nodejs_heap_used_bytes', value: heapUsed },
  ];
}
