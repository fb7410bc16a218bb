// Policies through the loop: that time alone changes verdicts, and that the loop wakes for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthSync } from '../../src/health/sync.ts';
import type { ServicePolicy, Status } from '../../src/registry/model.ts';
import { INSTANCE } from '../../src/registry/reference.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance, POLICY, service } from '../support/model.ts';

function setUp(policy: Partial<ServicePolicy>, ids: string[]) {
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const clock = fakeClock();
  const sync = new HealthSync({ registry, slots, clock, schedule: setImmediate });
  registry.replaceService(service('k', { key: 'k', policy: { ...POLICY, ...policy } }));
  registry.replaceGroup(
    'g',
    'k',
    ids.map((id, index) => instance(id, `10.0.0.${index}`)),
  );
  const check = (id: string, status: Status) => {
    registry.replaceFacts(INSTANCE.format('k', id), 'check', [fact(status, 'check', { sinceMs: clock.now() })]);
    sync.flush();
  };
  const states = () => [...registry.service('k')!.instances.values()];
  const answered = () =>
    states()
      .filter((state) => slots.get(state.slot))
      .map((state) => state.instance.id)
      .join(' ');
  const rules = () =>
    states()
      .map((state) => state.verdict.rule)
      .join(' ');
  sync.flush();
  return { registry, clock, check, answered, rules, states, sync };
}

test('a grace period ends without an event', async () => {
  const { clock, check, answered } = setUp({ gracePeriodSeconds: 10 }, ['a', 'b']);
  check('a', 'UNHEALTHY');
  assert.equal(answered(), 'a b');
  await clock.advance(9_999);
  assert.equal(answered(), 'a b');
  await clock.advance(1);
  assert.equal(answered(), 'b');
});

test('a policy that is added later does not make existing instances new', () => {
  const { registry, check, answered } = setUp({}, ['a', 'b']);
  registry.replaceService(service('k', { key: 'k', policy: { ...POLICY, gracePeriodSeconds: 10 } }));
  check('a', 'UNHEALTHY');
  assert.equal(answered(), 'b');
});

test('panic begins and ends with the health of the other instances', () => {
  const { check, answered, rules } = setUp({ panic: { belowPercent: 50, untilPercent: 75 } }, ['a', 'b', 'c', 'd']);
  for (const id of ['a', 'b']) check(id, 'UNHEALTHY');
  assert.equal(answered(), 'c d');
  check('c', 'UNHEALTHY');
  assert.equal(answered(), 'a b c d');
  assert.equal(rules(), 'panic panic panic unknown');
  check('c', 'HEALTHY');
  assert.equal(answered(), 'a b c d');
  check('b', 'HEALTHY');
  assert.equal(answered(), 'b c d');
  check('b', 'UNHEALTHY');
  assert.equal(answered(), 'c d');
});

test('a flapping instance is held back and comes back without an event', async () => {
  const { clock, check, answered } = setUp({ flapDamping: { falls: 2, halfLifeSeconds: 10 } }, ['a', 'b']);
  for (const status of ['UNHEALTHY', 'HEALTHY', 'UNHEALTHY', 'HEALTHY', 'UNHEALTHY', 'HEALTHY'] as const) {
    await clock.advance(10);
    check('a', status);
  }
  assert.equal(answered(), 'b');
  await clock.advance(30_000);
  assert.equal(answered(), 'a b');
});

test('a recovered instance of a weighted service regains its weight step by step', async () => {
  const { clock, check, states, sync } = setUp({ routing: 'weighted', slowStartSeconds: 10 }, ['a', 'b']);
  const weights = () =>
    states()
      .map((state) => state.weight)
      .join(' ');
  assert.equal(weights(), '10 10');
  await clock.advance(10_000);
  assert.equal(weights(), '100 100');
  check('a', 'UNHEALTHY');
  check('a', 'HEALTHY');
  assert.equal(weights(), '10 100');
  await clock.advance(1000);
  assert.equal(weights(), '20 100');
  await clock.advance(9000);
  assert.equal(weights(), '100 100');
  sync.stop();
  assert.equal(clock.pendingTimers(), 0);
});

test('a report of an external source expires', async () => {
  const externalHealth = {
    sources: [{ name: 'm', interval: 5, timeout: 1 }],
    combine: 'all' as const,
    maxAgeSeconds: 60,
  };
  const { registry, clock, answered, sync } = setUp({ externalHealth }, ['a', 'b']);
  const said = fact('UNHEALTHY', 'external', { name: 'm', reportedMs: clock.now() });
  registry.replaceFacts(INSTANCE.format('k', 'a'), 'external', [said]);
  sync.flush();
  assert.equal(answered(), 'b');
  await clock.advance(60_000);
  assert.equal(answered(), 'a b');
});

test('maximum ejection keeps some unhealthy instances', () => {
  const { check, answered, rules } = setUp({ maxEjectionPercent: 50 }, ['a', 'b', 'c', 'd']);
  for (const id of ['a', 'b', 'c']) check(id, 'UNHEALTHY');
  assert.equal(answered(), 'c d');
  assert.equal(rules(), 'unhealthy unhealthy max-ejection unknown');
});
