// The alerts and the dashboard: current, sound for Prometheus, each alert seen to fire and to be quiet, each with a runbook.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/command.ts';
import { chartObjects, ofKind } from '../support/manifests.ts';
import { ALERTS, type Alert, alertsText, runbookUrl } from '../support/monitoring/alerts.ts';
import { dashboardText } from '../support/monitoring/dashboard.ts';
import { requirement } from '../support/requirement.ts';

const CHART = 'deploy/helm/healthdns/monitoring';
const outdated = 'run `npm run compile && node scripts/schema.mjs`';

test('alerts.yaml and dashboard.json are current', () => {
  assert.ok(readFileSync(`${CHART}/alerts.yaml`, 'utf8') === alertsText(), outdated);
  assert.ok(readFileSync(`${CHART}/dashboard.json`, 'utf8') === dashboardText(), outdated);
});

test('each alert has a section in the runbooks, in the same order, with what is answered and what to do first', () => {
  const page = readFileSync('docs/runbooks.md', 'utf8');
  const sections = page.split(/^## /m).slice(1);
  assert.deepEqual(
    sections.map((section) => section.slice(0, section.indexOf('\n'))),
    ALERTS.map(({ name }) => name),
  );
  for (const section of sections)
    for (const part of ['**Means.**', '**Answers meanwhile.**', '**First.**'])
      assert.ok(section.includes(`\n${part}`), `${part} is missing in ${section.slice(0, 40)}`);
  for (const alert of ALERTS)
    assert.match(runbookUrl(alert), new RegExp(`docs/runbooks\\.md#${alert.name.toLowerCase()}$`));
});

test('the dashboard has a panel for each of its places, and only one of each id', () => {
  const { panels } = JSON.parse(dashboardText()) as { panels: { id: number; gridPos: Record<string, number> }[] };
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
  assert.equal(new Set(places).size, places.length);
  for (const { gridPos } of panels) assert.ok(gridPos.x! + gridPos.w! <= 24);
});

/** Series by their values at each minute ("0+60x20" as promtool has it): with which an alert fires, and is quiet. */
interface Seen {
  readonly fires: Readonly<Record<string, string>>;
  readonly quiet: Readonly<Record<string, string>>;
  /** Labels of the alert beside its severity. */
  readonly labels?: Readonly<Record<string, string>>;
}

const grows = '0+60x90';
const still = '7x90';
const gauge = (value: number) => `${value}x90`;
const both = (series: string, fires: string, quiet: string, labels: Seen['labels'] = {}): Seen => ({
  ...{ fires: { [series]: fires }, quiet: { [series]: quiet }, labels },
});
const INSTANCE = { instance: 'a:8053' };
const of = (metric: string, labels = 'instance="a:8053"') => `${metric}{${labels}}`;
const buckets = (metric: string, labels: string, [below, all]: readonly [string, string], le: string) => ({
  [`${metric}_bucket{${labels}le="${le}"}`]: below,
  [`${metric}_bucket{${labels}le="+Inf"}`]: all,
});
const slow = (metric: string, le: string, labels = ''): Pick<Seen, 'fires' | 'quiet'> => ({
  fires: buckets(metric, labels, ['0+1x90', '0+60x90'], le),
  quiet: buckets(metric, labels, ['0+60x90', '0+60x90'], '0.001'),
});

const SEEN: Readonly<Record<string, Seen>> = {
  HealthdnsDown: both('healthdns_build_info', '_x90', gauge(1)),
  HealthdnsServfail: {
    fires: {
      'healthdns_dns_responses_total{rcode="NOERROR",by="own"}': '0+900x90',
      'healthdns_dns_responses_total{rcode="SERVFAIL",by="upstream"}': '0+60x90',
    },
    quiet: {
      'healthdns_dns_responses_total{rcode="NOERROR",by="own"}': '0+6000x90',
      'healthdns_dns_responses_total{rcode="SERVFAIL",by="upstream"}': '0+60x90',
    },
  },
  HealthdnsSourceNotSynced: both('healthdns_source_synced{source="k"}', gauge(0), gauge(1), { source: 'k' }),
  HealthdnsSourceStale: both('healthdns_source_stale{source="k"}', gauge(1), gauge(0), { source: 'k' }),
  HealthdnsSourceDegraded: {
    fires: { 'healthdns_source_degraded{source="k",kind="pods"}': gauge(1) },
    quiet: {},
    labels: { source: 'k', kind: 'pods' },
  },
  HealthdnsServicesLost: both('healthdns_services_unanswered{zone="z"}', '1x40 9x50', gauge(9), { zone: 'z' }),
  HealthdnsServiceUnanswered: {
    fires: { 'healthdns_service_unanswered{zone="z",namespace="n",service="s"}': gauge(1) },
    quiet: {},
    labels: { zone: 'z', namespace: 'n', service: 's' },
  },
  HealthdnsLatencyHigh: slow('healthdns_dns_request_duration_seconds', '1.024'),
  HealthdnsProgrammingSlow: slow('healthdns_programming_duration_seconds', '8.192'),
  HealthdnsUpstreamDown: both('healthdns_forward_up{to="192.0.2.1:53"}', gauge(0), gauge(1), { to: '192.0.2.1:53' }),
  HealthdnsForwardFailing: {
    fires: { healthdns_forward_failed_total: '0+10x90', healthdns_cache_misses_total: '0+100x90' },
    quiet: { healthdns_forward_failed_total: '0+1x90', healthdns_cache_misses_total: '0+100x90' },
  },
  HealthdnsForwardRejecting: both('healthdns_forward_max_concurrent_rejects_total{zone="."}', grows, still, {
    zone: '.',
  }),
  HealthdnsForwardLoop: both('healthdns_forward_loops_total', '0x40 1x50', still),
  HealthdnsReloadFailed: both(of('healthdns_config_reload_failed_total'), '0x40 1x50', still, INSTANCE),
  HealthdnsConfigDiffers: {
    fires: {
      'healthdns_config_hash{hash="a",instance="a:8053"}': gauge(1),
      'healthdns_config_hash{hash="b",instance="b:8053"}': gauge(1),
    },
    quiet: {
      'healthdns_config_hash{hash="a",instance="a:8053"}': gauge(1),
      'healthdns_config_hash{hash="a",instance="b:8053"}': gauge(1),
    },
  },
  HealthdnsDataThreadDied: both(of('healthdns_data_thread_restarts_total'), '0x40 1x50', still, INSTANCE),
  HealthdnsBug: both(of('healthdns_dns_errors_total'), '0x40 1x50', still, INSTANCE),
  HealthdnsQueriesDropped: {
    fires: { [of('healthdns_dns_dropped_total', 'reason="receive-buffer",instance="a:8053"')]: '0+120x90' },
    quiet: { [of('healthdns_dns_dropped_total', 'reason="short",instance="a:8053"')]: '0+120x90' },
    labels: { ...INSTANCE, reason: 'receive-buffer' },
  },
  HealthdnsTcpLimit: {
    fires: { [of('healthdns_tcp_connections_total', 'event="refused",instance="a:8053"')]: grows },
    quiet: { [of('healthdns_tcp_connections_total', 'event="accepted",instance="a:8053"')]: grows },
    labels: INSTANCE,
  },
  HealthdnsChecksLate: both(of('healthdns_checks_late_total'), grows, still, INSTANCE),
  HealthdnsControlPlaneSlow: {
    ...slow('healthdns_event_loop_delay_seconds', '2.5', 'instance="a:8053",'),
    labels: INSTANCE,
  },
  HealthdnsFewDescriptors: {
    fires: {
      [of('process_open_fds')]: gauge(90),
      [of('process_max_fds')]: gauge(100),
      [of('healthdns_build_info')]: gauge(1),
    },
    // Another process.
    quiet: { [of('process_open_fds')]: gauge(90), [of('process_max_fds')]: gauge(100) },
    labels: INSTANCE,
  },
  HealthdnsCloudMapStoreFailing: both(of('healthdns_cloudmap_store_failures_total'), grows, still, INSTANCE),
  HealthdnsNoEndpointsWriter: both(of('healthdns_endpoints_writer'), gauge(0), gauge(1)),
  HealthdnsNameConflicts: both('healthdns_name_conflicts{job="healthdns"}', gauge(2), gauge(0), { job: 'healthdns' }),
};

test('every alert is in the table of what fires it', () => {
  assert.deepEqual(
    Object.keys(SEEN),
    ALERTS.map(({ name }) => name),
  );
});

const series = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([name, text]) => ({ series: name, values: text }));

