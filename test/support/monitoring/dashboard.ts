// The dashboard of deploy/helm/healthdns/monitoring/dashboard.json: rows from what clients see to what the process needs.
// Grafana's own types check what is written: fields, values, and what may not be missing.
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  type Dashboard,
  type DataQuery,
  type DataSourceRef,
  type Panel as GrafanaPanel,
  type GraphFieldConfig,
  type GridPos,
  LegendDisplayMode,
  PercentChangeColorMode,
  type RowPanel,
  SortOrder,
  type Threshold,
  ThresholdsMode,
  TooltipDisplayMode,
  type VariableModel,
  VariableRefresh,
  VariableSort,
  VisibilityMode,
  VizOrientation,
} from '@grafana/schema';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as LineOptions } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { MetricName } from '../../../src/metric-table.ts';

export interface Panel {
  readonly title: string;
  readonly unit: 'reqps' | 's' | 'bytes' | 'short' | 'percentunit' | 'ops';
  readonly targets: readonly (readonly [expr: string, legend: string])[];
  readonly description?: string;
  /** Numbers instead of lines. */
  readonly isStat?: boolean;
  /** It shows something only where a feature is used. */
  readonly isOptional?: boolean;
}

const SELECTOR = 'job=~"$job",instance=~"$instance"';
/** Of a metric, with further matchers. */
const of = (name: MetricName, more = ''): string => `${name}{${SELECTOR}${more === '' ? '' : `,${more}`}}`;
const rate = (name: MetricName, more = ''): string => `rate(${of(name, more)}[$__rate_interval])`;
const sumBy = (label: string, name: MetricName): string => `sum by (${label}) (${rate(name)})`;
const quantile = (q: number, name: MetricName<'histogram'>, by = 'le'): string =>
  `histogram_quantile(${q}, sum by (${by}) (rate(${name}_bucket{${SELECTOR}}[$__rate_interval])))`;

