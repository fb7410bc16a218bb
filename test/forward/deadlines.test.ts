import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDeadlines, deadline } from '../../src/forward/upstream/deadlines.ts';
import { fakeClock } from '../support/fake-clock.ts';

const TICK_MS = 20;

test('each deadline expires exactly once, never early and at most a tick late', async () => {
  const step = fc.record({
    afterMs: fc.double({ min: 0, max: 400, noNaN: true }),
    delayMs: fc.double({ min: 0, max: 25_000, noNaN: true }),
    removed: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const clock = fakeClock();
      const deadlines = createDeadlines(clock, TICK_MS);
      const expired: number[] = [];
      let expected = 0;
      for (const { afterMs, delayMs, removed } of steps) {
        await clock.advance(afterMs);
        const dueMs = clock.monotonicMs() + delayMs;
        const one = deadline(() => {
          const lateMs = clock.monotonicMs() - dueMs;
          assert.ok(lateMs > -0.001 && lateMs <= TICK_MS + 1.001, `${lateMs} ms late`);
          expired.push(dueMs);
        });
        deadlines.add(one, delayMs);
        if (removed) deadlines.remove(one);
        else expected++;
        assert.ok(deadlines.nextMs() >= 0);
      }
      await clock.advance(25_100);
      assert.equal(expired.length, expected);
      assert.deepEqual([deadlines.pending(), deadlines.nextMs()], [0, Number.POSITIVE_INFINITY]);
      assert.equal(clock.pendingTimers(), 0);
    }),
    { numRuns: 50 },
  );
});

test('the timer runs only while a deadline is pending', async () => {
  const clock = fakeClock();
  const deadlines = createDeadlines(clock, TICK_MS);
  assert.equal(deadlines.nextMs(), Number.POSITIVE_INFINITY);
  deadlines.add(
    deadline(() => {}),
    4500,
  );
  assert.equal(deadlines.nextMs(), 4500);
  deadlines.add(
    deadline(() => {}),
    200,
  );
  assert.equal(deadlines.nextMs(), 200);
  await clock.advance(200);
  assert.deepEqual([deadlines.pending(), deadlines.nextMs()], [1, 4300]);
});

test('a deadline is met once the sockets have been read, though others are added meanwhile', async () => {
  let nowMs = 0;
  const timers: (() => void)[] = [];
  const setTimeout = (callback: () => void) => {
    timers.push(callback);
    return { cancel() {} };
  };
  const deadlines = createDeadlines({ ...fakeClock(), monotonicMs: () => nowMs, setTimeout }, TICK_MS);
  const expired: string[] = [];
  deadlines.add(
    deadline(() => expired.push('first')),
    5 * TICK_MS,
  );
  nowMs = 5 * TICK_MS;
  timers[0]();
  deadlines.add(
    deadline(() => expired.push('second')),
    0,
  );
  await new Promise(setImmediate);
  assert.deepEqual([expired, timers.length], [['first', 'second'], 1]);
});

test('an exception in one deadline is reported, and the others still expire', async () => {
  const clock = fakeClock();
  const told: string[] = [];
  const deadlines = createDeadlines(clock, TICK_MS, ({ message }) => told.push(message));
  let expired = 0;
  for (const delayMs of [100, 100, 300]) {
    deadlines.add(
      deadline(() => {
        expired++;
        throw new Error('a mistake');
      }),
      delayMs,
    );
  }
  await clock.advance(400);
  assert.deepEqual([expired, told], [3, ['a mistake', 'a mistake', 'a mistake']]);
});
