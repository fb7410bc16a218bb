// Histograms of the data threads' counters: counted under fine bounds, read under the bounds of a metric.
import type { Distribution } from '../metrics.ts';
import { COUNTER, type Counters, DURATION_BOUNDS_US, SIZE_BOUNDS } from './counters.ts';
import { LATENCY_BOUNDS_MS, type ReplyCounters } from './forward-statistics.ts';

export const sumOf = (rows: readonly Counters[], counter: number): number => {
  let sum = 0;
  for (const row of rows) sum += row[counter];
  return sum;
};

/** Under fewer bounds, each of which is one of the finer ones. */
export function coarser(
  fine: readonly number[],
  counts: ArrayLike<number>,
  upperBounds: readonly number[],
  sum: number,
): Distribution {
  const coarse = new Array<number>(upperBounds.length + 1).fill(0);
  let bucket = 0;
  for (let i = 0; i < counts.length; i++) {
    while (bucket < upperBounds.length && (i >= fine.length || fine[i] > upperBounds[bucket])) bucket++;
    coarse[bucket] += counts[i];
  }
  return { upperBounds, counts: coarse, sum };
}

/** `first` is the counter of UDP's smallest, `sum` of UDP's sum. `protos`: 0 for UDP, 1 for TCP. */
function sizes(
  rows: readonly Counters[],
  first: number,
  sum: number,
  protos: readonly (0 | 1)[],
  bounds: readonly number[],
) {
  const counts = SIZE_BOUNDS.map((_, i) =>
    protos.reduce<number>((n, proto) => n + sumOf(rows, first + proto * SIZE_BOUNDS.length + i), 0),
  );
  const total = protos.reduce<number>((n, proto) => n + sumOf(rows, sum + proto), 0);
  return coarser(SIZE_BOUNDS, counts, bounds, total);
}

export const responseSizes = (rows: readonly Counters[], protos: readonly (0 | 1)[], bounds: readonly number[]) =>
  sizes(rows, COUNTER.SIZES, COUNTER.SIZE_SUM, protos, bounds);

export const querySizes = (rows: readonly Counters[], protos: readonly (0 | 1)[], bounds: readonly number[]) =>
  sizes(rows, COUNTER.QUERY_SIZES, COUNTER.QUERY_SIZE_SUM, protos, bounds);

/** `boundsUs` are some of DURATION_BOUNDS_US. The distribution is in seconds. */
export function durations(rows: readonly Counters[], boundsUs: readonly number[]): Distribution {
  const counts = Array.from({ length: DURATION_BOUNDS_US.length + 1 }, (_, i) => sumOf(rows, COUNTER.DURATIONS + i));
  const seconds = sumOf(rows, COUNTER.DURATION_SUM_MS) / 1_000;
  return {
    ...coarser(DURATION_BOUNDS_US, counts, boundsUs, seconds),
    upperBounds: boundsUs.map((bound) => bound / 1_000_000),
  };
}

/** How long upstream servers took, in seconds. */
export function latency(replies: readonly ReplyCounters[]): Distribution {
  const counts = new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0);
  let ms = 0;
  for (const reply of replies) {
    ms += reply.ms;
    for (let i = 0; i < counts.length; i++) counts[i] += reply.buckets[i];
  }
  return { upperBounds: LATENCY_BOUNDS_MS.map((bound) => bound / 1_000), counts, sum: ms / 1_000 };
}

export const countOf = ({ counts }: Distribution): number => {
  let count = 0;
  for (let i = 0; i < counts.length; i++) count += counts[i];
  return count;
};
