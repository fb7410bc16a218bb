// A push thread that dies of the first flip of a slot: for the test of what happens then.
import { parentPort } from 'node:worker_threads';
import type { ToThread } from '../../../src/plane/thread-messages.ts';
import '../../../src/thread/push-thread.ts';

parentPort?.on('message', ({ kind }: ToThread) => {
  if (kind === 'flips') throw new Error('told to die');
});
