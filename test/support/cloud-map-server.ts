import { systemClock } from '../../src/clock.ts';
import type { Api } from '../../src/cloudmap/api.ts';
import { openState } from '../../src/cloudmap/cloud-map-state.ts';
import { memoryStore, type Store } from '../../src/cloudmap/cloud-map-store.ts';
import { publishCloudMap } from '../../src/cloudmap/publish-cloud-map.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { type AwsEndpointOptions, awsEndpoints, cloudMapService } from '../../src/http/aws-api.ts';
import { startHttpServer } from '../../src/http/server.ts';
import { silentLogger } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createSlots } from '../../src/plane/slots.ts';
import { createRegistry, type Registry } from '../../src/registry/registry.ts';

export interface CloudMapServer {
  readonly url: string;
  readonly api: Api;
  readonly registry: Registry;
  /** Zones of DNS namespaces as they are now. */
  readonly zones: ReadonlySet<string>;
  close(): Promise<void>;
}

type Settings = Partial<Pick<AwsEndpointOptions, 'writes' | 'keys'>> & {
  readonly store?: Store;
  readonly limits?: Partial<Api['limits']>;
  readonly namespaces?: readonly string[];
  /** Names of configured zones. */
  readonly zones?: readonly string[];
};

/** The Cloud Map API on a free loopback port, with a registry and verdicts but without DNS. */
export async function startCloudMapServer(settings: Settings = {}): Promise<CloudMapServer> {
  const metrics = createMetrics();
  const store = settings.store ?? memoryStore();
  const state = await openState(store, () => {});
  const slots = createSlots(4096);
  const registry = createRegistry(slots);
  const sync = new HealthSync({ registry, slots, clock: systemClock, schedule: setImmediate });
  const zones = new Set<string>();
  const health = publishCloudMap({
    state,
    registry,
    clock: systemClock,
    defaults: {
      policy: {
        whenAllUnhealthy: 'nodata',
        unknown: 'answer',
        publishNotReady: false,
        maxAnswers: 0,
        routing: 'multivalue',
      },
      healthCheckIntervalSeconds: 30,
      healthChecks: [],
    },
    onZone: (zone, config) => void (config ? zones.add(zone) : zones.delete(zone)),
    judgeNow: sync.flush,
  });
  const limits = { namespaces: 50, servicesPerNamespace: 500, instancesPerService: 2000, ...settings.limits };
  const api = {
    state,
    clock: systemClock,
    random: Math.random,
    region: 'us-east-1',
    account: '000000000000',
    limits,
    namespaceNames: { allowed: settings.namespaces, zones: () => settings.zones ?? [] },
    health,
  };
  const server = await startHttpServer({
    clock: systemClock,
    listen: { address: '127.0.0.1', port: 0 },
    limits: { httpBodyBytes: 256 * 1024, httpConnections: 100 },
    endpoints: awsEndpoints({
      services: [cloudMapService(api)],
      clock: systemClock,
      writes: settings.writes ?? 'loopback',
      keys: settings.keys ?? [],
      log: silentLogger,
      metrics,
    }),
    log: silentLogger,
    metrics,
  });
  return {
    url: `http://127.0.0.1:${server.address.port}`,
    api,
    registry,
    zones,
    async close() {
      sync.stop();
      await server.close(0);
      await store.close();
    },
  };
}
