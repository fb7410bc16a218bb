// The HTTP servers with their endpoints: `http`, which is safe for everyone, and `admin`.
import { readFileSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Config, ListenAddress } from '../config/config.ts';
import { formatListenAddress, isLoopback } from '../config/sections/listen.ts';
import { cacheEndpoints } from '../http/cache.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { explainChain, explainEndpoint } from '../http/explain.ts';
import { externalHealthEndpoint } from '../http/external-health.ts';
import type { Overview } from '../http/overview.ts';
import { healthEndpoint, metricsEndpoint, readyEndpoint } from '../http/safe.ts';
import { type HttpServer, startHttpServer } from '../http/server.ts';
import { statusPage } from '../http/status-page.ts';
import { createTokenCheck, withToken } from '../http/token.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { ListenError } from '../native/listen-error.ts';
import type { RunningDataPlane } from '../plane/plane.ts';
import { VERSION } from '../version.ts';
import type { ControlPlane } from './control-plane.ts';

export interface HttpSources {
  readonly control: ControlPlane;
  readonly plane: RunningDataPlane;
  readonly metrics: Metrics;
  readonly config: Config;
  readonly overview: (limit: number) => Overview;
  readonly isStopping: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface RunningHttp {
  /** undefined: off. */
  readonly http: ListenAddress | undefined;
  /** Address of the admin endpoints: a separate address, `http`, or none. */
  readonly admin: ListenAddress | undefined;
  close(): Promise<unknown>;
}

/** Rejects with ListenError if an address is not available. */
export async function startHttp(sources: HttpSources): Promise<RunningHttp> {
  const { config, log } = sources;
  const { http, admin } = config;
  if (admin !== undefined && !isLoopback(admin.address) && config.adminToken === undefined)
    throw new ListenError(`the admin address ${formatListenAddress(admin)} needs \`adminToken\` in the file`, 'EACCES');
  const safe = safeEndpoints(sources);
  const isShared = admin === undefined && http !== undefined && isLoopback(http.address);
  const servers: HttpServer[] = [];
  const start = async (name: 'http' | 'admin', listen: ListenAddress, endpoints: readonly Endpoint[]) => {
    const server = await listenOn(name, listen, endpoints, sources);
    servers.push(server);
    return server.address;
  };
  const close = () => Promise.all(servers.map((server) => server.close()));
  try {
    const httpAddress = http && (await start('http', http, isShared ? [...safe, ...adminEndpoints(sources)] : safe));
    const adminOn = admin ?? (isShared ? http : undefined);
    if (config.cloudMap?.writes === 'loopback' && adminOn !== undefined && !isLoopback(adminOn.address))
      log.warn('writes of Cloud Map are refused: `writes: loopback` needs an admin address that is loopback', {
        admin: formatListenAddress(adminOn),
      });
    const adminAddress = admin && (await start('admin', admin, [...safe, ...adminEndpoints(sources)]));
    if (httpAddress !== undefined && adminAddress === undefined && !isShared)
      log.info('only health, ready and metrics are served, since `http` is not loopback; set `admin` for the others', {
        http: formatListenAddress(httpAddress),
      });
    return { http: httpAddress, admin: adminAddress ?? (isShared ? httpAddress : undefined), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listenOn(
  name: string,
  listen: ListenAddress,
  endpoints: readonly Endpoint[],
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
function adminEndpoints({ control, plane, config, overview, clock }: HttpSources): Endpoint[] {
  const { registry, board, zones, reports, cloudMap } = control;
  const endpoints = [
    explainEndpoint((name) => explainChain(name, (one) => zones.explain(one), registry, board)),
    statusPage(VERSION, overview, clock),
    externalHealthEndpoint({
      registry,
      reports,
      writes: config.cloudMap?.writes !== 'signed',
      inForce: () => control.flush(),
    }),
    ...cacheEndpoints(plane),
  ];
  const { adminToken } = config;
  const check = adminToken === undefined ? undefined : createTokenCheck(() => readToken(adminToken), clock);
  const guarded = check === undefined ? endpoints : endpoints.map((endpoint) => withToken(endpoint, check));
  return [...guarded, ...(cloudMap?.endpoints ?? [])];
}

function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined; // answered with 503 until it can be read
  }
}
