import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFlushPace } from '../../src/wiring/flush-pace.ts';
import { fakeClock } from '../support/fake-clock.ts';

function setUp(flushMs: number) {
  const clock = fakeClock();
  const flushedMs: number[] = [];
  const setting = { isLoading: true };
  const pace = createFlushPace({
    async flush() {
      flushedMs.push(clock.monotonicMs());
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, flushMs));
    },
    schedule: setImmediate,
    isLoading: () => setting.isLoading,
    clock,
  });
  return { clock, flushedMs, setting, pace };
}

test('while loading, flushes take a tenth of the time, and none is deferred for more than a second', async () => {
  const { clock, flushedMs, pace } = setUp(20);
  pace.wake();
  await clock.advance(20);
  pace.wake();
  pace.wake();
  await clock.advance(179);
  assert.deepEqual(flushedMs, [0]);
  await clock.advance(1);
  assert.deepEqual(flushedMs, [0, 200]);

  const slow = setUp(5_000);
  slow.pace.wake();
  await slow.clock.advance(5_000);
  slow.pace.wake();
  await slow.clock.advance(1_000);
  assert.deepEqual(slow.flushedMs, [0, 6_000]);
});

test('a deferred flush runs as soon as loading ends, and later flushes run at once', async () => {
  const { clock, flushedMs, setting, pace } = setUp(50);
  pace.wake();
  await clock.advance(50);
  pace.wake();
  pace.loaded();
  await clock.advance(10);
  assert.deepEqual(flushedMs, [0], 'something still loads');
  setting.isLoading = false;
  pace.loaded();
  await clock.advance(0);
  assert.deepEqual(flushedMs, [0, 60]);
  pace.wake();
  await clock.advance(0);
  assert.deepEqual(flushedMs, [0, 60, 60]);
  assert.equal(clock.pendingTimers(), 2, 'the flushes themselves');
});
