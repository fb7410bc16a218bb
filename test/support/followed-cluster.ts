// A Kubernetes source with a registry and health, in this process: what would be answered, without the DNS.

import { systemClock } from '../../src/clock.ts';
import type { KubernetesConfig, ZoneConfig } from '../../src/config/config.ts';
import { NO_STATIC_RECORDS } from '../../src/config/static-records.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { type Logger, silentLogger } from '../../src/log.ts';
import { createRegistry, type Registry } from '../../src/registry/registry.ts';
import { startKubernetesSource } from '../../src/sources/kubernetes/source.ts';
import { DEFAULT_TIMINGS, type WatchTimings } from '../../src/sources/kubernetes/watch/timings.ts';
import { createStatusBoard, type KindStatus, type StatusBoard } from '../../src/sources/status.ts';

export interface FollowedCluster {
  readonly registry: Registry;
  readonly status: StatusBoard;
  readonly logged: readonly { readonly level: string; readonly message: string; readonly fields: object }[];
  /** The addresses that would be answered for a service of namespace default, sorted. */
  answered(service: string, namespace?: string): string[];
  kind(name: string): KindStatus;
  stop(): Promise<void>;
}

export const testZone: ZoneConfig = {
  name: 'cluster.local.',
  soa: {
    mname: 'ns.dns.cluster.local.',
    rname: 'hostmaster.cluster.local.',
    refreshSeconds: 7200,
    retrySeconds: 1800,
    expireSeconds: 86400,
    minimumSeconds: 5,
  },
  nameServers: ['ns.dns.cluster.local.'],
  ttlSeconds: 5,
  names: ['{service}.{namespace}.svc'],
  policy: {
    whenAllUnhealthy: 'nodata',
    unknown: 'answer',
    publishNotReady: false,
    maxAnswers: 0,
    routing: 'multivalue',
  },
  records: NO_STATIC_RECORDS,
  services: [],
  kubernetes: [],
};

export const testKubernetesConfig = (kubeconfig: string, more: Partial<KubernetesConfig> = {}): KubernetesConfig => ({
  kubeconfig,
  context: 'admin',
  label: 'test',
  name: 'kubernetes/test',
  ttlSeconds: 5,
  pods: 'disabled',
  namespaces: [],
  namespaceLabels: undefined,
  labels: undefined,
  ignoreEmptyService: false,
  fallthrough: [],
  endpointPodNames: false,
  rank: 0,
  merge: false,
  multicluster: false,
  staleAfterSeconds: 60,
  snapshot: undefined,
  ...more,
});

/** The real ones would make tests wait. */
export const IMPATIENT: WatchTimings = {
  ...DEFAULT_TIMINGS,
  headersMs: 2_000,
  againMs: 500,
  watchSeconds: 4,
  graceMs: 1_000,
  initialQuietMs: 2_000,
  settledMs: 500,
  backoff: { firstMs: 50, maxMs: 500 },
  confirmMs: 200,
  absentMs: 500,
  refusedMs: 1_000,
  staleMs: 600,
  heartbeat: { everyMs: 500, patienceMs: 1_000 },
};

/** Follows the cluster of a kubeconfig until stopped. */
export function followCluster(config: KubernetesConfig, timings: WatchTimings = IMPATIENT): FollowedCluster {
  let nextSlot = 1;
  const registry = createRegistry({ allocate: () => nextSlot++, set() {} });
  const sync = new HealthSync({ registry, slots: { set() {} }, clock: systemClock, schedule: setImmediate });
  const status = createStatusBoard(systemClock);
  const logged: { level: string; message: string; fields: object }[] = [];
  const source = startKubernetesSource({
    config,
    zone: testZone,
    registry,
    status,
    clock: systemClock,
    random: Math.random,
    log: recordingLogger(logged),
    timings,
  });

  return {
    registry,
    status,
    logged,
    answered(service, namespace = 'default') {
      sync.flush();
      const state = registry.service(`kubernetes/${config.label}/cluster.local./${namespace}/${service}`);
      const alive = [...(state?.instances.values() ?? [])].filter((instance) => instance.verdict.answered);
      return [...new Set(alive.flatMap(({ instance }) => instance.addresses))].sort();
    },
    kind(name) {
      const found = status.sources()[0].kinds.find((kind) => kind.kind === name);
      if (found === undefined) throw new Error(`the source has no kind ${name}`);
      return found;
    },
    async stop() {
      sync.stop();
      await source.stop();
    },
  };
}

function recordingLogger(lines: { level: string; message: string; fields: object }[]): Logger {
  const at =
    (level: string) =>
    (message: string, fields: object = {}) =>
      void lines.push({ level, message, fields });
  const logger: Logger = {
    ...silentLogger,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}
