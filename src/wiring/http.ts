// The HTTP server with its endpoints, and what each of them needs of the other rooms.
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

/** Rejects with ListenError where the address cannot be had. */
export async function startHttp(listen: ListenAddress, sources: HttpSources): Promise<HttpServer> {
  const { config, log, metrics } = sources;
  if (config.cloudMap?.writes === 'loopback' && !isLoopback(listen.address))
    log.warn('writes of Cloud Map are refused: `writes: loopback` needs an HTTP address that is loopback', {
      http: formatListenAddress(listen),
    });
  try {
    return await startHttpServer({ listen, limits: config.limits, endpoints: endpointsOf(sources), log, metrics });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = { EADDRINUSE: 'address already in use', EACCES: 'permission denied' }[code] ?? message;
    throw new ListenError(`${formatListenAddress(listen)}/http: ${why}`, code);
  }
}

export function endpointsOf({ control, plane, metrics, config, overview, isStopping, clock }: HttpSources): Endpoint[] {
  const { registry, board, zones, reports, cloudMap } = control;
  return [
    healthEndpoint(isStopping),
    readyEndpoint(isStopping, board),
    metricsEndpoint(metrics, clock),
    explainEndpoint((name) => explainChain(name, (one) => zones.explain(one), registry, board)),
    statusPage(VERSION, overview, clock),
    externalHealthEndpoint({
      registry,
      reports,
      writes: config.cloudMap?.writes !== 'signed',
      inForce: () => control.flush(),
    }),
    ...cacheEndpoints(plane),
    ...(cloudMap?.endpoints ?? []),
  ];
}
