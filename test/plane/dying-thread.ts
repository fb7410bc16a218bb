// A data thread that dies when it is told to flush the cache: for the test of what happens then.
import { parentPort } from 'node:worker_threads';
import type { ToThread } from '../../src/plane/thread-messages.ts';
import '../../src/thread/thread.ts';

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'request' && message.request.kind === 'flush-cache') throw new Error('told to die');
});
