// The alerts of deploy/helm/healthdns/monitoring/alerts.yaml: each is about something that a person has to do, and has a section in
// docs/runbooks.md. Metrics are named through the table, so that one that is renamed does not compile.
import { stringify } from 'yaml';
import type { MetricName } from '../../../src/metric-table.ts';

export interface Alert {
  readonly name: string;
  readonly expr: string;
  /** How long it must hold. */
  readonly for: string;
  /** critical: answers are wrong or missing now. warning: they will be, or something is lost. info: worth a look by day. */
  readonly severity: 'critical' | 'warning' | 'info';
  readonly summary: string;
  readonly description: string;
}

const RUNBOOKS = 'https://github.com/healthdns/healthdns/blob/main/docs/runbooks.md';

const m = (name: MetricName): string => name;
const rate = (series: string, window = '5m') => `rate(${series}[${window}])`;
const increase = (series: string, window = '15m') => `increase(${series}[${window}])`;
const p99 = (name: MetricName<'histogram'>, by = 'le') =>
  `histogram_quantile(0.99, sum by (${by}) (${rate(`${name}_bucket`)}))`;

const responses = m('healthdns_dns_responses_total');
const unanswered = m('healthdns_services_unanswered');

const ANSWERS: readonly Alert[] = [
  {
    name: 'HealthdnsDown',
    expr: `absent(${m('healthdns_build_info')})`,
    for: '5m',
    severity: 'critical',
    summary: 'No healthdns is scraped.',
    description: 'Prometheus has had no metrics of any healthdns for 5 minutes: none runs, or none can be scraped.',
  },
  {
    name: 'HealthdnsServfail',
    expr: `sum(${rate(`${responses}{rcode="SERVFAIL"}`)}) / sum(${rate(responses)}) > 0.03`,
    for: '10m',
    severity: 'critical',
    summary: 'healthdns answers SERVFAIL.',
    description: '{{ $value | humanizePercentage }} of all responses are SERVFAIL.',
  },
  {
    name: 'HealthdnsSourceNotSynced',
    expr: `max by (source) (${m('healthdns_source_synced')} == 0)`,
    for: '5m',
    severity: 'critical',
    summary: 'A source has not been read: its zones are SERVFAIL.',
    description: 'No data of {{ $labels.source }} has been read completely on at least one replica.',
  },
  {
    name: 'HealthdnsSourceStale',
    expr: `max by (source) (${m('healthdns_source_stale')} == 1)`,
    for: '5m',
    severity: 'warning',
    summary: 'Answers may be out of date.',
    description: '{{ $labels.source }} is served from a snapshot, or has not been confirmed for too long.',
  },
  {
    name: 'HealthdnsSourceDegraded',
    expr: `max by (source, kind) (${m('healthdns_source_degraded')} == 1)`,
    for: '10m',
    severity: 'warning',
    summary: 'The API server denies a kind of object.',
    description: '{{ $labels.source }} is served without {{ $labels.kind }}, so dead instances may be answered.',
  },
  {
    name: 'HealthdnsServicesLost',
    expr: `max by (zone) (${unanswered}) - max by (zone) (${unanswered} offset 30m) >= 5`,
    for: '2m',
    severity: 'critical',
    summary: 'Many services have nothing to answer any more.',
    description: '{{ $value }} more services of {{ $labels.zone }} have no answer than half an hour ago.',
  },
  {
    name: 'HealthdnsServiceUnanswered',
    expr: `max by (zone, namespace, service) (${m('healthdns_service_unanswered')})`,
    for: '15m',
    severity: 'info',
    summary: 'A service has nothing to answer.',
    description: '{{ $labels.service }} in {{ $labels.namespace }} has no instance that may be answered.',
  },
  {
    name: 'HealthdnsLatencyHigh',
    expr: `${p99('healthdns_dns_request_duration_seconds')} > 1`,
    for: '10m',
    severity: 'warning',
    summary: 'Answers are slow.',
    description: 'One response in a hundred takes more than {{ $value | humanizeDuration }}.',
  },
  {
    name: 'HealthdnsProgrammingSlow',
    expr: `${p99('healthdns_programming_duration_seconds')} > 5`,
    for: '10m',
    severity: 'warning',
    summary: 'Changes of the cluster reach answers late.',
    description: 'One change in a hundred takes more than {{ $value | humanizeDuration }} until it is answered.',
  },
];

const FORWARDING: readonly Alert[] = [
  {
    name: 'HealthdnsUpstreamDown',
    expr: `min by (to) (${m('healthdns_forward_up')}) == 0`,
    for: '5m',
    severity: 'warning',
    summary: 'An upstream server does not answer.',
    description: '{{ $labels.to }} is skipped until it answers a health check.',
  },
  {
    name: 'HealthdnsForwardFailing',
    expr: `sum(${rate(m('healthdns_forward_failed_total'))}) / sum(${rate(m('healthdns_cache_misses_total'))}) > 0.05`,
    for: '10m',
    severity: 'critical',
    summary: 'External names are not resolved.',
    description:
      'No upstream server answered {{ $value | humanizePercentage }} of the questions that the cache had no answer for.',
  },
  {
    name: 'HealthdnsForwardRejecting',
    expr: `sum by (zone) (${rate(m('healthdns_forward_max_concurrent_rejects_total'))}) > 0`,
    for: '5m',
    severity: 'warning',
    summary: 'Too many clients wait for upstream servers.',
    description: 'Queries for names below {{ $labels.zone }} are answered SERVFAIL at once.',
  },
  {
    name: 'HealthdnsForwardLoop',
    expr: `sum(${increase(m('healthdns_forward_loops_total'))}) > 0`,
    for: '0m',
    severity: 'critical',
    summary: 'Forwarded queries come back.',
    description: 'An upstream server forwards to healthdns; it is not used while that lasts.',
  },
];

