// What the kernel keeps of connections that are closed: nothing of those whose client did not read, all for those that read.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { COUNTER } from '../../src/plane/counters.ts';
import type { TcpSettings } from '../../src/plane/settings.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { requirement } from '../support/requirement.ts';
import { serveExample, serveRRset } from '../support/served-example.ts';
import { listenTcp, type TcpMode } from '../support/tcp-modes.ts';
import { framed } from '../support/transports.ts';
import { unchanging, until } from '../support/until.ts';

const SETTINGS: TcpSettings = {
  connections: 2,
  idleMs: 10_000,
  totalMs: 15_000,
  unreadBytes: 65_536,
  unreadTotalBytes: 1 << 26,
};
const ADDRESSES = 4000;
const HUGE = framed(
  composeMessage({ id: 1, questions: [{ name: parseName('huge.example.test.'), type: 1, class: 1 }] }),
);
const HUGE_BYTES = 2 + 12 + 23 + ADDRESSES * 16;
/** So many of its answers fit the kernels' buffers on both sides of a client that does not read, and are more than its own takes. */
const SENT = 2;
/** So many fit none; their queries are read at once. */
const MANY = 100;

/** The same over each way of TCP. */
function each(title: string, run: (context: TestContext, mode: TcpMode) => Promise<void>): void {
  for (const mode of ['epoll', 'plain'] as const)
    test(`${title} (${mode})`, requirement('linux'), (context) => run(context, mode));
}

async function start(context: TestContext, mode: TcpMode, changed: Partial<TcpSettings> = {}) {
  const plane = createInProcessPlane();
  await serveExample(plane);
  const rdata = Array.from({ length: ADDRESSES }, (_, i) => Uint8Array.of(10, 0, i >> 8, i));
  await serveRRset(plane, 'huge.example.test.', 1, rdata);
  const clock = fakeClock();
  const listener = await listenTcp(mode, plane.engine, { ...SETTINGS, ...changed }, clock);
  context.after(() => listener.close());
  const { counters } = plane.engine;
  const open = async () => {
    const socket = connect({ port: listener.bound.port, host: '127.0.0.1', allowHalfOpen: true });
    context.after(() => void socket.destroy());
    socket.on('error', () => {});
    socket.pause();
    await once(socket, 'connect');
    return socket;
  };
  /** A client that asks and does not read. */
  const stuck = async (queries: number) => {
    const before = counters[COUNTER.TCP4];
    const socket = await open();
    socket.write(Buffer.concat(Array.from({ length: queries }, () => HUGE)));
    await until(() => counters[COUNTER.TCP4] > before, true);
    await unchanging(() => counters[COUNTER.TCP4]);
    return socket;
  };
  return { clock, counters, listener, open, stuck };
}

/** Asks and reads the whole answer. */
async function ask(socket: Socket): Promise<void> {
  let missing = HUGE_BYTES;
  socket.on('data', ({ length }) => {
    missing -= length;
  });
  socket.write(HUGE);
  socket.resume();
  while (missing > 0) await once(socket, 'data');
  assert.equal(missing, 0);
  socket.removeAllListeners('data');
  socket.pause();
}

/** Bytes that the kernel keeps for this client on the server's side, whether or not the server still has the connection. */
function kept(socket: Socket): number {
  const port = (of = 0) => of.toString(16).toUpperCase().padStart(4, '0');
  const [from, to] = [`0100007F:${port(socket.remotePort)}`, `0100007F:${port(socket.localPort)}`];
  // proc_net_tcp(5): sl local_address rem_address st tx_queue:rx_queue
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  const fields = lines
    .map((line) => line.trim().split(/[ ]+/))
    .find(([, local, peer]) => local === from && peer === to);
  return fields === undefined ? 0 : Number.parseInt(fields[4], 16);
}

/** Reads: how the connection ends, and after how many bytes. */
async function ending(socket: Socket): Promise<{ how: string; bytes: number }> {
  let bytes = 0;
  socket.on('data', ({ length }) => {
    bytes += length;
  });
  const how = new Promise<string>((resolve) => {
    socket.once('end', () => resolve('FIN'));
    socket.once('error', ({ message }) => resolve(message));
  });
  socket.resume();
  return { how: await how, bytes };
}

