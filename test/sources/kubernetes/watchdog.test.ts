import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SilentConnection } from '../../../src/sources/kubernetes/api/api-server.ts';
import { type Watchdog, withWatchdog } from '../../../src/sources/kubernetes/watch/watchdog.ts';
import { fakeClock } from '../../support/fake-clock.ts';

/** Work that ends when it is given up, with the watchdog that guards it. */
function guarded() {
  const clock = fakeClock();
  let watchdog!: Watchdog;
  let outcome: unknown = 'running';
  const done = withWatchdog(clock, new AbortController().signal, (signal, own) => {
    watchdog = own;
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  }).then(
    (value) => {
      outcome = value;
    },
    (error: Error) => {
      outcome = error;
    },
  );
  return { clock, watchdog, done, outcome: () => outcome };
}

test('a connection is given up when the last deadline has passed, not an earlier one', async () => {
  const { clock, watchdog, done, outcome } = guarded();
  watchdog.allow(1_000);
  for (let i = 0; i < 5; i++) {
    await clock.advance(900);
    watchdog.allow(1_000);
  }
  assert.equal(clock.pendingTimers(), 1);
  await clock.advance(999);
  assert.equal(outcome(), 'running');
  await clock.advance(1);
  await done;
  assert.ok(outcome() instanceof SilentConnection);
});

test('a deadline that is earlier than the one before it counts', async () => {
  const { clock, watchdog, done, outcome } = guarded();
  watchdog.allow(60_000);
  watchdog.leaveAfter(1_000);
  await clock.advance(1_000);
  await done;
  assert.equal(outcome(), undefined);
  assert.equal(clock.pendingTimers(), 0);
});
