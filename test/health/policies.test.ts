// Each policy alone, as the pure function that it is: tables, and properties that hold whatever the input.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { combineExternal, type ExternalHealth } from '../../src/health/policies/external-health.ts';
import { calm, type FlapState, nextFlaps, reuseMs, withDamping } from '../../src/health/policies/flap-damping.ts';
import { withGrace } from '../../src/health/policies/grace.ts';
import { limitEjections } from '../../src/health/policies/max-ejection.ts';
import { inPanic, panics } from '../../src/health/policies/panic.ts';
import { SLOW_START_SCALE, slowStartWeight } from '../../src/health/policies/slow-start.ts';
import type { Fact, Status, Verdict } from '../../src/registry/model.ts';
import { fact, POLICY } from '../support/model.ts';

const up: Verdict = { status: 'HEALTHY', answered: true, rule: 'healthy', reason: 'fine', sinceMs: 0 };
const down = (sinceMs = 0): Verdict => ({
  status: 'UNHEALTHY',
  answered: false,
  rule: 'unhealthy',
  reason: 'refused',
  sinceMs,
});
const gone: Verdict = { ...down(), rule: 'gone' };
const operator: Verdict = { ...down(), rule: 'operator' };

const verdictArb = fc.oneof(
  fc.constant(up),
  fc.nat(1000).map(down),
  fc.constant(gone),
  fc.constant(operator),
  fc.constant<Verdict>({ ...up, status: 'UNKNOWN', answered: false, rule: 'unknown-excluded' }),
);

test('grace: a failing check of a new instance is ignored until the period ends or the instance has been healthy', () => {
  const policy = { ...POLICY, gracePeriodSeconds: 60 };
  const judge = (facts: Fact[], nowMs: number, everHealthy = false) => {
    const { verdict, untilMs } = withGrace(facts, policy, { firstSeenMs: 1000, everHealthy }, nowMs);
    return `${verdict.rule} ${verdict.answered} ${untilMs}`;
  };
  const bad = fact('UNHEALTHY', 'check');
  assert.equal(judge([bad], 60_999), 'grace true 61000');
  assert.equal(judge([bad], 61_000), 'unhealthy false undefined');
  assert.equal(judge([bad], 2000, true), 'unhealthy false undefined');
  assert.equal(judge([bad, fact('UNHEALTHY', 'pod')], 2000), 'unhealthy false undefined');
  assert.equal(judge([bad, fact('UNHEALTHY', 'operator')], 2000), 'operator false undefined');
  assert.equal(judge([bad, fact('HEALTHY', 'pod')], 2000), 'grace true 61000');
  assert.equal(judge([fact('UNHEALTHY', 'custom', { gone: true })], 2000), 'gone false undefined');
  const { verdict } = withGrace([bad], { ...policy, unknown: 'exclude' }, { firstSeenMs: 0, everHealthy: false }, 0);
  assert.deepEqual([verdict.status, verdict.answered, verdict.rule], ['UNKNOWN', false, 'grace']);
  assert.equal(verdict.reason, 'new, in its grace period of 60 s: check says UNHEALTHY');
});

const statusArb = fc.constantFrom<Status>('HEALTHY', 'UNHEALTHY', 'UNKNOWN');
const names = ['a', 'b', 'c', 'd'];
const external = (combine: ExternalHealth['combine'], quorum?: number): ExternalHealth => ({
  sources: names.map((name) => ({ name, interval: 30, timeout: 5 })),
  combine,
  quorum,
  maxAgeSeconds: 60,
});

/** "a+ b- c?" at time 0. */
const reports = (text: string): Fact[] =>
  text
    .split(' ')
    .filter(Boolean)
    .map((word) => {
      const status = { '+': 'HEALTHY', '-': 'UNHEALTHY', '?': 'UNKNOWN' }[word.slice(1)] as Status;
      return fact(status, 'external', { name: word[0], reportedMs: 0 });
    });

