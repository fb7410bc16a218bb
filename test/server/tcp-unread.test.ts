// Clients that ask and do not read, or never finish a query: what is kept for them, and for how long.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { COUNTER } from '../../src/plane/counters.ts';
import type { TcpSettings } from '../../src/plane/settings.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { serveExample, serveRRset } from '../support/served-example.ts';
import { listenTcp, TCP_SETTINGS, type TcpMode, testEachTcp } from '../support/tcp-modes.ts';
import { framed, talkTcp } from '../support/transports.ts';
import { unchanging, until } from '../support/until.ts';

const SETTINGS: TcpSettings = {
  ...TCP_SETTINGS,
  connections: 100,
  unreadBytes: 1 << 20,
  unreadTotalBytes: 1 << 21,
};
const BIG = framed(
  composeMessage({ id: 1, questions: [{ name: parseName('big.example.test.'), type: 16, class: 1 }] }),
);
const SMALL = framed(
  composeMessage({ id: 1, questions: [{ name: parseName('api.example.test.'), type: 1, class: 1 }] }),
);
/** Their answers are more than the buffers on the way take and we keep. */
const MANY = 3000;
const ANSWER_BYTES = 2 + 12 + 22 + 25 * 268;

async function start(context: TestContext, mode: TcpMode, changed: Partial<TcpSettings> = {}) {
  const plane = createInProcessPlane();
  await serveExample(plane);
  const rdata = Array.from({ length: 25 }, (_, i) => new Uint8Array(256).fill(i).fill(255, 0, 1));
  await serveRRset(plane, 'big.example.test.', 16, rdata);
  const clock = fakeClock();
  const listener = await listenTcp(mode, plane.engine, { ...SETTINGS, ...changed }, clock);
  context.after(() => listener.close());
  const open = async () => {
    const socket = connect(listener.bound.port, '127.0.0.1');
    context.after(() => void socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  const { counters } = plane.engine;
  /** Nothing more is answered: whatever is on the way is full. */
  const settled = () => unchanging(() => counters[COUNTER.TCP4]);
  return { clock, port: listener.bound.port, counters, open, settled };
}

function ask(socket: Socket, count: number, query = BIG): void {
  socket.write(Buffer.concat(Array.from({ length: count }, () => query)));
}

/** Until so many bytes have come. */
async function read(socket: Socket, bytes: number): Promise<void> {
  let missing = bytes;
  socket.on('data', ({ length }) => {
    missing -= length;
  });
  socket.resume();
  while (missing > 0) await once(socket, 'data');
  assert.equal(missing, 0);
  socket.removeAllListeners('data');
  socket.pause();
}

testEachTcp(
  'a client that asks again and again and reads nothing is closed after the idle limit',
  async (context, mode) => {
    const { clock, counters, open } = await start(context, mode, {
      unreadBytes: 1 << 26,
      unreadTotalBytes: 1 << 26,
    });
    const socket = await open();
    socket.pause();
    // A few at a time: one turn's answers are always kept, more of them only until the socket can be written to again.
    for (let asked = 0; asked < MANY; asked += 5) {
      ask(socket, 5);
      while (counters[COUNTER.TCP4] < asked + 5) await new Promise((resolve) => setImmediate(resolve));
    }
    for (let second = 1; second <= 9; second++) {
      await clock.advance(1000);
      ask(socket, 1);
      await until(() => counters[COUNTER.TCP4], MANY + second);
    }
    await clock.advance(1500);
    await until(() => counters[COUNTER.TCP_OPEN], 0);
    assert.equal(counters[COUNTER.TCP_TIMEOUTS], 1);
  },
);

testEachTcp('a client that reads, however late, is not idle', async (context, mode) => {
  const { clock, counters, open, settled } = await start(context, mode);
  const socket = await open();
  socket.pause();
  ask(socket, MANY);
  await settled();
  assert.ok(counters[COUNTER.TCP4] < MANY);
  await clock.advance(9000);
  await read(socket, MANY * ANSWER_BYTES);
  await clock.advance(9000);
  assert.equal(counters[COUNTER.TCP_OPEN], 1);
  assert.equal(counters[COUNTER.TCP4], MANY);
});

testEachTcp('the unread answers of all have a limit: who is stuck for longest is closed', async (context, mode) => {
  const { counters, open, settled } = await start(context, mode, { unreadBytes: 1 << 18, unreadTotalBytes: 1 << 19 });
  const stuck: { socket: Socket; asked: number }[] = [];
  while (counters[COUNTER.TCP_UNREAD] < 2) {
    assert.ok(stuck.length < 10, 'nobody was closed');
    const socket = await open();
    socket.pause();
    // A few at a time, until they are not answered any more.
    let asked = 0;
    for (let before = -1; before !== counters[COUNTER.TCP4]; asked += 20) {
      before = counters[COUNTER.TCP4];
      for (let i = 0; i < 4; i++) {
        ask(socket, 5);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      if (counters[COUNTER.TCP4] < before + 20) await settled();
    }
    stuck.push({ socket, asked });
  }
  const reader = await open();
  ask(reader, MANY);
  await read(reader, MANY * ANSWER_BYTES);
  const closed = counters[COUNTER.TCP_UNREAD];
  assert.equal(counters[COUNTER.TCP_OPEN], stuck.length + 1 - closed);
  for (const [i, { socket, asked }] of stuck.entries()) {
    if (i < closed) await once(socket.resume(), 'close');
    else await read(socket, asked * ANSWER_BYTES);
  }
});

testEachTcp('what has been read does not count any more', async (context, mode) => {
  const { counters, open, settled } = await start(context, mode, { unreadBytes: 1 << 19, unreadTotalBytes: 1 << 20 });
  for (let i = 0; i < 4; i++) {
    const socket = await open();
    socket.pause();
    ask(socket, MANY);
    await settled();
    assert.ok(counters[COUNTER.TCP4] < MANY * (i + 1));
    await read(socket, MANY * ANSWER_BYTES);
  }
  assert.equal(counters[COUNTER.TCP_UNREAD], 0);
  assert.equal(counters[COUNTER.TCP_OPEN], 4);
});

testEachTcp('queries that are never finished count as well', async (context, mode) => {
  const { counters, open, port } = await start(context, mode, { unreadTotalBytes: 1 << 20 });
  const unfinished = Buffer.alloc(60_000);
  unfinished.writeUInt16BE(65_535);
  for (let i = 0; i < 40; i++) (await open()).write(unfinished);
  await until(() => counters[COUNTER.TCP_UNREAD] > 0, true);
  assert.equal((await talkTcp('127.0.0.1', port, SMALL)).length, 1);
  assert.ok(counters[COUNTER.TCP_OPEN] > 5);
});
