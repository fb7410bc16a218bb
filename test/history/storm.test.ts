// A thousand transitions a second, for a minute: memory, log and file stay bounded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthSync } from '../../src/health/sync.ts';
import { createHistory, MAX_REASON } from '../../src/history/history.ts';
import { createRecorder } from '../../src/history/recorder.ts';
import { createTransitionLog } from '../../src/history/transition-log.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance, service } from '../support/model.ts';

test('a storm of transitions is counted whole, and kept and logged in part', async () => {
  const SERVICES = 20;
  const limits = { perService: 5, inAll: 50 };
  const clock = fakeClock();
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const health = new HealthSync({ registry, slots, clock, schedule: () => {} });
  const history = createHistory(limits);
  history.began(clock.now());
  const recorder = createRecorder({ registry, health, history, clock, isKnown: () => true });
  let lines = 0;
  let leftOut = 0;
  let transitions = 0;
  const log = { info: () => void lines++, warn: () => void lines++ };
  recorder.onChange(createTransitionLog(log, clock, (count) => (leftOut += count)));
  recorder.onChange((change) => {
    transitions += change.transitions.length + change.more;
  });
  for (let i = 0; i < SERVICES; i++) registry.replaceService(service(`s${i}`));
  const reason = 'x'.repeat(10_000);
  let flips = 0;
  for (let ms = 0; ms < 60_000; ms += 20) {
    const status = (ms / 20) % 2 === 0 ? 'UNHEALTHY' : 'HEALTHY';
    for (let i = 0; i < SERVICES; i++) {
      const facts = [fact(status, 'check', { reason })];
      registry.replaceGroup(`g${i}`, service(`s${i}`).key, [instance('i-1', `192.0.2.${i}`, { facts })]);
    }
    health.flush();
    flips += SERVICES;
    await clock.advance(20);
  }
  recorder.settle();
  // The first UNHEALTHY of a new instance changes nothing: it was never answered.
  assert.equal(transitions, flips - SERVICES);
  assert.ok(history.counts().kept <= limits.inAll);
  for (let i = 0; i < SERVICES; i++) {
    const own = history.changesOf(service(`s${i}`).key);
    assert.ok(own.length <= limits.perService);
    for (const change of own) for (const one of change.transitions) assert.ok(one.reason.length <= MAX_REASON);
  }
  assert.ok(lines <= SERVICES * 21, String(lines));
  assert.equal(lines + leftOut, transitions);
});
