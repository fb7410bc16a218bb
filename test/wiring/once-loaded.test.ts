import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onceLoaded } from '../../src/wiring/once-loaded.ts';
import { fakeClock } from '../support/fake-clock.ts';

function setUp(isLoading: boolean) {
  const clock = fakeClock();
  const setting = { isLoading };
  const log: string[] = [];
  let changed = () => {};
  const control = {
    isLoading: () => setting.isLoading,
    async flush() {
      log.push('flushed');
    },
    board: {
      onChange(listener: () => void) {
        changed = listener;
      },
    },
  };
  const cancel = onceLoaded(() => log.push('called'), control, clock);
  return { clock, setting, log, cancel, changed: () => changed() };
}

test('if nothing is loading, the callback runs at once and once', async () => {
  const { clock, log, changed } = setUp(false);
  assert.deepEqual(log, ['called']);
  assert.equal(clock.pendingTimers(), 0);
  changed();
  await clock.advance(60_000);
  assert.deepEqual(log, ['called']);
});

test('the callback runs when everything has been read and flushed', async () => {
  const { clock, setting, log, changed } = setUp(true);
  changed();
  await clock.advance(1_000);
  assert.deepEqual(log, [], 'something still loads');
  setting.isLoading = false;
  changed();
  await clock.advance(60_000);
  assert.deepEqual(log, ['flushed', 'called']);
});

test('an unreachable cluster is waited for half a minute, unless the wait is cancelled', async () => {
  const { clock, log } = setUp(true);
  await clock.advance(29_999);
  assert.deepEqual(log, []);
  await clock.advance(1);
  assert.deepEqual(log, ['called']);
  const stopped = setUp(true);
  stopped.cancel();
  assert.equal(stopped.clock.pendingTimers(), 0);
  await stopped.clock.advance(60_000);
  assert.deepEqual(stopped.log, []);
});