const combinations: [string, ExternalHealth, string][] = [
  ['a+ b- c-', external('any'), 'HEALTHY'],
  ['a? b- c?', external('any'), 'UNHEALTHY'],
  ['a? b?', external('any'), 'UNKNOWN'],
  ['a+ b+ c-', external('all'), 'UNHEALTHY'],
  ['a+ b+ c?', external('all'), 'HEALTHY'],
  ['a+ b+ c-', external('quorum'), 'HEALTHY'],
  ['a+ b- c-', external('quorum'), 'UNHEALTHY'],
  ['a+ b- c?', external('quorum'), 'UNKNOWN'],
  ['a+ b-', external('quorum'), 'UNHEALTHY'],
  ['a+ b- c- d-', external('quorum', 1), 'HEALTHY'],
  ['a+ b+ c+ d-', external('quorum', 4), 'UNHEALTHY'],
  ['a+', external('quorum', 3), 'HEALTHY'],
  ['z-', external('all'), 'nothing'],
  ['', external('all'), 'nothing'],
];
for (const [said, policy, expected] of combinations) {
  test(`external sources reporting ${said || 'nothing'} combined by ${policy.combine} ${policy.quorum ?? ''} are ${expected}`, () => {
    const { facts } = combineExternal(reports(said), policy, 1000);
    assert.equal(facts[0]?.status ?? 'nothing', expected);
  });
}

test('an expired external report does not count, and the time of the next expiry is known', () => {
  const facts = [
    fact('UNHEALTHY', 'external', { name: 'a', reportedMs: 0 }),
    fact('HEALTHY', 'external', { name: 'b', reportedMs: 30_000 }),
    fact('HEALTHY', 'pod'),
  ];
  const at = (nowMs: number) => {
    const combined = combineExternal(facts, external('all'), nowMs);
    return `${combined.facts.map((one) => `${one.source} ${one.status}`).join(', ')} until ${combined.untilMs}`;
  };
  assert.equal(at(59_999), 'pod HEALTHY, external UNHEALTHY until 60000');
  assert.equal(at(60_000), 'pod HEALTHY, external HEALTHY until 90000');
  assert.equal(at(90_000), 'pod HEALTHY until undefined');
});

test('unanimous external sources decide, however they are combined', () => {
  const combine = fc.constantFrom('any' as const, 'all' as const, 'quorum' as const);
  fc.assert(
    fc.property(
      combine,
      statusArb,
      fc.subarray(names, { minLength: 1 }),
      fc.option(fc.integer({ min: 1, max: 6 })),
      (how, status, who, quorum) => {
        const facts = who.map((name) => fact(status, 'external', { name, reportedMs: 0 }));
        const combined = combineExternal(facts, external(how, quorum ?? undefined), 0).facts;
        assert.deepEqual(
          combined.map((one) => one.status),
          [status],
        );
      },
    ),
  );
});

const PANIC = { belowPercent: 50, untilPercent: 70 };
const share = (healthy: number, of: number) =>
  Array.from({ length: of }, (_, index) => (index < healthy ? up : down()));

test('panic begins below one percentage and ends at another', () => {
  assert.equal(panics(false, share(5, 10), PANIC), false);
  assert.equal(panics(false, share(4, 10), PANIC), true);
  assert.equal(panics(true, share(6, 10), PANIC), true);
  assert.equal(panics(true, share(7, 10), PANIC), false);
  assert.equal(panics(true, [], PANIC), false);
  assert.equal(panics(false, [up, gone, gone, operator], PANIC), false);
  assert.equal(
    inPanic(down(), PANIC).reason,
    'fewer than 50 % were healthy, and all are answered until 70 % are: refused',
  );
});

test('panic answers ejected instances, but none that is going away or that an operator took out', () => {
  fc.assert(
    fc.property(verdictArb, (verdict) => {
      const after = inPanic(verdict, PANIC);
      if (verdict.rule === 'unhealthy') assert.deepEqual([after.answered, after.rule], [true, 'panic']);
      else assert.equal(after, verdict);
    }),
  );
});

test('a percentage that stays on one side of both thresholds does not switch panic', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(verdictArb), (before, verdicts) => {
      const now = panics(before, verdicts, PANIC);
      assert.equal(panics(now, verdicts, PANIC), now);
    }),
  );
});

test('at most the configured percentage is ejected, those unhealthy longest first', () => {
  const verdicts = [down(30), up, down(10), up, down(20)];
  const after = limitEjections(verdicts, 40);
  assert.deepEqual(
    after.map((verdict) => verdict.answered),
    [true, true, false, true, false],
  );
  assert.equal(after[0].rule, 'max-ejection');
  assert.equal(after[0].reason, 'at most 40 % may be left out: refused');
});

