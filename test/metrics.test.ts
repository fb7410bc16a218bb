import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { METRICS, type MetricName } from '../src/metric-table.ts';
import { createMetrics, type Reading, renderReadings } from '../src/metrics.ts';
import { withMetricTables } from './support/reference.ts';
import { requirement } from './support/requirement.ts';

test('counters, gauges and histograms are rendered as Prometheus text, in table order', () => {
  const metrics = createMetrics();
  metrics.collect(() => [{ name: 'healthdns_names', value: 7 }]);
  const reloads = metrics.counter('healthdns_reloads_total');
  reloads.inc();
  reloads.inc(2, 'ok');
  reloads.inc(1, 'ok');
  const seconds = metrics.histogram('healthdns_endpoints_write_seconds', [0.1, 1]);
  for (const value of [0.05, 0.5, 5]) seconds.observe(value);
  assert.equal(
    metrics.render(),
    `# HELP healthdns_names Names served.
# TYPE healthdns_names gauge
healthdns_names 7
# HELP healthdns_endpoints_write_seconds From a change of health to the slice that shows it.
# TYPE healthdns_endpoints_write_seconds histogram
healthdns_endpoints_write_seconds_bucket{le="0.1"} 1
healthdns_endpoints_write_seconds_bucket{le="1"} 2
healthdns_endpoints_write_seconds_bucket{le="+Inf"} 3
healthdns_endpoints_write_seconds_sum 5.55
healthdns_endpoints_write_seconds_count 3
# HELP healthdns_reloads_total Reloads of the configuration.
# TYPE healthdns_reloads_total counter
healthdns_reloads_total{result=""} 1
healthdns_reloads_total{result="ok"} 3
`,
  );
});

test('a value equal to the bound of a bucket is in that bucket', () => {
  const metrics = createMetrics();
  metrics.histogram('healthdns_endpoints_write_seconds', [0.1, 1]).observe(0.1);
  assert.match(metrics.render(), /_bucket\{le="0.1"\} 1$/m);
});

test('a label value cannot escape its quotes', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const metrics = createMetrics();
      metrics.counter('healthdns_reloads_total').inc(1, value);
      const line = metrics.render().split('\n').slice(2, -1);
      assert.equal(line.length, 1);
      const quoted = /^healthdns_reloads_total\{result="((?:[^"\\\n]|\\["\\n])*)"\} 1$/.exec(line[0]);
      assert.ok(quoted);
      assert.equal(
        quoted[1].replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped)),
        value,
      );
    }),
  );
});

test('hostile values of every label of every metric are read by promtool', requirement('prometheus'), () => {
  const hostile = [
    'a"} 1\nevil_total 2\n',
    '\\',
    '\u0000\r\u2028',
    '\ud800',
    '# EOF',
    'x'.repeat(5_000),
    '{{ $labels }}',
  ];
  const readings = (Object.keys(METRICS) as MetricName[]).map((name, i): Reading => {
    const { labels, type } = METRICS[name];
    const values = labels.map((_, j) => hostile[(i + j) % hostile.length]!);
    return { name, labels: values, value: type === 'histogram' ? { upperBounds: [1], counts: [1, 1], sum: 3 } : 1 };
  });
  const input = renderReadings(readings);
  assert.doesNotMatch(input, /^evil/m);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});

test('a label value of any length is bounded', () => {
  const metrics = createMetrics();
  metrics.counter('healthdns_reloads_total').inc(1, 'x'.repeat(100_000));
  assert.ok(metrics.render().length < 2_000);
});

test('requesting a metric twice returns the same metric', () => {
  const metrics = createMetrics();
  metrics.counter('healthdns_endpoints_writes_total').inc();
  metrics.counter('healthdns_endpoints_writes_total').inc();
  assert.match(metrics.render(), /^healthdns_endpoints_writes_total 2$/m);
});

test('label combinations beyond the limit are summed under "other"', () => {
  const metrics = createMetrics();
  const counter = metrics.counter('healthdns_reloads_total');
  for (let index = 0; index < 1_500; index++) counter.inc(1, `v${index}`);
  const lines = metrics.render().split('\n');
  assert.equal(lines.filter((line) => line.startsWith('healthdns_reloads_total')).length, 1_001);
  assert.ok(lines.includes('healthdns_reloads_total{result="other"} 500'));
});

test('collected readings share one HELP and TYPE and disappear once removed', () => {
  const metrics = createMetrics();
  const synced = (source: string): Reading => ({ name: 'healthdns_source_synced', labels: [source], value: 1 });
  const remove = metrics.collect(() => [synced('a'), synced('b')]);
  assert.equal(
    metrics.render(),
    `# HELP healthdns_source_synced ${METRICS.healthdns_source_synced.help}
# TYPE healthdns_source_synced gauge
healthdns_source_synced{source="a"} 1
healthdns_source_synced{source="b"} 1
`,
  );
  remove();
  assert.equal(metrics.render(), '');
});

test('a gauge drops the labels of removed objects', () => {
  const metrics = createMetrics();
  const gauge = metrics.gauge('healthdns_source_stale');
  gauge.set(1, 'a');
  gauge.set(2, 'b');
  gauge.remove('a');
  assert.doesNotMatch(metrics.render(), /source="a"/);
  assert.match(metrics.render(), /healthdns_source_stale\{source="b"\} 2/);
});

test('docs/metrics.md lists every metric of the table', () => {
  const page = readFileSync('docs/metrics.md', 'utf8');
  const outdated = 'docs/metrics.md is out of date: run `npm run compile && node scripts/schema.mjs`';
  assert.ok(withMetricTables(page) === page, outdated);
  for (const name of Object.keys(METRICS)) assert.ok(page.includes(`| \`${name}\` |`), `${name} is in no table`);
});

test('metric names are valid, and exactly the counters end with _total', () => {
  for (const [name, { type }] of Object.entries(METRICS)) {
    assert.match(name, /^[a-z][a-z0-9_]*$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
  }
});
