import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchEventLoop } from '../../src/wiring/event-loop.ts';
import { createProgramming } from '../../src/wiring/programming.ts';
import { fakeClock } from '../support/fake-clock.ts';

test('a change is measured from its date until the data threads have it, one flush for all of a turn', async () => {
  const clock = fakeClock();
  const turns: (() => void)[] = [];
  let flushes = 0;
  let flushed = () => {};
  const { changed, durations } = createProgramming({
    concerns: (service) => service !== 'clusterIp',
    flush() {
      flushes++;
      return new Promise((resolve) => {
        flushed = resolve;
      });
    },
    schedule: (callback) => void turns.push(callback),
    clock,
  });
  const startMs = clock.now();
  changed('clusterIp', startMs);
  assert.equal(turns.length, 0);
  changed('headless', startMs - 100);
  changed('headless', startMs + 60_000); // a node whose clock is ahead
  assert.equal(turns.length, 1);
  turns[0]!();
  await clock.advance(20);
  assert.equal(durations.sum, 0);
  flushed();
  await clock.advance(0);
  assert.equal(flushes, 1);
  assert.equal(durations.sum, 0.12);
  assert.equal(durations.counts[0], 1);
});

test('the lateness of the event loop is observed once a second', async () => {
  const clock = fakeClock();
  const watch = watchEventLoop(clock);
  await clock.advance(3_000);
  assert.equal(
    [...(watch.delays.counts as number[])].reduce((sum, n) => sum + n, 0),
    3,
  );
  watch.stop();
  await clock.advance(3_000);
  assert.equal(
    [...(watch.delays.counts as number[])].reduce((sum, n) => sum + n, 0),
    3,
  );
  assert.deepEqual(
    watch.readings().map(({ name }) => name),
    ['nodejs_eventloop_lag_seconds', 'healthdns_event_loop_delay_seconds', 'healthdns_event_loop_active_seconds_total'],
  );
});
