import assert from 'node:assert/strict';
import type { ZoneConfig } from '../../src/config/config.ts';
import type { StaticRecords } from '../../src/config/static-records.ts';
import { StaticRecordsDraft } from '../../src/config/static-records-draft.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { composeRdata, formatRdata } from '../../src/dns/rdata/rdata.ts';
import { parseType, typeName } from '../../src/dns/types.ts';
import type { Instance, Service, ServicePolicy, ServicePort } from '../../src/registry/model.ts';
import { createRegistry, type Registry } from '../../src/registry/registry.ts';
import { Zones, type ZonesSettings } from '../../src/zone/zones.ts';
import { type FakeClock, fakeClock } from './fake-clock.ts';
import { type ModelPlane, modelPlane } from './model-plane.ts';

export const POLICY: ServicePolicy = {
  whenAllUnhealthy: 'nodata',
  unknown: 'answer',
  publishNotReady: false,
  maxAnswers: 0,
  routing: 'multivalue',
};

/** A static record with its value as in a zone file; names are absolute. */
export interface TextRecord {
  readonly name: string;
  readonly type: string;
  readonly value: string;
  readonly ttlSeconds: number;
}

export function staticRecords(zone: string, records: readonly TextRecord[]): StaticRecords {
  const draft = new StaticRecordsDraft(parseName(zone));
  for (const [i, { name, type, value, ttlSeconds }] of records.entries()) {
    const number = parseType(type)!;
    draft.add(parseName(name), number, ttlSeconds, composeRdata(number, value), i);
  }
  const steps = draft.finish({ problem: (_place, _part, message) => assert.fail(message), warning() {} });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** "www.x. 5 A 192.0.2.1" for each record. */
export function recordTexts(records: StaticRecords): string[] {
  return [...records.buckets()].flatMap((bucket) =>
    records
      .namesIn(bucket)
      .flatMap(({ name, rrsets }) =>
        rrsets.flatMap(({ type, ttlSeconds, rdatas }) =>
          rdatas.map((rdata) => `${formatName(name)} ${ttlSeconds} ${typeName(type)} ${formatRdata(type, rdata)}`),
        ),
      ),
  );
}

type ZoneChange = Partial<Omit<ZoneConfig, 'records'>> & { readonly records?: readonly TextRecord[] };

export function zoneConfig(name: string, change: ZoneChange = {}): ZoneConfig {
  const soa = {
    mname: `ns.dns.${name}`,
    rname: `hostmaster.${name}`,
    refreshSeconds: 7200,
    retrySeconds: 1800,
    expireSeconds: 86400,
    minimumSeconds: 5,
  };
  return {
    name,
    soa,
    nameServers: [soa.mname],
    ttlSeconds: 5,
    names: ['{service}'],
    policy: POLICY,
    services: [],
    kubernetes: [],
    ...change,
    records: staticRecords(name, change.records ?? []),
  };
}

/** A cluster's zone; services are stated by hand. */
export function clusterZone(name = 'cluster.local.', change: ZoneChange = {}): ZoneConfig {
  const cluster = {
    kubeconfig: undefined,
    context: undefined,
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
  } as const;
  return zoneConfig(name, { names: ['{service}.{namespace}.svc'], kubernetes: [cluster], ...change });
}

/** "production/api" in the zone cluster.local., by the cluster "test". */
export function kubernetesService(path: string, change: Partial<Service> = {}): Service {
  const [namespace, name] = path.split('/');
  return {
    key: `kubernetes/test/cluster.local./${path}`,
    source: 'kubernetes/test',
    zone: 'cluster.local.',
    namespace,
    name,
    names: ['{service}.{namespace}.svc'],
    ttlSeconds: 5,
    policy: POLICY,
    kind: 'instances',
    ports: [],
    createdMs: 1000,
    ...change,
  };
}

export function instance(id: string, addresses: readonly string[], change: Partial<Instance> = {}): Instance {
  return { id, addresses, ports: [], weight: 1, attributes: {}, subjects: [], facts: [], ...change };
}

export function port(name: string, number: number, protocol: ServicePort['protocol'] = 'tcp'): ServicePort {
  return { name, protocol, port: number };
}

export interface ZoneSetup {
  readonly plane: ModelPlane;
  readonly registry: Registry;
  readonly zones: Zones;
  readonly clock: FakeClock;
  /** "owner: problem" */
  readonly leftOut: string[];
  /** One entry a call of onDirty. */
  readonly dirty: true[];
  state(service: Service, instances: readonly Instance[]): void;
}

export interface ZoneSetupOptions extends Pick<ZonesSettings, 'namesPerPass' | 'splitFrom'> {
  /** Others run between two passes, and what is sent arrives in a later turn of the event loop. */
  readonly hasTurns?: boolean;
}

export function setUpZones(configs: readonly ZoneConfig[], options: ZoneSetupOptions = {}): ZoneSetup {
  const { hasTurns = false, ...passes } = options;
  const plane = modelPlane(hasTurns);
  const registry = createRegistry(plane.slots);
  const clock = fakeClock();
  const leftOut: string[] = [];
  const dirty: true[] = [];
  const zones = new Zones({
    registry,
    plane,
    zones: configs,
    clock,
    random: () => 0.5,
    nameServerAddresses: ['127.0.0.1', '::1'],
    ...passes,
    ...(hasTurns && { pause: () => new Promise((resolve) => setImmediate(resolve)) }),
    onDirty: () => void dirty.push(true),
    leftOut: (owner, problem) => void leftOut.push(`${owner}: ${problem}`),
  });
  return {
    plane,
    registry,
    zones,
    clock,
    leftOut,
    dirty,
    state(service, instances) {
      registry.replaceService(service);
      registry.replaceGroup(service.key, service.key, instances);
    },
  };
}
