// The Cloud Map API with tasks and store in a real cluster, in this process: its wiring without the DNS.
import { systemClock } from '../../src/clock.ts';
import type { CloudMapConfig, EcsConfig } from '../../src/config/config.ts';
import type { LeaseTimings } from '../../src/endpoints/lease.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { startHttpServer } from '../../src/http/server.ts';
import { silentLogger } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createRegistry, type Registry } from '../../src/registry/registry.ts';
import { createStatusBoard, type StatusBoard } from '../../src/sources/status.ts';
import { startCloudMap } from '../../src/wiring/cloud-map.ts';
import { IMPATIENT } from './followed-cluster.ts';

export interface CloudMapInCluster {
  readonly registry: Registry;
  readonly board: StatusBoard;
  /** One operation; the output, or throws an Error with the API's `name`. */
  // biome-ignore lint/suspicious/noExplicitAny: outputs differ by operation; tests look at what they need
  call(operation: string, input: object, target?: string): Promise<any>;
  readonly url: string;
  /** Makes a private DNS namespace and a service in it; returns the service's id. */
  createService(namespace: string, service: string, more?: object): Promise<string>;
  /** "id status address" of each instance that would be answered, or of all. */
  instances(serviceId: string, which?: 'answered' | 'all'): string[];
  metrics(): string;
  stop(): Promise<void>;
}

export const testCloudMapConfig = (more: Partial<CloudMapConfig> = {}): CloudMapConfig => ({
  writes: 'loopback',
  keys: [],
  region: 'us-east-1',
  account: '000000000000',
  store: { kind: 'memory' },
  tasks: [],
  policy: {
    whenAllUnhealthy: 'nodata',
    unknown: 'answer',
    publishNotReady: false,
    maxAnswers: 0,
    routing: 'multivalue',
  },
  healthCheckIntervalSeconds: 30,
  healthChecks: [],
  limits: { namespaces: 1000, servicesPerNamespace: 1000, instancesPerService: 1000 },
  ...more,
});

export async function startCloudMapInCluster(
  config: CloudMapConfig,
  leaseTimings: LeaseTimings = { leaseSeconds: 3, renewDeadlineMs: 2_000, retryMs: 200 },
  ecs?: EcsConfig,
): Promise<CloudMapInCluster> {
  let nextSlot = 1;
  const registry = createRegistry({ allocate: () => nextSlot++, set() {} });
  const health = new HealthSync({ registry, slots: { set() {} }, clock: systemClock, schedule: setImmediate });
  const board = createStatusBoard(systemClock);
  const metrics = createMetrics();
  const cloudMap = await startCloudMap(config, {
    ...{ registry, board, metrics },
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    configuredZones: () => [],
    concurrentChecks: 10,
    ...(ecs && { ecs }),
    onZones() {},
    flush: async () => health.flush(),
    onVerdict: health.onVerdict,
    timings: IMPATIENT,
    leaseTimings,
  });
  const server = await startHttpServer({
    clock: systemClock,
    listen: { address: '127.0.0.1', port: 0 },
    limits: { httpBodyBytes: 256 * 1024, httpConnections: 1000 },
    endpoints: [...cloudMap.endpoints],
    log: silentLogger,
    metrics,
  });
  const url = `http://127.0.0.1:${server.address.port}`;
  const call: CloudMapInCluster['call'] = async (operation, input, target = 'Route53AutoNaming_v20170314') => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `${target}.${operation}`,
      },
      body: JSON.stringify(input),
    });
    const output = JSON.parse(await response.text());
    if (response.status === 200) return output;
    throw Object.assign(new Error(output.message), { name: output.__type });
  };

  return {
    registry,
    board,
    url,
    call,
    async createService(namespace, service, more = {}) {
      const { OperationId } = await call('CreatePrivateDnsNamespace', { Name: namespace, Vpc: 'vpc-1' });
      const { Operation } = await call('GetOperation', { OperationId });
      const { Service } = await call('CreateService', {
        Name: service,
        NamespaceId: Operation.Targets.NAMESPACE,
        DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 5 }] },
        ...more,
      });
      return Service.Id;
    },
    instances(serviceId, which = 'all') {
      health.flush();
      const all = [...(registry.service(`cloudmap/${serviceId}`)?.instances.values() ?? [])];
      const shown = all.filter(({ verdict }) => which === 'all' || verdict.answered);
      return shown.map(({ instance, verdict }) => `${instance.id} ${verdict.status} ${instance.addresses}`).sort();
    },
    metrics: () => metrics.render(),
    async stop() {
      health.stop();
      await server.close(0);
      await cloudMap.stop();
    },
  };
}
