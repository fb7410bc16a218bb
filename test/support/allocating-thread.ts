// Takes native memory and ends.
import { parentPort } from 'node:worker_threads';
import { type Libc, loadLibc } from '../../src/native/libc.ts';

const { buffer } = (loadLibc() as Libc).allocate(32 << 20);
new Uint8Array(buffer).fill(1);
parentPort?.postMessage('filled');
