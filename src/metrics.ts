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
  /** The Prometheus text format 0.0.4, or OpenMetrics 1.0. */
  render(format?: MetricFormat): string;
}

export type MetricFormat = 'text' | 'openmetrics';

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
      const series = seriesOf<Observed>(name, () => emptyDistribution(upperBounds));
      return { observe: (value, ...labels) => series.update(labels, (seen) => observed(seen, value)) };
    },
    collect(read) {
      collectors.add(read);
      return () => void collectors.delete(read);
    },
    render(format = 'text') {
      const own = [...counted].flatMap(([name, series]) => series.readings(name));
      return renderReadings([...own, ...[...collectors].flatMap((read) => [...read()])], format);
    },
  };
}

/** In table order; HELP and TYPE of a name appear once, whoever counts it. */
export function renderReadings(readings: readonly Reading[], format: MetricFormat = 'text'): string {
  const byName = new Map<MetricName, Reading[]>();
  for (const reading of readings) {
    const same = byName.get(reading.name);
    if (same === undefined) byName.set(reading.name, [reading]);
    else same.push(reading);
  }
  let out = '';
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const same = byName.get(name);
    if (same === undefined) continue;
    const { help, type } = METRICS[name];
    // OpenMetrics names a counter without its suffix.
    const family = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
    out += `# HELP ${family} ${escapeHelp(help)}\n# TYPE ${family} ${type}\n`;
    for (const reading of same) out += renderReading(reading);
  }
  return format === 'openmetrics' ? `${out}# EOF\n` : out;
}

function renderReading({ name, labels = [], value }: Reading): string {
  let pairs = '';
  for (const [i, label] of METRICS[name].labels.entries())
    pairs += `${pairs === '' ? '' : ','}${label}="${escapeLabel(labels[i] ?? '')}"`;
  const braced = pairs === '' ? '' : `{${pairs}}`;
  if (typeof value === 'number') return `${name}${braced} ${renderValue(value)}\n`;
  let below = 0;
  let out = '';
  for (let i = 0; i <= value.upperBounds.length; i++) {
    below += value.counts[i];
    const le = renderValue(value.upperBounds[i] ?? Number.POSITIVE_INFINITY);
    out += `${name}_bucket{${pairs === '' ? '' : `${pairs},`}le="${le}"} ${below}\n`;
  }
  return `${out}${name}_sum${braced} ${renderValue(value.sum)}\n${name}_count${braced} ${below}\n`;
}

interface Observed extends Distribution {
  readonly counts: number[];
  sum: number;
}

/** A distribution that several metrics show. */
export function createDistribution(upperBounds: readonly number[]): Distribution & { observe(value: number): void } {
  const seen = emptyDistribution(upperBounds);
  return Object.assign(seen, { observe: (value: number) => void observed(seen, value) });
}

const emptyDistribution = (upperBounds: readonly number[]): Observed => ({
  upperBounds,
  counts: new Array<number>(upperBounds.length + 1).fill(0),
  sum: 0,
});

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

/** No help text has quotes, which only OpenMetrics escapes. */
const escapeHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
/** Names chosen by people (services, files, zones) are at most this long. */
const MAX_LABEL_LENGTH = 1_024;
const NEEDS_ESCAPE = /["\\\n]/;
function escapeLabel(text: string): string {
  const bounded = text.length > MAX_LABEL_LENGTH ? text.slice(0, MAX_LABEL_LENGTH) : text;
  return NEEDS_ESCAPE.test(bounded) ? escapeHelp(bounded).replaceAll('"', '\\"') : bounded;
}
