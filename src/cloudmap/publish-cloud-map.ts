// Publishes Cloud Map's namespaces, services and instances to the registry, and the registry's verdicts to the API.

import type { Clock } from '../clock.ts';
import type { CloudMapCheck, ZoneConfig } from '../config/config.ts';
import { NO_STATIC_RECORDS } from '../config/static-records.ts';
import { canonicalIp } from '../dns/ip.ts';
import { operatorFact } from '../health/operator-order.ts';
import type { Fact, HealthCheck, Instance, Service, ServicePolicy, Status } from '../registry/model.ts';
import { CLOUD_MAP_SERVICE } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { DiscoveredInstance, HealthView } from './api.ts';
import type { State } from './cloud-map-state.ts';
import {
  canonicalName,
  type InstanceRecord,
  type NamespaceRecord,
  parseInstanceKey,
  type ServiceRecord,
  type StoreChange,
} from './records.ts';
import { policyOf } from './service-policy.ts';

export interface PublishOptions {
  readonly state: State;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly defaults: PublishDefaults;
  /** A DNS namespace's zone appeared or changed; undefined: it is gone. The name is absolute. */
  readonly onZone: (zone: string, config: ZoneConfig | undefined) => void;
  /** Makes the verdicts take effect now, so that DNS answers by them when the client gets its response. */
  readonly judgeNow: () => void;
}

export interface PublishDefaults {
  /** Policy of services; routing and maxAnswers follow each service's DnsConfig. */
  readonly policy: ServicePolicy;
  /** Route 53's checks run every 30 s. */
  readonly healthCheckIntervalSeconds: number;
  /** Checks from the configuration, which override a service's HealthCheckConfig. */
  readonly healthChecks: readonly CloudMapCheck[];
}

/** Cloud Map answers MULTIVALUE with at most eight instances. */
const MULTIVALUE_ANSWERS = 8;
/** Route 53 waits four seconds for the connection. */
const CHECK_TIMEOUT_SECONDS = 4;

export interface Publishing extends HealthView {
  /** Publishes everything again, with other defaults. */
  republish(defaults: PublishDefaults): void;
  /** Published data stays until it is withdrawn. */
  stop(): void;
  withdraw(): void;
}

/** Publishes all of Cloud Map to the registry, and every change from then on. */
export function publishCloudMap(options: PublishOptions): Publishing {
  const { state, registry } = options;
  let { defaults } = options;
  const revisions = createRevisions(options);
  const zones = new Map<string, string>();
  const dirtyServices = new Set<string>(state.services.keys());
  for (const namespace of state.namespaces.values()) publishNamespace(namespace.id, namespace);
  publishDirty();

  const stop = state.onChange((changes) => {
    for (const change of changes) take(change);
    publishDirty();
  });

  function take(change: StoreChange): void {
    if (change.collection === 'namespace') publishNamespace(change.key, change.value);
    if (change.collection === 'service') dirtyServices.add(change.key);
    if (change.collection === 'instance') dirtyServices.add(parseInstanceKey(change.key).serviceId);
  }

  function publishNamespace(id: string, namespace: NamespaceRecord | undefined): void {
    const before = zones.get(id);
    if (namespace === undefined) {
      zones.delete(id);
      if (before !== undefined) options.onZone(before, undefined);
      return;
    }
    const [zone, config] = zoneOf(namespace);
    zones.set(id, zone);
    options.onZone(zone, config);
  }

  function publishDirty(): void {
    for (const id of dirtyServices) {
      const service = state.services.get(id);
      const namespace = service && state.namespaces.get(service.namespaceId);
      if (service === undefined || namespace === undefined) {
        registry.removeService(serviceKey(id));
        registry.removeGroup(groupKey(id));
        continue;
      }
      registry.replaceService(serviceOf(service, namespace, defaults));
      registry.replaceGroup(groupKey(id), serviceKey(id), [...state.instancesOf(id).values()].map(instanceOf));
    }
    dirtyServices.clear();
    options.judgeNow();
  }

  return {
    statusesOf: (service) => statusesOf(registry, service),
    isChecked: (service) =>
      service.customHealth || registry.service(serviceKey(service.id))?.service?.healthCheck !== undefined,
    discovered: (service) => discoveredInstances(registry, state, service),
    revision: (service) => revisions(service.id),
    republish(next) {
      defaults = next;
      for (const id of state.services.keys()) dirtyServices.add(id);
      publishDirty();
    },
    stop,
    withdraw() {
      for (const id of state.services.keys()) {
        registry.removeService(serviceKey(id));
        registry.removeGroup(groupKey(id));
      }
    },
  };
}

/** The registry's key of a Cloud Map service. Tasks are further groups of the same service. */
export const serviceKey = (id: string): string => CLOUD_MAP_SERVICE.format(id);
const groupKey = (id: string): string => `cloudmap/${id}/registered`;

function zoneOf(namespace: NamespaceRecord): [string, ZoneConfig | undefined] {
  const name = `${canonicalName(namespace.name)}.`;
  if (namespace.type === 'HTTP') return [name, undefined];
  const policy: ServicePolicy = {
    whenAllUnhealthy: 'nodata',
    unknown: 'answer',
    publishNotReady: false,
    maxAnswers: 0,
    routing: 'multivalue',
  };
  return [
    name,
    {
      name,
      soa: {
        mname: `ns.dns.${name}`,
        rname: `hostmaster.${name}`,
        refreshSeconds: 7200,
        retrySeconds: 900,
        expireSeconds: 1_209_600,
        minimumSeconds: namespace.soaTtlSeconds ?? 15,
      },
      nameServers: [`ns.dns.${name}`],
      ttlSeconds: namespace.soaTtlSeconds ?? 15,
      names: ['{service}'],
      policy,
      records: NO_STATIC_RECORDS,
      services: [],
      kubernetes: [],
    },
  ];
}

