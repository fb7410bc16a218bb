// Counts the metrics of metric-table.ts and renders them for Prometheus. The data plane counts in shared memory
// (plane/counters.ts), which is read at each scrape.
import { METRICS, type MetricName, type MetricSpec } from './metric-table.ts';

export interface Metrics {
  /** Requesting a name again returns the same metric. */
  counter(name: MetricName<'counter'>): Counter;
  gauge(name: MetricName<'gauge'>): Gauge;
  histogram(name: MetricName<'histogram'>, upperBounds: readonly number[]): Histogram;
  /** Adds values that are read at each scrape. Returns the function that removes them. */
  collect(read: () => Iterable<Reading>): () => void;
  /** Prometheus text exposition format 0.0.4. */
  render(): string;
}

/** A value as it is read at a scrape. `labels` are the labels' values in the order of the table. */
export interface Reading {
  readonly name: MetricName;
  readonly labels?: readonly string[];
  readonly value: number | Distribution;
}

/** `counts` has one element more than `upperBounds`, for values above all of them. */
export interface Distribution {
  readonly upperBounds: readonly number[];
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}

export interface Counter {
  inc(n?: number, ...labelValues: string[]): void;
}

export interface Gauge {
  set(value: number, ...labelValues: string[]): void;
  /** Removes one combination of labels, when its subject is gone. */
  remove(...labelValues: string[]): void;
}

export interface Histogram {
  observe(value: number, ...labelValues: string[]): void;
}

/** Combinations of labels kept of one metric; further ones are added up under "other" (labels can come from outside). */
const MAX_SERIES = 1_000;

export function createMetrics(): Metrics {
  const counted = new Map<MetricName, Series<number> | Series<Observed>>();
  const collectors = new Set<() => Iterable<Reading>>();

  function seriesOf<Value extends number | Observed>(name: MetricName, zero: () => Value): Series<Value> {
    const series = (counted.get(name) as Series<Value> | undefined) ?? createSeries(METRICS[name], zero);
    counted.set(name, series as Series<number> | Series<Observed>);
    return series;
  }

  return {
    counter(name) {
      const series = seriesOf<number>(name, () => 0);
      return { inc: (n = 1, ...labels) => series.update(labels, (value) => value + n) };
    },
    gauge(name) {
      const series = seriesOf<number>(name, () => 0);
      return {
        set: (value, ...labels) => series.update(labels, () => value),
        remove: (...labels) => series.remove(labels),
      };
    },
    histogram(name, upperBounds) {
      const series = seriesOf<Observed>(name, () => ({
        upperBounds,
        counts: new Array<number>(upperBounds.length + 1).fill(0),
        sum: 0,
      }));
      return { observe: (value, ...labels) => series.update(labels, (seen) => observed(seen, value)) };
    },
    collect(read) {
      collectors.add(read);
      return () => void collectors.delete(read);
    },
    render() {
      const own = [...counted].flatMap(([name, series]) => series.readings(name));
      return renderReadings([...own, ...[...collectors].flatMap((read) => [...read()])]);
    },
  };
}

/** In table order; HELP and TYPE of a name appear once, whoever counts it. */
export function renderReadings(readings: readonly Reading[]): string {
  const byName = new Map<MetricName, Reading[]>();
  for (const reading of readings) {
    const same = byName.get(reading.name);
    if (same === undefined) byName.set(reading.name, [reading]);
    else same.push(reading);
  }
  return (Object.keys(METRICS) as MetricName[])
    .filter((name) => byName.has(name))
    .map((name) => {
      const { help, type } = METRICS[name];
      return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${byName.get(name)!.map(renderReading).join('')}`;
    })
    .join('');
}

function renderReading({ name, labels = [], value }: Reading): string {
  const pairs = METRICS[name].labels.map((label, i): [string, string] => [label, labels[i] ?? '']);
  if (typeof value === 'number') return line(name, pairs, value);
  const bounds = [...value.upperBounds.map(renderValue), '+Inf'];
  let below = 0;
  const buckets = bounds.map((le, i) => {
    below += value.counts[i];
    return line(`${name}_bucket`, [...pairs, ['le', le]], below);
  });
  return [...buckets, line(`${name}_sum`, pairs, value.sum), line(`${name}_count`, pairs, below)].join('');
}

function line(name: string, labels: readonly (readonly [string, string])[], value: number): string {
  const pairs = labels.map(([label, text]) => `${label}="${escapeLabel(text)}"`).join(',');
  return `${name}${pairs === '' ? '' : `{${pairs}}`} ${renderValue(value)}\n`;
}

interface Observed extends Distribution {
  readonly counts: number[];
  sum: number;
}

function observed(seen: Observed, value: number): Observed {
  const bucket = seen.upperBounds.findIndex((bound) => value <= bound);
  seen.counts[bucket < 0 ? seen.upperBounds.length : bucket]++;
  seen.sum += value;
  return seen;
}

/** The values of one metric by their labels. */
interface Series<Value> {
  update(labels: readonly string[], change: (value: Value) => Value): void;
  remove(labels: readonly string[]): void;
  readings(name: MetricName): Reading[];
}

function createSeries<Value extends number | Observed>(spec: MetricSpec, zero: () => Value): Series<Value> {
  const values = new Map<string, { readonly labels: readonly string[]; value: Value }>();
  const keyOf = (labels: readonly string[]) => labels.join('\0');
  return {
    update(given, change) {
      const isOver = values.size >= MAX_SERIES && !values.has(keyOf(given));
      const labels = isOver ? spec.labels.map(() => 'other') : given;
      const known = values.get(keyOf(labels));
      if (known === undefined) values.set(keyOf(labels), { labels, value: change(zero()) });
      else known.value = change(known.value);
    },
    remove: (labels) => void values.delete(keyOf(labels)),
    readings: (name) => [...values.values()].map(({ labels, value }) => ({ name, labels, value })),
  };
}

function renderValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

const escapeHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string) => escapeHelp(text).replaceAll('"', '\\"');
