// The HTTP servers with their endpoints: `http`, which is safe for everyone, and `admin`.
import { hostname } from 'node:os';
import type { Clock } from '../clock.ts';
import type { AdminConfig, Config, ListenAddress } from '../config/config.ts';
import type { ConfigStatus } from '../config/in-force.ts';
import { formatListenAddress, isLoopback } from '../config/sections/listen.ts';
import { cacheEndpoints } from '../http/cache.ts';
import type { Census } from '../http/census.ts';
import { configEndpoint } from '../http/config.ts';
import { drainEndpoints } from '../http/drain.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { explainChain, explainEndpoint } from '../http/explain.ts';
import { externalHealthEndpoint } from '../http/external-health.ts';
import { explainForwarding } from '../http/forwarding.ts';
import type { Overview } from '../http/overview.ts';
import { type PageEndpoints, pageEndpoints } from '../http/page/endpoints.ts';
import { queryLogEndpoints } from '../http/query-log.ts';
import { healthEndpoint, metricsEndpoint, readyEndpoint } from '../http/safe.ts';
import { type HttpServer, startHttpServer } from '../http/server.ts';
import { statusEndpoint } from '../http/status.ts';
import { createTokenCheck, withToken } from '../http/token.ts';
import { type TopReading, topEndpoint, topReading } from '../http/top.ts';
import { withOwnHost } from '../http/writes.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { ListenError } from '../native/listen-error.ts';
import { readRegularFileSync } from '../native/regular-file.ts';
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
  readonly overview: (limit: number, wholeLimit?: number) => Overview;
  readonly census: Census;
  readonly history: RunningHistory;
  readonly observing: Observing;
  readonly isStopping: () => boolean;
  readonly configuration: () => ConfigStatus;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface RunningHttp {
  /** Empty: off. */
  http(): readonly ListenAddress[];
  /** Address of the admin endpoints: a separate address, one of `http`, or none. */
  admin(): AdminConfig | undefined;
  /** Binds new addresses beside the old ones. Rejects if one is not available, and then nothing has changed. */
  prepare(config: Config): Promise<Prepared>;
  close(): Promise<unknown>;
}

/** A server that a configuration asks for. */
interface Wanted {
  readonly name: 'http' | 'admin';
  readonly listen: AdminConfig;
  readonly isAdmin: boolean;
}

interface Listener {
  readonly wanted: Wanted;
  readonly server: HttpServer;
}

/** With what is kept over reloads. */
interface Started extends HttpSources {
  readonly page: PageEndpoints;
  readonly readTop: TopReading;
}

/** Rejects with ListenError if an address is not available. */
export async function startHttp(given: HttpSources): Promise<RunningHttp> {
  const sources = withPage(given);
  let listeners: readonly Listener[] = [];
  const close = (some: readonly Listener[]) => Promise.all(some.map(({ server }) => server.close()));

  async function prepare(config: Config): Promise<Prepared> {
    checkToken(config, listeners.length > 0, sources.log);
    const wanted = wantedServers(config, sources.log);
    const before = new Map(listeners.map((listener) => [keyOf(listener.wanted), listener]));
    const kept = wanted.flatMap((one) => {
      const server = before.get(keyOf(one))?.server;
      return server === undefined ? [] : [{ wanted: one, server }];
    });
    const left = listeners.filter(({ server }) => !kept.some((one) => one.server === server));
    const added = wanted.filter((each) => !before.has(keyOf(each)));
    // An address that is to have other TLS is free once the old server has closed.
    const isHeld = ({ listen }: Wanted) => left.some((one) => isSameSocket(one.wanted.listen, listen));
    const fresh: Listener[] = [];
    const open = async (one: Wanted) => {
      fresh.push({ wanted: one, server: await listenOn(one, config, sources) });
    };
    try {
      for (const one of added.filter((each) => !isHeld(each))) await open(one);
    } catch (error) {
      await close(fresh);
      throw error;
    }
    return {
      async commit() {
        await close(left);
        for (const one of added.filter(isHeld))
          await open(one).catch(({ message }: Error) => sources.log.error('http: address lost', { error: message }));
        listeners = [...kept, ...fresh];
        // Those of Cloud Map are known now.
        const endpoints = endpointsOf(config, sources);
        for (const { wanted: one, server } of listeners)
          server.replace({ endpoints: endpoints(one), limits: config.limits });
        sources.page.streams.closeAll();
      },
      release: async () => void (await close(fresh)),
    };
  }

  await (await prepare(sources.config)).commit();
  const addresses = (isWanted: (one: Wanted) => boolean) =>
    listeners.filter(({ wanted }) => isWanted(wanted)).map(({ server }) => server.address);
  return {
    http: () => addresses(({ name }) => name === 'http'),
    admin() {
      const admin = listeners.find(({ wanted }) => wanted.name === 'admin');
      const [shared] = addresses(({ isAdmin }) => isAdmin);
      return admin?.wanted.listen.tls === undefined
        ? shared
        : { ...admin.server.address, tls: admin.wanted.listen.tls };
    },
    prepare,
    close() {
      sources.page.streams.closeAll();
      return close(listeners);
    },
  };
}

function withPage(sources: HttpSources): Started {
  const { control, plane, history, observing, clock } = sources;
  const readTop = topReading(observing.top, observing.addresses);
  const page = pageEndpoints({
    ...sources,
    ...{ version: VERSION, replica: hostname(), now: () => clock.now(), registry: control.registry },
    ...{ upstreams: plane.upstreams, isStuck: plane.isStuck, recent: history.history.recent, top: readTop },
    load: observing.load,
  });
  return { ...sources, page, readTop };
}