function serviceOf(service: ServiceRecord, namespace: NamespaceRecord, defaults: PublishDefaults): Service {
  const weighted = service.dnsConfig?.routingPolicy === 'WEIGHTED';
  const policy = policyOf(service.attributes, defaults.policy);
  const recordOfA = service.dnsConfig?.records.find(({ type }) => type === 'A');
  return {
    key: serviceKey(service.id),
    source: 'cloudmap',
    zone: `${canonicalName(namespace.name)}.`,
    namespace: canonicalName(namespace.name),
    name: service.name.toLowerCase(),
    // Services of HTTP namespaces are found by DiscoverInstances only.
    names: namespace.type === 'HTTP' ? [] : [service.name === '.' ? '@' : '{service}'],
    ttlSeconds: (recordOfA ?? service.dnsConfig?.records[0])?.ttlSeconds ?? 60,
    ...ttlOfAaaa(service),
    policy: {
      ...policy,
      maxAnswers: weighted ? 1 : policy.maxAnswers || MULTIVALUE_ANSWERS,
      routing: weighted ? 'weighted' : 'multivalue',
    },
    kind: 'instances',
    ports: [],
    recordTypes: service.dnsConfig?.records.map(({ type }) => type) ?? [],
    createdMs: service.createMs,
    ...checkOf(service, namespace, defaults),
  };
}

function ttlOfAaaa({ dnsConfig }: ServiceRecord): { readonly ttlSecondsOfAaaa?: number } {
  const aaaa = dnsConfig?.records.find(({ type }) => type === 'AAAA');
  return aaaa && dnsConfig?.records.length === 2 ? { ttlSecondsOfAaaa: aaaa.ttlSeconds } : {};
}

function checkOf(
  service: ServiceRecord,
  namespace: NamespaceRecord,
  defaults: PublishDefaults,
): { readonly healthCheck?: HealthCheck } {
  const configured = defaults.healthChecks.find(
    (check) => check.service === service.name.toLowerCase() && check.namespace === canonicalName(namespace.name),
  );
  if (configured) return { healthCheck: configured.healthCheck };
  return service.healthCheckConfig ? { healthCheck: healthCheckOf(service.healthCheckConfig, defaults) } : {};
}

function healthCheckOf(
  config: NonNullable<ServiceRecord['healthCheckConfig']>,
  defaults: PublishDefaults,
): HealthCheck {
  return {
    type: config.type === 'TCP' ? 'tcp' : config.type === 'HTTPS' ? 'https' : 'http',
    ...(config.resourcePath && { path: config.resourcePath }),
    interval: defaults.healthCheckIntervalSeconds,
    timeout: CHECK_TIMEOUT_SECONDS,
    // As in Route 53, the threshold applies in both directions.
    retries: config.failureThreshold,
    successes: config.failureThreshold,
    startPeriod: 0,
  };
}

function instanceOf(record: InstanceRecord): Instance {
  const { AWS_INSTANCE_IPV4: ipv4, AWS_INSTANCE_IPV6: ipv6, AWS_INSTANCE_PORT: port } = record.attributes;
  return {
    id: record.id,
    addresses: [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [canonicalIp(address) ?? address])),
    ports: port === undefined ? [] : [{ name: '', protocol: 'tcp', port: Number(port) }],
    weight: 1,
    attributes: record.attributes,
    subjects: [],
    facts: [
      ...(record.customStatus ? [customFact(record.customStatus)] : []),
      ...(record.operator ? [operatorFact(record.operator, record.registeredMs)] : []),
    ],
  };
}

const customFact = ({ status, sinceMs }: NonNullable<InstanceRecord['customStatus']>): Fact => ({
  source: 'custom',
  status,
  reason: `set to ${status} through the Cloud Map API`,
  sinceMs,
});

function statusesOf(registry: Registry, service: ServiceRecord): Map<string, Status> {
  const statuses = new Map<string, Status>();
  for (const { instance, verdict } of registry.service(serviceKey(service.id))?.instances.values() ?? [])
    statuses.set(instance.id, verdict.status);
  return statuses;
}

function* discoveredInstances(registry: Registry, state: State, service: ServiceRecord): Iterable<DiscoveredInstance> {
  const registered = state.instancesOf(service.id);
  for (const { instance } of registry.service(serviceKey(service.id))?.instances.values() ?? [])
    if (!registered.has(instance.id)) yield { id: instance.id, attributes: instance.attributes };
}

/** Revisions start at the current time, so that they also grow across a restart. */
function createRevisions({ registry, clock }: PublishOptions): (serviceId: string) => number {
  const first = clock.now();
  const revisions = new Map<string, number>();
  registry.onChange((key) => {
    if (key.startsWith('cloudmap/')) revisions.set(key, (revisions.get(key) ?? first) + 1);
  });
  return (serviceId) => revisions.get(serviceKey(serviceId)) ?? first;
}
