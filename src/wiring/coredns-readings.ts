// CoreDNS's metrics about the process as a whole, with `metrics: coredns`.
import type { Config } from '../config/config.ts';
import type { ConfigInForce } from '../config/in-force.ts';
import type { Distribution, Reading } from '../metrics.ts';
import { serverLabel } from '../plane/coredns-readings.ts';
import { coarser } from '../plane/distributions.ts';
import type { ForwardSettings, FrontSettings } from '../plane/forward-settings.ts';
import type { RunningDataPlane } from '../plane/plane.ts';
import { VERSION } from '../version.ts';
import type { EventLoopWatch } from './event-loop.ts';
import type { Programming } from './programming.ts';

export interface CorednsRooms {
  readonly plane: Pick<RunningDataPlane, 'corednsCounters' | 'listening'>;
  readonly inForce: Pick<ConfigInForce, 'failures'>;
  readonly eventLoop: Pick<EventLoopWatch, 'delays'>;
  readonly programming: Pick<Programming, 'durations'>;
}

/** Of the time that a health request takes. */
const HEALTH_BOUNDS_SECONDS = [0.00025, 0.0025, 0.025, 0.25, 2.5];

export function corednsReadings(
  config: Config,
  { plane, inForce, eventLoop: { delays }, programming }: CorednsRooms,
): Reading[] {
  if (config.metrics !== 'coredns') return [];
  const server = serverLabel(plane.listening());
  const own = config.zones.some(({ kubernetes }) => kubernetes.length > 0) ? 'kubernetes' : 'file';
  return [
    // Distinguishes the server from CoreDNS where both are scraped.
    { name: 'coredns_build_info', labels: [`healthdns-${VERSION}`, '', `node-${process.version}`], value: 1 },
    { name: 'coredns_reload_failed_total', value: inForce.failures() },
    ...plane.corednsCounters(own),
    {
      name: 'coredns_health_request_duration_seconds',
      value: coarser(delays.upperBounds, delays.counts, HEALTH_BOUNDS_SECONDS, delays.sum),
    },
    { name: 'coredns_health_request_failures_total', value: 0 },
    ...(own === 'kubernetes' ? [programmingReading(programming.durations)] : []),
    ...blocksOf(config).flatMap(({ view, ...block }) =>
      pluginsOf(config, block).map(
        (name): Reading => ({ name: 'coredns_plugin_enabled', labels: [server, '.', view, name], value: 1 }),
      ),
    ),
  ];
}

/** CoreDNS counts headless services with a selector only: of others the endpoints are no answer, or nobody dates them. */
const programmingReading = (durations: Distribution): Reading => ({
  name: 'coredns_kubernetes_dns_programming_duration_seconds',
  labels: ['headless_with_selector'],
  value: durations,
});

interface Block {
  readonly forward: ForwardSettings | undefined;
  readonly front?: FrontSettings | undefined;
}

const blocksOf = (config: Config): (Block & { readonly view: string })[] => [
  { view: '', forward: config.forward, front: config.front },
  ...(config.views ?? []).map(({ name, forward, front }) => ({ view: name, forward, front })),
];

/** CoreDNS's names of what is configured. */
function pluginsOf({ zones, dnstap }: Config, { forward, front }: Block): string[] {
  const enabled: Readonly<Record<string, boolean>> = {
    prometheus: true,
    errors: true,
    loadbalance: true,
    kubernetes: zones.some(({ kubernetes }) => kubernetes.length > 0),
    file: zones.some(({ kubernetes }) => kubernetes.length === 0),
    forward: (forward?.routes.length ?? 0) > 0,
    cache: forward !== undefined,
    hosts: forward?.hosts !== undefined,
    template: (forward?.templates.length ?? 0) > 0,
    dns64: forward?.dns64 !== undefined,
    loop: forward?.loopDetection === true,
    acl: (front?.acl.length ?? 0) > 0,
    rewrite: (front?.rewrites.length ?? 0) > 0,
    autopath: front?.autopath !== undefined,
    nsid: front?.nsid !== undefined,
    log: front?.queryLog !== undefined,
    dnstap: dnstap !== undefined,
  };
  return Object.keys(enabled).filter((name) => enabled[name]);
}
