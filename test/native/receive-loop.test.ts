// When the event loop has its turn, told by a poll() that the test plays.
import assert from 'node:assert/strict';
import os from 'node:os';
import { test } from 'node:test';
import { type Libc, POLLIN, POLLNVAL } from '../../src/native/libc.ts';
import { startReceiveLoop } from '../../src/native/receive-loop.ts';

interface Turns {
  /** The longest that the event loop waited for a turn. */
  readonly longestMs: number;
  readonly polls: number;
}

/** A packet comes every `everyMs`; answering one never needs the event loop. Something is due `deadlineMs` after each turn. */
async function turnsWith(
  everyMs: number,
  granularityMs: number,
  deadlineMs = Number.POSITIVE_INFINITY,
  drainMs = 0,
): Promise<Turns> {
  let nowMs = 0;
  let lastMs = 0;
  let nextPacketMs = everyMs;
  let polls = 0;
  const memory = new ArrayBuffer(16);
  const events = new Int16Array(memory);
  const libc = {
    allocate: () => ({ address: 0n, buffer: memory }),
    poll(_fds: bigint, _count: number, timeoutMs: number) {
      polls++;
      const readable = nextPacketMs <= nowMs + timeoutMs;
      nowMs = readable ? Math.max(nowMs, nextPacketMs) : nowMs + timeoutMs;
      events[3] = readable ? POLLIN : 0;
      if (readable) nextPacketMs += everyMs;
      return readable ? 1 : 0;
    },
  } as unknown as Libc;
  const drain = () => {
    nowMs += drainMs;
    return 1;
  };
  const socket = { fd: 3, drain, beganLater: () => false };
  const loop = startReceiveLoop(libc, [socket], 4, {
    monotonicMs: () => nowMs,
    setTimeout: () => assert.fail('nothing rests'),
    failed: () => assert.fail('nothing fails'),
    granularityMs,
    nextDeadlineMs: () => Math.max(0, lastMs + deadlineMs - nowMs),
  });
  let longestMs = 0;
  for (let turn = 0; turn < 100; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
  }
  loop.stop();
  return { longestMs, polls };
}

test('occasional queries do not delay the timers of the event loop', async () => {
  for (const everyMs of [1, 10, 100, 149]) {
    const { longestMs } = await turnsWith(everyMs, 150);
    assert.ok(longestMs <= 150 + everyMs, `${longestMs} ms without a turn, a query every ${everyMs} ms`);
  }
});

test('a turn ends by the next deadline, with queries and without', async () => {
  for (const everyMs of [3, 1_000_000]) {
    const { longestMs } = await turnsWith(everyMs, 4800, 20);
    assert.ok(longestMs <= 20 + (everyMs % 1000), `${longestMs} ms without a turn`);
  }
});

test('continuous load does not delay the timers of the event loop', async () => {
  const { longestMs } = await turnsWith(0.001, 150, 20, 5);
  assert.ok(longestMs <= 25, `${longestMs} ms without a turn`);
  assert.ok((await turnsWith(0.001, 150, undefined, 5)).longestMs <= 155);
});

test('without pending deadlines, many queries are answered in one turn, and an idle loop sleeps', async () => {
  const busy = await turnsWith(0.01, 150);
  assert.ok(busy.polls > 100 * 50, `${busy.polls} polls in 100 turns`);
  const idle = await turnsWith(1_000_000, 150);
  assert.ok(idle.polls <= 101, `${idle.polls} polls in 100 turns`);
});

/** A loop over one socket and the event loop, with a poll() and timers that the test plays. */
function playedLoop(poll: (fds: Int32Array, events: Int16Array) => number, errno = 0) {
  const memory = new ArrayBuffer(16);
  const [fds, events] = [new Int32Array(memory), new Int16Array(memory)];
  const played = { polls: 0, drained: 0, failures: 0, timers: [] as (() => void)[], fds };
  const libc = {
    allocate: () => ({ address: 0n, buffer: memory }),
    poll() {
      played.polls++;
      return poll(fds, events);
    },
    errno: () => errno,
  } as unknown as Libc;
  const socket = { fd: 3, drain: () => played.drained++, beganLater: () => false };
  const loop = startReceiveLoop(libc, [socket], 4, {
    monotonicMs: () => 0,
    setTimeout: (callback) => played.timers.push(callback),
    granularityMs: 10,
    failed: () => void played.failures++,
  });
  return { ...played, played, stop: loop.stop };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('a poll() that keeps failing is counted and paused, and the sockets are read nevertheless', async () => {
  const { played, stop } = playedLoop(() => -1, os.constants.errno.EFAULT);
  await turns(50);
  assert.deepEqual([played.polls, played.failures, played.drained, played.timers.length], [1, 1, 1, 1]);
  played.timers[0]!();
  await turns(50);
  assert.deepEqual([played.polls, played.failures, played.drained, played.timers.length], [2, 2, 2, 2]);
  stop();
});

test('an interrupted poll() is not a failure', async () => {
  const { played, stop } = playedLoop(() => -1, os.constants.errno.EINTR);
  await turns(10);
  assert.ok(played.polls >= 9, `${played.polls} polls`);
  assert.deepEqual([played.failures, played.timers.length], [0, 0]);
  stop();
});

test('an invalid descriptor is counted, skipped, and retried after a pause', async () => {
  const { played, stop } = playedLoop((fds, events) => {
    if (fds[0] !== 3) return 0;
    events[3] = POLLNVAL;
    return 1;
  });
  await turns(50);
  assert.deepEqual([played.failures, played.drained, played.timers.length], [1, 0, 1]);
  assert.ok(played.fds[0]! < 0);
  played.timers[0]!();
  await turns(10);
  assert.deepEqual([played.failures, played.timers.length], [2, 2]);
  stop();
});
