import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatOrder, operatorFact, parseOrder } from '../../src/health/operator-order.ts';
import { HealthSync } from '../../src/health/sync.ts';
import { POD } from '../../src/registry/reference.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance, POLICY, service } from '../support/model.ts';

test('an order that was formatted is parsed as the same order', () => {
  const time = fc.option(fc.integer({ min: 0, max: Date.UTC(2200, 0) }), { nil: undefined });
  const order = fc.record({
    status: fc.constantFrom('HEALTHY' as const, 'UNHEALTHY' as const),
    reason: fc.stringMatching(/^[!-~]([ -~]{0,98}[!-~])?$/),
    sinceMs: time,
    untilMs: time,
  });
  fc.assert(fc.property(order, (one) => assert.deepEqual(parseOrder(formatOrder(one)), { ...one })));
});

test('an order is written by hand as a status and a reason, with or without its end', () => {
  assert.deepEqual(parseOrder(' UNHEALTHY: disk full '), {
    ...{ status: 'UNHEALTHY', reason: 'disk full', sinceMs: undefined, untilMs: undefined },
  });
  assert.deepEqual(parseOrder('HEALTHY until 2026-11-28T03:17:00Z: its check is broken'), {
    ...{ status: 'HEALTHY', reason: 'its check is broken', sinceMs: undefined },
    untilMs: Date.UTC(2026, 10, 28, 3, 17),
  });
});

test('an order that cannot be read is reported with what was expected', () => {
  for (const text of [
    '',
    'UNHEALTHY',
    'UNHEALTHY:',
    'unhealthy: x',
    'UNKNOWN: x',
    'UNHEALTHY until tomorrow: x',
    'UNHEALTHY until 2026-13-01T00:00:00Z: x',
    'UNHEALTHY until 1: x',
    `UNHEALTHY ${'x'.repeat(100_000)}`,
  ]) {
    const problem = parseOrder(text);
    assert.match(String(problem), /^expected "UNHEALTHY: REASON".* got "/, text.slice(0, 40));
    assert.ok(String(problem).length < 300);
  }
});

function drained(policy = POLICY) {
  const clock = fakeClock();
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const passes: (() => void)[] = [];
  const health = new HealthSync({ registry, slots, clock, schedule: (pass) => void passes.push(pass) });
  const subject = POD.format('test', 'shop', 'db-0');
  registry.replaceService(service('db', { key: 'k', policy }));
  registry.replaceGroup('g', 'k', [
    instance('db-0', '10.0.0.1', { subjects: [subject] }),
    instance('db-1', '10.0.0.2', { subjects: [POD.format('test', 'shop', 'db-1')] }),
  ]);
  const order = (status: 'HEALTHY' | 'UNHEALTHY', seconds?: number) => {
    const now = clock.now();
    const untilMs = seconds && now + seconds * 1000;
    registry.replaceFacts(subject, 'operator', [operatorFact({ status, reason: 'a test', untilMs }, now)]);
  };
  const settle = () => {
    for (const pass of passes.splice(0)) pass();
  };
  const answered = () => {
    settle();
    return [...registry.service('k')!.instances.values()]
      .filter((one) => one.verdict.answered)
      .map((one) => one.instance.id);
  };
  const verdict = () => [...registry.service('k')!.instances.values()][0].verdict;
  return { clock, registry, health, subject, order, answered, verdict };
}

test('an order counts until it expires, with and without policies, whatever else changes meanwhile', async () => {
  for (const policy of [POLICY, { ...POLICY, panic: { belowPercent: 1, untilPercent: 2 } }]) {
    const { clock, registry, subject, order, answered, verdict } = drained(policy as typeof POLICY);
    order('UNHEALTHY', 60);
    assert.deepEqual(answered(), ['db-1']);
    assert.match(verdict().reason, /^drained by an operator until .*Z: a test$/);
    await clock.advance(30_000);
    registry.replaceFacts(subject, 'pod', [fact('HEALTHY', 'pod', { sinceMs: clock.now() })]);
    assert.deepEqual(answered(), ['db-1']);
    await clock.advance(29_000);
    assert.deepEqual(answered(), ['db-1']);
    await clock.advance(1_001);
    assert.deepEqual(answered(), ['db-0', 'db-1']);
    assert.equal(verdict().rule, 'healthy');
    registry.replaceFacts(subject, 'pod', [fact('HEALTHY', 'pod', { sinceMs: clock.now() })]);
    assert.deepEqual(answered(), ['db-0', 'db-1']);
  }
});

test('an instance that an operator forces healthy is answered although a fact is UNHEALTHY', () => {
  const { registry, subject, order, answered, verdict } = drained();
  registry.replaceFacts(subject, 'pod', [fact('UNHEALTHY', 'pod')]);
  order('HEALTHY');
  assert.deepEqual(answered(), ['db-0', 'db-1']);
  assert.equal(verdict().rule, 'operator');
  registry.replaceFacts(subject, 'operator', []);
  assert.deepEqual(answered(), ['db-1']);
});
