// The control plane without its threads and connections: watch events as bytes go in, messages for the data plane come
// out and are thrown away.

import { systemClock } from '../src/clock.ts';
import type { KubernetesConfig, ZoneConfig } from '../src/config/config.ts';
import { NO_STATIC_RECORDS } from '../src/config/static-records.ts';
import { HealthSync } from '../src/health/sync.ts';
import { silentLogger } from '../src/log.ts';
import { encodeChanges } from '../src/plane/messages.ts';
import { createSlots } from '../src/plane/slots.ts';
import { createRegistry, type Registry } from '../src/registry/registry.ts';
import { endpointSlicesKind } from '../src/sources/kubernetes/kinds/endpoint-slices.ts';
import { namespacesKind } from '../src/sources/kubernetes/kinds/namespaces.ts';
import { PodsKind } from '../src/sources/kubernetes/kinds/pods.ts';
import { createPublishedServices } from '../src/sources/kubernetes/kinds/published-services.ts';
import { servicesKind } from '../src/sources/kubernetes/kinds/services.ts';
import { createJsonLines } from '../src/sources/kubernetes/watch/json-lines.ts';
import { KnownObjects } from '../src/sources/kubernetes/watch/known-objects.ts';
import type { WatchedKind } from '../src/sources/kubernetes/watch/watched-kind.ts';
import { createStatusBoard } from '../src/sources/status.ts';
import { createFlushPace } from '../src/wiring/flush-pace.ts';
import { Zones } from '../src/zone/zones.ts';

const CLUSTER: KubernetesConfig = {
  kubeconfig: undefined,
  context: undefined,
  label: 'production',
  name: 'kubernetes/production',
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
};

const ZONE: ZoneConfig = {
  name: 'cluster.local.',
  soa: {
    mname: 'ns.dns.cluster.local.',
    rname: 'hostmaster.cluster.local.',
    refreshSeconds: 7200,
    retrySeconds: 1800,
    expireSeconds: 86_400,
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
  kubernetes: [CLUSTER],
};

export interface BenchedControlPlane {
  readonly registry: Registry;
  readonly health: HealthSync;
  readonly zones: Zones;
  readonly namespaces: (line: Buffer) => void;
  readonly services: (line: Buffer) => void;
  readonly slices: (line: Buffer) => void;
  readonly pods: (line: Buffer) => void;
  /** From now on what changes is judged and published as in the running server, in a later turn. */
  follow(): void;
  /** The same configuration once more. */
  reload(): void;
  /** All of the cluster was read. */
  loaded(): void;
  /** Bytes for the data plane so far. */
  messageBytes(): number;
  takeMessages(): ArrayBuffer[];
  stop(): void;
}

export interface BenchedSettings {
  readonly pause?: () => Promise<void>;
  /** For takeMessages; else they are only counted. */
  readonly keepsMessages?: boolean;
  readonly pods?: KubernetesConfig['pods'];
}

export function startControlPlane({
  pause,
  keepsMessages = false,
  pods: podNames = 'disabled',
}: BenchedSettings = {}): BenchedControlPlane {
  const clock = systemClock;
  const slots = createSlots(1 << 18);
  const registry = createRegistry(slots);
  const log = silentLogger;
  let messageBytes = 0;
  let messages: ArrayBuffer[] = [];
  const plane = {
    slots,
    async apply(changes: Parameters<typeof encodeChanges>[0] extends Iterator<infer C> ? readonly C[] : never) {
      const rest = changes[Symbol.iterator]();
      for (;;) {
        const message = encodeChanges(rest, 1, (_change, error) => {
          throw error;
        });
        if (message === undefined) return;
        messageBytes += message.byteLength;
        if (keepsMessages) messages.push(message);
      }
    },
  };
  let follows = false;
  let isLoading = true;
  const pace = createFlushPace({
    async flush() {
      await health.settle(() => new Promise((resolve) => setImmediate(resolve)));
      await zones.flush();
    },
    schedule: setImmediate,
    isLoading: () => isLoading,
    clock,
  });
  const health = new HealthSync({
    registry,
    slots,
    clock,
    schedule: (pass) => void (follows && setImmediate(pass)),
  });
  const zones = new Zones({
    registry,
    plane,
    zones: [ZONE],
    clock,
    random: Math.random,
    pause,
    onDirty: () => follows && pace.wake(),
  });
  const config = { ...CLUSTER, pods: podNames };
  const cluster = { config, zone: ZONE, registry, clock, log };
  const source = createStatusBoard(clock).add('kubernetes/production', [ZONE.name]);
  const reader = (kind: WatchedKind) => {
    const known = new KnownObjects(kind, source.kind(kind.resource, true), log);
    const lines = createJsonLines({
      value: (event) => known.upsert((event as { object: unknown }).object),
      tooLong: fail,
      broken: fail,
    });
    return lines.push;
  };
  const pods = new PodsKind(cluster, () => ({ hasFollowedSince: () => true, isBehind: () => false, verify() {} }));
  const published = createPublishedServices(cluster);
  return {
    registry,
    health,
    zones,
    namespaces: reader(namespacesKind(cluster, published)),
    services: reader(servicesKind(cluster, published)),
    slices: reader(endpointSlicesKind(cluster, pods)),
    pods: reader(pods),
    follow() {
      follows = true;
      pace.wake();
    },
    loaded() {
      isLoading = false;
      pace.loaded();
    },
    reload: () => zones.reload([ZONE]),
    messageBytes: () => messageBytes,
    takeMessages() {
      const taken = messages;
      messages = [];
      return taken;
    },
    stop() {
      pace.stop();
      health.stop();
      pods.stop();
    },
  };
}

function fail(reason: string): never {
  throw new Error(reason);
}
