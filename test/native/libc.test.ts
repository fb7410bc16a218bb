import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import os from 'node:os';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { errorCode, type Libc, loadLibc, refusedCall } from '../../src/native/libc.ts';
import { requirement } from '../support/requirement.ts';

test('memory that a thread allocated is freed when the thread ends', requirement('linux'), async () => {
  const run = async () => {
    const worker = new Worker(new URL('../support/allocating-thread.js', import.meta.url));
    await once(worker, 'exit');
  };
  await run();
  const before = process.memoryUsage().rss;
  for (let threads = 0; threads < 8; threads++) await run();
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 100, `${grown.toFixed(0)} MiB of 8 times 32 are still held`);
});

test('system calls can use the allocated memory', requirement('linux'), () => {
  const libc = loadLibc() as Libc;
  const { address, buffer } = libc.allocate(8);
  const [fds, events] = [new Int32Array(buffer), new Int16Array(buffer)];
  fds[0] = 1 << 20;
  assert.equal(libc.poll(address, 1, 0), 1);
  assert.equal(events[3], 32, 'POLLNVAL');
});

test('a system call that the machine refuses is named with its error', requirement('linux'), () => {
  const libc = loadLibc() as Libc;
  const { EPERM, EBADF } = os.constants.errno;
  assert.equal(refusedCall(libc), undefined);
  const refusing = (call: keyof Libc, errno = EPERM) => {
    let failed = false;
    const refuse = () => {
      failed = true;
      return -1;
    };
    return refusedCall({ ...libc, [call]: refuse, errno: () => (failed ? errno : libc.errno()) });
  };
  for (const call of ['socket', 'sendmmsg', 'recvmmsg', 'epoll_create1', 'accept4'] as const) {
    assert.equal(refusing(call), `${call}() is refused: EPERM`);
  }
  assert.equal(refusing('accept4', EBADF), undefined);
  const before = readdirSync('/proc/self/fd').length;
  refusedCall(libc);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('an unknown error number is shown as it is', () => {
  assert.deepEqual([errorCode(os.constants.errno.EADDRINUSE), errorCode(99_999)], ['EADDRINUSE', 'errno 99999']);
});
