import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckTarget, Probe } from '../../../src/health/checks/probe.ts';
import { CheckRunner } from '../../../src/health/checks/runner.ts';
import type { HealthCheck } from '../../../src/registry/model.ts';
import { INSTANCE } from '../../../src/registry/reference.ts';
import { createRegistry } from '../../../src/registry/registry.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { fakeSlots } from '../../support/fake-slots.ts';
import { instance, service } from '../../support/model.ts';
import { CHECK } from './target.ts';

function setUp(probe: Probe, concurrentChecks = 100) {
  const clock = fakeClock();
  const registry = createRegistry(fakeSlots());
  let seed = 1;
  const random = () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  const probes = { http: probe, https: probe, tcp: probe, exec: probe };
  const settings = { registry, clock, random, schedule: setImmediate, concurrentChecks, probes };
  const runner = new CheckRunner(settings);
  const state = (key: string, ids: string[], check: Partial<HealthCheck> = {}) => {
    registry.replaceService(service(key, { key, healthCheck: { ...CHECK, ...check } }));
    registry.replaceGroup(
      `group of ${key}`,
      key,
      ids.map((id, index) => instance(id, `10.0.0.${index}`)),
    );
  };
  const said = (key: string, id: string) => {
    const [fact] = registry.factsOf(INSTANCE.format(key, id));
    return fact === undefined ? undefined : `${fact.status}: ${fact.reason}`;
  };
  return { clock, registry, runner, state, said };
}

const passing: Probe = async () => ({ passed: true, reason: 'fine' });
const failing: Probe = async () => ({ passed: false, reason: 'refused' });
/** Runs until it is aborted. */
const hanging: Probe = (_target, signal) =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve({ passed: false, reason: 'aborted' })));

test('the first check runs soon, and the following ones once per interval', async () => {
  const times: number[] = [];
  const { clock, state, said } = setUp(async (target, signal) => {
    times.push(clock.monotonicMs());
    return passing(target, signal);
  });
  state('k', ['a']);
  await clock.advance(0);
  assert.equal(said('k', 'a'), 'UNKNOWN: its first check has not finished');
  await clock.advance(1000);
  assert.equal(said('k', 'a'), 'HEALTHY: fine');
  await clock.advance(100_000);
  assert.ok(times.length >= 9 && times.length <= 12, `${times.length} checks`);
});

test('a check that this host could not run decides nothing, and is counted', async () => {
  let error: NodeJS.ErrnoException | undefined;
  const { clock, runner, state, said } = setUp(async (target, signal) => {
    if (error !== undefined) throw error;
    return passing(target, signal);
  });
  state('k', ['a']);
  await clock.advance(30_000);
  for (const code of ['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN']) {
    error = Object.assign(new Error(`connect ${code} 127.0.0.1:80`), { code });
    await clock.advance(200_000);
    assert.equal(said('k', 'a'), 'HEALTHY: fine', code);
  }
  const { notRun, failed } = runner.counts();
  assert.ok(notRun > 50 && failed === 0, `${notRun} not run, ${failed} failed`);
  error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  await clock.advance(200_000);
  assert.match(said('k', 'a')!, /^UNHEALTHY/);
});

test('as many failures as retries make an instance unhealthy, with the count in the reason', async () => {
  const { clock, state, said } = setUp(failing);
  state('k', ['a'], { retries: 2 });
  await clock.advance(1000);
  assert.equal(said('k', 'a'), 'UNKNOWN: refused (1 of 2)');
  await clock.advance(11_000);
  assert.equal(said('k', 'a'), 'UNHEALTHY: refused (2 of 2)');
});

test('a check that takes too long is aborted and fails', async () => {
  const { clock, state, said, runner } = setUp(hanging);
  state('k', ['a'], { timeout: 2, retries: 1 });
  await clock.advance(3000);
  assert.equal(said('k', 'a'), 'UNHEALTHY: timed out after 2 s (1 of 1)');
  assert.equal(runner.counts().timedOut, 1);
});

test('a probe that throws is a failed check, and the next one runs', async () => {
  const { clock, state, said } = setUp(() => Promise.reject(new Error('broken')));
  state('k', ['a'], { retries: 2 });
  await clock.advance(13_000);
  assert.equal(said('k', 'a'), 'UNHEALTHY: broken (2 of 2)');
});

test('a thousand checks do not start at the same time', async () => {
  const perTenth = new Map<number, number>();
  const { clock, state } = setUp(async () => {
    const tenth = Math.floor(clock.monotonicMs() / 100);
    perTenth.set(tenth, (perTenth.get(tenth) ?? 0) + 1);
    return { passed: true, reason: 'fine' };
  }, 1000);
  state(
    'k',
    Array.from({ length: 1000 }, (_, index) => `i${index}`),
  );
  await clock.advance(1000);
  assert.equal(
    [...perTenth.values()].reduce((sum, count) => sum + count, 0),
    1000,
  );
  assert.ok(Math.max(...perTenth.values()) < 200, `${Math.max(...perTenth.values())} in a tenth of a second`);
});

