// Queries, response codes, cache and latency of the last hour: what the counters of the data threads have grown by in each step.
// A ring of fixed size, whatever is served.
import type { Clock, Timer } from '../clock.ts';
import type { MetricName } from '../metric-table.ts';
import type { Distribution, Reading } from '../metrics.ts';

export const LOAD_SERIES = [
  'queries', // per second, as are those up to `otherCodes`
  'forwarded',
  'noerror',
  'nxdomain',
  'servfail',
  'refused',
  'otherCodes',
  'cachePercent', // of the questions to the cache
  'medianMs', // from query to response
  'slowMs', // 99 of 100 were faster
] as const;
export type LoadSeries = (typeof LOAD_SERIES)[number];

export interface Load {
  readonly stepSeconds: number;
  /** Wall-clock milliseconds of the end of the last step. */
  readonly endMs: number;
  /** One for each step, the last one last; null: not known. */
  readonly series: Readonly<Record<LoadSeries, readonly (number | null)[]>>;
}

export const LOAD_STEPS = 240;
const STEP_MS = 15_000;

export interface LoadHistory {
  current(): Load;
  /** Ends a step now. */
  step(): void;
  stop(): void;
}

/** What has been counted since the start. */
interface Totals {
  readonly atMs: number;
  readonly counted: ReadonlyMap<string, number>;
  readonly latency: Distribution | undefined;
}

export function createLoadHistory(
  read: () => Iterable<Reading>,
  clock: Pick<Clock, 'now' | 'monotonicMs' | 'setTimeout'>,
): LoadHistory {
  const rings = Object.fromEntries(
    LOAD_SERIES.map((name) => [name, new Float64Array(LOAD_STEPS).fill(Number.NaN)]),
  ) as Record<LoadSeries, Float64Array>;
  let next = 0;
  let endMs = clock.now();
  let before = totalsOf(read(), clock.monotonicMs());
  let timer: Timer = clock.setTimeout(tick, STEP_MS);

  function tick(): void {
    step();
    timer = clock.setTimeout(tick, STEP_MS);
  }

  function step(): void {
    const after = totalsOf(read(), clock.monotonicMs());
    // A suspended process has no data for the time in between.
    const missed = Math.min(LOAD_STEPS, Math.round((after.atMs - before.atMs) / STEP_MS) - 1);
    for (let index = 0; index < missed; index++) write({});
    write(valuesOf(before, after));
    before = after;
    endMs = clock.now();
  }

  function write(values: Partial<Record<LoadSeries, number>>): void {
    for (const name of LOAD_SERIES) rings[name][next] = values[name] ?? Number.NaN;
    next = (next + 1) % LOAD_STEPS;
  }

  return {
    current: () => ({
      ...{ stepSeconds: STEP_MS / 1_000, endMs },
      series: Object.fromEntries(
        LOAD_SERIES.map((name) => [name, inOrder(rings[name], next)]),
      ) as unknown as Load['series'],
    }),
    step,
    stop: () => timer.cancel(),
  };
}

const inOrder = (ring: Float64Array, next: number): (number | null)[] =>
  Array.from(ring, (_, index) => ring[(next + index) % LOAD_STEPS]).map((value) =>
    Number.isNaN(value) ? null : value,
  );

/** Metrics that are added up, each under the name of what it is added to. */
const SUMS: Partial<Record<MetricName, (labels: readonly string[]) => string>> = {
  healthdns_dns_requests_total: () => 'queries',
  healthdns_dns_forwarded_total: () => 'forwarded',
  healthdns_dns_responses_total: ([rcode]) => CODES[rcode] ?? 'otherCodes',
  healthdns_cache_hits_total: () => 'hits',
  healthdns_cache_misses_total: () => 'misses',
};
const CODES: Readonly<Record<string, LoadSeries>> = {
  NOERROR: 'noerror',
  NXDOMAIN: 'nxdomain',
  SERVFAIL: 'servfail',
  REFUSED: 'refused',
};
const LATENCY: MetricName = 'healthdns_dns_request_duration_seconds';

function totalsOf(readings: Iterable<Reading>, atMs: number): Totals {
  const counted = new Map<string, number>();
  let latency: Distribution | undefined;
  for (const { name, labels = [], value } of readings) {
    if (typeof value !== 'number') {
      if (name === LATENCY) latency = latency === undefined ? value : sumOf(latency, value);
      continue;
    }
    const of = SUMS[name]?.(labels);
    if (of !== undefined) counted.set(of, (counted.get(of) ?? 0) + value);
  }
  return { atMs, counted, latency };
}

const sumOf = ({ upperBounds, counts, sum }: Distribution, other: Distribution): Distribution => ({
  upperBounds,
  counts: Array.from(counts, (count, index) => count + other.counts[index]),
  sum: sum + other.sum,
});

function valuesOf(before: Totals, after: Totals): Partial<Record<LoadSeries, number>> {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000);
  // Counters of a thread that died begin anew.
  const grown = (of: string) => Math.max(0, (after.counted.get(of) ?? 0) - (before.counted.get(of) ?? 0));
  const rates = ['queries', 'forwarded', 'noerror', 'nxdomain', 'servfail', 'refused', 'otherCodes'] as const;
  const asked = grown('hits') + grown('misses');
  const times = grownTimes(before.latency, after.latency);
  return {
    ...Object.fromEntries(rates.map((name) => [name, rounded(grown(name) / seconds)])),
    ...(asked > 0 && { cachePercent: rounded((100 * grown('hits')) / asked) }),
    ...(times && { medianMs: quantileMs(times, 0.5), slowMs: quantileMs(times, 0.99) }),
  };
}

/** undefined: nothing was measured. */
function grownTimes(before: Distribution | undefined, after: Distribution | undefined): Distribution | undefined {
  if (after === undefined) return undefined;
  const counts = Array.from(after.counts, (count, index) => Math.max(0, count - (before?.counts[index] ?? 0)));
  return counts.some((count) => count > 0) ? { ...after, counts } : undefined;
}

/** As Prometheus's histogram_quantile: linear within a bucket. */
function quantileMs({ upperBounds, counts }: Distribution, quantile: number): number {
  const all = Array.from(counts);
  let left = quantile * all.reduce((sum, count) => sum + count, 0);
  for (let index = 0; index < upperBounds.length; index++) {
    const count = all[index];
    const low = index === 0 ? 0 : upperBounds[index - 1];
    if (count > 0 && left <= count) return rounded(1_000 * (low + (upperBounds[index] - low) * (left / count)));
    left -= count;
  }
  return rounded(1_000 * upperBounds[upperBounds.length - 1]);
}

/** Three digits: more are noise, and bytes. */
const rounded = (value: number): number => Number(value.toPrecision(3));
