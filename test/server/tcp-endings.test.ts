// How TCP connections end, and what clients do that no good client does.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import { type TestContext, test } from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { type Libc, loadLibc } from '../../src/native/libc.ts';
import { COUNTER } from '../../src/plane/counters.ts';
import type { Later } from '../../src/server/answer/query-handler.ts';
import type { Engine } from '../../src/thread/engine.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { requirement } from '../support/requirement.ts';
import { serveExample } from '../support/served-example.ts';
import { listenTcp, TCP_MODES, TCP_SETTINGS, type TcpMode, testEachTcp } from '../support/tcp-modes.ts';
import { framed, talkTcp, unframed } from '../support/transports.ts';
import { unchanging, until } from '../support/until.ts';

const linux = requirement('linux');
const LOOPBACK = { address: '127.0.0.1', port: 0 };

const { EAGAIN, EPIPE } = constants.errno;

/** Those of this machine, some of which may fail in a test. */
function systemCalls() {
  const libc = loadLibc() as Libc;
  let errno: number | undefined;
  return {
    libc,
    fail(code: number): number {
      errno = code;
      return -1;
    },
    replaced: {
      errno() {
        const code = errno ?? libc.errno();
        errno = undefined;
        return code;
      },
    },
  };
}

async function start(
  context: TestContext,
  mode: TcpMode,
  replaced: Partial<Engine> = {},
  address = LOOPBACK,
  calls: Partial<Libc> = {},
) {
  const plane = createInProcessPlane();
  await serveExample(plane);
  const clock = fakeClock();
  const listener = await listenTcp(mode, { ...plane.engine, ...replaced }, TCP_SETTINGS, clock, {
    address,
    replaced: calls,
  });
  context.after(() => listener.close());
  const open = async () => {
    const socket = connect({ port: listener.bound.port, host: address.address, allowHalfOpen: true });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  const { counters } = plane.engine;
  return { clock, listener, open, counters, count: (counter: number) => async () => counters[counter] };
}

const question = (id = 1, type = 1, name = 'api.example.test.') =>
  framed(composeMessage({ id, questions: [{ name: parseName(name), type, class: 1 }] }));
const idsOf = (bytes: Uint8Array[]) => bytes.map((message) => parseMessage(message).id);

/** What comes, from now on. */
function collect(socket: Socket) {
  let bytes = Buffer.alloc(0);
  const ended = once(socket, 'end');
  ended.catch(() => {});
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  socket.resume();
  return {
    /** The next so many messages. */
    async next(count: number): Promise<Uint8Array[]> {
      while (unframed(bytes).length < count) await once(socket, 'data');
      const messages = unframed(bytes);
      bytes = Buffer.alloc(0);
      return messages;
    },
    /** All that comes until the server ends the stream. */
    async toEnd(): Promise<Uint8Array[]> {
      await ended;
      socket.destroy();
      return unframed(bytes);
    },
  };
}

testEachTcp('two queries are answered wherever the stream is split', async (context, mode) => {
  const { open } = await start(context, mode);
  const [split, other] = [await open(), await open()];
  const [answers, answersOfOther] = [collect(split), collect(other)];
  const stream = Buffer.concat([question(1), question(2)]);
  for (let at = 1; at < stream.length; at++) {
    split.write(stream.subarray(0, at));
    // By the time another client is answered, the first part has been read.
    other.write(question());
    await answersOfOther.next(1);
    split.write(stream.subarray(at));
    assert.deepEqual(idsOf(await answers.next(2)), [1, 2], `split after ${at} bytes`);
  }
  split.destroy();
  other.destroy();
});

testEachTcp(
  '1,000 queries and the end of the client’s side in one piece are all answered, in order',
  async (context, mode) => {
    const { listener, count } = await start(context, mode);
    const queries = Array.from({ length: 1000 }, (_, id) => question(id));
    const answers = await talkTcp('127.0.0.1', listener.bound.port, Buffer.concat(queries));
    assert.deepEqual(
      idsOf(answers),
      queries.map((_, id) => id),
    );
    await until(count(COUNTER.TCP_OPEN), 0);
  },
);

testEachTcp('a client that has ended its side and reads late gets every answer', async (context, mode) => {
  const { open, counters, count } = await start(context, mode);
  const socket = await open();
  socket.pause();
  const queries = Array.from({ length: 20_000 }, (_, id) => question(id, 16, 'txt.example.test.'));
  socket.end(Buffer.concat(queries));
  await until(async () => counters[COUNTER.TCP4] > 0, true);
  assert.deepEqual(
    idsOf(await collect(socket).toEnd()),
    queries.map((_, id) => id),
  );
  await until(count(COUNTER.TCP_OPEN), 0);
  assert.equal(counters[COUNTER.TCP_ABORTED], 0);
});

testEachTcp('queries come with the address and the port of their client', async (context, mode) => {
  const seen: unknown[] = [];
  const { engine } = createInProcessPlane();
  const { open } = await start(context, mode, {
    respondSlot(slot, length, to, overTcp, client, port) {
      seen.push([[...client!], port]);
      return engine.respondSlot(slot, length, to, overTcp);
    },
  });
  const socket = await open();
  socket.write(question());
  await until(() => seen, [[[127, 0, 0, 1], socket.localPort]]);
  socket.destroy();
});

testEachTcp('messages without a header get no answer and do no harm', async (context, mode) => {
  const { listener, counters } = await start(context, mode);
  const short = [framed(Buffer.alloc(0)), framed(Buffer.alloc(1)), framed(Buffer.alloc(11))];
  const answers = await talkTcp('127.0.0.1', listener.bound.port, Buffer.concat([...short, question(7)]));
  assert.deepEqual(idsOf(answers), [7]);
  assert.equal(counters[COUNTER.DROPPED_SHORT], 3);
});

testEachTcp('a message that is announced and does not come is not answered', async (context, mode) => {
  const { listener, counters, count } = await start(context, mode);
  const stream = Buffer.concat([question(1), Buffer.of(0xff, 0xff), Buffer.alloc(60_000)]);
  assert.deepEqual(idsOf(await talkTcp('127.0.0.1', listener.bound.port, stream)), [1]);
  await until(count(COUNTER.TCP_OPEN), 0);
  assert.equal(counters[COUNTER.TCP4], 1);
});

testEachTcp('the longest message is read: a header without a question is FORMERR', async (context, mode) => {
  const { listener } = await start(context, mode);
  const [answer] = await talkTcp('127.0.0.1', listener.bound.port, framed(Buffer.alloc(65_535)));
  assert.equal(parseMessage(answer).rcode, 1);
});

test('an answer for which the kernel has no room just now is sent when it has some', linux, async (context) => {
  const system = systemCalls();
  let refused = 0;
  const send: Libc['send'] = (...given) => (refused++ === 0 ? system.fail(EAGAIN) : system.libc.send(...given));
  const { open, counters } = await start(context, 'epoll', {}, LOOPBACK, { ...system.replaced, send });
  const socket = await open();
  socket.write(question(7));
  assert.deepEqual(idsOf(await collect(socket).next(1)), [7]);
  assert.deepEqual([refused > 1, counters[COUNTER.TCP_ABORTED]], [true, 0]);
  socket.destroy();
});

test('a connection to which nothing can be sent is closed and counted', linux, async (context) => {
  const system = systemCalls();
  const send = () => system.fail(EPIPE);
  const { open, counters, count } = await start(context, 'epoll', {}, LOOPBACK, { ...system.replaced, send });
  const socket = await open();
  socket.write(question());
  await until(count(COUNTER.TCP_ABORTED), 1);
  assert.equal(counters[COUNTER.TCP_OPEN], 0);
  socket.destroy();
});

testEachTcp(
  'a reset in the middle of a query, or with answers unread, is counted and forgotten',
  async (context, mode) => {
    const { open, counters, count } = await start(context, mode);
    const early = await open();
    early.write(question().subarray(0, 5));
    const late = await open();
    late.pause();
    late.write(Buffer.concat(Array.from({ length: 5000 }, () => question())));
    await until(async () => counters[COUNTER.TCP4] > 0, true);
    early.resetAndDestroy();
    late.resetAndDestroy();
    await until(count(COUNTER.TCP_OPEN), 0);
    assert.equal(counters[COUNTER.TCP_ABORTED], 2);
  },
);

testEachTcp('a client that never reads is closed after the idle limit', async (context, mode) => {
  const { clock, open, counters, count } = await start(context, mode);
  const socket = await open();
  socket.pause();
  const queries = Buffer.concat(Array.from({ length: 1000 }, () => question()));
  const pushed = setInterval(() => socket.writableNeedDrain || socket.write(queries), 1);
  context.after(() => clearInterval(pushed));
  // Until the buffers on the way are full.
  await until(() => counters[COUNTER.TCP4] > 0, true);
  await unchanging(() => counters[COUNTER.TCP4]);
  await clock.advance(11_000);
  await until(count(COUNTER.TCP_OPEN), 0);
  assert.equal(counters[COUNTER.TCP_TIMEOUTS], 1);
  socket.destroy();
});

testEachTcp(
  'answers that come later do not hold up others, and 100 that wait stop the reading',
  async (context, mode) => {
    const replies: ((response: Uint8Array) => void)[] = [];
    const { listener, counters, open } = await start(
      context,
      mode,
      answersLater((send) => void replies.push(send)),
    );
    const socket = await open();
    socket.end(Buffer.concat(Array.from({ length: 150 }, (_, id) => question(id, id === 3 ? 28 : 1))));
    const answers = collect(socket);
    assert.deepEqual(idsOf(await answers.next(1)), [3]);
    await until(async () => replies.length, 100);
    assert.equal(counters[COUNTER.TCP4], 101);
    for (let i = 0; i < 149; i++) {
      await until(async () => replies.length > i, true);
      replies[i](Uint8Array.of(0, i, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    }
    assert.deepEqual(
      idsOf(await answers.toEnd()),
      Array.from({ length: 149 }, (_, i) => i),
    );
    await listener.close();
  },
);

testEachTcp('an answer may come at once although it was to come later', async (context, mode) => {
  const late = Uint8Array.of(0, 9, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const { listener } = await start(context, mode, {
    ...answersLater((send) => send(late)),
  });
  const stream = Buffer.concat([question(1, 28), question(2), question(3, 28)]);
  assert.deepEqual(idsOf(await talkTcp('127.0.0.1', listener.bound.port, stream)), [1, 9, 3]);
});

testEachTcp(
  'answers that come after the client has gone, or after the server has, go nowhere',
  async (context, mode) => {
    const replies: ((response: Uint8Array) => void)[] = [];
    const { listener, open, count } = await start(
      context,
      mode,
      answersLater((send) => void replies.push(send)),
    );
    const [gone, left] = [await open(), await open()];
    gone.write(question());
    left.write(question());
    await until(async () => replies.length, 2);
    gone.resetAndDestroy();
    await until(count(COUNTER.TCP_OPEN), 1);
    replies[0](Uint8Array.of(0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    const closed = once(left.resume(), 'end');
    await listener.close();
    await closed;
    replies[1](Uint8Array.of(0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    assert.equal(await count(COUNTER.TCP_OPEN)(), 0);
    left.destroy();
  },
);

for (const mode of TCP_MODES) {
  test(
    `IPv6 connections are counted as IPv6, and have the client’s address (${mode})`,
    requirement('ipv6-loopback'),
    async (context) => {
      const clients: (Uint8Array | undefined)[] = [];
      const plane = createInProcessPlane();
      const { counters, listener } = await start(
        context,
        mode,
        {
          memory: plane.engine.memory,
          respondSlot(slot, length, to, overTcp, client) {
            clients.push(client);
            return plane.engine.respondSlot(slot, length, to, overTcp);
          },
        },
        { address: '::1', port: 0 },
      );
      assert.equal((await talkTcp('::1', listener.bound.port, question())).length, 1);
      assert.equal(counters[COUNTER.TCP6], 1);
      assert.deepEqual(
        clients.map((client) => [...(client ?? [])].join('.')),
        ['0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1'],
      );
    },
  );
}

/** An engine that answers AAAA at once, all other types when the test does. */
function answersLater(resolve: Later['resolve']): Partial<Engine> {
  const { engine } = createInProcessPlane();
  return {
    memory: engine.memory,
    respondSlot(slot, length, to, overTcp) {
      const type = engine.memory.queries[slot][length - 3];
      return type === 28 ? engine.respondSlot(slot, length, to, overTcp) : { resolve };
    },
  };
}

for (const mode of TCP_MODES) {
  test(`a listener that was closed leaves no descriptor open (${mode})`, requirement('linux'), async () => {
    const plane = createInProcessPlane();
    const descriptors = async () => readdirSync('/proc/self/fd').length;
    const openAndClose = async () => (await listenTcp(mode, plane.engine, TCP_SETTINGS, fakeClock())).close();
    await openAndClose();
    const before = await descriptors();
    for (let i = 0; i < 5; i++) await openAndClose();
    await until(descriptors, before);
  });
}
