// All of HTTP: what each endpoint needs of the other rooms.

import type { Config } from '../config/config.ts';
import { isLoopback } from '../config/sections/cloud-map.ts';
import { cacheEndpoints } from '../http/cache.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { explainEndpoint } from '../http/explain.ts';
import { explainChain } from '../http/explanation.ts';
import { externalHealthEndpoint } from '../http/external-health.ts';
import { healthEndpoint } from '../http/health.ts';
import { metricsEndpoint } from '../http/metrics.ts';
import type { Overview } from '../http/overview.ts';
import { readyEndpoint } from '../http/ready.ts';
import { statusPage } from '../http/status-page.ts';
import type { Metrics } from '../metrics.ts';
import type { RunningDataPlane } from '../plane/plane.ts';
import { VERSION } from '../version.ts';
import type { ControlPlane } from './control-plane.ts';

export interface EndpointSources {
  readonly control: ControlPlane;
  readonly plane: RunningDataPlane;
  readonly metrics: Metrics;
  readonly config: Config;
  readonly overview: (limit: number) => Overview;
  readonly isStopping: () => boolean;
}

export function endpointsOf({ control, plane, metrics, config, overview, isStopping }: EndpointSources): Endpoint[] {
  const { registry, board, zones, reports, cloudMap } = control;
  return [
    healthEndpoint(isStopping),
    readyEndpoint(isStopping, board),
    metricsEndpoint(metrics),
    explainEndpoint((name) => explainChain(name, zones.explain, registry, board)),
    statusPage(VERSION, overview),
    externalHealthEndpoint({ registry, reports, writes: mayPush(config) }),
    ...cacheEndpoints(plane),
    ...(cloudMap?.endpoints ?? []),
  ];
}

/** The configuration names the sources that may; a client that must sign elsewhere is not let in here unsigned. */
const mayPush = ({ http, cloudMap }: Config): boolean =>
  http !== undefined && isLoopback(http.address) && cloudMap?.writes !== 'signed';
