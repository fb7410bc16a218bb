// GET / and /services: the page for people. GET /explain/NAME is one too, where a browser asks (http/explain.ts).
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { type Endpoint, type HttpResponse, onceASecond, text } from '../endpoint.ts';
import type { Explained } from '../explain.ts';
import { type Assets, readAssets } from './assets.ts';
import { documentOf } from './document.tsx';
import { findServices } from './find.ts';
import { askedIn, queryOf } from './links.ts';
import { type LiveSources, liveOf } from './live.ts';
import type { Asked, Found, View } from './model.ts';

export interface PageEndpoints {
  readonly endpoints: readonly Endpoint[];
  /** The explanation of a name as a page. */
  readonly explained: (explained: Explained) => HttpResponse;
}

/** Searches under way; more are refused. */
const MAX_SEARCHES = 8;

export function pageEndpoints(sources: LiveSources & { readonly clock: Pick<Clock, 'monotonicMs'> }): PageEndpoints {
  const assets: Assets = readAssets();
  const live = onceASecond(sources.clock, () => liveOf(sources));
  const show = (view: View, status = 200) => documentOf(status, { live: live(), view, connection: 'static' }, assets);
  const overview = onceASecond(sources.clock, () => show({ page: 'overview' }));
  const search = createSearch(sources);

  return {
    endpoints: [
      { path: '/', methods: ['GET'], handle: overview },
      {
        path: '/services',
        methods: ['GET'],
        async handle({ query }) {
          const found = await search(askedIn(query));
          if (found === undefined) return { ...text(503, 'too many searches at once; try again'), headers: RETRY };
          return show({ page: 'services', found });
        },
      },
      ...assets.endpoints,
    ],
    explained({ status, asked, query, explanation, history }) {
      const list = queryOf(askedIn(new URLSearchParams(query.get('list') ?? '')));
      return show({ page: 'explain', asked, list, explanation, ...(history && { history }) }, status);
    },
  };
}

const RETRY = { 'retry-after': '2' };

/** Searches for the same that come within a second are one. undefined: too many are under way. */
function createSearch({ registry, census, clock }: Parameters<typeof pageEndpoints>[0]) {
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
