// A data thread that spins for ever when it is told to flush the cache: for the test of what happens then.
import { parentPort } from 'node:worker_threads';
import type { ToThread } from '../../src/plane/thread-messages.ts';
import '../../src/thread/thread.ts';

parentPort?.on('message', (message: ToThread) => {
  while (message.kind === 'request' && message.request.kind === 'flush-cache');
});
