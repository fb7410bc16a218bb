// The HTTP servers with their endpoints: `http`, which is safe for everyone, and `admin`.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Clock } from '../clock.ts';
import type { Config, ListenAddress } from '../config/config.ts';
import { formatListenAddress, isLoopback } from '../config/sections/listen.ts';
import { cacheEndpoints } from '../http/cache.ts';
import { drainEndpoints } from '../http/drain.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { explainChain, explainEndpoint } from '../http/explain.ts';
import { externalHealthEndpoint } from '../http/external-health.ts';
import { explainForwarding } from '../http/forwarding.ts';
import type { Overview } from '../http/overview.ts';
import { queryLogEndpoints } from '../http/query-log.ts';
import { healthEndpoint, metricsEndpoint, readyEndpoint } from '../http/safe.ts';
import { type HttpServer, startHttpServer } from '../http/server.ts';
import { statusPage } from '../http/status-page.ts';
import { createTokenCheck, withToken } from '../http/token.ts';
import { topEndpoint, topReading } from '../http/top.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { ListenError } from '../native/listen-error.ts';
import type { RunningDataPlane } from '../plane/plane.ts';
import { VERSION } from '../version.ts';
import type { ControlPlane } from './control-plane.ts';
import type { RunningHistory } from './history.ts';
import type { Observing } from './observing.ts';
import type { Prepared } from './reload.ts';

