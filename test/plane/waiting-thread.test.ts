import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { startDataPlane } from '../../src/plane/threads.ts';
import { startWaitingThread, untilLoaded, type WaitingThread } from '../../src/plane/waiting-thread.ts';
import { testSettings } from '../support/transports.ts';

const threadUrl = new URL('../../src/thread/thread.js', import.meta.url);

async function planeWith(waitingThread: WaitingThread) {
  const plane = await startDataPlane(testSettings(), {
    ...{ threadUrl, waitingThread, log: () => {} },
    ...{ clock: systemClock, random: Math.random, slotCapacity: 1024, refill: () => [] },
  });
  assert.equal((await plane.listen()).length, 2);
  return plane;
}

test('a thread that waits for its settings becomes the first data thread', async () => {
  const waiting = startWaitingThread(threadUrl, 'data-0');
  const ended = once(waiting.worker, 'exit');
  const plane = await planeWith(waiting);
  await plane.close();
  await ended;
  assert.equal(plane.restarts(), 0);
});

test('a thread without settings can be ended as soon as it has loaded its native calls', async () => {
  const waiting = startWaitingThread(threadUrl, 'data-0');
  const errors: Error[] = [];
  waiting.worker.on('error', (error) => errors.push(error));
  await untilLoaded(waiting);
  await waiting.worker.terminate();
  assert.deepEqual(errors, []);
});

test('a thread that has ended while it waited for settings is replaced', async () => {
  const waiting = startWaitingThread(threadUrl, 'data-0');
  await untilLoaded(waiting);
  await waiting.worker.terminate();
  const plane = await planeWith(waiting);
  assert.equal(plane.restarts(), 0);
  await plane.close();
});
