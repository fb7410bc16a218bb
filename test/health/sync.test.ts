import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { effectiveStatus } from '../../src/health/rules/effective-status.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { INSTANCE } from '../../src/registry/reference.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance, POLICY, service } from '../support/model.ts';

function setUp(instancesPerPass = 5000) {
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const clock = fakeClock();
  const scheduled: (() => void)[] = [];
  const sync = new HealthSync({ registry, slots, clock, schedule: (pass) => scheduled.push(pass), instancesPerPass });
  /** One turn of the event loop. */
  const turn = () => {
    for (const pass of scheduled.splice(0)) pass();
  };
  return { slots, registry, clock, sync, scheduled, turn };
}

const ten = Array.from({ length: 10 }, (_, index) => instance(`i${index}`, `10.0.0.${index}`));

test('a new healthy instance is answered after the next pass, an unhealthy one is not', () => {
  const { registry, slots, turn } = setUp();
  registry.replaceService(service('api', { key: 'k' }));
  registry.replaceFacts(INSTANCE.format('k', 'i1'), 'check', [fact('UNHEALTHY')]);
  registry.replaceGroup('g', 'k', ten.slice(0, 2));
  turn();
  const [i0, i1] = registry.service('k')!.instances.values();
  assert.deepEqual(slots.answered(), [i0.slot]);
  assert.equal(i1.verdict.rule, 'unhealthy');
});

test('flush has written the slots when it returns', () => {
  const { registry, slots, sync } = setUp();
  registry.replaceGroup('g', 'k', ten.slice(0, 1));
  sync.flush();
  const [{ slot }] = registry.service('k')!.instances.values();
  assert.equal(slots.get(slot), true);
  registry.replaceFacts(INSTANCE.format('k', 'i0'), 'check', [fact('UNHEALTHY')]);
  assert.equal(slots.get(slot), true);
  sync.flush();
  assert.equal(slots.get(slot), false);
});

test('a thousand flaps between two turns are judged once', () => {
  const { registry, sync, scheduled, turn, slots } = setUp();
  registry.replaceGroup('g', 'k', ten);
  turn();
  const before = sync.counts();
  for (let flap = 0; flap <= 1000; flap++) {
    const status = flap % 2 === 0 ? 'UNHEALTHY' : 'HEALTHY';
    registry.replaceFacts(INSTANCE.format('k', 'i0'), 'check', [fact(status)]);
  }
  assert.equal(scheduled.length, 1);
  turn();
  assert.equal(sync.counts().passes - before.passes, 1);
  assert.equal(sync.counts().judged - before.judged, 1);
  assert.equal(slots.answered().length, 9);
});

test('a pass judges a limited number of instances and leaves the rest to later turns', () => {
  const { registry, sync, scheduled, turn } = setUp(20);
  for (let group = 0; group < 10; group++) registry.replaceGroup(`g${group}`, `k${group}`, ten);
  turn();
  assert.equal(sync.counts().judged, 20);
  assert.equal(scheduled.length, 1);
  for (let turns = 0; turns < 4; turns++) turn();
  assert.equal(sync.counts().judged, 100);
  assert.equal(scheduled.length, 0);
});

test('a full pass repairs a wrong slot', async () => {
  const { registry, sync, clock, turn, slots } = setUp();
  registry.replaceGroup('g', 'k', ten.slice(0, 1));
  turn();
  const [{ slot }] = registry.service('k')!.instances.values();
  slots.set(slot, false);
  await clock.advance(30_000);
  turn();
  assert.equal(slots.get(slot), true);
  sync.stop();
  await clock.advance(300_000);
  assert.equal(clock.pendingTimers(), 0);
});

