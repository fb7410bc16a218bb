// Whatever happens in whatever order: what the data plane was told in differences is what a new start would tell it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { ZoneConfig } from '../../src/config/config.ts';
import { formatName } from '../../src/dns/name.ts';
import { TYPE } from '../../src/dns/types.ts';
import type { NameRecords, ZoneState } from '../../src/plane/records.ts';
import type { Instance, Service } from '../../src/registry/model.ts';
import { applyChange } from '../support/model-plane.ts';
import {
  clusterZone,
  instance,
  kubernetesService,
  POLICY,
  port,
  setUpZones,
  zoneConfig,
} from '../support/zone-setup.ts';

const address = fc.constantFrom('10.0.0.1', '10.1.0.1', 'fd00::1', 'nonsense');

/** `usual` most of the time. */
const mostly = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
/** A small world, so that the same things come and go and meet each other. */
const anInstance = fc.constantFrom<Instance>(
  instance('a', ['10.0.0.1']),
  instance('b', ['10.0.0.1']),
  instance('b', ['10.0.0.2'], { ports: [port('http', 80)] }),
  instance('c', ['10.0.0.1', 'fd00::1'], { hostname: 'a', weight: 5 }),
  instance('_tcp', ['fd00::2'], { ports: [port('http', 80), port('', 1)] }),
  instance('odd label', ['10.0.1.1', 'nonsense'], { hostname: 'odd label' }),
);

const aService: fc.Arbitrary<Service> = fc
  .record({
    namespace: mostly('a', 'b'),
    name: fc.constantFrom('a', 'a', 'a', 'b', 'b', 'b', 'no label'),
    cluster: fc.constantFrom('one', 'two'),
    kind: mostly('instances', 'clusterIp', 'externalName', 'namespace'),
    names: mostly(['{service}.{namespace}.svc'], ['{service}', '{namespace}.{service}'], ['{namespace}.svc']),
    createdMs: fc.constantFrom(1, 2),
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
];
const configurations: readonly (readonly ZoneConfig[])[] = [
  [clusterZone('cluster.local.', { records })],
  [
    clusterZone('cluster.local.', { reverse: [] }),
    zoneConfig('prod.cluster.local.', { reverse: ['10.in-addr.arpa.'] }),
  ],
  [clusterZone(), zoneConfig('in-addr.arpa.')],
  [zoneConfig('local.'), zoneConfig('prod.cluster.local.')],
];

type Step =
  | { readonly do: 'service'; readonly service: Service }
  | {
      readonly do: 'state' | 'group' | 'remove' | 'answer';
      readonly service: Service;
      readonly instances: readonly Instance[];
    }
  | { readonly do: 'flush' | 'turn' }
  | { readonly do: 'reload'; readonly configuration: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('service' as const), service: aService }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom<'state' | 'group' | 'remove' | 'answer'>(
        'state',
        'state',
        'state',
        'group',
        'remove',
        'answer',
      ),
      service: aService,
      instances: fc.array(anInstance, { maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('flush' as const, 'turn' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const), configuration: fc.nat(3) }) },
);