export const ROWS: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
  {
    title: 'What is wrong',
    panels: [
      {
        title: 'Services without an answer',
        unit: 'short',
        isStat: true,
        targets: [[`max by (zone) (${of('healthdns_services_unanswered')})`, '{{zone}}']],
      },
      {
        title: 'Sources not synced or stale',
        unit: 'short',
        isStat: true,
        targets: [
          [`count(${of('healthdns_source_synced')} == 0) or vector(0)`, 'not synced'],
          [`count(${of('healthdns_source_stale')} == 1) or vector(0)`, 'stale'],
        ],
      },
      {
        title: 'Upstream servers down',
        unit: 'short',
        isStat: true,
        targets: [[`count(min by (to) (${of('healthdns_forward_up')}) == 0) or vector(0)`, 'down']],
      },
      {
        title: 'Refused configurations (1 h)',
        unit: 'short',
        isStat: true,
        targets: [[`sum(increase(${of('healthdns_config_reload_failed_total')}[1h]))`, 'refused']],
      },
    ],
  },
  {
    title: 'Answers',
    panels: [
      {
        title: 'Queries',
        unit: 'reqps',
        targets: [[sumBy('proto, family', 'healthdns_dns_requests_total'), '{{proto}} IPv{{family}}']],
      },
      {
        title: 'Responses by rcode',
        unit: 'reqps',
        targets: [[sumBy('rcode', 'healthdns_dns_responses_total'), '{{rcode}}']],
      },
      {
        title: 'Responses by what answered',
        unit: 'reqps',
        targets: [[sumBy('by', 'healthdns_dns_responses_total'), '{{by}}']],
      },
      {
        title: 'Queries by type',
        unit: 'reqps',
        targets: [[sumBy('type', 'healthdns_dns_request_type_total'), '{{type}}']],
      },
      {
        title: 'Time to a response',
        unit: 's',
        targets: [
          [quantile(0.5, 'healthdns_dns_request_duration_seconds'), '50 %'],
          [quantile(0.99, 'healthdns_dns_request_duration_seconds'), '99 %'],
          [quantile(0.999, 'healthdns_dns_request_duration_seconds'), '99.9 %'],
        ],
      },
      {
        title: 'Lost messages',
        unit: 'reqps',
        description: 'receive-buffer: the kernel had no room for a query.',
        targets: [
          [sumBy('reason', 'healthdns_dns_dropped_total'), '{{reason}}'],
          [sumBy('event', 'healthdns_tcp_connections_total'), 'TCP {{event}}'],
        ],
      },
    ],
  },
  {
    title: 'Health',
    panels: [
      {
        title: 'Instances',
        unit: 'short',
        isOptional: true,
        targets: [[`max by (status, answered) (${of('healthdns_instances')})`, '{{status}}, answered: {{answered}}']],
      },
      {
        title: 'Verdicts that changed',
        unit: 'ops',
        targets: [[`sum(${rate('healthdns_health_changes_total')})`, 'changes']],
      },
      {
        title: 'Services without an answer',
        unit: 'short',
        isOptional: true,
        targets: [
          [`max by (zone, namespace, service) (${of('healthdns_service_unanswered')})`, '{{namespace}}/{{service}}'],
        ],
      },
      {
        title: 'From a change to the answer',
        unit: 's',
        targets: [
          [quantile(0.5, 'healthdns_programming_duration_seconds'), '50 %'],
          [quantile(0.99, 'healthdns_programming_duration_seconds'), '99 %'],
        ],
      },
      {
        title: 'Health checks',
        unit: 'ops',
        targets: [[sumBy('result', 'healthdns_check_results_total'), '{{result}}']],
      },
      {
        title: 'Age of the data',
        unit: 's',
        isOptional: true,
        targets: [[`max by (source) (${of('healthdns_source_data_age_seconds')})`, '{{source}}']],
      },
    ],
  },
  {
    title: 'External names',
    panels: [
      {
        title: 'Cache',
        unit: 'reqps',
        isOptional: true,
        targets: [
          [sumBy('type', 'healthdns_cache_hits_total'), 'hit: {{type}}'],
          [`sum(${rate('healthdns_cache_misses_total')})`, 'miss'],
          [`sum(${rate('healthdns_cache_served_stale_total')})`, 'stale'],
        ],
      },
      {
        title: 'Upstream latency, 99 %',
        unit: 's',
        isOptional: true,
        targets: [[quantile(0.99, 'healthdns_forward_request_duration_seconds', 'to, le'), '{{to}}']],
      },
      {
        title: 'Upstream failures',
        unit: 'ops',
        isOptional: true,
        targets: [
          [sumBy('to', 'healthdns_forward_failures_total'), '{{to}}'],
          [`sum(${rate('healthdns_forward_failed_total')})`, 'questions without an answer'],
        ],
      },
      {
        title: 'Clients that wait',
        unit: 'short',
        isOptional: true,
        targets: [[`sum by (zone) (${of('healthdns_forward_waiting')})`, '{{zone}}']],
      },
    ],
  },
  {
    title: 'Process',
    panels: [
      { title: 'CPU', unit: 'short', targets: [[rate('process_cpu_seconds_total'), '{{instance}}']] },
      {
        title: 'Memory',
        unit: 'bytes',
        targets: [
          [of('process_resident_memory_bytes'), '{{instance}}'],
          [of('healthdns_table_bytes'), '{{instance}} tables'],
        ],
      },
      {
        title: 'Event loop of the control plane',
        unit: 's',
        targets: [[quantile(0.99, 'healthdns_event_loop_delay_seconds', 'instance, le'), '{{instance}} late, 99 %']],
      },
      {
        title: 'File descriptors',
        unit: 'percentunit',
        targets: [[`${of('process_open_fds')} / ${of('process_max_fds')}`, '{{instance}}']],
      },
    ],
  },
];

// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana
const DATASOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };
const WIDTH = 24;
const HEIGHT = 7;