test('concurrent checks are limited, and a service with few checks does not wait for one with many', async () => {
  const began: string[] = [];
  const waiting: (() => void)[] = [];
  const probe: Probe = ({ service: { name } }: CheckTarget) => {
    began.push(name);
    return new Promise((resolve) => waiting.push(() => resolve({ passed: true, reason: 'fine' })));
  };
  const { clock, state, runner } = setUp(probe, 2);
  state(
    'many',
    Array.from({ length: 50 }, (_, index) => `i${index}`),
    { timeout: 60 },
  );
  await clock.advance(1000);
  state('few', ['a'], { timeout: 60 });
  await clock.advance(1000);
  assert.deepEqual({ running: runner.counts().running, waiting: runner.counts().waiting }, { running: 2, waiting: 49 });
  for (const finish of waiting.splice(0)) finish();
  await clock.advance(0);
  assert.ok(began.slice(0, 4).includes('few'), began.join(' '));
  assert.ok(runner.counts().late > 0);
});

test('a queued check does not run after its instance is gone', async () => {
  const began: string[] = [];
  const finish: (() => void)[] = [];
  const probe: Probe = ({ instance: { id } }) => {
    began.push(id);
    return new Promise((resolve) => finish.push(() => resolve({ passed: true, reason: 'fine' })));
  };
  const { clock, state } = setUp(probe, 1);
  state('k', ['a', 'b'], { timeout: 60, interval: 60 });
  await clock.advance(1000);
  const [first] = began;
  state('k', [first], { timeout: 60, interval: 60 });
  await clock.advance(0);
  for (const each of finish) each();
  await clock.advance(1000);
  assert.deepEqual(began, [first]);
});

test('removed instances lose their check fact, and a changed check keeps the status until it has run', async () => {
  let current: Probe = failing;
  const { clock, registry, state, said, runner } = setUp((target, signal) => current(target, signal));
  state('k', ['a', 'b'], { retries: 1 });
  await clock.advance(1000);
  assert.equal(said('k', 'a'), 'UNHEALTHY: refused (1 of 1)');
  state('k', ['a'], { retries: 1, path: '/other' });
  await clock.advance(0);
  assert.equal(said('k', 'a'), 'UNHEALTHY: refused (1 of 1)');
  assert.equal(said('k', 'b'), undefined);
  current = passing;
  await clock.advance(1000);
  assert.equal(said('k', 'a'), 'HEALTHY: fine');
  assert.equal(runner.counts().checks, 1);
  registry.replaceService(service('k', { key: 'k' }));
  await clock.advance(0);
  assert.equal(said('k', 'a'), undefined);
  assert.equal(runner.counts().checks, 0);
  assert.equal(clock.pendingTimers(), 0);
});

test('the check of an instance overrides that of its service, even if the service has none', async () => {
  const seen: string[] = [];
  const { clock, registry } = setUp(async ({ address, port, check }) => {
    seen.push(`${check.type} ${address}:${port}`);
    return { passed: true, reason: 'fine' };
  });
  registry.replaceService(service('k', { key: 'k', ports: [{ name: '', protocol: 'tcp', port: 80 }] }));
  const own: HealthCheck = { ...CHECK, type: 'http', address: '127.0.0.1' };
  registry.replaceGroup('g', 'k', [instance('a', '10.0.0.1', { healthCheck: own }), instance('b', '10.0.0.2')]);
  await clock.advance(1000);
  assert.deepEqual(seen, ['http 127.0.0.1:80']);
});

test('a result that arrives after its instance is gone is dropped', async () => {
  const { clock, registry, state, said } = setUp(hanging);
  state('k', ['a'], { timeout: 60 });
  await clock.advance(1000);
  registry.removeGroup('group of k');
  await clock.advance(1000);
  assert.equal(said('k', 'a'), undefined);
  assert.equal(registry.size().subjects, 0);
});

test('stop aborts running checks, waits for them, and leaves no timer', async () => {
  const { clock, state, runner } = setUp(hanging, 3);
  state('k', ['a', 'b', 'c', 'd', 'e'], { timeout: 60 });
  await clock.advance(1000);
  assert.equal(runner.counts().running, 3);
  await runner.stop();
  assert.equal(runner.counts().running, 0);
  await clock.advance(100_000);
  assert.equal(clock.pendingTimers(), 0);
});
