// The elected writer of endpoints for a Cloud Map that is stored in a cluster.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock, Random } from '../clock.ts';
import type { KubernetesStore } from '../cloudmap/kubernetes/kubernetes-store.ts';
import type { CloudMapStore } from '../config/config.ts';
import { podOfTask } from '../ecs/task-source.ts';
import type { VerdictListener } from '../health/sync.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Registry } from '../registry/registry.ts';
import { connectApiServer } from '../sources/kubernetes/api/api-server.ts';
import { holdLease, type LeaseTimings } from './lease.ts';
import { createLegacyEndpoints } from './legacy-endpoints.ts';
import { createServiceWriter } from './service-writer.ts';
import { createEndpointsWriter } from './writer.ts';

export interface EndpointsSettings {
  readonly config: CloudMapStore & { readonly kind: 'kubernetes' };
  readonly store: KubernetesStore;
  readonly registry: Registry;
  /** Calls the listener with each verdict that changed. */
  readonly onVerdict: (listener: VerdictListener) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Shorter ones for tests. */
  readonly leaseTimings?: LeaseTimings;
}

export const LEASE_NAME = 'healthdns-endpoints';

/** Requests of the lease and of legacy Endpoints; shorter than the lease's renew deadline. */
const HEADERS_MS = 5_000;
const LATENCY_BOUNDS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function startEndpoints(settings: EndpointsSettings): { stop(): Promise<void> } {
  const { config, store, registry, clock, random, metrics } = settings;
  const log = settings.log.child({ source: `endpoints/${config.label}` });
  const stopping = new AbortController();
  const server = connectApiServer(config, clock, HEADERS_MS);
  const write = createServiceWriter({
    mirror: store.mirror,
    client: store.client,
    registry,
    clock,
    take: store.takeSlice,
    podOf: ({ instance }) => podOfTask(config.label, instance),
    legacy: config.legacyEndpoints ? createLegacyEndpoints(server, config.namespace, stopping.signal) : undefined,
    writes: metrics.counter('healthdns_endpoints_writes_total'),
  });
  const latency = metrics.histogram('healthdns_endpoints_write_seconds', LATENCY_BOUNDS_SECONDS);
  const writer = createEndpointsWriter({ mirror: store.mirror, registry, write, clock, log, latency });
  store.onObserved(writer.mark);
  settings.onVerdict(({ service: { key } }) => {
    if (key.startsWith('cloudmap/')) writer.mark(key.slice('cloudmap/'.length));
  });
  const lease = holdLease({
    ...{ server, clock, random, log, namespace: config.namespace, name: LEASE_NAME },
    identity: `${hostname()}_${randomUUID()}`,
    ...(settings.leaseTimings && { timings: settings.leaseTimings }),
    ...{ writes: 'endpoints', onChange: writer.setActive },
  });
  const uncollect = metrics.collect(() => [{ name: 'healthdns_endpoints_writer', value: Number(lease.isHolder()) }]);

  return {
    async stop() {
      uncollect();
      await writer.stop();
      await lease.stop();
      stopping.abort();
      server.close();
    },
  };
}