test('a full pass is spread over turns, and a flush waits for none of it', async () => {
  const { registry, sync, clock, turn } = setUp(20);
  for (let group = 0; group < 10; group++) registry.replaceGroup(`g${group}`, `k${group}`, ten);
  sync.flush();
  const judged = () => sync.counts().judged;
  let before = judged();
  await clock.advance(30_000);
  turn();
  assert.equal(judged() - before, 20);
  before = judged();
  registry.replaceFacts(INSTANCE.format('k9', 'i0'), 'check', [fact('UNHEALTHY', 'check')]);
  assert.equal(
    sync.settle(() => assert.fail()),
    undefined,
  );
  assert.equal(judged() - before, 1);
  for (let turns = 0; turns < 4; turns++) turn();
  assert.equal(judged() - before, 81);
  sync.stop();
});

test('settling more than one pass yields to other work between passes', async () => {
  const { registry, sync } = setUp(20);
  for (let group = 0; group < 5; group++) registry.replaceGroup(`g${group}`, `k${group}`, ten);
  const judged: number[] = [];
  await sync.settle(async () => void judged.push(sync.counts().judged));
  assert.deepEqual([...judged, sync.counts().judged], [20, 40, 50]);
  sync.stop();
});

test('a service larger than a pass is judged instance by instance, unless they depend on each other', () => {
  const { registry, sync, turn } = setUp(20);
  const many = Array.from({ length: 50 }, (_, i) => ({ ...ten[0], id: `m${i}`, addresses: [`10.9.0.${i}`] }));
  registry.replaceGroup('g', 'k', many);
  turn();
  assert.equal(sync.counts().judged, 20);
  sync.flush();
  assert.equal(sync.counts().judged, 50);
  // A fact that expires: one of them needs all, and then all are judged once.
  registry.replaceGroup(
    'g',
    'k',
    many.map((one) => ({ ...one, facts: [fact('HEALTHY', 'check', { untilMs: 1e15 })] })),
  );
  sync.flush();
  assert.equal(sync.counts().judged, 100);
  sync.stop();
});

test('listeners are called only if the status or the verdict changes', () => {
  const { registry, sync } = setUp();
  const heard: string[] = [];
  sync.onVerdict((state, previous) => heard.push(`${state.instance.id} ${previous.status} ${state.verdict.status}`));
  registry.replaceGroup('g', 'k', ten.slice(0, 1));
  sync.flush();
  for (const [status, sinceMs] of [
    ['HEALTHY', 1],
    ['HEALTHY', 2],
    ['UNHEALTHY', 3],
  ] as const) {
    registry.replaceFacts(INSTANCE.format('k', 'i0'), 'check', [fact(status, 'check', { sinceMs })]);
    sync.flush();
  }
  assert.deepEqual(heard, ['i0 UNKNOWN UNKNOWN', 'i0 UNKNOWN HEALTHY', 'i0 HEALTHY UNHEALTHY']);
});