/** A reload is refused without the token; at the start, DNS is served nevertheless. */
function checkToken({ adminToken }: Config, isReload: boolean, log: Logger): void {
  if (adminToken === undefined || readToken(adminToken)) return;
  const problem = `the file of adminToken, ${adminToken}, cannot be read or is empty`;
  if (isReload) throw new Error(problem);
  log.warn(`${problem}: \`admin\` lets nobody in until it has a token`);
}

/** One server for each; one of port 0 stays. */
const keyOf = ({ name, listen: { tls, ...listen } }: Wanted): string =>
  `${listen.port === 0 ? name : ''} ${formatListenAddress(listen)} ${JSON.stringify(tls)}`;

const isSameSocket = (one: ListenAddress, other: ListenAddress): boolean =>
  one.port !== 0 && one.port === other.port && one.address === other.address;

function wantedServers({ http, admin, adminToken, cloudMap }: Config, log: Logger): Wanted[] {
  if (admin !== undefined && !isLoopback(admin.address)) {
    if (adminToken === undefined && admin.tls?.clientCa === undefined)
      throw new ListenError(
        `the admin address ${formatListenAddress(admin)} needs \`adminToken\` or \`tls.clientCa\` in the file`,
        'EACCES',
      );
    if (cloudMap?.writes === 'loopback')
      log.warn('writes of Cloud Map are refused: `writes: loopback` needs an admin address that is loopback', {
        admin: formatListenAddress(admin),
      });
  }
  const servers: Wanted[] = http.map((listen) => ({
    ...{ name: 'http', listen, isAdmin: admin === undefined && isLoopback(listen.address) },
  }));
  if (admin !== undefined) servers.push({ name: 'admin', listen: admin, isAdmin: true });
  if (servers.length > 0 && !servers.some(({ isAdmin }) => isAdmin))
    log.info('only health, ready and metrics are served, since `http` is not loopback; set `admin` for the others', {
      http: http.map(formatListenAddress).join(', '),
    });
  return servers;
}

function endpointsOf(config: Config, sources: Started): (wanted: Wanted) => readonly Endpoint[] {
  const safe = safeEndpoints(sources);
  const all = [...safe, ...adminEndpoints(config, sources)];
  return ({ isAdmin }) => (isAdmin ? all : safe);
}

async function listenOn(wanted: Wanted, config: Config, sources: Started): Promise<HttpServer> {
  const { name, listen } = wanted;
  const { log, metrics, clock } = sources;
  const { tls, ...address } = listen;
  try {
    const endpoints = endpointsOf(config, sources)(wanted);
    return await startHttpServer({ listen: address, tls, limits: config.limits, endpoints, log, metrics, clock });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = { EADDRINUSE: 'address already in use', EACCES: 'permission denied' }[code] ?? message;
    throw new ListenError(`${formatListenAddress(listen)}/${name}: ${why}`, code);
  }
}

const safeEndpoints = ({ control, plane, metrics, isStopping, configuration, clock }: HttpSources): Endpoint[] => [
  healthEndpoint(isStopping, () => plane.isStuck()),
  readyEndpoint(isStopping, control.board, configuration),
  metricsEndpoint(metrics, clock),
];

/** The Cloud Map API has its own authorization (`cloudMap.writes`), which AWS clients support. */
function adminEndpoints(config: Config, sources: Started): Endpoint[] {
  const { control, plane, overview, configuration, clock, history, observing, log, page, readTop } = sources;
  const { registry, board, zones, reports, cloudMap, operators } = control;
  const endpoints = [
    explainEndpoint({
      explain: (name) => explainChain(name, (one) => zones.explain(one), registry, board),
      zones: () => servedZones(control),
      forwarding: (name, from, isForwarded) => explainForwarding(plane, name, from, isForwarded),
      ...{ replica: hostname(), page: page.explained },
      ...{ history: history.history, settleHistory: history.settle, registry, clock },
    }),
    ...page.endpoints,
    configEndpoint(configuration),
    externalHealthEndpoint({
      registry,
      reports,
      writes: config.cloudMap?.writes !== 'signed',
      inForce: () => control.flush(),
    }),
    ...cacheEndpoints(plane),
    statusEndpoint(overview, plane.upstreams, configuration),
    topEndpoint(readTop, () => config.topQueries),
    ...queryLogEndpoints(observing, log),
    ...drainEndpoints({
      ...{ operators, registry, log },
      explain: (name) => zones.explain(name),
      zones: () => servedZones(control),
      inForce: () => control.flush(),
      now: () => clock.now(),
    }),
  ];
  const { adminToken } = config;
  const check = adminToken === undefined ? undefined : createTokenCheck(() => readToken(adminToken), clock);
  const guarded = endpoints.map((endpoint) =>
    check === undefined ? withOwnHost(endpoint) : withToken(endpoint, check),
  );
  return [...guarded, ...(cloudMap?.endpoints ?? [])];
}

/** Clusters first: their names are the ones that are abbreviated. */
function servedZones(control: Pick<ControlPlane, 'servedZones'>) {
  const zones = control.servedZones().map(({ name, kubernetes }) => ({ name, isCluster: kubernetes.length > 0 }));
  return [...zones.filter(({ isCluster }) => isCluster), ...zones.filter(({ isCluster }) => !isCluster)];
}

function readToken(file: string): string | undefined {
  try {
    return readRegularFileSync(file).trim();
  } catch {
    return undefined; // answered with 503 until it can be read
  }
}
