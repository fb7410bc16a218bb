// What happens to queries when a batched socket closes.
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { type Libc, loadLibc } from '../../src/native/libc.ts';
import { COUNTER } from '../../src/plane/counters.ts';
import { type BatchedUdpSocket, openBatchedUdp } from '../../src/server/udp/udp-batched.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { requirement } from '../support/requirement.ts';
import { serveExample } from '../support/served-example.ts';
import { until } from '../support/until.ts';

const OPTIONS = { shared: true, receiveBufferBytes: 1 << 20, responseBytes: 1232 };
const QUERY = composeMessage({ id: 1, questions: [{ name: parseName('api.example.test.'), type: 1, class: 1 }] });

async function open(address: string, port: number): Promise<BatchedUdpSocket> {
  const libc = loadLibc() as Libc;
  const plane = createInProcessPlane({ packetSlots: 64, allocate: libc.allocate });
  await serveExample(plane);
  return openBatchedUdp(libc, plane.engine, { address, port }, OPTIONS);
}

/** A client whose packets come from a port of its own; counts its answers. */
async function client(
  context: TestContext,
  address: string,
  port: number,
): Promise<{ socket: Socket; answers: number }> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.connect(port, address);
  await once(socket, 'connect');
  const counted = { socket, answers: 0 };
  socket.on('message', () => counted.answers++);
  socket.on('error', () => {});
  context.after(() => socket.close());
  return counted;
}

const send = (socket: Socket): Promise<void> => new Promise((resolve) => socket.send(QUERY, () => resolve()));

for (const [bound, asked] of [
  ['127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::1', '::1'],
  ['::', '::1'],
] as const) {
  test(`queries waiting when a socket on ${bound} closes are answered`, requirement('linux'), async (context) => {
    const socket = await open(bound, 0);
    const one = await client(context, asked, socket.bound.port);
    for (let i = 0; i < 200; i++) await send(one.socket);
    await socket.close();
    await until(() => one.answers, 200);
  });
}

test(
  'while one of two sockets on an address closes, every query is answered by the other',
  requirement('linux'),
  async (context) => {
    const first = await open('127.0.0.1', 0);
    const { port } = first.bound;
    const clients = await Promise.all(Array.from({ length: 32 }, () => client(context, '127.0.0.1', port)));
    const readers = new Set<BatchedUdpSocket>([first]);
    let reading = true;
    const read = () => {
      for (const socket of readers) socket.drain();
      if (reading) setImmediate(read);
    };
    read();
    const answered = () => clients.reduce((sum, { answers }) => sum + answers, 0);
    let sent = 0;
    const sendSome = async (rounds: number) => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(clients.map(({ socket }) => send(socket)));
        sent += clients.length;
      }
    };
    await sendSome(5);
    const other = await open('127.0.0.1', port);
    readers.add(other);
    const sending = sendSome(60);
    await until(() => sent > 320, true);
    // Nobody reads it any more but its own close.
    readers.delete(first);
    await first.close();
    await sending;
    await until(answered, sent);
    reading = false;
    await other.close();
  },
);

test(
  'a late answer is sent while its socket is open, and dropped silently after that',
  requirement('linux'),
  async (context) => {
    const libc = loadLibc() as Libc;
    const { engine } = createInProcessPlane({ packetSlots: 64, allocate: libc.allocate });
    const replies: ((response: Uint8Array) => void)[] = [];
    const respondSlot = () => ({ resolve: (reply: (response: Uint8Array) => void) => void replies.push(reply) });
    const handler = { ...engine, respondSlot };
    const socket = openBatchedUdp(libc, handler, { address: '127.0.0.1', port: 0 }, OPTIONS);
    const one = await client(context, '127.0.0.1', socket.bound.port);
    for (let i = 0; i < 2; i++) await send(one.socket);
    await until(() => {
      socket.drain();
      return replies.length;
    }, 2);
    assert.equal(socket.beganLater(), true);
    assert.equal(socket.beganLater(), false);
    replies[0](QUERY);
    await until(() => one.answers, 1);
    await socket.close();
    replies[1](QUERY);
    assert.equal(engine.counters[COUNTER.DROPPED_SEND], 0);
  },
);