test('ejection exceeds its percentage by at most one instance, and changes nothing else', () => {
  fc.assert(
    fc.property(fc.array(verdictArb, { maxLength: 30 }), fc.nat(100), (verdicts, percent) => {
      const after = limitEjections(verdicts, percent);
      const ejected = after.filter((verdict) => verdict.rule === 'unhealthy').length;
      const counted = verdicts.filter((verdict) => verdict.answered || verdict.rule === 'unhealthy').length;
      assert.ok(ejected <= Math.max(percent === 0 ? 0 : 1, (counted * percent) / 100));
      after.forEach((verdict, index) => {
        if (verdict !== verdicts[index])
          assert.deepEqual([verdict.rule, verdicts[index].rule], ['max-ejection', 'unhealthy']);
      });
      if (percent === 100) assert.deepEqual(after, verdicts);
    }),
  );
});

const DAMPING = { falls: 3, halfLifeSeconds: 60 };

function flap(times: number, stepMs: number): FlapState {
  let state = calm(0);
  for (let index = 0; index < times * 2; index++) {
    state = nextFlaps(state, index % 2 === 0 ? 'UNHEALTHY' : 'HEALTHY', DAMPING, index * stepMs);
  }
  return state;
}

test('an instance that falls too often is held back, and answered again when it is stable', () => {
  assert.equal(flap(2, 100).suppressed, false);
  assert.equal(flap(3, 100).suppressed, true, 'the third fall, though the first has faded by a hair');
  assert.equal(flap(3, 15_000).suppressed, true, 'three falls within a half-life');
  const state = flap(4, 100);
  assert.equal(state.suppressed, true);
  assert.deepEqual(
    [withDamping(up, state, DAMPING).answered, withDamping(up, state, DAMPING).rule],
    [false, 'flap-damping'],
  );
  assert.equal(withDamping(operator, state, DAMPING), operator);
  const untilMs = reuseMs(state, DAMPING);
  assert.equal(nextFlaps(state, 'HEALTHY', DAMPING, untilMs - 100).suppressed, true);
  assert.equal(nextFlaps(state, 'HEALTHY', DAMPING, untilMs).suppressed, false);
});

test('slow falls are not flapping', () => {
  assert.equal(flap(20, 200_000).suppressed, false);
});

test('however often an instance flapped, three half-lives without a fall are enough', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ waitMs: fc.nat(100_000), status: statusArb }), { maxLength: 200 }), (steps) => {
      let state = calm(0);
      let nowMs = 0;
      for (const { waitMs, status } of steps) {
        nowMs += waitMs;
        state = nextFlaps(state, status, DAMPING, nowMs);
        assert.ok(state.penalty >= 0 && state.penalty <= 4 * DAMPING.falls);
      }
      assert.equal(nextFlaps(state, 'HEALTHY', DAMPING, nowMs + 3 * 60_000 + 1).suppressed, false);
    }),
  );
});

test('slow start adds a tenth of the weight after each tenth of its time, up to the full weight', () => {
  const at = (nowMs: number) => slowStartWeight(2, 0, 100, nowMs);
  for (let step = 0; step < 9; step++)
    assert.deepEqual(at(step * 10_000), { weight: (step + 1) * 20, untilMs: (step + 1) * 10_000 });
  assert.deepEqual(at(90_000), { weight: 200 });
  assert.equal(slowStartWeight(0, 0, 100, 50_000).weight, 0);
  fc.assert(
    fc.property(
      fc.nat(65_535),
      fc.integer({ min: 1, max: 3600 }),
      fc.nat(4_000_000),
      fc.nat(4_000_000),
      (weight, seconds, one, other) => {
        const early = slowStartWeight(weight, 0, seconds, Math.min(one, other));
        const late = slowStartWeight(weight, 0, seconds, Math.max(one, other));
        assert.ok(early.weight <= late.weight && late.weight <= weight * SLOW_START_SCALE);
        assert.equal(early.weight > 0, weight > 0);
        if (early.untilMs !== undefined)
          assert.ok(slowStartWeight(weight, 0, seconds, early.untilMs).weight >= early.weight);
        else assert.equal(early.weight, weight * SLOW_START_SCALE);
      },
    ),
  );
});