const SERVER: readonly Alert[] = [
  {
    name: 'HealthdnsReloadFailed',
    expr: `max by (instance) (${increase(m('healthdns_config_reload_failed_total'), '1h')}) > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'A configuration was refused.',
    description: '{{ $labels.instance }} serves the former configuration, and would not start with the new one.',
  },
  {
    name: 'HealthdnsConfigDiffers',
    expr: `count(count by (hash) (${m('healthdns_config_hash')})) > 1`,
    for: '15m',
    severity: 'warning',
    summary: 'Replicas have different configurations.',
    description: '{{ $value }} configurations are in force.',
  },
  {
    name: 'HealthdnsDataThreadDied',
    expr: `max by (instance) (${increase(m('healthdns_data_thread_restarts_total'))}) > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'A data thread died.',
    description: 'A data thread of {{ $labels.instance }} ended or did not respond, and was replaced.',
  },
  {
    name: 'HealthdnsBug',
    expr: `sum by (instance) (${increase(m('healthdns_dns_errors_total'))}) > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'Queries were answered SERVFAIL because of a bug.',
    description: 'The log of {{ $labels.instance }} has the stack.',
  },
  {
    name: 'HealthdnsQueriesDropped',
    expr: `sum by (instance, reason) (${rate(`${m('healthdns_dns_dropped_total')}{reason=~"receive-buffer|send"}`)}) > 1`,
    for: '5m',
    severity: 'warning',
    summary: 'Queries are lost.',
    description: '{{ $labels.instance }} loses {{ $value | humanize }} messages a second ({{ $labels.reason }}).',
  },
  {
    name: 'HealthdnsTcpLimit',
    expr: `sum by (instance) (${rate(`${m('healthdns_tcp_connections_total')}{event=~"refused|evicted|unread"}`)}) > 0.1`,
    for: '10m',
    severity: 'warning',
    summary: 'TCP connections are closed at a limit.',
    description: '{{ $labels.instance }} closes {{ $value | humanize }} connections a second.',
  },
  {
    name: 'HealthdnsChecksLate',
    expr: `sum by (instance) (${rate(m('healthdns_checks_late_total'))}) > 0`,
    for: '10m',
    severity: 'warning',
    summary: 'Health checks are late.',
    description: '{{ $labels.instance }} begins health checks more than a second late.',
  },
  {
    name: 'HealthdnsControlPlaneSlow',
    expr: `${p99('healthdns_event_loop_delay_seconds', 'instance, le')} > 0.5`,
    for: '10m',
    severity: 'warning',
    summary: 'The control plane is overloaded.',
    description: 'The event loop of {{ $labels.instance }} is {{ $value | humanizeDuration }} late.',
  },
  {
    name: 'HealthdnsFewDescriptors',
    expr: `${m('process_open_fds')} / ${m('process_max_fds')} > 0.8 and on (instance) ${m('healthdns_build_info')}`,
    for: '10m',
    severity: 'warning',
    summary: 'File descriptors run out.',
    description:
      '{{ $labels.instance }} has opened {{ $value | humanizePercentage }} of the descriptors that it may open.',
  },
  {
    name: 'HealthdnsCloudMapStoreFailing',
    expr: `sum by (instance) (${increase(m('healthdns_cloudmap_store_failures_total'))}) > 0`,
    for: '5m',
    severity: 'critical',
    summary: 'The Cloud Map store refuses writes.',
    description: 'Registrations at {{ $labels.instance }} fail.',
  },
  {
    name: 'HealthdnsNoEndpointsWriter',
    expr: `sum(${m('healthdns_endpoints_writer')}) == 0`,
    for: '5m',
    severity: 'warning',
    summary: 'No replica writes endpoints.',
    description: 'Verdicts are not written to EndpointSlices.',
  },
  {
    name: 'HealthdnsNameConflicts',
    expr: `max by (job) (${m('healthdns_name_conflicts')}) > 0`,
    for: '30m',
    severity: 'info',
    summary: 'Services have the same name.',
    description: '{{ $value }} services are not answered at their name because another service has it.',
  },
];

export const GROUPS: readonly { readonly name: string; readonly alerts: readonly Alert[] }[] = [
  { name: 'healthdns-answers', alerts: ANSWERS },
  { name: 'healthdns-forwarding', alerts: FORWARDING },
  { name: 'healthdns-server', alerts: SERVER },
];

export const ALERTS: readonly Alert[] = GROUPS.flatMap(({ alerts }) => alerts);

export const runbookUrl = (alert: Alert): string => `${RUNBOOKS}#${alert.name.toLowerCase()}`;

/** The text of alerts.yaml, a file of rules as Prometheus reads it. */
export function alertsText(): string {
  const groups = GROUPS.map(({ name, alerts }) => ({
    name,
    rules: alerts.map((alert) => ({
      alert: alert.name,
      expr: alert.expr,
      for: alert.for,
      labels: { severity: alert.severity },
      annotations: { summary: alert.summary, description: alert.description, runbook_url: runbookUrl(alert) },
    })),
  }));
  const head = '# Written by scripts/schema.mjs from test/support/monitoring/alerts.ts; runbooks: docs/runbooks.md.\n';
  return `${head}${stringify({ groups }, { lineWidth: 0 })}`;
}
