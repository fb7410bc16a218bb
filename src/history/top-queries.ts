// The most frequent names and clients of the last minute and hour: the merged tallies of the data threads. Bounded in time and size;
// entries beyond a bound are rarer than all that are kept.
import type { Clock } from '../clock.ts';
import { decodeTally, TOP_VIEWS, type TopView } from '../plane/tally.ts';

export type TopPeriod = 'minute' | 'hour';

export interface TopEntry {
  /** A name in wire format and lower case, or an address of 4 or 16 bytes. */
  readonly key: Uint8Array;
  /** Estimated: at most `error` too many, apart from the chance of sampling. */
  readonly count: number;
  readonly error: number;
}

export interface Top {
  /** Seconds of the period observed so far. */
  readonly seconds: number;
  /** All queries, including those not sampled. */
  readonly queries: number;
  /** The most frequent first. */
  readonly entries: readonly TopEntry[];
}

export interface TopQueries {
  /** Takes in a tally (plane/tally.ts). */
  add(bytes: ArrayBuffer): void;
  top(view: TopView, period: TopPeriod, limit: number): Top;
}

/** Times of the windows that a period consists of. */
const PERIODS = { minute: { windowMs: 5_000, windows: 12 }, hour: { windowMs: 300_000, windows: 12 } } as const;
/** Keys of one view in one window: beyond MOST_KEYS only the KEPT_KEYS most frequent stay. */
const MOST_KEYS = 2_048;
const KEPT_KEYS = 1_024;

interface Counted {
  count: number;
  error: number;
}

interface Window {
  readonly number: number;
  readonly sinceMs: number;
  queries: number;
  /** By the bytes of the keys as latin1. */
  readonly views: Readonly<Record<TopView, Map<string, Counted>>>;
}

export function createTopQueries(clock: Pick<Clock, 'monotonicMs'>): TopQueries {
  const windows: Record<TopPeriod, Window[]> = { minute: [], hour: [] };

  /** The current window, after those that are too old have been dropped. */
  function windowOf(period: TopPeriod, seconds: number): Window {
    const { windowMs } = PERIODS[period];
    const nowMs = clock.monotonicMs();
    const number = Math.floor(nowMs / windowMs);
    const known = recent(period).at(-1);
    if (known?.number === number) return known;
    const views = Object.fromEntries(TOP_VIEWS.map((view) => [view, new Map()])) as unknown as Window['views'];
    const fresh = { number, sinceMs: nowMs - seconds * 1_000, queries: 0, views };
    windows[period].push(fresh);
    return fresh;
  }

  function recent(period: TopPeriod): readonly Window[] {
    const { windowMs, windows: count } = PERIODS[period];
    const oldest = Math.floor(clock.monotonicMs() / windowMs) - count;
    windows[period] = windows[period].filter(({ number }) => number > oldest);
    return windows[period];
  }

  return {
    add(bytes) {
      const tally = decodeTally(bytes);
      for (const period of ['minute', 'hour'] as const) {
        const window = windowOf(period, tally.seconds);
        window.queries += tally.queries;
        for (const view of TOP_VIEWS) {
          const counts = window.views[view];
          for (const { key, count, error } of tally.views[view]) addTo(counts, latin1(key), count, error);
          if (counts.size > MOST_KEYS) for (const [key] of sorted(counts).slice(KEPT_KEYS)) counts.delete(key);
        }
      }
    },
    top(view, period, limit) {
      const all = recent(period);
      const merged = new Map<string, Counted>();
      for (const { views } of all) for (const [key, { count, error }] of views[view]) addTo(merged, key, count, error);
      const [oldest] = all;
      return {
        seconds: oldest === undefined ? 0 : (clock.monotonicMs() - oldest.sinceMs) / 1_000,
        queries: all.reduce((sum, { queries }) => sum + queries, 0),
        entries: sorted(merged)
          .slice(0, limit)
          .map(([key, counted]) => ({ key: Buffer.from(key, 'latin1'), ...counted })),
      };
    },
  };
}

function addTo(counts: Map<string, Counted>, key: string, count: number, error: number): void {
  const known = counts.get(key);
  if (known === undefined) counts.set(key, { count, error });
  else {
    known.count += count;
    known.error += error;
  }
}

const sorted = (counts: ReadonlyMap<string, Counted>): [string, Counted][] =>
  [...counts].sort(([, one], [, other]) => other.count - one.count);

const latin1 = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('latin1');
