// A seeded plan of a cluster with every kind of Service and endpoint state that DNS can tell apart.

import type { ObjectMetadata, Port, ServiceObject } from '../../../src/shadow/cluster/objects.ts';
import { generateEndpoints } from './generate-endpoints.ts';
import type { Chance } from './random.ts';

/** One pod and what its kubelet will say of it. */
export interface PlannedPod {
  readonly metadata: ObjectMetadata;
  readonly spec: object;
  readonly ips: readonly string[];
  readonly state: 'ready' | 'not-ready' | 'pending' | 'succeeded' | 'failed' | 'terminating';
}

export interface ClusterPlan {
  readonly namespaces: readonly string[];
  readonly services: readonly ServiceObject[];
  readonly pods: readonly PlannedPod[];
  /** EndpointSlices and legacy Endpoints, which a controller mirrors. */
  readonly slices: readonly { readonly metadata: ObjectMetadata }[];
  readonly endpoints: readonly { readonly metadata: ObjectMetadata }[];
}

/** How a service gets its endpoints. */
export type Backing = 'pods' | 'slices' | 'endpoints' | 'many' | 'none';

export interface PlannedService {
  readonly object: ServiceObject;
  readonly backing: Backing;
}

/** Words of the name grammar among them, the shortest and the longest label there may be. */
const NAMESPACES = ['prod', 'staging', 'svc', 'pod', 'dns', 'n', 'a-b--c', 'x1', 'team-blue', 'l'.repeat(63)];
const ODD_NAMES = ['svc', 'pod', 'ns', 'dns-version', 'a', 'x--y', 'o'.repeat(63), 'kubernetes', 'tcp'];

const PORTS: readonly (readonly Port[])[] = [
  [{ port: 80 }],
  [{ name: 'http', port: 80, protocol: 'TCP' }],
  [
    { name: 'http', port: 80, protocol: 'TCP' },
    { name: 'https', port: 443, protocol: 'TCP' },
  ],
  [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    { name: 'sigtran', port: 2905, protocol: 'SCTP' },
  ],
  [
    { name: 'a', port: 1, protocol: 'TCP' },
    { name: 'fifteen-letters', port: 65535, protocol: 'UDP' },
    { name: '8080', port: 8080, protocol: 'TCP' },
  ],
];

const FAMILIES: readonly ServiceObject['spec'][] = [
  { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
  { ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' },
  { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' },
  { ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'RequireDualStack' },
];

export function generateCluster(chance: Chance, servicesPerNamespace: number): ClusterPlan {
  const planned = NAMESPACES.flatMap((namespace) => servicesOf(namespace, chance, servicesPerNamespace));
  return {
    namespaces: NAMESPACES,
    services: planned.map(({ object }) => object),
    ...generateEndpoints(planned, chance),
  };
}

function servicesOf(namespace: string, chance: Chance, count: number): PlannedService[] {
  const oddNames = chance.some(ODD_NAMES, 3);
  const services: PlannedService[] = [];
  for (let i = 0; i < count; i++) {
    const [kind, plan] = KINDS[i % KINDS.length]!;
    const name = oddNames[i] ?? `${kind}-${i}`;
    const { spec, backing } = plan(chance, { namespace, name, index: i, count });
    services.push({ object: { metadata: { namespace, name }, spec }, backing });
  }
  return services;
}

interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly index: number;
  readonly count: number;
}

type Plan = (chance: Chance, place: Place) => { readonly spec: ServiceObject['spec']; readonly backing: Backing };

const headless = (spec: ServiceObject['spec']): ServiceObject['spec'] => ({ clusterIP: 'None', ...spec });
const selecting = ({ name }: Place) => ({ selector: { app: name } });

const KINDS: readonly (readonly [string, Plan])[] = [
  [
    'cluster-ip',
    (chance, place) => ({
      spec: { ...chance.pick(FAMILIES), ports: chance.pick(PORTS), ...selecting(place) },
      backing: 'pods',
    }),
  ],
  [
    'headless',
    (chance, place) => ({
      spec: headless({ ...chance.pick(FAMILIES), ports: chance.pick(PORTS), ...selecting(place) }),
      backing: 'pods',
    }),
  ],
  [
    'portless',
    (chance, place) => ({ spec: headless({ ...chance.pick(FAMILIES), ...selecting(place) }), backing: 'pods' }),
  ],
  ['sliced', (chance) => ({ spec: headless({ ports: chance.pick(PORTS) }), backing: 'slices' })],
  ['cluster-ip-sliced', (chance) => ({ spec: { ports: chance.pick(PORTS) }, backing: 'slices' })],
  ['external', (chance, place) => ({ spec: external(outsideName(chance, place)), backing: 'none' })],
  [
    'unready-too',
    (chance, place) => ({
      spec: headless({ publishNotReadyAddresses: true, ports: chance.pick(PORTS), ...selecting(place) }),
      backing: 'pods',
    }),
  ],
  ['empty', (chance) => ({ spec: headless({ ports: chance.pick(PORTS) }), backing: 'none' })],
  [
    'cluster-ip-empty',
    (chance) => ({ spec: { ...chance.pick(FAMILIES), ports: chance.pick(PORTS) }, backing: 'none' }),
  ],
  ['mirrored', (chance) => ({ spec: headless({ ports: chance.pick(PORTS) }), backing: 'endpoints' })],
  ['alias', (chance, place) => ({ spec: external(insideName(chance, place)), backing: 'none' })],
  [
    'many',
    (chance, { index }) => ({ spec: headless({ ports: chance.pick(PORTS) }), backing: index > 20 ? 'slices' : 'many' }),
  ],
  [
    'sliced-unready-too',
    (chance) => ({
      spec: headless({ publishNotReadyAddresses: true, ports: chance.pick(PORTS) }),
      backing: 'slices',
    }),
  ],
  ['sliced-portless', () => ({ spec: headless({}), backing: 'slices' })],
  [
    'outward',
    (chance, place) => ({
      spec: { type: chance.pick(['NodePort', 'LoadBalancer']), ports: chance.pick(PORTS), ...selecting(place) },
      backing: 'pods',
    }),
  ],
];

const external = (externalName: string): ServiceObject['spec'] => ({ type: 'ExternalName', externalName });

function outsideName(chance: Chance, place: Place): string {
  return chance.pick([
    'example.com',
    'www.example.com.',
    'cluster.local.example.com',
    'local',
    '192.0.2.1',
    `${place.name}.${place.namespace}.svc.cluster.example`,
  ]);
}

/** Services of other kinds in the same namespace, other aliases, itself, a chain, and what does not exist. */
function insideName(chance: Chance, { namespace, name, index, count }: Place): string {
  const other = (kind: number) => {
    const places = Array.from({ length: count }, (_, i) => i).filter((i) => i % KINDS.length === kind && i > 2);
    const place = chance.pick(places.length > 0 ? places : [kind]);
    return `${KINDS[kind]![0]}-${place}.${namespace}.svc.cluster.local`;
  };
  return chance.pick([
    () => other(0),
    () => other(1),
    () => other(5),
    () => other(7),
    () => other(10),
    () => `${other(8)}.`,
    () => `${name}.${namespace}.svc.cluster.local`,
    () => `alias-${index + KINDS.length}.${namespace}.svc.cluster.local`,
    () => 'absent.prod.svc.cluster.local',
    () => 'cluster.local',
    () => 'svc.cluster.local',
    () => '10-1-0-1.prod.pod.cluster.local',
    () => '1.0.96.10.in-addr.arpa',
  ])();
}