export interface HttpSources {
  readonly control: ControlPlane;
  readonly plane: RunningDataPlane;
  readonly metrics: Metrics;
  readonly config: Config;
  readonly overview: (limit: number) => Overview;
  readonly history: RunningHistory;
  readonly observing: Observing;
  readonly isStopping: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface RunningHttp {
  /** undefined: off. */
  http(): ListenAddress | undefined;
  /** Address of the admin endpoints: a separate address, `http`, or none. */
  admin(): ListenAddress | undefined;
  /** Binds new addresses beside the old ones. Rejects if one is not available, and then nothing has changed. */
  prepare(config: Config): Promise<Prepared>;
  close(): Promise<unknown>;
}

/** A server that a configuration asks for. */
interface Wanted {
  readonly name: 'http' | 'admin';
  readonly listen: ListenAddress;
  readonly endpoints: readonly Endpoint[];
}

interface Listener {
  readonly wanted: Wanted;
  readonly server: HttpServer;
}

/** Rejects with ListenError if an address is not available. */
export async function startHttp(sources: HttpSources): Promise<RunningHttp> {
  let listeners: readonly Listener[] = [];
  const addressOf = (name: Wanted['name']) => listeners.find(({ wanted }) => wanted.name === name)?.server.address;
  const close = (some: readonly Listener[]) => Promise.all(some.map(({ server }) => server.close()));

  async function prepare(config: Config): Promise<Prepared> {
    // What Cloud Map is, a reload does not change.
    const wanted = wantedServers({ ...sources, config: { ...config, cloudMap: sources.config.cloudMap } });
    const before = new Map(listeners.map((listener) => [keyOf(listener.wanted), listener]));
    const fresh: Listener[] = [];
    try {
      for (const one of wanted.filter((each) => !before.has(keyOf(each))))
        fresh.push({ wanted: one, server: await listenOn(one, { ...sources, config }) });
    } catch (error) {
      await close(fresh);
      throw error;
    }
    const kept = wanted.flatMap((one) => {
      const server = before.get(keyOf(one))?.server;
      return server === undefined ? [] : [{ wanted: one, server }];
    });
    return {
      async commit() {
        for (const { wanted: one, server } of kept) server.replace({ endpoints: one.endpoints, limits: config.limits });
        const left = listeners.filter(({ server }) => !kept.some((one) => one.server === server));
        listeners = [...kept, ...fresh];
        await close(left);
      },
      release: async () => void (await close(fresh)),
    };
  }

  await (await prepare(sources.config)).commit();
  return {
    http: () => addressOf('http'),
    admin: () =>
      addressOf('admin') ?? (isShared(listeners.map(({ wanted }) => wanted)) ? addressOf('http') : undefined),
    prepare,
    close: () => close(listeners),
  };
}

/** Whether `http` serves the admin endpoints as well. */
const isShared = (wanted: readonly Pick<Wanted, 'name' | 'listen'>[]): boolean =>
  wanted.length === 1 && wanted[0].name === 'http' && isLoopback(wanted[0].listen.address);

/** One socket for one address; port 0 is another one for each. */
const keyOf = ({ name, listen }: Wanted): string =>
  listen.port === 0 ? `${name} ${listen.address}` : formatListenAddress(listen);

function wantedServers(sources: HttpSources): Wanted[] {
  const { http, admin, adminToken, cloudMap } = sources.config;
  const { log } = sources;
  if (admin !== undefined && !isLoopback(admin.address) && adminToken === undefined)
    throw new ListenError(`the admin address ${formatListenAddress(admin)} needs \`adminToken\` in the file`, 'EACCES');
  if (admin !== undefined && !isLoopback(admin.address) && cloudMap?.writes === 'loopback')
    log.warn('writes of Cloud Map are refused: `writes: loopback` needs an admin address that is loopback', {
      admin: formatListenAddress(admin),
    });
  const addresses = [
    ...(http === undefined ? [] : [{ name: 'http' as const, listen: http }]),
    ...(admin === undefined ? [] : [{ name: 'admin' as const, listen: admin }]),
  ];
  if (http !== undefined && admin === undefined && !isShared(addresses))
    log.info('only health, ready and metrics are served, since `http` is not loopback; set `admin` for the others', {
      http: formatListenAddress(http),
    });
  const safe = safeEndpoints(sources);
  const all = [...safe, ...adminEndpoints(sources)];
  return addresses.map((one) => ({ ...one, endpoints: one.name === 'admin' || isShared(addresses) ? all : safe }));
}

async function listenOn(
  { name, listen, endpoints }: Wanted,
  { config, log, metrics }: HttpSources,
): Promise<HttpServer> {
  try {
    return await startHttpServer({ listen, limits: config.limits, endpoints, log, metrics });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = { EADDRINUSE: 'address already in use', EACCES: 'permission denied' }[code] ?? message;
    throw new ListenError(`${formatListenAddress(listen)}/${name}: ${why}`, code);
  }
}

const safeEndpoints = ({ control, plane, metrics, isStopping, clock }: HttpSources): Endpoint[] => [
  healthEndpoint(isStopping, () => plane.isStuck()),
  readyEndpoint(isStopping, control.board),
  metricsEndpoint(metrics, clock),
];

/** The Cloud Map API has its own authorization (`cloudMap.writes`), which AWS clients support. */
function adminEndpoints({ control, plane, config, overview, clock, history, observing, log }: HttpSources): Endpoint[] {
  const readTop = topReading(observing.top, observing.addresses);
  const { registry, board, zones, reports, cloudMap, operators } = control;
  const endpoints = [
    explainEndpoint({
      explain: (name) => explainChain(name, (one) => zones.explain(one), registry, board),
      zones: () => servedZones(control),
      forwarding: (name, from, isForwarded) => explainForwarding(plane, name, from, isForwarded),
      replica: hostname(),
      ...{ history: history.history, settleHistory: history.settle, registry, clock },
    }),
    statusPage(
      {
        version: VERSION,
        replica: hostname(),
        overview,
        recent: history.history.recent,
        ...(config.topQueries && { top: readTop }),
      },
      clock,
    ),
    externalHealthEndpoint({
      registry,
      reports,
      writes: config.cloudMap?.writes !== 'signed',
      inForce: () => control.flush(),
    }),
    ...cacheEndpoints(plane),
    topEndpoint(readTop, () => config.topQueries),
    ...queryLogEndpoints(observing, log),
    ...drainEndpoints({
      ...{ operators, registry, log },
      explain: (name) => zones.explain(name),
      inForce: () => control.flush(),
      now: () => clock.now(),
    }),
  ];
  const { adminToken } = config;
  const check = adminToken === undefined ? undefined : createTokenCheck(() => readToken(adminToken), clock);
  const guarded = check === undefined ? endpoints : endpoints.map((endpoint) => withToken(endpoint, check));
  return [...guarded, ...(cloudMap?.endpoints ?? [])];
}

/** Clusters first: their names are the ones that are abbreviated. */
function servedZones(control: Pick<ControlPlane, 'servedZones'>) {
  const zones = control.servedZones().map(({ name, kubernetes }) => ({ name, isCluster: kubernetes.length > 0 }));
  return [...zones.filter(({ isCluster }) => isCluster), ...zones.filter(({ isCluster }) => !isCluster)];
}

function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined; // answered with 503 until it can be read
  }
}
