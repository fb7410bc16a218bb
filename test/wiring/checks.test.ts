import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createExternalReports } from '../../src/health/checks/external-reports.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { startChecks } from '../../src/wiring/checks.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { instance, service } from '../support/model.ts';

test('health checks of services are counted', async () => {
  const clock = fakeClock();
  const registry = createRegistry(fakeSlots());
  const reports = createExternalReports(registry, clock, setImmediate);
  const healthCheck = { type: 'tcp', interval: 10, timeout: 1, retries: 3, startPeriod: 0 } as const;
  registry.replaceService(service('api', { key: 'k', healthCheck }));
  registry.replaceGroup('g', 'k', [instance('a', '127.0.0.1'), instance('b', '127.0.0.1')]);
  const checks = startChecks({ registry, reports }, 10, clock, () => 0.5);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(checks.counts().checks, 2);
  await checks.stop();
  assert.equal(checks.counts().checks, 0);
});