each('who has not read for the idle time is reset', async (context, mode) => {
  const { clock, counters, stuck } = await start(context, mode);
  const socket = await stuck(MANY);
  assert.ok(kept(socket) > 0);
  await clock.advance(11_000);
  assert.equal(counters[COUNTER.TCP_TIMEOUTS], 1);
  await until(() => kept(socket), 0);
});

each('so is who does not read and makes room for another', async (context, mode) => {
  const { clock, counters, open, stuck } = await start(context, mode);
  const socket = await stuck(MANY);
  assert.ok(kept(socket) > 0);
  await clock.advance(1000);
  for (let i = 0; i < 2; i++) {
    const asks = await open();
    asks.write(HUGE);
    await once(asks.resume(), 'data');
  }
  await until(() => counters[COUNTER.TCP_EVICTED], 1);
  await until(() => kept(socket), 0);
});

each('who has read everything ends with a FIN, idle or at the end of its time', async (context, mode) => {
  const { clock, counters, open } = await start(context, mode);
  const [idle, asks] = [await open(), await open()];
  for (const socket of [idle, asks]) await ask(socket);
  await clock.advance(9000);
  await ask(asks);
  const endings = Promise.all([ending(idle), ending(asks)]);
  await clock.advance(7000);
  assert.deepEqual(await endings, [
    { how: 'FIN', bytes: 0 },
    { how: 'FIN', bytes: 0 },
  ]);
  assert.equal(counters[COUNTER.TCP_TIMEOUTS], 2);
});

each('a server that stops sends what it has answered', async (context, mode) => {
  const { listener, stuck } = await start(context, mode);
  const socket = await stuck(SENT);
  const closed = listener.close();
  assert.deepEqual(await ending(socket), { how: 'FIN', bytes: SENT * HUGE_BYTES });
  await closed;
});

test('answers that only the kernel holds count as unread', requirement('linux'), async (context) => {
  const { clock, counters, stuck } = await start(context, 'epoll');
  const socket = await stuck(SENT);
  assert.ok(kept(socket) > 0);
  await clock.advance(11_000);
  assert.equal(counters[COUNTER.TCP_TIMEOUTS], 1);
  assert.equal(kept(socket), 0);
});

test(
  'a half-closed connection counts against the limit until its answers are read',
  requirement('linux'),
  async (context) => {
    const { counters, open } = await start(context, 'epoll');
    const socket = await open();
    socket.end(Buffer.concat(Array.from({ length: SENT }, () => HUGE)));
    await until(() => counters[COUNTER.TCP4], SENT);
    for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(counters[COUNTER.TCP_OPEN], 1);
    assert.deepEqual(await ending(socket), { how: 'FIN', bytes: SENT * HUGE_BYTES });
    await until(() => counters[COUNTER.TCP_OPEN], 0);
    assert.equal(counters[COUNTER.TCP_ABORTED], 0);
  },
);

test(
  'a half-closed connection whose client never reads, or disappears, is reset',
  requirement('linux'),
  async (context) => {
    const { clock, counters, open } = await start(context, 'epoll');
    const queries = Buffer.concat(Array.from({ length: SENT }, () => HUGE));
    const [stays, goes] = [await open(), await open()];
    stays.end(queries);
    goes.end(queries);
    await until(() => counters[COUNTER.TCP4], 2 * SENT);
    goes.resetAndDestroy();
    await until(() => counters[COUNTER.TCP_OPEN], 1);
    assert.equal(counters[COUNTER.TCP_ABORTED], 1);
    assert.ok(kept(stays) > 0);
    await clock.advance(11_000);
    assert.equal(counters[COUNTER.TCP_OPEN], 0);
    assert.equal(counters[COUNTER.TCP_TIMEOUTS], 1);
    assert.equal(kept(stays), 0);
  },
);