function caseOf({ name, severity }: Alert, input: Readonly<Record<string, string>>, labels?: object) {
  return {
    interval: '1m',
    input_series: series(input),
    // Annotations are not compared: this counts what fires.
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${name}",alertstate="firing",severity="${severity}"}) or vector(0)`,
        eval_time: '50m',
        exp_samples: [{ labels: '{}', value: labels === undefined ? 0 : 1 }],
      },
      ...(labels === undefined
        ? []
        : [
            {
              expr: `ALERTS{alertname="${name}",alertstate="firing"}`,
              eval_time: '50m',
              exp_samples: [
                {
                  labels: `ALERTS{${Object.entries({ alertname: name, alertstate: 'firing', severity, ...labels })
                    .map(([label, value]) => `${label}="${value}"`)
                    .join(',')}}`,
                  value: 1,
                },
              ],
            },
          ]),
    ],
  };
}

test(
  'each alert fires when it should, with its labels, and is quiet otherwise',
  requirement('prometheus'),
  async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'alerts.yaml'), alertsText());
    const tests = ALERTS.flatMap((alert) => {
      const { fires, quiet, labels = {} } = SEEN[alert.name]!;
      return [caseOf(alert, fires, labels), caseOf(alert, quiet)];
    });
    const file = join(folder, 'tests.yaml');
    await writeFile(file, JSON.stringify({ rule_files: ['alerts.yaml'], evaluation_interval: '1m', tests }));
    const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    assert.match(stdout, /SUCCESS/, stdout + stderr);
  },
);

