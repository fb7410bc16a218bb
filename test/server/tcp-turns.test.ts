// What one turn of the receive loop does over TCP: a part, so that UDP is served in between, and each client in turn.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { type Libc, loadLibc } from '../../src/native/libc.ts';
import { createTcpConnections } from '../../src/server/tcp/tcp-connections.ts';
import { TURN_WORK } from '../../src/server/tcp/tcp-conversation.ts';
import { listenEpollTcp } from '../../src/server/tcp/tcp-epoll.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { requirement } from '../support/requirement.ts';
import { serveExample, serveRRset } from '../support/served-example.ts';
import { framed } from '../support/transports.ts';

const SETTINGS = {
  connections: 100,
  idleMs: 10_000,
  totalMs: 60_000,
  unreadBytes: 1 << 20,
  unreadTotalBytes: 1 << 26,
};
const CLIENTS = 10;

/** A listener that serves only when the test says; `answered` has the id of each query in order, which is its client's. */
async function start(context: TestContext) {
  const plane = createInProcessPlane();
  await serveExample(plane);
  const rdata = Array.from({ length: 4000 }, (_, i) => Uint8Array.of(10, 0, i >> 8, i));
  await serveRRset(plane, 'huge.example.test.', 1, rdata);
  const { engine } = plane;
  const answered: { id: number; bytes: number }[] = [];
  const respondSlot: typeof engine.respondSlot = (slot, length, ...rest) => {
    const query = engine.memory.queries[slot];
    const bytes = engine.respondSlot(slot, length, ...rest);
    answered.push({ id: (query[0] << 8) | query[1], bytes: Number(bytes) });
    return bytes;
  };
  const clock = fakeClock();
  const connections = createTcpConnections(SETTINGS, clock, engine.counters);
  const listener = listenEpollTcp({ ...engine, respondSlot }, { address: '127.0.0.1', port: 0 }, SETTINGS, {
    libc: loadLibc() as Libc,
    clock,
    connections,
    shared: false,
  });
  context.after(async () => {
    connections.close();
    await listener.close();
  });
  const clients: Socket[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    const socket = connect(listener.bound.port, '127.0.0.1');
    context.after(() => void socket.destroy());
    await once(socket, 'connect');
    clients.push(socket);
  }
  listener.drain();
  /** The queries of client i have the id i; on loopback they have arrived when this resolves. */
  const ask = async (name: string, count: number) => {
    for (const [id, socket] of clients.entries()) {
      const query = framed(composeMessage({ id, questions: [{ name: parseName(name), type: 1, class: 1 }] }));
      await new Promise<void>((resolve) => {
        socket.write(Buffer.concat(Array.from({ length: count }, () => query)), () => resolve());
      });
    }
  };
  return { listener, clients, answered, ask };
}

test(
  'a turn answers only some of many short queries, and all are answered eventually',
  requirement('linux'),
  async (context) => {
    const { listener, answered, ask } = await start(context);
    await ask('api.example.test.', 300);
    for (let turns = 0; answered.length < CLIENTS * 300; turns++) {
      const before = answered.length;
      listener.drain();
      assert.ok(answered.length - before <= (2 * TURN_WORK) / 2048, `${answered.length - before} answers in a turn`);
      assert.ok(turns < 1000, `${answered.length} answered`);
    }
  },
);

test('a turn sends only few long answers, and clients take turns in order', requirement('linux'), async (context) => {
  const { listener, clients, answered, ask } = await start(context);
  for (const client of clients) client.resume();
  await ask('huge.example.test.', 20);
  for (let turns = 0; answered.length < CLIENTS * 20; turns++) {
    const before = answered.length;
    listener.drain();
    const bytes = answered.slice(before).reduce((sum, answer) => sum + answer.bytes, 0);
    assert.ok(bytes <= 2 * TURN_WORK, `${bytes} bytes in a turn`);
    assert.ok(turns < 10_000, `${answered.length} answered`);
    // The clients read.
    await new Promise((resolve) => setImmediate(resolve));
    const counts = clients.map((_, id) => answered.filter((answer) => answer.id === id).length);
    if (Math.max(...counts) === 10) assert.ok(Math.min(...counts) > 5, `answers so far: ${counts}`);
  }
});
