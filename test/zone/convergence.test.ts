// Whatever happens in whatever order: what the data plane was told in differences is what a new start would tell it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { ZoneConfig } from '../../src/config/config.ts';
import { formatName } from '../../src/dns/name.ts';
import { TYPE } from '../../src/dns/types.ts';
import type { Change, NameRecords } from '../../src/plane/records.ts';
import { type Content, emptyContent } from '../support/model-plane.ts';
import { setUpZones, type ZoneSetup } from '../support/zone-setup.ts';
import { applyStep, configurations, type Step, step } from '../support/zone-world.ts';

type Event =
  | Step
  | { readonly do: 'flush' }
  | { readonly do: 'turn' }
  | { readonly do: 'replace thread' }
  | { readonly do: 'explain' }
  | { readonly do: 'fill'; readonly changes: number }
  | { readonly do: 'reload'; readonly configuration: number };

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 10, arbitrary: step },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replace thread' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('explain' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fill' as const), changes: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const), configuration: fc.nat(3) }) },
);

test('after any changes, the incremental messages equal those of a fresh start', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 10, maxLength: 50 }),
      fc.record({
        namesPerPass: fc.integer({ min: 1, max: 30 }),
        // What is compared with publishes every service whole: they are too small.
        splitFrom: fc.constantFrom(1, 2, 4, undefined),
        // Between two passes others run, and what is sent arrives later.
        hasTurns: fc.boolean(),
      }),
      async (events, options) => {
        const setup = setUpZones(configurations[0], options);
        noSlotIsGivenTwice(setup);
        const { configuration, threads } = await happen(setup, events);
        const { plane, zones } = setup;
        const wanted = detailed(plane.content.names);
        for (const { content } of threads) assert.equal(detailed(content.names), wanted, 'a thread that was replaced');
        for (const { content } of threads) assert.deepEqual(content.zones, plane.content.zones);
        const again = emptyContent();
        for (const change of zones.refill()) again.take(change);
        assert.equal(detailed(again.names), wanted, 'refill');
        assert.deepEqual([...again.zones.keys()].sort(), [...plane.content.zones.keys()].sort());

        const fresh = await startedAnew(setup, configuration);
        assert.equal(detailed(plane.names, false), detailed(fresh.plane.names, false));
        const told = options.splitFrom === undefined ? (text: string) => text : withoutSrvWeights;
        assert.equal(told(plane.text()), told(fresh.plane.text()));
        everySlotIsOfALivingInstance(setup);
        noEmptyNonTerminalIsMissing(plane.names, [...plane.zones.keys()]);
      },
    ),
    { numRuns: 400 },
  );
});

interface FilledThread {
  readonly content: Content;
  readonly filling: Iterator<Change>;
}

/** Resolves when everything has been flushed, and every thread that was replaced is filled. */
async function happen(
  setup: ZoneSetup,
  events: readonly Event[],
): Promise<{ readonly configuration: readonly ZoneConfig[]; readonly threads: readonly FilledThread[] }> {
  const { plane, zones } = setup;
  let configuration = configurations[0];
  const flushes: Promise<void>[] = [];
  const threads: FilledThread[] = [];
  for (const each of events) {
    if (each.do === 'flush') flushes.push(zones.flush());
    else if (each.do === 'turn') await new Promise((resolve) => setImmediate(resolve));
    else if (each.do === 'explain') for (const name of [...plane.names.keys()]) zones.explain(name);
    else if (each.do === 'fill') for (const thread of threads) fill(thread, each.changes);
    else if (each.do === 'replace thread') {
      threads.push({ content: plane.join(), filling: zones.refill()[Symbol.iterator]() });
    } else if (each.do === 'reload') {
      configuration = configurations[each.configuration];
      zones.reload(configuration);
    } else applyStep(setup, each);
  }
  await Promise.all(flushes);
  await zones.flush();
  for (const thread of threads) fill(thread, Number.POSITIVE_INFINITY);
  return { configuration, threads };
}

function fill({ content, filling }: FilledThread, changes: number): void {
  for (let left = changes; left > 0; left--) {
    const next = filling.next();
    if (next.done) return;
    content.take(next.value);
  }
}

/** A server that starts now and is told what is known now. */
async function startedAnew({ registry, plane }: ZoneSetup, configuration: readonly ZoneConfig[]): Promise<ZoneSetup> {
  const fresh = setUpZones(configuration);
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
      if (like === undefined) continue;
      fresh.plane.slots.set(state.slot, plane.slots.get(like.slot));
      fresh.registry.setWeight(state, like.weight);
    }
  }
  await fresh.zones.flush();
  return fresh;
}

/** In a service that is published in parts, SRV records have the weight of many. */
const withoutSrvWeights = (text: string): string => text.replaceAll(/ SRV 0 \d+ /g, ' SRV 0 0 ');

/** Everything that a name says, SRV weights aside, records in any order; slots as well when they were given by the same allocator. */
function detailed(names: ReadonlyMap<string, NameRecords>, withSlots = true): string {
  const lines: string[] = [];
  for (const [name, { rrsets }] of names) {
    for (const { records, type, ...answering } of rrsets) {
      for (const { rdata, slot, weight } of records) {
        const data = type === TYPE.SOA ? '' : dataOf(type, rdata);
        lines.push(JSON.stringify([name, type, answering, data, weight, withSlots ? slot : slot > 0]));
      }
    }
  }
  return lines.sort().join('\n');
}

function dataOf(type: number, rdata: Uint8Array): string {
  const data = Buffer.from(rdata);
  if (type === TYPE.SRV && data.readUInt16BE(0) === 0) data.writeUInt16BE(0, 2);
  return data.toString('hex');
}

/** A byte is not given to an instance while a record of another one has it. */
function noSlotIsGivenTwice({ plane }: ZoneSetup): void {
  const { allocate } = plane.slots;
  plane.slots.allocate = () => {
    const slot = allocate();
    for (const [name, { rrsets }] of plane.contents().flatMap(({ names }) => [...names])) {
      for (const { records } of rrsets) assert.ok(!records.some((one) => one.slot === slot), `slot ${slot} of ${name}`);
    }
    return slot;
  };
}

/** No record has the byte of an instance that is gone, and bytes of those that are gone are given back. */
function everySlotIsOfALivingInstance({ plane, registry }: ZoneSetup): void {
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