test('after any changes, what was sent in differences equals what a new start sends', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40 }),
      fc.integer({ min: 1, max: 30 }),
      // What is compared with keeps nothing of what was compiled before: its services are too small.
      fc.constantFrom(1, 2, undefined),
      async (steps, namesPerPass, keptFrom) => {
        const setup = setUpZones(configurations[0], namesPerPass, keptFrom);
        const { plane, registry, zones } = setup;
        let configuration = configurations[0];
        const flushes: Promise<void>[] = [];
        for (const each of steps) {
          if (each.do === 'flush') flushes.push(zones.flush());
          else if (each.do === 'turn') await new Promise((resolve) => setImmediate(resolve));
          else if (each.do === 'reload') {
            configuration = configurations[each.configuration];
            zones.reload(configuration);
          } else apply(setup, each);
        }
        await Promise.all(flushes);
        await zones.flush();
        const differences = plane.text();

        const fresh = setUpZones(configuration);
        const names = new Map<string, NameRecords>();
        const states = new Map<string, ZoneState>();
        for (const change of zones.refill()) applyChange(change, names, states);
        assert.equal(detailed(names), detailed(plane.names), 'refill');
        assert.deepEqual([...states.keys()].sort(), [...plane.zones.keys()].sort());

        for (const { service, instances, key } of registry.services()) {
          if (service !== undefined) fresh.registry.replaceService(service);
          const stated = [...instances.values()];
          fresh.registry.replaceGroup(
            key,
            key,
            stated.map((state) => state.instance),
          );
          for (const state of fresh.registry.service(key)?.instances.values() ?? []) {
            const like = stated.find(({ instance: same }) => isDeepStrictEqual(same, state.instance));
            if (like !== undefined) fresh.plane.slots.set(state.slot, plane.slots.get(like.slot));
          }
        }
        await fresh.zones.flush();
        assert.equal(detailed(plane.names, false), detailed(fresh.plane.names, false));
        assert.equal(differences, fresh.plane.text());
        everySlotIsOfALivingInstance(setup);
        noEmptyNonTerminalIsMissing(plane.names, [...plane.zones.keys()]);
      },
    ),
    { numRuns: 400 },
  );
});

function apply({ registry, plane, zones }: ReturnType<typeof setUpZones>, each: Step): void {
  if (each.do === 'service') registry.replaceService(each.service);
  else if (each.do === 'state') {
    registry.replaceService(each.service);
    registry.replaceGroup(each.service.key, each.service.key, each.instances);
  } else if (each.do === 'group') registry.replaceGroup(each.service.key, each.service.key, each.instances);
  else if (each.do === 'remove') {
    registry.removeGroup(each.service.key);
    registry.removeService(each.service.key);
  } else if (each.do === 'answer') {
    for (const { slot } of registry.service(each.service.key)?.instances.values() ?? []) plane.slots.set(slot, true);
    zones.verdictChanged(each.service.key);
  }
}

/** Everything that a name says, records in any order; slots as well when they were given by the same allocator. */
function detailed(names: ReadonlyMap<string, NameRecords>, withSlots = true): string {
  const lines: string[] = [];
  for (const [name, { rrsets }] of names) {
    for (const { records, type, ...answering } of rrsets) {
      for (const { rdata, slot, weight } of records) {
        const data = type === TYPE.SOA ? '' : Buffer.from(rdata).toString('hex');
        lines.push(JSON.stringify([name, type, answering, data, weight, withSlots ? slot : slot > 0]));
      }
    }
  }
  return lines.sort().join('\n');
}

/** No record has the byte of an instance that is gone, and bytes of those that are gone are given back. */
function everySlotIsOfALivingInstance({ plane, registry }: ReturnType<typeof setUpZones>): void {
  const living = new Set([0]);
  for (const service of registry.services()) {
    for (const state of service.instances.values()) {
      living.add(state.slot);
      for (const address of state.instance.addresses) living.add(service.slotFor(state, address));
    }
  }
  for (const [name, { rrsets }] of plane.names) {
    for (const { slot } of rrsets.flatMap(({ records }) => records))
      assert.ok(living.has(slot), `slot ${slot} of ${name}`);
  }
  assert.equal(plane.slots.inUse(), living.size - 1);
}

/** RFC 8020: between an apex and a name that exists, every name exists. */
function noEmptyNonTerminalIsMissing(names: ReadonlyMap<string, NameRecords>, apexes: readonly string[]): void {
  for (const { name } of names.values()) {
    let above = name;
    while (!apexes.includes(formatName(above))) {
      assert.ok(names.has(formatName(above)), `${formatName(above)} is missing`);
      above = above.subarray(1 + above[0]);
    }
  }
}