const statusArb = fc.constantFrom('HEALTHY' as const, 'UNHEALTHY' as const, 'UNKNOWN' as const);
const keyArb = fc.constantFrom('k1', 'k2');
const listed = fc.uniqueArray(
  fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3') }),
  { maxLength: 5 },
);
const eventArb = fc.oneof(
  fc.record({ kind: fc.constant('group' as const), group: fc.constantFrom('g1', 'g2', 'g3'), key: keyArb, listed }),
  fc.record({ kind: fc.constant('remove-group' as const), group: fc.constantFrom('g1', 'g2', 'g3') }),
  fc.record({
    kind: fc.constant('facts' as const),
    subject: fc.constantFrom('pod/a', 'pod/b', 'node/1', 'instance/k1/a', 'instance/k2/c'),
    source: fc.constantFrom('pod' as const, 'node' as const, 'check' as const, 'operator' as const),
    statuses: fc.array(statusArb, { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant('service' as const), key: keyArb, unknown: fc.constantFrom('answer', 'exclude') }),
  fc.record({ kind: fc.constant('remove-service' as const), key: keyArb }),
  fc.record({ kind: fc.constant('turn' as const) }),
  fc.record({ kind: fc.constant('release' as const) }),
);

test('after any events the slots equal a recomputation from scratch', () => {
  fc.assert(
    fc.property(fc.array(eventArb, { maxLength: 60 }), (events) => {
      const { slots, registry, sync, turn } = setUp(3);
      for (const event of events) {
        if (event.kind === 'group') {
          const instances = event.listed.map(({ id, address }) =>
            instance(id, address, { subjects: [`pod/${id}`, 'node/1'] }),
          );
          registry.replaceGroup(event.group, event.key, instances);
        } else if (event.kind === 'remove-group') registry.removeGroup(event.group);
        else if (event.kind === 'facts') {
          registry.replaceFacts(
            event.subject,
            event.source,
            event.statuses.map((status) => fact(status, event.source)),
          );
        } else if (event.kind === 'service') {
          const policy = { ...POLICY, unknown: event.unknown as 'answer' | 'exclude' };
          registry.replaceService(service(event.key, { key: event.key, policy }));
        } else if (event.kind === 'remove-service') registry.removeService(event.key);
        else if (event.kind === 'turn') turn();
        else for (const slot of registry.takeRemovedSlots()) slots.release(slot, Promise.resolve());
      }
      sync.flush();
      for (const slot of registry.takeRemovedSlots()) slots.release(slot, Promise.resolve());

      const expected = new Set<number>();
      const all = new Set<number>();
      for (const state of registry.services()) {
        for (const one of state.instances.values()) {
          const { answered } = effectiveStatus(one.facts(), state.service?.policy ?? POLICY);
          for (const slot of [one.slot, ...one.instance.addresses.map((address) => state.slotFor(one, address))]) {
            all.add(slot);
            if (answered) expected.add(slot);
          }
        }
      }
      assert.deepEqual(
        slots.answered(),
        [...expected].sort((a, b) => a - b),
      );
      assert.equal(slots.taken(), all.size);
    }),
    { numRuns: 500 },
  );
});

test('a fact about one of two instances at one address affects the slot of the address', () => {
  const { registry, sync, slots } = setUp();
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.1'), instance('b', '10.0.0.1')]);
  sync.flush();
  const state = registry.service('k')!;
  const [a] = state.instances.values();
  const shared = state.slotFor(a, '10.0.0.1');
  for (const [id, expected] of [
    ['a', true],
    ['b', false],
  ] as const) {
    registry.replaceFacts(INSTANCE.format('k', id), 'check', [fact('UNHEALTHY')]);
    sync.flush();
    assert.equal(slots.get(shared), expected);
  }
});

test('an address of several instances is left out once the last healthy one of them is removed', () => {
  const { registry, sync, slots } = setUp();
  const all = ['a', 'b', 'c'].map((id) => instance(id, '10.0.0.1'));
  for (const id of ['b', 'c']) registry.replaceFacts(INSTANCE.format('k', id), 'check', [fact('UNHEALTHY')]);
  registry.replaceGroup('g', 'k', all);
  sync.flush();
  const state = registry.service('k')!;
  const shared = state.slotFor([...state.instances.values()][1], '10.0.0.1');
  assert.equal(slots.get(shared), true);
  registry.replaceGroup('g', 'k', all.slice(1));
  sync.flush();
  assert.equal(state.slotFor([...state.instances.values()][0], '10.0.0.1'), shared);
  assert.equal(slots.get(shared), false);
});

test('a removed instance does not write the slot that another instance has been given', () => {
  const { registry, slots, turn } = setUp(1);
  registry.replaceGroup('g', 'k', ten.slice(0, 1));
  turn();
  const [{ slot }] = registry.service('k')!.instances.values();
  registry.replaceFacts(INSTANCE.format('k', 'i0'), 'check', [fact('HEALTHY')]);
  registry.removeGroup('g');
  for (const removed of registry.takeRemovedSlots()) slots.release(removed, Promise.resolve());
  registry.replaceGroup('g2', 'other', [instance('x', '10.0.1.1', { facts: [fact('UNHEALTHY')] })]);
  assert.equal([...registry.service('other')!.instances.values()][0].slot, slot);
  for (let turns = 0; turns < 5; turns++) {
    turn();
    assert.equal(slots.get(slot), false);
  }
});