test('the chart installs alerts and dashboard, without those that are left out', requirement('helm'), async () => {
  const none = await chartObjects();
  assert.equal(ofKind(none, 'PrometheusRule'), undefined);
  const objects = await chartObjects({
    'prometheusRule.enabled': true,
    'prometheusRule.disabled': ['HealthdnsServiceUnanswered'],
    'prometheusRule.labels': { release: 'prometheus' },
    'prometheusRule.alertLabels': { team: 'dns' },
    'dashboard.enabled': true,
    'dashboard.namespace': 'monitoring',
    'serviceMonitor.enabled': true,
    'serviceMonitor.relabelings': [{ targetLabel: 'job', replacement: 'coredns' }],
  });
  const { metadata, spec } = ofKind(objects, 'PrometheusRule');
  assert.equal(metadata.labels.release, 'prometheus');
  const rules = spec.groups.flatMap(({ rules: inGroup }: { rules: object[] }) => inGroup);
  assert.equal(rules.length, ALERTS.length - 1);
  for (const rule of rules) {
    const alert = ALERTS.find(({ name }) => name === rule.alert)!;
    assert.deepEqual(rule.labels, { severity: alert.severity, team: 'dns' });
    assert.equal(rule.expr, alert.expr);
    assert.deepEqual(rule.annotations, {
      ...{ summary: alert.summary, description: alert.description, runbook_url: runbookUrl(alert) },
    });
  }
  const dashboard = objects.find(({ metadata: { name } }) => name === 'healthdns-dashboard');
  assert.deepEqual([dashboard.metadata.namespace, dashboard.metadata.labels.grafana_dashboard], ['monitoring', '1']);
  assert.deepEqual(JSON.parse(dashboard.data['healthdns.json']), JSON.parse(dashboardText()));
  assert.equal(ofKind(objects, 'ServiceMonitor').spec.endpoints[0].relabelings[0].replacement, 'coredns');
  await assert.rejects(chartObjects({ 'prometheusRule.disabled': ['coredns'] }), /prometheusRule/);
});
