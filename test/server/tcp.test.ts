import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { COUNTER } from '../../src/plane/counters.ts';
import type { TcpSettings } from '../../src/plane/settings.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { serveExample } from '../support/served-example.ts';
import { listenTcp, TCP_SETTINGS, type TcpMode, testEachTcp } from '../support/tcp-modes.ts';
import { framed, talkTcp, unframed } from '../support/transports.ts';
import { unchanging } from '../support/until.ts';

async function start(context: TestContext, mode: TcpMode, changed: Partial<TcpSettings> = {}) {
  const plane = createInProcessPlane();
  await serveExample(plane);
  const clock = fakeClock();
  const listener = await listenTcp(mode, plane.engine, { ...TCP_SETTINGS, ...changed }, clock);
  context.after(() => listener.close());
  const open = async () => {
    const socket = connect(listener.bound.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  return { plane, clock, listener, open, counters: plane.engine.counters };
}

const question = (name: string, id = 1, type = 1) =>
  composeMessage({ id, questions: [{ name: parseName(name), type, class: 1 }] });

testEachTcp('100 queries sent at once are all answered, in one connection', async (context, mode) => {
  const { listener } = await start(context, mode);
  const queries = Array.from({ length: 100 }, (_, id) => framed(question('api.example.test.', id)));
  const responses = await talkTcp('127.0.0.1', listener.bound.port, Buffer.concat(queries));
  assert.deepEqual(
    responses.map((bytes) => parseMessage(bytes).id),
    queries.map((_, id) => id),
  );
});

testEachTcp('a query that arrives one byte at a time is answered', async (context, mode) => {
  const { open } = await start(context, mode);
  const socket = await open();
  for (const byte of framed(question('api.example.test.'))) {
    socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await readOne(socket)).answers.length, 2);
  socket.destroy();
});

testEachTcp(
  'a connection without a query is closed after the idle limit, and one that asks is not',
  async (context, mode) => {
    const { clock, open, counters } = await start(context, mode);
    const idle = await open();
    const busy = await open();
    const closed = once(idle, 'close');
    for (let second = 0; second < 11; second++) {
      await clock.advance(1000);
      busy.write(framed(question('api.example.test.')));
      await readOne(busy);
    }
    idle.resume();
    await closed;
    assert.equal(busy.destroyed, false);
    assert.equal(counters[COUNTER.TCP_TIMEOUTS], 1);
    assert.equal(counters[COUNTER.TCP_OPEN], 1);
    busy.destroy();
  },
);

testEachTcp('no connection lives longer than the total limit', async (context, mode) => {
  const { clock, open } = await start(context, mode, { totalMs: 20_000 });
  const socket = await open();
  // A reset, where the client's kernel has not said yet that it has the last answer.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (let second = 0; second < 19; second++) {
    await clock.advance(1000);
    socket.write(framed(question('api.example.test.')));
    await readOne(socket);
  }
  await clock.advance(1500);
  await closed;
});

testEachTcp('bytes that never become a query do not keep a connection', async (context, mode) => {
  const { clock, open } = await start(context, mode);
  const socket = await open();
  const closed = once(socket, 'close');
  socket.resume();
  for (let second = 0; second < 11 && !socket.destroyed; second++) {
    socket.write(Buffer.of(0));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(1000);
  }
  await closed;
});

testEachTcp('at the limit of connections the one idle for longest makes room at once', async (context, mode) => {
  const { open, counters } = await start(context, mode, { connections: 3 });
  const asks = await open();
  asks.write(framed(question('api.example.test.')));
  await readOne(asks);
  const silent = [await open(), await open()];
  const closed = once(silent[0].resume(), 'close');
  const welcome = await open();
  await closed;
  for (const socket of [asks, silent[1], welcome]) {
    socket.write(framed(question('api.example.test.')));
    assert.equal((await readOne(socket)).answers.length, 2);
  }
  // Now all have asked in this moment.
  await once((await open()).resume(), 'close');
  assert.equal(counters[COUNTER.TCP_EVICTED], 1);
  assert.equal(counters[COUNTER.TCP_REFUSED], 1);
  assert.equal(counters[COUNTER.TCP_OPEN], 3);
  for (const socket of [asks, silent[1], welcome]) socket.destroy();
});

testEachTcp(
  'a client that does not read its answers is not read from, and gets all of them when it reads',
  async (context, mode) => {
    const { plane, open, counters } = await start(context, mode, { unreadBytes: 10_000 });
    await plane.apply([
      {
        kind: 'replace-name',
        records: { name: parseName('big.example.test.'), rrsets: [bigRRset()] },
      },
    ]);
    const socket = await open();
    socket.pause();
    const count = 2000;
    for (let id = 0; id < count; id++) socket.write(framed(question('big.example.test.', id, 16)));
    // Answers are written until the kernel's buffers and ours are full.
    const answered = await unchanging(() => counters[COUNTER.TCP4]);
    assert.ok(answered < count, `${answered} of ${count} were answered unread`);
    const chunks: Buffer[] = [];
    let bytes = 0;
    const all = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (counters[COUNTER.TCP4] === count && unframed(Buffer.concat(chunks)).length === count) resolve();
      });
    });
    socket.resume();
    await all;
    assert.ok(bytes > 10_000_000);
    socket.destroy();
  },
);

testEachTcp('an answer that does not fit into 64 KiB has as much as fits, and TC', async (context, mode) => {
  const { plane, listener } = await start(context, mode);
  const records = Array.from({ length: 10_000 }, (_, i) => ({
    rdata: Uint8Array.of(10, i >> 16, i >> 8, i),
    slot: 0,
    weight: 1,
  }));
  const rrset = {
    type: 1,
    ttlSeconds: 5,
    records,
    routing: 'multivalue',
    maxAnswers: 0,
    whenAllUnhealthy: 'nodata',
  } as const;
  await plane.apply([{ kind: 'replace-name', records: { name: parseName('huge.example.test.'), rrsets: [rrset] } }]);
  const [bytes] = await talkTcp('127.0.0.1', listener.bound.port, framed(question('huge.example.test.')));
  const response = parseMessage(bytes);
  assert.equal(response.flags & 0x0200, 0x0200);
  assert.equal(response.answers.length, Math.floor((65_535 - 12 - 23) / 16));
  assert.equal(new Set(response.answers.map(({ rdata }) => rdata.join('.'))).size, response.answers.length);
});

function bigRRset() {
  const records = Array.from({ length: 25 }, (_, i) => ({
    rdata: new Uint8Array(256).fill(i).fill(255, 0, 1),
    slot: 0,
    weight: 1,
  }));
  return {
    type: 16,
    ttlSeconds: 5,
    records,
    routing: 'multivalue',
    maxAnswers: 0,
    whenAllUnhealthy: 'nodata',
  } as const;
}

async function readOne(socket: Socket) {
  let bytes = Buffer.alloc(0);
  while (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE(0)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
  }
  return parseMessage(bytes.subarray(2));
}
