// A small world of services and zones for property tests, and what may happen in it: the same things come and go and meet
// each other.
import fc from 'fast-check';
import type { ZoneConfig } from '../../src/config/config.ts';
import type { Instance, Service } from '../../src/registry/model.ts';
import { clusterZone, instance, kubernetesService, POLICY, port, type ZoneSetup, zoneConfig } from './zone-setup.ts';

const address = fc.constantFrom('10.0.0.1', '10.1.0.1', 'fd00::1', 'nonsense');

/** `usual` most of the time. */
const mostly = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
export const anInstance = fc.constantFrom<Instance>(
  instance('a', ['10.0.0.1']),
  instance('b', ['10.0.0.1']),
  instance('b', ['10.0.0.2'], { ports: [port('http', 80)] }),
  instance('c', ['10.0.0.1', 'fd00::1'], { hostname: 'a', weight: 5 }),
  instance('_tcp', ['fd00::2'], { ports: [port('http', 80), port('', 1)] }),
  instance('odd label', ['10.0.1.1', 'nonsense'], { hostname: 'odd label' }),
);

export const aService: fc.Arbitrary<Service> = fc
  .record({
    namespace: mostly('a', 'b'),
    name: fc.constantFrom('a', 'a', 'a', 'b', 'b', 'b', 'no label'),
    cluster: fc.constantFrom('one', 'two'),
    kind: mostly('instances', 'clusterIp', 'externalName', 'namespace'),
    names: mostly(['{service}.{namespace}.svc'], ['{service}', '{namespace}.{service}'], ['{namespace}.svc']),
    createdMs: fc.constantFrom(1, 2),
    rank: mostly(0, 1),
    merge: fc.boolean(),
    ttlSeconds: mostly(5, 30),
    ports: mostly([port('http', 80)], [], [port('dns', 53, 'udp'), port('', 1), port('a b', 2)]),
    clusterIps: fc.uniqueArray(address, { maxLength: 2 }),
    externalName: fc.constantFrom('example.com.', 'a.a.svc.cluster.local.', '10.0.0.1.'),
    whenAllUnhealthy: mostly('nodata', 'nxdomain', 'servfail', 'all'),
    podNames: fc.constantFrom('disabled', 'insecure', 'verified'),
    ignoreEmpty: fc.boolean(),
    zone: mostly('cluster.local.', 'prod.cluster.local.', 'unknown.'),
  })
  .map(({ cluster, whenAllUnhealthy, ...rest }) => ({
    ...kubernetesService(`${rest.namespace}/${rest.name}`),
    ...rest,
    key: `kubernetes/${cluster}/${rest.namespace}/${rest.name}`,
    source: cluster === 'one' ? 'kubernetes/one' : 'static',
    policy: { ...POLICY, whenAllUnhealthy },
  })) as fc.Arbitrary<Service>;

const records = [
  { name: 'a.a.svc.cluster.local.', type: 'A', value: '192.0.2.1', ttlSeconds: 60 },
  { name: 'b.svc.cluster.local.', type: 'CNAME', value: 'a.svc.cluster.local.', ttlSeconds: 60 },
  { name: '*.b.cluster.local.', type: 'TXT', value: 'x', ttlSeconds: 60 },
  { name: '*.any.cluster.local.', type: 'CNAME', value: 'a.a.svc.cluster.local.', ttlSeconds: 60 },
  { name: 'cut.cluster.local.', type: 'NS', value: 'ns.cut.cluster.local.', ttlSeconds: 60 },
  { name: 'ns.cut.cluster.local.', type: 'A', value: '192.0.2.53', ttlSeconds: 60 },
];
export const configurations: readonly (readonly ZoneConfig[])[] = [
  [clusterZone('cluster.local.', { records })],
  [
    clusterZone('cluster.local.', { reverse: [] }),
    zoneConfig('prod.cluster.local.', { reverse: ['10.in-addr.arpa.'] }),
  ],
  [clusterZone(), zoneConfig('in-addr.arpa.')],
  [zoneConfig('local.'), zoneConfig('prod.cluster.local.')],
];

export type Step =
  | { readonly do: 'service'; readonly service: Service }
  | {
      readonly do: 'state' | 'group' | 'remove' | 'answer' | 'weigh';
      readonly service: Service;
      /** The object that states the instances: the service's own, a second one of it, one that goes from service to service. */
      readonly group: 'own' | 'second' | 'moving';
      readonly instances: readonly Instance[];
    };

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant('service' as const), service: aService }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: mostly<'state' | 'group' | 'remove' | 'answer' | 'weigh'>(
        'state',
        'state',
        'group',
        'remove',
        'answer',
        'weigh',
      ),
      service: aService,
      group: mostly<'own' | 'second' | 'moving'>('own', 'second', 'moving'),
      instances: fc.array(anInstance, { maxLength: 4 }),
    }),
  },
);

export function applyStep({ registry, plane, zones }: ZoneSetup, each: Step): void {
  const { key } = each.service;
  if (each.do === 'service' || each.do === 'state') registry.replaceService(each.service);
  if (each.do === 'service') return;
  const groupKey = each.group === 'own' ? key : each.group === 'second' ? `${key}/2` : 'moving';
  const states = [...(registry.service(key)?.instances.values() ?? [])];
  if (each.do === 'state' || each.do === 'group') registry.replaceGroup(groupKey, key, each.instances);
  else if (each.do === 'remove') {
    registry.removeGroup(groupKey);
    registry.removeService(key);
  } else if (each.do === 'weigh') {
    for (const state of states) registry.setWeight(state, each.instances.length);
  } else {
    for (const { slot } of states) plane.slots.set(slot, true);
    zones.verdictChanged(key);
  }
}
