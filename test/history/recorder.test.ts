import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthSync } from '../../src/health/sync.ts';
import { createHistory, MAX_TRANSITIONS } from '../../src/history/history.ts';
import { createRecorder } from '../../src/history/recorder.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { fact, instance, POLICY, service } from '../support/model.ts';

const API = 'static/test.local./default/api';

function rooms(isKnown: () => boolean = () => true) {
  const clock = fakeClock();
  const slots = fakeSlots();
  const registry = createRegistry(slots);
  const health = new HealthSync({ registry, slots, clock, schedule: () => {} });
  const history = createHistory();
  history.began(clock.now());
  const recorder = createRecorder({ registry, health, history, clock, isKnown });
  registry.replaceService(service('api'));
  const state = (...ids: readonly string[]) => {
    registry.replaceGroup(
      'g',
      API,
      ids.map((id) => instance(id, `192.0.2.${id.slice(4)}`)),
    );
    health.flush();
  };
  const say = (id: string, ...facts: Parameters<typeof fact>) => {
    registry.replaceFacts(`instance/${API.replaceAll('/', '%2F')}/${id}`, 'check', [fact(...facts)]);
    health.flush();
  };
  return { clock, registry, health, history, recorder, state, say };
}

test('a verdict that leaves an instance out is recorded with its rule, its reason and the answer afterwards', async () => {
  const { clock, history, state, say } = rooms();
  state('api-1', 'api-2');
  await clock.advance(100);
  say('api-2', 'UNHEALTHY', 'check', { reason: 'connect ECONNREFUSED' });
  await clock.advance(100);
  const change = history.changesOf(API).at(-1);
  assert.deepEqual(change, {
    atMs: clock.now() - 100,
    service: API,
    name: 'api.test.local.',
    transitions: [
      {
        ...{ instance: 'api-2', addresses: ['192.0.2.2'], from: 'UNKNOWN', to: 'UNHEALTHY', answered: false },
        ...{ rule: 'unhealthy', reason: 'connect ECONNREFUSED' },
      },
    ],
    more: 0,
    after: { outcome: 'answered', answered: 1, of: 2, addresses: ['192.0.2.1'] },
  });
});

test('a status that changes nothing about the answer is not recorded', async () => {
  const { clock, history, state, say } = rooms();
  state('api-1');
  await clock.advance(100);
  say('api-1', 'HEALTHY');
  await clock.advance(100);
  assert.equal(history.changesOf(API).length, 1);
});

test('instances that come and go are recorded, unless their source is being read for the first time', async () => {
  let isKnown = false;
  const { clock, history, state } = rooms(() => isKnown);
  state('api-1');
  await clock.advance(100);
  assert.deepEqual(history.changesOf(API), []);
  isKnown = true;
  state('api-1', 'api-2');
  await clock.advance(100);
  state('api-2');
  await clock.advance(100);
  const steps = history
    .changesOf(API)
    .map(({ transitions, after }) => [
      transitions.map(({ instance: id, from, to }) => `${id} ${from} ${to}`).join(),
      after.addresses.join(),
    ]);
  assert.deepEqual(steps, [
    ['api-2 new UNKNOWN', '192.0.2.1,192.0.2.2'],
    ['api-1 UNKNOWN removed', '192.0.2.2'],
  ]);
});

test('the answer afterwards is that of the policy if nothing is left', async () => {
  const { clock, registry, history, state, say } = rooms();
  state('api-1');
  for (const [whenAllUnhealthy, outcome] of [
    ['nxdomain', 'NXDOMAIN'],
    ['servfail', 'SERVFAIL'],
    ['all', 'answered'],
  ] as const) {
    registry.replaceService(service('api', { policy: { ...POLICY, whenAllUnhealthy } }));
    say('api-1', 'HEALTHY');
    await clock.advance(100);
    say('api-1', 'UNHEALTHY');
    await clock.advance(100);
    assert.equal(history.changesOf(API).at(-1)?.after.outcome, outcome);
  }
});

test('changes that take effect together are one, with a bounded list of transitions', async () => {
  const { clock, history, state } = rooms();
  state(...Array.from({ length: 100 }, (_, i) => `api-${i + 1}`));
  await clock.advance(100);
  const changes = history.changesOf(API);
  assert.equal(changes.length, 1);
  assert.equal(changes[0].transitions.length, MAX_TRANSITIONS);
  assert.equal(changes[0].more, 100 - MAX_TRANSITIONS);
  assert.equal(changes[0].after.answered, 100);
});

test('with a limit of 0 nothing is recorded', async () => {
  const { clock, history, state, say } = rooms();
  history.setLimits({ perService: 50, inAll: 0 });
  state('api-1');
  say('api-1', 'UNHEALTHY');
  await clock.advance(100);
  assert.deepEqual(history.counts(), { kept: 0, services: 0, dropped: 0 });
});

test('pending transitions are recorded before an explanation reads the history', () => {
  const { history, state, recorder } = rooms();
  state('api-1');
  assert.deepEqual(history.changesOf(API), []);
  recorder.settle();
  assert.equal(history.changesOf(API).length, 1);
});
