import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CheckThresholds, checkNotRun, ecsTaskHealth, nextProgress } from '../../src/health/rules/ecs.ts';

const H = 'HEALTHY' as const;
const U = 'UNHEALTHY' as const;
const N = 'UNKNOWN' as const;

// Essential containers, others, and the task's health: the table of the ECS developer guide.
const tasks: [(typeof H | typeof U | typeof N)[], (typeof H | typeof U | typeof N)[], string][] = [
  [[], [], N],
  [[], [H], N],
  [[H], [], H],
  [[U], [], U],
  [[N], [], N],
  [[H, H], [U], H],
  [[H, U], [], U],
  [[U, N], [], U],
  [[N, U], [H], U],
  [[H, N], [], N],
  [[N, N], [U], N],
  [[H], [N], H],
];

for (const [essential, others, expected] of tasks) {
  test(`a task with essential containers ${essential.join(',') || 'none'} and others ${others.join(',') || 'none'} is ${expected}`, () => {
    const containers = [
      ...others.map((status, index) => ({ name: `side-${index}`, essential: false, status })),
      ...essential.map((status, index) => ({ name: `main-${index}`, essential: true, status })),
    ];
    assert.equal(ecsTaskHealth(containers).status, expected);
  });
}

test('the reason for a task’s health names the deciding container', () => {
  const containers = [
    { name: 'app', essential: true, status: H },
    { name: 'proxy', essential: true, status: U, reason: 'exit status 1' },
  ];
  assert.equal(ecsTaskHealth(containers).reason, 'container proxy: exit status 1');
});

/** One check a second: "+" passes, "-" fails; gives the status after each: H, U or ? for UNKNOWN. */
function run(results: string, thresholds: CheckThresholds): string {
  let progress = checkNotRun(0, 0);
  return [...results]
    .map((result, index) => {
      const ms = index * 1000;
      progress = nextProgress(progress, { passed: result === '+', reason: 'r' }, thresholds, ms, ms);
      return { HEALTHY: 'H', UNHEALTHY: 'U', UNKNOWN: '?' }[progress.status];
    })
    .join('');
}

const ecs = { retries: 3, startPeriod: 0 };
const slow = { retries: 2, startPeriod: 5 };
const checks: [string, CheckThresholds, string, string][] = [
  ['the first success makes it healthy', ecs, '+', 'H'],
  ['failures in a row up to retries make it unhealthy', ecs, '---', '??U'],
  ['a success between failures begins the count anew', ecs, '+--+--+', 'HHHHHHH'],
  ['a healthy one needs as many failures', ecs, '+---', 'HHHU'],
  ['one success brings it back', ecs, '---+', '??UH'],
  ['failures in the start period do not count', slow, '------', '??????'],
  ['failures after the start period count', slow, '-------', '??????U'],
  ['a success ends the start period', slow, '-+--', '?HHU'],
  ['retries 1 is at once', { retries: 1, startPeriod: 0 }, '+-+', 'HUH'],
  ['successes: as many in a row before healthy', { ...ecs, successes: 2 }, '---+-++', '??UUUUH'],
  ['successes count for a new one too', { ...ecs, successes: 3 }, '+++', '??H'],
];

for (const [name, thresholds, results, expected] of checks) {
  test(`${name}: ${results} is ${expected}`, () => assert.equal(run(results, thresholds), expected));
}

test('the reason includes the number of failures out of the maximum', () => {
  let progress = checkNotRun(0, 0);
  const reasons = [0, 1, 2, 3].map(() => {
    progress = nextProgress(progress, { passed: false, reason: 'connect ECONNREFUSED 127.0.0.1:9' }, ecs, 0, 7);
    return progress.reason;
  });
  assert.deepEqual(
    reasons.map((reason) => reason.replace('connect ECONNREFUSED 127.0.0.1:9 ', '')),
    ['(1 of 3)', '(2 of 3)', '(3 of 3)', '(3 of 3)'],
  );
  assert.equal(progress.sinceMs, 7);
});

test('a status follows from the last results, as in a reference model', () => {
  const results = fc.array(fc.boolean(), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(results, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }), (all, retries, successes) => {
      const text = run(all.map((passed) => (passed ? '+' : '-')).join(''), { retries, startPeriod: 0, successes });
      let expected = '?';
      all.forEach((_, index) => {
        const tail = all.slice(0, index + 1);
        if (tail.length >= retries && tail.slice(-retries).every((passed) => !passed)) expected = 'U';
        if (tail.length >= successes && tail.slice(-successes).every((passed) => passed)) expected = 'H';
        assert.equal(text[index], expected);
      });
    }),
  );
});
