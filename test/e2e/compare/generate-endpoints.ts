// What is behind the services: pods for the controllers to find, slices that someone else keeps, legacy Endpoints.

import {
  type EndpointObject,
  type Port,
  SERVICE_NAME,
  type ServiceObject,
  type SliceObject,
} from '../../../src/shadow/cluster/objects.ts';
import type { ClusterPlan, PlannedPod, PlannedService } from './generate.ts';
import type { Chance } from './random.ts';

export const NODE_NAMES = ['node-1', 'node-2'] as const;
/** Its kubelet is silent, and no controller has marked its pods yet. */
export const LOST_NODE = 'node-lost';

/** One more than a slice of the endpoint controllers holds, and more than SRV weights of 100 can be shared among. */
const MANY = [101, 130, 250];

export function generateEndpoints(
  services: readonly PlannedService[],
  chance: Chance,
): Pick<ClusterPlan, 'pods' | 'slices' | 'endpoints'> {
  const addresses = createAddresses();
  const pods: PlannedPod[] = [];
  const slices: SliceObject[] = [];
  const endpoints: { metadata: ServiceObject['metadata'] }[] = [];
  for (const { object, backing } of services) {
    if (backing === 'pods') pods.push(...podsOf(object, chance, addresses));
    if (backing === 'slices') slices.push(...slicesOf(object, pods, chance, addresses));
    if (backing === 'many') slices.push(...manySlices(object, chance.pick(MANY), addresses));
    if (backing === 'endpoints') endpoints.push(legacyEndpoints(object, chance, addresses));
  }
  return { pods, slices, endpoints };
}

interface Addresses {
  ipv4(): string;
  ipv6(): string;
}

function createAddresses(): Addresses {
  let next = 256;
  return {
    ipv4: () => `10.1.${(next >> 8) & 255}.${next++ & 255}`,
    // With and without a run of zeros to leave out.
    ipv6: () => (next % 3 === 0 ? `fd00:1:2:3:4:5:6:${(next++).toString(16)}` : `fd00:1::${(next++).toString(16)}`),
  };
}

function podsOf({ metadata, spec }: ServiceObject, chance: Chance, addresses: Addresses): PlannedPod[] {
  const { namespace, name } = metadata;
  const states: readonly PlannedPod['state'][] = [
    ...(['ready', 'ready', 'ready', 'ready'] as const),
    ...(['not-ready', 'pending', 'succeeded', 'failed', 'terminating'] as const),
  ];
  const hosts = chance.often(0.4) ? chance.pick(['stateful', 'same']) : undefined;
  const hostAddress = addresses.ipv4();
  return Array.from({ length: chance.below(5) }, (_, i) => {
    const hostname = hosts === undefined ? undefined : hosts === 'same' ? 'same-host' : `${name.slice(0, 40)}-${i}`;
    const onHost = chance.often(0.1);
    const families = chance.pick([['4'], ['6'], ['4', '6'], ['6', '4']] as const);
    const ips = onHost
      ? [hostAddress]
      : families.map((family) => (family === '4' ? addresses.ipv4() : addresses.ipv6()));
    return {
      metadata: { namespace, name: `${name.slice(0, 50)}-pod-${i}`, labels: spec.selector ?? {} },
      spec: {
        nodeName: chance.often(0.05) ? LOST_NODE : chance.pick(NODE_NAMES),
        terminationGracePeriodSeconds: 3600,
        ...(hostname === undefined ? {} : { hostname, subdomain: name }),
        containers: [{ name: 'app', image: 'app' }],
      },
      ips,
      state: chance.pick(states),
    };
  });
}

const CONDITIONS: readonly EndpointObject['conditions'][] = [
  { ready: true },
  { ready: true },
  {},
  { ready: true, serving: true, terminating: false },
  { ready: false },
  { ready: false, serving: true, terminating: true },
  { ready: false, serving: false, terminating: true },
];

/** One to three slices; endpoints and addresses may be in several of them, as while a controller moves them. */
function slicesOf(
  service: ServiceObject,
  pods: readonly PlannedPod[],
  chance: Chance,
  addresses: Addresses,
): SliceObject[] {
  const repeated = addresses.ipv4();
  return Array.from({ length: 1 + chance.below(3) }, (_, i) => {
    const isIpv6 = chance.often(0.3);
    const fresh = () => (isIpv6 ? addresses.ipv6() : chance.often(0.15) ? repeated : addresses.ipv4());
    const endpoints = Array.from({ length: chance.below(5) }, (): EndpointObject => {
      const own = chance.often(0.2) ? chance.pick(pods.length > 0 ? pods.slice(-8) : [undefined]) : undefined;
      const reference = own?.metadata.namespace === service.metadata.namespace ? own : undefined;
      return {
        addresses: chance.often(0.1) ? [fresh(), fresh()].filter(distinct) : [fresh()],
        conditions: chance.pick(CONDITIONS),
        ...(chance.often(0.25) ? { hostname: chance.pick(['db-0', 'db-1', 'h', '0']) } : {}),
        ...(reference && { targetRef: { kind: 'Pod', ...reference.metadata } }),
        ...(chance.often(0.3) ? { nodeName: chance.pick(NODE_NAMES) } : {}),
      };
    });
    return slice(service, i, isIpv6, slicePorts(service.spec.ports, chance), endpoints);
  });
}

const distinct = <T>(value: T, at: number, all: readonly T[]) => all.indexOf(value) === at;

/** Mostly the service's; else one of them, none, numbers of their own, or no number. */
function slicePorts(ports: readonly Port[] = [], chance: Chance): readonly Port[] {
  if (chance.often(0.6)) return ports;
  return chance.pick<readonly Port[]>([
    ports.slice(0, 1),
    [],
    [{ name: 'other', port: 7, protocol: 'UDP' }],
    ports.map((port) => ({ ...port, port: 1000 + ((port.port ?? 0) % 1000) })),
    [{ name: 'any', protocol: 'TCP' }],
  ]);
}

function manySlices(service: ServiceObject, count: number, addresses: Addresses): SliceObject[] {
  const all = Array.from(
    { length: count },
    (_, i): EndpointObject => ({
      addresses: [addresses.ipv4()],
      conditions: { ready: i % 7 !== 3 },
    }),
  );
  return Array.from({ length: Math.ceil(count / 100) }, (_, i) =>
    slice(service, i, false, service.spec.ports ?? [], all.slice(i * 100, (i + 1) * 100)),
  );
}

function slice(
  { metadata: { namespace, name } }: ServiceObject,
  index: number,
  isIpv6: boolean,
  ports: readonly Port[],
  endpoints: readonly EndpointObject[],
): SliceObject {
  return {
    metadata: { namespace, name: `${name.slice(0, 50)}-own-${index}`, labels: { [SERVICE_NAME]: name } },
    addressType: isIpv6 ? 'IPv6' : 'IPv4',
    ports: ports.map((port) => ({ protocol: 'TCP', ...port })),
    endpoints,
  };
}

function legacyEndpoints({ metadata, spec }: ServiceObject, chance: Chance, addresses: Addresses) {
  const address = () => ({
    ip: addresses.ipv4(),
    ...(chance.often(0.3) ? { hostname: chance.pick(['m-0', 'm-1']) } : {}),
  });
  const several = () => Array.from({ length: chance.below(3) }, address);
  const ports = (spec.ports ?? []).map((port) => ({ protocol: 'TCP', ...port }));
  const subset = { addresses: [address(), ...several()], notReadyAddresses: several(), ports };
  return { metadata: { namespace: metadata.namespace, name: metadata.name }, subsets: [subset] };
}
