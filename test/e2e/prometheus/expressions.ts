// What dashboards and alerts that were made for CoreDNS ask of Prometheus. Each panel is written down once per dashboard, with
// the dashboard's own selectors; thresholds of alerts are left off, since what matters is that there is something to compare.
//
//   mixin    github.com/povilasv/coredns-mixin: alerts/*.libsonnet, dashboards/coredns.libsonnet
//   14981    grafana.com/grafana/dashboards/14981: the panels of kube-prometheus's, selected by instance
//   15762    grafana.com/grafana/dashboards/15762 (github.com/dotdc/grafana-dashboards-kubernetes, k8s-system-coredns)
//   5926     grafana.com/grafana/dashboards/5926: the same panels under the names that metrics had before CoreDNS 1.7
//   kube     kube-prometheus-stack's k8s-coredns

export interface Expression {
  readonly from: string;
  readonly panel: string;
  /** SELECT stands for the selector of the scraped server, without braces. */
  readonly query: string;
  /** Why CoreDNS 1.15 itself has nothing to show. */
  readonly goneFromCoredns?: string;
  /** Why healthdns has nothing to show. */
  readonly notHere?: string;
}

/** `forward` had metrics of its own until they became those of `proxy`. */
const RENAMED_1_11 = 'coredns_forward_* became coredns_proxy_* in 1.11';
const RENAMED_1_7 = 'renamed in 1.7';

const quantiles = (by: string, metric: string, selector: string, labels: string, all: readonly string[]) =>
  all.map((q) => ({
    panel: `${metric} ${q} ${by}`,
    query: `histogram_quantile(${q}, sum(rate(${metric}_bucket{${selector}}[1m])) by (${labels}))`,
  }));

const gone = <E extends object>(expressions: readonly E[], why: string) =>
  expressions.map((one) => ({ ...one, goneFromCoredns: why }));

const MIXIN = [
  { panel: 'CoreDNSDown', query: 'up{SELECT} == 1' },
  {
    panel: 'CoreDNSLatencyHigh',
    query:
      'histogram_quantile(0.99, sum(rate(coredns_dns_request_duration_seconds_bucket{SELECT}[5m])) by (server, zone, le))',
  },
  {
    panel: 'CoreDNSErrorsHigh',
    query:
      'sum(rate(coredns_dns_responses_total{SELECT,rcode="SERVFAIL"}[5m])) / sum(rate(coredns_dns_responses_total{SELECT}[5m]))',
  },
  ...gone(
    [
      {
        panel: 'CoreDNSForwardLatencyHigh',
        query:
          'histogram_quantile(0.99, sum(rate(coredns_forward_request_duration_seconds_bucket{SELECT}[5m])) by (to, le))',
      },
      {
        panel: 'CoreDNSForwardErrorsHigh',
        query:
          'sum(rate(coredns_forward_responses_total{SELECT,rcode="REFUSED"}[5m])) / sum(rate(coredns_forward_responses_total{SELECT}[5m]))',
      },
      {
        panel: 'CoreDNSForwardHealthcheckFailureCount',
        query: 'sum(rate(coredns_forward_healthcheck_failures_total{SELECT}[5m])) by (to)',
      },
      {
        panel: 'RPC Rate, forward',
        query: 'sum(rate(coredns_forward_responses_total{SELECT,instance=~".*"}[1m])) by (rcode)',
      },
      {
        panel: 'Forward Requests (by to)',
        query: 'sum(rate(coredns_forward_requests_total{SELECT,instance=~".*"}[1m])) by (to)',
      },
    ],
    RENAMED_1_11,
  ),
  {
    panel: 'CoreDNSForwardHealthcheckBrokenCount',
    query: 'sum(rate(coredns_forward_healthcheck_broken_total{SELECT}[5m]))',
  },
  { panel: 'Up', query: 'sum(up{SELECT})' },
  { panel: 'Panics', query: 'sum(coredns_panics_total{SELECT})' },
  { panel: 'RPC Rate', query: 'sum(rate(coredns_dns_responses_total{SELECT}[1m])) by (rcode)' },
  { panel: 'Requests (by qtype)', query: 'sum(rate(coredns_dns_requests_total{SELECT}[1m])) by (type)' },
  { panel: 'Requests (by zone)', query: 'sum(rate(coredns_dns_requests_total{SELECT}[1m])) by (zone)' },
  ...quantiles(
    'Kubernetes DNS programming duration',
    'coredns_kubernetes_dns_programming_duration_seconds',
    'SELECT',
    'service_kind, le',
    ['0.99', '0.50'],
  ),
  { panel: 'Plugins Enabled', query: 'count(sum(coredns_plugin_enabled{SELECT}) by (name))' },
  ...quantiles('Request size', 'coredns_dns_request_size_bytes', 'SELECT', 'server, zone, proto, le', ['0.99', '0.50']),
  ...quantiles('Response size', 'coredns_dns_response_size_bytes', 'SELECT', 'server, zone, proto, le', [
    '0.99',
    '0.50',
  ]),
  {
    panel: 'Cached',
    query:
      'sum(coredns_cache_hits_total{SELECT}) / (sum(coredns_cache_misses_total{SELECT}) + sum(coredns_cache_hits_total{SELECT}))',
  },
  { panel: 'Cache hit Rate', query: 'sum(rate(coredns_cache_hits_total{SELECT}[1m])) by (type)' },
  { panel: 'Cache misses', query: 'sum(rate(coredns_cache_misses_total{SELECT}[1m]))' },
  { panel: 'Cache Size', query: 'sum(coredns_cache_entries{SELECT}) by (type)' },
  { panel: 'Memory', query: 'process_resident_memory_bytes{SELECT}' },
  { panel: 'CPU usage', query: 'rate(process_cpu_seconds_total{SELECT}[1m])' },
  { panel: 'Goroutines', query: 'go_goroutines{SELECT}', notHere: 'it is not written in Go' },
  { panel: 'variable: instance', query: 'coredns_build_info{SELECT}' },
];

