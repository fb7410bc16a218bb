// GET /top: the most frequent names and clients.
import { formatIp } from '../dns/ip.ts';
import { formatName } from '../dns/name.ts';
import type { PodAddresses } from '../history/pod-addresses.ts';
import type { TopPeriod, TopQueries } from '../history/top-queries.ts';
import { TOP_VIEWS, type TopView } from '../plane/tally.ts';
import { type Endpoint, json, text } from './endpoint.ts';

/** One view for people; the response to GET /top is a list of these. */
export interface TopList {
  readonly view: TopView;
  readonly over: TopPeriod;
  /** Seconds of it observed so far. */
  readonly seconds: number;
  /** Of the server, estimated. */
  readonly queries: number;
  readonly entries: readonly TopLine[];
}

export interface TopLine {
  /** With the escapes of zone files; or an address. */
  readonly key: string;
  /** Estimated; at most `error` too many, apart from the chance of sampling. */
  readonly count: number;
  readonly error: number;
  readonly perSecond: number;
  readonly pod?: string;
  readonly namespace?: string;
}

const MAX_LIMIT = 500;

export type TopReading = (view: TopView, over: TopPeriod, limit: number) => TopList;

export const topReading =
  (queries: TopQueries, addresses: PodAddresses): TopReading =>
  (view, over, limit) => {
    const { seconds, queries: total, entries } = queries.top(view, over, limit);
    const lines = entries.map(({ key, count, error }): TopLine => {
      const isClient = view === 'clients';
      const label = isClient ? formatIp(key) : formatName(key);
      const perSecond = count / Math.max(1, seconds);
      return {
        ...{
          key: label,
          count: Math.round(count),
          error: Math.round(error),
          perSecond: perSecond < 1 ? Number(perSecond.toPrecision(1)) : Math.round(perSecond * 10) / 10,
        },
        ...(isClient && addresses.find(label)),
      };
    });
    return { view, over, seconds: Math.round(seconds), queries: Math.round(total), entries: lines };
  };

/** `?view=` names, clients, nxdomain or servfail (default: all of them), `?over=` minute or hour, `?limit=`. */
export function topEndpoint(read: TopReading, isCounted: () => boolean): Endpoint {
  return {
    path: '/top',
    methods: ['GET'],
    handle({ query }) {
      if (!isCounted()) return text(409, 'queries are not counted: `topQueries` is false');
      const { view, over = 'minute', limit = '20', ...others } = Object.fromEntries(query);
      const [unknown] = Object.keys(others);
      if (unknown !== undefined) return text(400, 'unknown parameter: expected view, over or limit');
      if (view !== undefined && !isOneOf(TOP_VIEWS, view)) return text(400, `view: expected ${TOP_VIEWS.join(', ')}`);
      if (!isOneOf(['minute', 'hour'] as const, over)) return text(400, 'over: expected minute or hour');
      if (!/^\d{1,6}$/.test(limit)) return text(400, `limit: expected a whole number, ${MAX_LIMIT} at most`);
      const views = view === undefined ? TOP_VIEWS : [view];
      return json(
        200,
        views.map((one) => read(one, over, Math.min(MAX_LIMIT, Number(limit)))),
      );
    },
  };
}

const isOneOf = <Word extends string>(words: readonly Word[], word: string): word is Word =>
  (words as readonly string[]).includes(word);
