import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createHistory, type HistoryChange, type Transition } from '../../src/history/history.ts';

const out = (instance: string, address: string): Transition => ({
  ...{ instance, addresses: [address], from: 'HEALTHY', to: 'UNHEALTHY' },
  ...{ answered: false, rule: 'unhealthy', reason: 'connect ECONNREFUSED' },
});
const back = (instance: string, address: string): Transition => ({
  ...out(instance, address),
  ...{ from: 'UNHEALTHY', to: 'HEALTHY', answered: true, rule: 'healthy', reason: 'HTTP 200' },
});

function change(atMs: number, addresses: readonly string[], transition: Transition, service = 'api'): HistoryChange {
  const after = { outcome: addresses.length > 0 ? 'answered' : 'NODATA', answered: addresses.length, of: 2, addresses };
  return { atMs, service, name: `${service}.test.`, transitions: [transition], more: 0, after };
}

const now = { outcome: 'answered', answered: 2, of: 2, addresses: ['192.0.2.1', '192.0.2.2'] };

function watched() {
  const history = createHistory();
  history.began(1_000);
  history.record(change(2_000, ['192.0.2.1'], out('api-2', '192.0.2.2')));
  history.record(change(3_000, ['192.0.2.1', '192.0.2.2'], back('api-2', '192.0.2.2')));
  return history;
}

test('the answer at a time is what the last change before it left', () => {
  const history = watched();
  const found = history.answerAt('api', 2_500, now);
  assert.ok(found.known);
  assert.deepEqual(found.answer.addresses, ['192.0.2.1']);
  assert.equal(found.since?.atMs, 2_000);
  assert.equal(found.until?.atMs, 3_000);
});

test('before the first change, the answer is that change undone', () => {
  const found = watched().answerAt('api', 1_500, now);
  assert.ok(found.known);
  assert.deepEqual([...found.answer.addresses].sort(), ['192.0.2.1', '192.0.2.2']);
  assert.equal(found.answer.answered, 2);
});

test('a service without a change answered then what it answers now', () => {
  assert.deepEqual(watched().answerAt('web', 1_500, now), { known: true, answer: now });
  assert.equal(watched().answerAt('web', 1_500, undefined).known, false);
});

test('the history states nothing about the time before healthdns started', () => {
  assert.equal(watched().answerAt('api', 999, now).known, false);
  assert.equal(createHistory().answerAt('api', 999, now).known, false);
});

test('after a restart, the answer at a time follows from the next change, not from the last one before the restart', () => {
  const history = watched();
  history.began(10_000);
  history.record(change(12_000, [], out('api-1', '192.0.2.1')));
  const found = history.answerAt('api', 11_000, now);
  assert.ok(found.known);
  assert.deepEqual(found.answer.addresses, ['192.0.2.1']);
  const before = history.answerAt('api', 9_000, now);
  assert.ok(before.known && before.since?.atMs === 3_000);
});

test('dropped changes are reported as unknown, and kept ones remain available', () => {
  const history = createHistory({ perService: 2, inAll: 100 });
  history.began(0);
  for (const at of [1, 2, 3]) history.record(change(at * 1_000, ['192.0.2.1'], out('api-2', '192.0.2.2')));
  assert.deepEqual(
    history.changesOf('api').map(({ atMs }) => atMs),
    [2_000, 3_000],
  );
  assert.equal(history.answerAt('api', 500, now).known, false);
  assert.equal(history.answerAt('api', 2_500, now).known, true);
  assert.equal(history.knownSince('api'), 1_000);
});

test('smaller limits take effect at once', () => {
  const history = watched();
  history.setLimits({ perService: 1, inAll: 10 });
  assert.deepEqual(
    history.changesOf('api').map(({ atMs }) => atMs),
    [3_000],
  );
});

test('services that are gone are found by the name they had', () => {
  assert.deepEqual(watched().servicesNamed('api.test.'), ['api']);
  assert.deepEqual(watched().servicesNamed('web.test.'), []);
});

test('whatever is recorded, both limits hold and each service keeps its newest changes in order', () => {
  const step = fc.record({ service: fc.nat(5).map(String), gap: fc.nat(1_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const limits = { perService: 4, inAll: 12 };
      const history = createHistory(limits);
      history.began(0);
      const all: HistoryChange[] = [];
      let atMs = 0;
      for (const { service, gap } of steps) {
        atMs += gap;
        all.push(change(atMs, [], out('i', '192.0.2.1'), service));
        history.record(all.at(-1)!);
      }
      const names = [...new Set(steps.map(({ service }) => service))];
      const kept = names.flatMap((service) => history.changesOf(service));
      assert.ok(kept.length <= limits.inAll);
      assert.deepEqual(history.counts().kept, kept.length);
      assert.equal(history.counts().dropped, steps.length - kept.length);
      for (const service of names) {
        const own = history.changesOf(service);
        assert.ok(own.length <= limits.perService);
        const last = all.filter((one) => one.service === service).slice(-own.length);
        assert.deepEqual(own, own.length === 0 ? [] : last);
      }
    }),
  );
});
