import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthSync } from '../../src/health/sync.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { Reasons } from '../../src/zone/publish/reasons.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance, service } from '../support/model.ts';

function rooms() {
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const health = new HealthSync({ registry, slots, clock: fakeClock(), schedule: () => {} });
  const reasons = new Reasons();
  health.onReason((state, verdict) => void reasons.note(state, verdict));
  registry.replaceService(service('api'));
  const state = (...instances: Parameters<typeof registry.replaceGroup>[2]) => {
    registry.replaceGroup('g', service('api').key, instances);
    health.flush();
  };
  const sent = () => reasons.take().map((change) => (change.kind === 'replace-reason' ? change.text : change.kind));
  return { registry, reasons, health, state, sent };
}

const bad = (reason: string) => ({ facts: [fact('UNHEALTHY', 'pod', { reason })] });

test('a reason is sent when an instance is left out, when it changes, and taken back when it is answered', () => {
  const { state, sent } = rooms();
  state(instance('api-1', '192.0.2.1', bad('not ready')), instance('api-2', '192.0.2.2'));
  assert.deepEqual(sent(), ['api-1 not ready']);
  state(instance('api-1', '192.0.2.1', bad('container app is waiting: CrashLoopBackOff')));
  assert.deepEqual(sent(), ['api-1 container app is waiting: CrashLoopBackOff']);
  state(instance('api-1', '192.0.2.1', bad('container app is waiting: CrashLoopBackOff')));
  assert.deepEqual(sent(), []);
  state(instance('api-1', '192.0.2.1'));
  assert.deepEqual(sent(), ['']);
});

test('there is something to send only where the text of an instance differs from the one before', () => {
  const { registry, reasons, state } = rooms();
  state(instance('api-1', '192.0.2.1', bad('not ready')), instance('api-2', '192.0.2.2'));
  const states = [...registry.service(service('api').key)!.instances.values()];
  assert.deepEqual(
    states.map((one) => reasons.note(one, one.verdict)),
    [false, false],
  );
});

test('reasons are printable ASCII of bounded length, whatever they come from', () => {
  const { state, sent } = rooms();
  state(instance('api-1', '192.0.2.1', bad(`\u001b[2J\n"${'é'.repeat(10)}" ${'x'.repeat(500)}`)));
  const [text] = sent();
  assert.match(text, /^[\x20-\x7e]{1,80}$/);
});

test('the output of a command is not in the text', () => {
  const { registry, health, state, sent } = rooms();
  registry.replaceService(service('api', { healthCheck: { type: 'exec', command: ['x'] } as never }));
  state(instance('api-1', '192.0.2.1', { facts: [fact('UNHEALTHY', 'check', { reason: 'password=hunter2' })] }));
  health.flush();
  assert.deepEqual(sent(), ['api-1 fails its check']);
});

test('released slots lose their reasons, including those not sent yet', () => {
  const { registry, reasons, state } = rooms();
  state(instance('api-1', '192.0.2.1', bad('not ready')));
  const [{ slot }] = [...registry.service(service('api').key)!.instances.values()];
  assert.deepEqual(reasons.forget([slot, 999]), [{ kind: 'replace-reason', slot, text: '' }]);
  assert.deepEqual([...reasons.refill()], []);
  assert.deepEqual(reasons.take(), []);
});

test('an address of several instances has the reason of one of them', () => {
  const { registry, reasons, state } = rooms();
  state(instance('api-1', '192.0.2.1', bad('a')), instance('api-2', '192.0.2.1', bad('b')));
  const shared = registry.service(service('api').key)!.sharedAddresses.get('192.0.2.1')!.slot;
  const texts = reasons
    .take()
    .flatMap((change) => (change.kind === 'replace-reason' ? [[change.slot, change.text]] : []));
  assert.ok(texts.some(([slot, text]) => slot === shared && /^api-[12] [ab]$/.test(String(text))));
});

test('when reasons are switched off, those already sent are withdrawn and no more are recorded', () => {
  const { reasons, state, sent } = rooms();
  state(instance('api-1', '192.0.2.1', bad('not ready')));
  sent();
  reasons.setOn(false, []);
  assert.deepEqual(sent(), ['']);
  state(instance('api-1', '192.0.2.1', bad('other')));
  assert.deepEqual(sent(), []);
});