/** The panels of 5926 and its descendants; `or` falls back to the names before 1.7. */
function panelsOf5926(selector: string): Omit<Expression, 'from'>[] {
  const either = (former: string, query: string) => `${former} or ${query}`;
  const sizes = (metric: string, proto: string) =>
    ['0.99', '0.90', '0.50'].map((q) => ({
      panel: `${metric} ${proto} ${q}`,
      query: `histogram_quantile(${q}, (sum(rate(${metric}{${selector},proto="${proto}"}[5m])) by (proto)) or (sum(rate(${metric}_bucket{${selector},proto="${proto}"}[5m])) by (le,proto)))`,
    }));
  const rate = (metric: string) => `sum(rate(${metric}{${selector}}[5m]))`;
  const total = either(rate('coredns_dns_request_count_total'), rate('coredns_dns_requests_total'));
  const by = (label: string) =>
    either(
      `${rate('coredns_dns_request_count_total')} by (${label})`,
      `${rate('coredns_dns_requests_total')} by (${label})`,
    );
  return [
    { panel: 'Requests (total)', query: by('proto') },
    { panel: 'Requests (by qtype)', query: by('type') },
    { panel: 'Requests (by zone)', query: by('zone') },
    {
      panel: 'Requests (DO bit)',
      query: either(rate('coredns_dns_request_do_count_total'), rate('coredns_dns_do_requests_total')),
    },
    { panel: 'Requests (DO bit), total', query: total },
    ...sizes('coredns_dns_request_size_bytes', 'udp'),
    ...sizes('coredns_dns_request_size_bytes', 'tcp'),
    {
      panel: 'Responses (by rcode)',
      query: either(
        `${rate('coredns_dns_response_rcode_count_total')} by (rcode)`,
        `${rate('coredns_dns_responses_total')} by (rcode)`,
      ),
    },
    ...['0.99', '0.90', '0.50'].map((q) => ({
      panel: `Responses (duration) ${q}`,
      query: `histogram_quantile(${q}, sum(rate(coredns_dns_request_duration_seconds_bucket{${selector}}[5m])) by (le, job))`,
    })),
    ...sizes('coredns_dns_response_size_bytes', 'udp'),
    ...sizes('coredns_dns_response_size_bytes', 'tcp'),
    {
      panel: 'Cache (size)',
      query: either(
        `sum(coredns_cache_size{${selector}}) by (type)`,
        `sum(coredns_cache_entries{${selector}}) by (type)`,
      ),
    },
    { panel: 'Cache (hitrate), hits', query: `${rate('coredns_cache_hits_total')} by (type)` },
    { panel: 'Cache (hitrate), misses', query: `${rate('coredns_cache_misses_total')} by (type)` },
  ];
}

