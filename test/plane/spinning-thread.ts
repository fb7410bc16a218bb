// A data thread that spins for ever when it is told to flush the cache: for the test of what happens then.
import { parentPort } from 'node:worker_threads';
import '../../src/thread/thread.ts';

parentPort?.on('message', (message: { kind: string }) => {
  while (message.kind === 'flush-cache');
});
