// GET /status: a summary of what is ready; for `healthdns status`.
import { hostname } from 'node:os';
import type { ConfigStatus, RefusedConfig } from '../config/in-force.ts';
import type { UpstreamCounters } from '../plane/forward-statistics.ts';
import { VERSION } from '../version.ts';
import { type Endpoint, json } from './endpoint.ts';
import type { Overview, ServiceOverview } from './overview.ts';

export interface StatusReport {
  readonly version: string;
  /** Of several, the one that answered. */
  readonly replica: string;
  /** Every zone and source is ready, and every upstream server is up. */
  readonly ready: boolean;
  /** A configuration that a reload refused since the one in force. */
  readonly refusedConfig?: RefusedConfig;
  readonly zones: readonly ZoneStatus[];
  readonly sources: readonly {
    readonly name: string;
    readonly zones: readonly string[];
    readonly state: 'synced' | 'stale' | 'not synced';
    readonly ageSeconds?: number;
    /** What it waits for, or the last error of each kind that is not followed. */
    readonly detail: string;
  }[];
  readonly upstreams: readonly UpstreamStatus[];
  /** Services with an instance that is not answered, at most MAX_TROUBLED. */
  readonly trouble: readonly Pick<ServiceOverview, 'name' | 'kind' | 'answeredCount' | 'instanceCount' | 'instances'>[];
}

export interface ZoneStatus {
  readonly name: string;
  readonly state: 'ready' | 'stale' | 'not ready';
  readonly services: number;
  readonly instances: number;
  readonly answered: number;
  readonly records: number;
}

export interface UpstreamStatus {
  readonly upstream: string;
  readonly zone: string;
  readonly state: 'up' | 'down' | 'loop';
  readonly requests: number;
  readonly failures: number;
  /** Of its replies. */
  readonly averageMs?: number;
  /** Why it is down, or its last error. */
  readonly detail: string;
}

const MAX_TROUBLED = 1_000;

export const statusEndpoint = (
  overview: (limit: number, wholeLimit?: number) => Overview,
  upstreams: () => readonly UpstreamCounters[],
  configuration: () => ConfigStatus,
): Endpoint => ({
  path: '/status',
  methods: ['GET'],
  handle: () => json(200, statusOf(overview(MAX_TROUBLED, 0), upstreams(), configuration())),
});

export function statusOf(
  { zones, sources }: Overview,
  counters: readonly UpstreamCounters[],
  { refused }: Pick<ConfigStatus, 'refused'>,
): StatusReport {
  const states = zones.map(
    ({ name, ready, stale, serviceCount, instanceCount, answeredCount, records }): ZoneStatus => ({
      ...{ name, state: !ready ? 'not ready' : stale ? 'stale' : 'ready', services: serviceCount },
      ...{ instances: instanceCount, answered: answeredCount, records },
    }),
  );
  const of = sources.map(({ name, zones: served, synced, stale, ageMs, kinds }) => ({
    ...{ name, zones: served },
    state: !synced ? ('not synced' as const) : stale ? ('stale' as const) : ('synced' as const),
    ...(ageMs !== undefined && { ageSeconds: Math.round(ageMs / 1_000) }),
    detail: kinds
      .filter(({ state }) => state !== 'watching' && state !== 'absent')
      .map(({ kind, state, detail }) => `${kind} ${state}${detail === '' ? '' : `: ${detail}`}`)
      .join('; '),
  }));
  const upstreams = sumUpstreams(counters);
  const isReady =
    states.every(({ state }) => state === 'ready') &&
    of.every(({ state }) => state === 'synced') &&
    upstreams.every(({ state }) => state === 'up');
  return {
    ...{ version: VERSION, replica: hostname(), ready: isReady, zones: states, sources: of, upstreams },
    ...(refused && { refusedConfig: refused }),
    trouble: zones
      .flatMap(({ services }) => services)
      .filter(({ answeredCount, instanceCount }) => answeredCount < instanceCount)
      .map(({ name, kind, answeredCount, instanceCount, instances }) => ({
        ...{ name, kind, answeredCount, instanceCount },
        instances: instances.filter(({ answered }) => !answered),
      })),
  };
}

/** A server is down while any thread or route considers it down, as in the metric. */
function sumUpstreams(counters: readonly UpstreamCounters[]): UpstreamStatus[] {
  const byRoute = new Map<string, UpstreamCounters[]>();
  for (const one of counters) {
    const key = `${one.zone} ${one.upstream}`;
    byRoute.set(key, [...(byRoute.get(key) ?? []), one]);
  }
  return [...byRoute.values()].map((all) => {
    const [{ upstream, zone }] = all;
    const sum = (key: 'requests' | 'responses' | 'failures' | 'latencyMs') =>
      all.reduce((total, one) => total + one[key], 0);
    const down = all.find(({ up }) => up === 0);
    const loops = all.some((one) => one.loops);
    const last = all.reduce((latest, one) => (one.lastErrorMs > latest.lastErrorMs ? one : latest));
    return {
      ...{ upstream, zone, state: loops ? 'loop' : down === undefined ? 'up' : 'down' },
      ...{ requests: sum('requests'), failures: sum('failures') },
      ...(sum('responses') > 0 && { averageMs: Math.round((10 * sum('latencyMs')) / sum('responses')) / 10 }),
      detail: loops ? 'it forwards back to this server' : (down?.reason ?? last.lastError),
    };
  });
}
