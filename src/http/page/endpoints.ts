// GET / and /services: the page, and its updates while it is open. GET /explain/NAME is a page too, where a
// browser asks (http/explain.ts).
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import type { Load } from '../../history/load.ts';
import type { Metrics } from '../../metrics.ts';
import { type Endpoint, formatFor, json, onceASecond, text } from '../endpoint.ts';
import type { ExplainPage } from '../explain.ts';
import { type Assets, readAssets } from './assets.ts';
import { findServices } from './find.ts';
import { askedIn, queryOf } from './links.ts';
import { type LiveSources, liveOf } from './live.ts';
import type { Asked, Found, View } from './model.ts';
import { createStreams, type Streams } from './streams.ts';

export interface PageSources extends LiveSources {
  readonly load: () => Load;
  readonly clock: Pick<Clock, 'monotonicMs' | 'setTimeout'>;
  readonly metrics: Pick<Metrics, 'counter' | 'gauge'>;
}

export interface PageEndpoints {
  readonly endpoints: readonly Endpoint[];
  /** The explanation of a name as a page. */
  readonly explained: ExplainPage;
  readonly streams: Pick<Streams, 'closeAll'>;
}

export function pageEndpoints(sources: PageSources): PageEndpoints {
  const { clock, load, metrics } = sources;
  const assets: Assets = readAssets();
  const search = createSearch(sources);
  const live = onceASecond(clock, () => liveOf(sources));
  const streams = createStreams({
    events: [
      { type: 'live', data: onceASecond(clock, () => JSON.stringify(live())) },
      { type: 'load', data: onceASecond(clock, () => JSON.stringify(load())) },
    ],
    ...{ clock, metrics },
  });
  /** The renderer is loaded at the first request of a browser. */
  const show = async (view: View, status = 200) => {
    const { documentOf } = await import('./document.tsx');
    return documentOf(status, { live: live(), load: load(), view, connection: 'static' }, assets);
  };
  const overview = onceASecond(clock, () => show({ page: 'overview' }));

  return {
    endpoints: [
      { path: '/', methods: ['GET'], handle: overview },
      {
        path: '/services',
        methods: ['GET'],
        async handle(request) {
          const found = await search(askedIn(request.query));
          if (found === undefined) return { ...text(503, 'too many searches at once; try again'), headers: RETRY };
          return formatFor(request) === 'json' ? json(200, found) : show({ page: 'services', found });
        },
      },
      { path: '/page/events', methods: ['GET'], handle: streams.open },
      { path: '/page/state', methods: ['GET'], handle: () => json(200, { live: live(), load: load() }) },
      ...assets.endpoints,
    ],
    explained: {
      of({ status, asked, query, explanation, history }) {
        const list = queryOf(askedIn(new URLSearchParams(query.get('list') ?? '')));
        return show({ page: 'explain', asked, list, explanation, ...(history && { history }) }, status);
      },
      refused: (problem) => show({ page: 'error', title: 'That cannot be explained', text: problem }, 400),
    },
    streams,
  };
}

const RETRY = { 'retry-after': '2' };
/** Searches under way; more are refused. */
const MAX_SEARCHES = 8;

/** Searches for the same that come within a second are one. undefined: too many are under way. */
function createSearch({ registry, census, clock }: Pick<PageSources, 'registry' | 'census' | 'clock'>) {
  const searches = new Map<string, { readonly found: Promise<Found>; readonly sinceMs: number }>();
  let running = 0;

  return (asked: Asked): Promise<Found> | undefined => {
    const nowMs = clock.monotonicMs();
    for (const [key, { sinceMs }] of searches) if (nowMs - sinceMs >= 1_000) searches.delete(key);
    const key = queryOf(asked);
    const known = searches.get(key);
    if (known !== undefined) return known.found;
    if (running >= MAX_SEARCHES) return undefined;
    running++;
    const found = findServices(asked, { registry, census, clock, pause: nextTurn }).finally(() => running--);
    searches.set(key, { found, sinceMs: nowMs });
    return found;
  };
}
