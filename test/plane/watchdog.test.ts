import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Watchdog } from '../../src/plane/watchdog.ts';
import { fakeClock } from '../support/fake-clock.ts';

function setUp() {
  const clock = fakeClock();
  const one = { beats: () => one.count, startBeats: 7, count: 7 };
  const all = [one];
  const silent: (typeof one)[] = [];
  const watchdog = new Watchdog(
    clock,
    () => all,
    (which) => silent.push(which),
  );
  return { clock, one, silent, watchdog, remove: () => void all.splice(0) };
}

test('a thread that beats is never reported as silent', async () => {
  const { clock, one, silent, watchdog } = setUp();
  for (let i = 0; i < 100; i++) {
    one.count++;
    await clock.advance(1000);
  }
  assert.deepEqual([silent.length, watchdog.isSilent()], [0, false]);
});

test('a thread that stops beating is reported once, after some seconds, until it beats again or is gone', async () => {
  for (const way of ['beats', 'gone']) {
    const { clock, one, silent, watchdog, remove } = setUp();
    await clock.advance(1000);
    one.count++;
    await clock.advance(5500);
    assert.equal(silent.length, 0);
    await clock.advance(30_000);
    assert.deepEqual([silent.length, watchdog.isSilent()], [1, true]);
    if (way === 'beats') one.count++;
    else remove();
    await clock.advance(1000);
    assert.equal(watchdog.isSilent(), false);
  }
});

test('a new thread has more time for its first beat, whatever was counted before it', async () => {
  const { clock, silent } = setUp();
  await clock.advance(30_500);
  assert.equal(silent.length, 0);
  await clock.advance(2000);
  assert.equal(silent.length, 1);
});
