import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthSync } from '../../src/health/sync.ts';
import type { Status } from '../../src/registry/model.ts';
import { INSTANCE } from '../../src/registry/reference.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { firstChecks } from '../../src/wiring/checks.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { instance, service } from '../support/model.ts';

function setUp() {
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const clock = fakeClock();
  // No pass comes by itself: what is judged is judged by a flush.
  const health = new HealthSync({ registry, slots, clock, schedule: () => {} });
  const api = service('api', { healthCheck: { type: 'tcp', interval: 30, timeout: 5, retries: 1, startPeriod: 0 } });
  registry.replaceService(api);
  registry.replaceGroup('api', api.key, [instance('a', '192.0.2.1')]);
  const say = (status: Status) =>
    registry.replaceFacts(INSTANCE.format(api.key, 'a'), 'check', [
      { source: 'check', name: 'tcp', status, reason: '', sinceMs: 0 },
    ]);
  let outcome: boolean | undefined;
  void firstChecks(registry, health, clock).then((complete) => {
    outcome = complete;
  });
  const [state] = registry.service(api.key)!.instances.values();
  return { clock, say, registry, state: state!, outcome: () => outcome };
}

test('checks that have not started are waited for, and their verdicts are known when all have run', async () => {
  const { clock, say, state, outcome } = setUp();
  await clock.advance(200);
  assert.equal(outcome(), undefined);
  say('UNKNOWN');
  await clock.advance(200);
  assert.equal(outcome(), undefined);
  say('UNHEALTHY');
  await clock.advance(200);
  assert.equal(outcome(), true);
  assert.equal(state.verdict.answered, false);
});

test('checks that take longer are not waited for', async () => {
  const { clock, say, outcome } = setUp();
  say('UNKNOWN');
  await clock.advance(6_000);
  assert.equal(outcome(), false);
});

test('an instance without a check is not waited for', async () => {
  const { clock, say, registry, outcome } = setUp();
  registry.replaceService(service('plain'));
  registry.replaceGroup('plain', service('plain').key, [instance('b', '192.0.2.2')]);
  say('HEALTHY');
  await clock.advance(200);
  assert.equal(outcome(), true);
});
