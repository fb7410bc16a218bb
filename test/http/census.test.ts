import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HealthSync } from '../../src/health/sync.ts';
import { type Census, createCensus } from '../../src/http/census.ts';
import type { Status } from '../../src/registry/model.ts';
import { createRegistry, type Registry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance, POLICY, service } from '../support/model.ts';

const ZONES = ['a.test.', 'b.test.'];

/** The counts by walking the whole registry. */
function walked(registry: Registry, zone: string) {
  const services: string[] = [];
  const troubled: string[] = [];
  let instanceCount = 0;
  let answeredCount = 0;
  const combinations: Record<string, number> = {};
  for (const state of registry.services()) {
    if (state.service?.zone !== zone || state.service.kind === 'namespace') continue;
    const verdicts = [...state.instances.values()].map(({ verdict }) => verdict);
    services.push(state.key);
    if (verdicts.some(({ answered }) => !answered)) troubled.push(state.key);
    instanceCount += verdicts.length;
    answeredCount += verdicts.filter(({ answered }) => answered).length;
    for (const { status, answered } of verdicts)
      combinations[`${status} ${answered}`] = (combinations[`${status} ${answered}`] ?? 0) + 1;
  }
  return { services: services.sort(), troubled: troubled.sort(), instanceCount, answeredCount, combinations };
}

function counted(census: Census, name: string) {
  const { services, troubled, instanceCount, answeredCount } = census.zone(name);
  const own = [...census.instances()].filter(({ zone }) => zone === name);
  const combinations = Object.fromEntries(own.map(({ status, answered, n }) => [`${status} ${answered}`, n]));
  return {
    ...{ services: [...services.keys()].sort(), troubled: [...troubled].sort() },
    ...{ instanceCount, answeredCount, combinations },
  };
}

const status = fc.constantFrom<Status>('HEALTHY', 'UNHEALTHY', 'UNKNOWN');
const key = fc.nat(4).map((n) => `s${n}`);
const step = fc.oneof(
  fc.record({ do: fc.constant('service' as const), key, zone: fc.constantFrom(...ZONES) }),
  fc.record({ do: fc.constant('namespace' as const), key }),
  fc.record({ do: fc.constant('group' as const), key, statuses: fc.array(status, { maxLength: 4 }) }),
  fc.record({ do: fc.constant('facts' as const), key, n: fc.nat(3), status }),
  fc.record({ do: fc.constantFrom('remove-service' as const, 'remove-group' as const, 'read' as const), key }),
);

test("services are counted a few at a time, and reading a zone's counts completes them", () => {
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const health = new HealthSync({ registry, slots, clock: fakeClock(), schedule: () => {} });
  let dirty = 0;
  const census = createCensus({ registry, health, onDirty: () => void dirty++ });
  for (let i = 0; i < 5; i++) registry.replaceService(service(`s${i}`, { zone: 'a.test.' }));
  const settled = () => census.settled.zone('a.test.').services.size;
  assert.deepEqual([dirty, settled()], [1, 0]);
  assert.deepEqual([census.settle(2), settled()], [false, 2]);
  assert.deepEqual([census.zone('a.test.').services.size, settled()], [5, 5]);
  assert.equal(census.settle(2), true);
  registry.removeService(service('s0').key);
  assert.deepEqual([dirty, census.settle(2), settled()], [2, true, 4]);
});

test('a service that has nothing to answer is counted, until it has', () => {
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const health = new HealthSync({ registry, slots, clock: fakeClock(), schedule: () => {} });
  const census = createCensus({ registry, health });
  const unanswered = () => {
    health.flush();
    return [...census.zone('test.local.').unanswered].map((key) => key.split('/').at(-1)).sort();
  };
  registry.replaceService(service('api'));
  registry.replaceService(service('open', { policy: { ...POLICY, whenAllUnhealthy: 'all' } }));
  registry.replaceService(service('ip', { kind: 'clusterIp', clusterIps: ['192.0.2.9'] }));
  registry.replaceService(service('left-out', { kind: 'clusterIp', clusterIps: ['192.0.2.9'], ignoreEmpty: true }));
  assert.deepEqual(unanswered(), ['api', 'left-out', 'open']);
  for (const name of ['api', 'open', 'left-out']) {
    const facts = [fact('UNHEALTHY')];
    registry.replaceGroup(name, service(name).key, [instance('i-1', '192.0.2.1', { facts })]);
  }
  assert.deepEqual(unanswered(), ['api', 'left-out']);
  for (const name of ['api', 'left-out'])
    registry.replaceGroup(name, service(name).key, [instance('i-1', '192.0.2.1')]);
  assert.deepEqual(unanswered(), []);
  registry.replaceGroup('api', service('api').key, []);
  assert.deepEqual(unanswered(), ['api']);
});

test('the census equals a walk over the registry, whatever changes and whenever it is read', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const slots = fakeSlots();
      const registry = createRegistry(slots);
      const health = new HealthSync({ registry, slots, clock: fakeClock(), schedule: () => {} });
      const census = createCensus({ registry, health });
      for (const one of steps) {
        if (one.do === 'service') registry.replaceService(service(one.key, { key: one.key, zone: one.zone }));
        else if (one.do === 'namespace') registry.replaceService(service(one.key, { key: one.key, kind: 'namespace' }));
        else if (one.do === 'remove-service') registry.removeService(one.key);
        else if (one.do === 'remove-group') registry.removeGroup(`g/${one.key}`);
        else if (one.do === 'read') census.zone(ZONES[0]);
        else if (one.do === 'facts')
          registry.replaceFacts(`instance/${one.key}/i${one.n}`, 'pod', [fact(one.status, 'pod')]);
        else if ('statuses' in one)
          registry.replaceGroup(
            `g/${one.key}`,
            one.key,
            one.statuses.map((of, n) => instance(`i${n}`, `192.0.2.${n + 1}`, { facts: [fact(of, 'check')] })),
          );
        if (one.do !== 'read') health.flush();
      }
      for (const zone of ZONES) assert.deepEqual(counted(census, zone), walked(registry, zone));
    }),
  );
});

test('a scrape after one change reads one service, not all', () => {
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const health = new HealthSync({ registry, slots, clock: fakeClock(), schedule: () => {} });
  let read = 0;
  const countRead = (of: string) => {
    read++;
    return of;
  };
  const counting = { ...registry, service: (of: string) => registry.service(countRead(of)) };
  const census = createCensus({ registry: counting, health });
  for (let n = 0; n < 100; n++) registry.replaceService(service(`s${n}`, { key: `s${n}`, zone: 'a.test.' }));
  health.flush();
  census.zone('a.test.');
  read = 0;
  registry.replaceGroup('g', 's7', [instance('i', '192.0.2.1', { facts: [fact('UNHEALTHY', 'check')] })]);
  health.flush();
  assert.deepEqual([...census.zone('a.test.').troubled], ['s7']);
  census.zone('a.test.');
  assert.equal(read, 1);
});