/** The text of dashboard.json, as Grafana imports it. */
export function dashboardText(): string {
  const panels: (GrafanaPanel | RowPanel)[] = [];
  let y = 0;
  for (const { title, panels: inRow } of ROWS) {
    const gridPos = { h: 1, w: WIDTH, x: 0, y };
    panels.push({ type: 'row', title, collapsed: false, panels: [], id: panels.length + 1, gridPos });
    y++;
    const columns = inRow.length === 4 ? 4 : 3;
    for (const [i, panel] of inRow.entries()) {
      const w = WIDTH / columns;
      const h = panel.isStat ? 4 : HEIGHT;
      panels.push(panelOf(panel, panels.length + 1, { h, w, x: (i % columns) * w, y }));
      if (i % columns === columns - 1 || i === inRow.length - 1) y += h;
    }
  }
  return `${JSON.stringify({ ...DASHBOARD, panels }, undefined, 1)}\n`;
}

function panelOf(panel: Panel, id: number, gridPos: GridPos): GrafanaPanel {
  const { title, unit, description, isStat = false } = panel;
  const common = { title, id, gridPos, datasource: DATASOURCE, ...(description !== undefined && { description }) };
  const targets = panel.targets.map(([expr, legendFormat], i): PrometheusQuery => {
    const refId = String.fromCharCode(65 + i);
    return { datasource: DATASOURCE, expr, legendFormat, refId, ...(isStat && { instant: true }) };
  });
  if (isStat) {
    const thresholds = { mode: ThresholdsMode.Absolute, steps: GREEN_UNTIL_1 };
    const typed = { defaults: { unit, thresholds }, overrides: [] };
    return { ...common, type: 'stat', fieldConfig: typed, options: fields(STAT_OPTIONS), targets: targets.map(fields) };
  }
  const lines: GraphFieldConfig = { fillOpacity: 10, showPoints: VisibilityMode.Never };
  const typed = { defaults: { unit, min: 0, custom: fields(lines) }, overrides: [] };
  return {
    ...common,
    type: 'timeseries',
    fieldConfig: typed,
    options: fields(LINE_OPTIONS),
    targets: targets.map(fields),
  };
}

/** What Grafana's panels and queries have of their own, to the dashboard, are fields of any name. */
const fields = (typed: object): Record<string, unknown> => ({ ...typed });

/** Of Grafana's data source. */
interface PrometheusQuery extends DataQuery {
  readonly expr: string;
  readonly legendFormat: string;
  readonly instant?: boolean;
}

const GREEN_UNTIL_1: Threshold[] = [
  { color: 'green', value: null },
  { color: 'red', value: 1 },
];

const STAT_OPTIONS: StatOptions = {
  colorMode: BigValueColorMode.Background,
  graphMode: BigValueGraphMode.None,
  justifyMode: BigValueJustifyMode.Auto,
  orientation: VizOrientation.Auto,
  percentChangeColorMode: PercentChangeColorMode.Standard,
  reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
  showPercentChange: false,
  textMode: BigValueTextMode.Auto,
  wideLayout: true,
};

const LINE_OPTIONS: LineOptions = {
  legend: { calcs: [], displayMode: LegendDisplayMode.List, placement: 'bottom', showLegend: true },
  tooltip: { mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending },
};

const variable = (name: string, query: string): VariableModel => ({
  type: 'query',
  name,
  datasource: DATASOURCE,
  query,
  refresh: VariableRefresh.onTimeRangeChanged,
  sort: VariableSort.alphabeticalAsc,
  includeAll: true,
  multi: true,
  allValue: '.+',
  current: { text: 'All', value: '$__all' },
});

const DASHBOARD: Dashboard = {
  title: 'healthdns',
  uid: 'healthdns',
  tags: ['dns', 'healthdns'],
  schemaVersion: 39,
  editable: true,
  refresh: '30s',
  time: { from: 'now-1h', to: 'now' },
  timezone: 'browser',
  templating: {
    list: [
      { type: 'datasource', name: 'datasource', query: 'prometheus', refresh: VariableRefresh.onDashboardLoad },
      variable('job', 'label_values(healthdns_build_info, job)'),
      variable('instance', 'label_values(healthdns_build_info{job=~"$job"}, instance)'),
    ],
  },
  annotations: { list: [] },
};
