import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMetrics } from '../src/metrics.ts';

test('counters, gauges and histograms are rendered as Prometheus text with HELP and TYPE', () => {
  const metrics = createMetrics();
  const relists = metrics.counter('relists_total', 'Lists started anew.', ['source']);
  relists.inc();
  relists.inc(2, 'a');
  relists.inc(1, 'a');
  metrics.gauge('instances', 'Instances known.', [], () => 7);
  const seconds = metrics.histogram('pass_seconds', 'Time of a pass.', [0.1, 1], ['room']);
  for (const value of [0.05, 0.5, 5]) seconds.observe(value, 'health');
  assert.equal(
    metrics.render(),
    `# HELP relists_total Lists started anew.
# TYPE relists_total counter
relists_total{source=""} 1
relists_total{source="a"} 3
# HELP instances Instances known.
# TYPE instances gauge
instances 7
# HELP pass_seconds Time of a pass.
# TYPE pass_seconds histogram
pass_seconds_bucket{room="health",le="0.1"} 1
pass_seconds_bucket{room="health",le="1"} 2
pass_seconds_bucket{room="health",le="+Inf"} 3
pass_seconds_sum{room="health"} 5.55
pass_seconds_count{room="health"} 3
`,
  );
});

test('a label value cannot leave its quotes, whatever it holds', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const metrics = createMetrics();
      metrics.counter('c_total', 'help', ['l']).inc(1, value);
      const line = metrics.render().split('\n').slice(2, -1);
      assert.equal(line.length, 1);
      const quoted = /^c_total\{l="((?:[^"\\\n]|\\["\\n])*)"\} 1$/.exec(line[0]);
      assert.ok(quoted);
      assert.equal(
        quoted[1].replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped)),
        value,
      );
    }),
  );
});

test('a metric asked for twice is one metric, and a different one under its name is an error', () => {
  const metrics = createMetrics();
  metrics.counter('c_total', 'help').inc();
  metrics.counter('c_total', 'help').inc();
  assert.match(metrics.render(), /^c_total 2$/m);
  assert.throws(() => metrics.gauge('c_total', 'help'), /c_total is a counter/);
  assert.throws(() => metrics.counter('c_total', 'help', ['label']), /already/);
  assert.throws(() => metrics.counter('c-total', 'help'), /not a metric name/);
});

test('combinations of labels beyond the limit are added up under "other"', () => {
  const metrics = createMetrics();
  const counter = metrics.counter('c_total', 'help', ['l']);
  for (let index = 0; index < 1_500; index++) counter.inc(1, `v${index}`);
  const lines = metrics.render().split('\n');
  assert.ok(lines.length < 1_010);
  assert.ok(lines.includes('c_total{l="other"} 500'));
});

test('collected families share one HELP and TYPE and go away when taken back', () => {
  const metrics = createMetrics();
  const family = (value: number) => ({
    name: 'thread_total',
    help: 'By thread.',
    type: 'counter' as const,
    samples: [{ labels: { thread: String(value) }, value }],
  });
  const takeBack = metrics.collect(() => [family(0), family(1)]);
  assert.equal(
    metrics.render(),
    '# HELP thread_total By thread.\n# TYPE thread_total counter\nthread_total{thread="0"} 0\nthread_total{thread="1"} 1\n',
  );
  takeBack();
  assert.equal(metrics.render(), '');
});

test('a gauge forgets the labels of what is gone', () => {
  const metrics = createMetrics();
  const gauge = metrics.gauge('age_seconds', 'help', ['source']);
  gauge.set(1, 'a');
  gauge.set(2, 'b');
  gauge.remove('a');
  assert.doesNotMatch(metrics.render(), /source="a"/);
  assert.match(metrics.render(), /age_seconds\{source="b"\} 2/);
});
