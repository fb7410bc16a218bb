// Metrics of the control plane, and the text that Prometheus scrapes. The data plane counts in shared memory
// (plane/counters.ts) and is read when scraped.

/** What a scrape shows of one metric. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: Iterable<Sample>;
}

export interface Sample {
  /** Appended to the family's name: "_sum", "_count", "_bucket". */
  readonly suffix?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metrics {
  /** Asking again for a name gives the same metric. Throws where type or labels differ from the first time. */
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  /** With `read`, the value is asked for at each scrape; then there are no labels. */
  gauge(name: string, help: string, labels?: readonly string[], read?: () => number): Gauge;
  histogram(name: string, help: string, upperBounds: readonly number[], labels?: readonly string[]): Histogram;
  /** Adds families computed at each scrape. Returns how to take them away again. */
  collect(families: () => Iterable<Family>): () => void;
  /** Prometheus text exposition format 0.0.4. */
  render(): string;
}

export interface Counter {
  inc(n?: number, ...labelValues: string[]): void;
}

export interface Gauge {
  set(value: number, ...labelValues: string[]): void;
  /** Forgets one combination of labels, when what it spoke of is gone. */
  remove(...labelValues: string[]): void;
}

export interface Histogram {
  observe(value: number, ...labelValues: string[]): void;
}

/** Combinations of labels kept of one metric; further ones are added up under "other" (labels can come from outside). */
const MAX_SERIES = 1_000;

export function createMetrics(): Metrics {
  const registered = new Map<string, Registered>();
  const collectors = new Set<() => Iterable<Family>>();

  const register = <T>(type: Family['type'], name: string, help: string, labels: readonly string[], make: Make<T>) => {
    const known = registered.get(name);
    if (known !== undefined) {
      if (known.type !== type || known.labels.join() !== labels.join()) {
        throw new Error(`metric ${name} is a ${known.type} with labels [${known.labels}] already`);
      }
      return known.handle as T;
    }
    checkName(name);
    const { handle, samples } = make(createSeries(labels));
    registered.set(name, { name, help, type, labels, handle, samples });
    return handle;
  };

  return {
    counter: (name, help, labels = []) => register('counter', name, help, labels, makeCounter),
    gauge: (name, help, labels = [], read) => register('gauge', name, help, labels, makeGauge(read)),
    histogram: (name, help, upperBounds, labels = []) =>
      register('histogram', name, help, labels, makeHistogram(upperBounds)),
    collect(families) {
      collectors.add(families);
      return () => void collectors.delete(families);
    },
    render() {
      const own = [...registered.values()].map((metric) => ({ ...metric, samples: metric.samples() }));
      return renderFamilies([...own, ...[...collectors].flatMap((families) => [...families()])]);
    },
  };
}

/** Families of one name are merged: HELP and TYPE may stand only once. */
export function renderFamilies(families: readonly Family[]): string {
  const merged = new Map<string, { head: string; lines: string[] }>();
  for (const { name, help, type, samples } of families) {
    const head = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    const entry = merged.get(name) ?? { head, lines: [] };
    merged.set(name, entry);
    for (const sample of samples) {
      entry.lines.push(`${name}${sample.suffix ?? ''}${renderLabels(sample.labels)} ${renderValue(sample.value)}\n`);
    }
  }
  return [...merged.values()].map(({ head, lines }) => head + lines.join('')).join('');
}

interface Registered {
  readonly name: string;
  readonly help: string;
  readonly type: Family['type'];
  readonly labels: readonly string[];
  readonly handle: unknown;
  readonly samples: () => Sample[];
}

type Make<T> = (series: Series) => { handle: T; samples: () => Sample[] };

interface Series {
  /** The labels' values as one object, one for each combination. */
  key(labelValues: readonly string[]): string;
  labelsOf(key: string): Record<string, string>;
  forget(key: string): void;
}

function createSeries(labels: readonly string[]): Series {
  const known = new Map<string, Record<string, string>>();
  const named = (values: readonly string[]) =>
    Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));
  return {
    key(labelValues) {
      const key = labelValues.length === 1 ? labelValues[0] : labelValues.join('\0');
      if (known.has(key)) return key;
      if (known.size < MAX_SERIES) {
        known.set(key, named(labelValues));
        return key;
      }
      const overflow = labels.map(() => 'other').join('\0');
      known.set(overflow, named(labels.map(() => 'other')));
      return overflow;
    },
    labelsOf: (key) => known.get(key) ?? {},
    forget: (key) => void known.delete(key),
  };
}

const makeCounter: Make<Counter> = (series) => {
  const values = new Map<string, number>();
  return {
    handle: {
      inc(n = 1, ...labelValues) {
        const key = series.key(labelValues);
        values.set(key, (values.get(key) ?? 0) + n);
      },
    },
    samples: () => [...values].map(([key, value]) => ({ labels: series.labelsOf(key), value })),
  };
};

const makeGauge =
  (read: (() => number) | undefined): Make<Gauge> =>
  (series) => {
    const values = new Map<string, number>();
    return {
      handle: {
        set: (value, ...labelValues) => void values.set(series.key(labelValues), value),
        remove(...labelValues) {
          const key = series.key(labelValues);
          values.delete(key);
          series.forget(key);
        },
      },
      samples: () =>
        read === undefined
          ? [...values].map(([key, value]) => ({ labels: series.labelsOf(key), value }))
          : [{ labels: {}, value: read() }],
    };
  };

const makeHistogram =
  (upperBounds: readonly number[]): Make<Histogram> =>
  (series) => {
    const values = new Map<string, { counts: Float64Array; sum: number; count: number }>();
    return {
      handle: {
        observe(value, ...labelValues) {
          const key = series.key(labelValues);
          const entry = values.get(key) ?? { counts: new Float64Array(upperBounds.length), sum: 0, count: 0 };
          values.set(key, entry);
          const bucket = upperBounds.findIndex((bound) => value <= bound);
          if (bucket >= 0) entry.counts[bucket]++;
          entry.sum += value;
          entry.count++;
        },
      },
      samples: () => [...values].flatMap(([key, entry]) => histogramSamples(series.labelsOf(key), upperBounds, entry)),
    };
  };

function histogramSamples(
  labels: Record<string, string>,
  upperBounds: readonly number[],
  { counts, sum, count }: { counts: Float64Array; sum: number; count: number },
): Sample[] {
  let below = 0;
  const buckets = upperBounds.map((bound, index) => {
    below += counts[index];
    return { suffix: '_bucket', labels: { ...labels, le: renderValue(bound) }, value: below };
  });
  return [
    ...buckets,
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count },
    { suffix: '_sum', labels, value: sum },
    { suffix: '_count', labels, value: count },
  ];
}

function checkName(name: string): void {
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new Error(`"${name}" is not a metric name`);
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function renderValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

const escapeHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string) => escapeHelp(text).replaceAll('"', '\\"');
