// The page over real rooms, without sockets: what a test puts into the registry is what it shows.
import { createConfigInForce } from '../../src/config/in-force.ts';
import { HealthSync } from '../../src/health/sync.ts';
import type { HistoryChange } from '../../src/history/history.ts';
import { createLoadHistory } from '../../src/history/load.ts';
import { createCensus } from '../../src/http/census.ts';
import type { HttpResponse } from '../../src/http/endpoint.ts';
import { overviewOf } from '../../src/http/overview.ts';
import { pageEndpoints } from '../../src/http/page/endpoints.ts';
import { route } from '../../src/http/route.ts';
import type { TopLine } from '../../src/http/top.ts';
import { createMetrics, type Reading } from '../../src/metrics.ts';
import type { UpstreamCounters } from '../../src/plane/forward-statistics.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { createStatusBoard } from '../../src/sources/status.ts';
import { fakeClock } from './fake-clock.ts';
import { fakeSlots } from './fake-slots.ts';

export function pageRooms() {
  const clock = fakeClock();
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const board = createStatusBoard(clock);
  const health = new HealthSync({ registry, slots, clock, schedule: () => {} });
  const census = createCensus({ registry, health });
  const inForce = createConfigInForce('/etc/zones.yaml', 'abc', clock);
  const changes: HistoryChange[] = [];
  const upstreams: UpstreamCounters[] = [];
  const clients: TopLine[] = [];
  const readings: Reading[] = [];
  const zones = ['test.local.'].map((name) => ({ name, records: { count: 2 } }));
  const metrics = createMetrics();
  const load = createLoadHistory(() => readings, clock);
  const page = pageEndpoints({
    ...{ version: '1.2.3', replica: 'healthdns-0', now: clock.now, clock, census, registry },
    ...{ load: load.current, metrics },
    overview: (limit) => overviewOf({ zones, registry, board, census }, limit),
    upstreams: () => upstreams,
    isStuck: () => false,
    configuration: inForce.status,
    recent: () => changes,
    top: (view, over) => ({ view, over, seconds: 60, queries: 1, entries: view === 'clients' ? clients : [] }),
  });

  /** The response to GET, a second later, so that it is made anew. */
  async function get(
    url: string,
    headers: Record<string, string> = { accept: 'text/html' },
  ): Promise<Omit<HttpResponse, 'body'> & { readonly body: string }> {
    health.flush();
    await clock.advance(1_000);
    const routed = route(page.endpoints, { method: 'GET', url, headers });
    if (!('endpoint' in routed)) return { ...routed, body: String(routed.body) };
    const { endpoint, rest, query } = routed;
    const request = { method: 'GET', headers, boundTo: '127.0.0.1', body: Buffer.alloc(0), rest, query };
    const response = await endpoint.handle(request);
    return { ...response, body: String(response.body) };
  }

  return {
    readings,
    census,
    load,
    metrics,
    registry,
    board,
    health,
    clock,
    inForce,
    changes,
    upstreams,
    clients,
    page,
    get,
  };
}

/** The text of a page, as a person reads it: without tags, with entities resolved. */
export const textOf = (html: string): string =>
  html
    .replaceAll(/<(li|h1|h2|p|tr|section|td|th)\b/g, '\n<$1')
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll(/ *\n\s*/g, '\n');