/** Panels of 5926 whose metrics CoreDNS renamed: they have shown nothing since. */
const OLD_5926 = gone(
  [
    'coredns_dns_request_count_total',
    'coredns_dns_request_type_count_total',
    'coredns_dns_request_do_count_total',
    'coredns_dns_response_rcode_count_total',
    'coredns_cache_size',
  ].map((metric) => ({ panel: metric, query: `sum(${metric}{SELECT})`, notHere: RENAMED_1_7 })),
  RENAMED_1_7,
);

const DOTDC = [
  { panel: 'Health', query: 'sum(up{SELECT})' },
  { panel: 'CPU', query: 'sum(rate(process_cpu_seconds_total{SELECT}[1m])) by (instance)' },
  { panel: 'Memory', query: 'sum(process_resident_memory_bytes{SELECT}) by (instance)' },
  { panel: 'Total DNS Requests', query: 'sum(rate(coredns_dns_requests_total{SELECT,proto="udp"}[1m]))' },
  {
    panel: 'Average Packet Size',
    query: 'avg(rate(coredns_dns_request_size_bytes_sum{SELECT,proto="udp"}[1m])) by (proto)',
  },
  { panel: 'Requests by type', query: 'sum(rate(coredns_dns_requests_total{SELECT}[1m])) by (type)' },
  { panel: 'Requests by return code', query: 'sum(rate(coredns_dns_responses_total{SELECT}[1m])) by (rcode)' },
  ...gone(
    [
      { panel: 'Total Forward Requests', query: 'sum(rate(coredns_forward_requests_total{SELECT}[1m]))' },
      {
        panel: 'DNS Errors',
        query: 'sum(rate(coredns_forward_responses_total{SELECT,rcode=~"SERVFAIL|REFUSED"}[1m])) by (rcode)',
      },
    ],
    RENAMED_1_11,
  ),
  { panel: 'Cache Hits', query: 'sum(rate(coredns_cache_hits_total{SELECT}[1m])) by (type)' },
  { panel: 'Cache Misses', query: 'sum(rate(coredns_cache_misses_total{SELECT}[1m])) by (type)' },
  { panel: 'Cache Size', query: 'sum(coredns_cache_entries{SELECT}) by (type)' },
  { panel: 'variable: protocol', query: 'count(coredns_dns_requests_total{SELECT}) by (proto)' },
];

/** What has taken the place of the metrics of `forward`. */
const PROXY = [
  ...quantiles('upstream latency', 'coredns_proxy_request_duration_seconds', 'SELECT', 'to, proxy_name, le', ['0.99']),
  { panel: 'Forward Requests', query: 'sum(rate(coredns_proxy_request_duration_seconds_count{SELECT}[1m])) by (to)' },
  { panel: 'Forward rcodes', query: 'sum(coredns_proxy_request_duration_seconds_count{SELECT}) by (rcode)' },
  { panel: 'health checks', query: 'sum(coredns_proxy_healthcheck_failures_total{SELECT}) by (to, proxy_name)' },
  { panel: 'connection cache', query: 'sum(coredns_proxy_conn_cache_misses_total{SELECT}) by (to, proto)' },
  { panel: 'rejects', query: 'coredns_forward_max_concurrent_rejects_total{SELECT}' },
  { panel: 'reload failures', query: 'coredns_reload_failed_total{SELECT}' },
  { panel: 'hosts', query: 'coredns_hosts_entries{SELECT}' },
  { panel: 'hosts read', query: 'coredns_hosts_reload_timestamp_seconds{SELECT}' },
  ...quantiles('health', 'coredns_health_request_duration_seconds', 'SELECT', 'le', ['0.99']),
  { panel: 'descriptors', query: 'process_open_fds{SELECT} / process_max_fds{SELECT}' },
];

const from = (source: string, expressions: readonly Omit<Expression, 'from'>[]): Expression[] =>
  expressions.map((one) => ({ from: source, ...one }));

export const EXPRESSIONS: readonly Expression[] = [
  ...from('mixin', MIXIN),
  ...from('14981', panelsOf5926('SELECT,instance=~".*"')),
  ...from('15762', DOTDC),
  ...from('5926', [...panelsOf5926('SELECT'), ...OLD_5926]),
  ...from('kube', panelsOf5926('SELECT,cluster=~".*",instance=~".*"')),
  ...from('CoreDNS 1.15', PROXY),
];
