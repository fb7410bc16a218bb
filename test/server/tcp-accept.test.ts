// Accepting connections where the machine has no more descriptors, or the connection has gone meanwhile.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import os from 'node:os';
import { type TestContext, test } from 'node:test';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { type Libc, loadLibc } from '../../src/native/libc.ts';
import { COUNTER } from '../../src/plane/counters.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { requirement } from '../support/requirement.ts';
import { serveExample } from '../support/served-example.ts';
import { listenTcp } from '../support/tcp-modes.ts';
import { framed, talkTcp } from '../support/transports.ts';
import { until } from '../support/until.ts';

const SETTINGS = { connections: 10, idleMs: 10_000, totalMs: 60_000, unreadBytes: 65_536, unreadTotalBytes: 1 << 26 };
const QUERY = framed(
  composeMessage({ id: 1, questions: [{ name: parseName('api.example.test.'), type: 1, class: 1 }] }),
);
const { EMFILE, ECONNABORTED } = os.constants.errno;

/** Accepting fails with `errnos`, one after the other, then goes well. */
async function start(context: TestContext, errnos: number[]) {
  const plane = createInProcessPlane();
  await serveExample(plane);
  const clock = fakeClock();
  const libc = loadLibc() as Libc;
  let failed: number | undefined;
  let attempts = 0;
  const replaced: Partial<Libc> = {
    accept4(...call) {
      attempts++;
      failed = errnos.shift();
      return failed === undefined ? libc.accept4(...call) : -1;
    },
    errno: () => failed ?? libc.errno(),
    recv(...call) {
      failed = undefined;
      return libc.recv(...call);
    },
  };
  const listener = await listenTcp('epoll', plane.engine, SETTINGS, clock, { replaced });
  context.after(() => listener.close());
  return { listener, clock, port: listener.bound.port, counters: plane.engine.counters, attempts: () => attempts };
}

test(
  'without descriptors, accepting pauses without spinning and resumes later',
  requirement('linux'),
  async (context) => {
    const { clock, port, counters, attempts } = await start(context, [EMFILE, EMFILE]);
    const answers = talkTcp('127.0.0.1', port, QUERY);
    await until(attempts, 1);
    // The connection waits all the time, and epoll would tell of it in each turn.
    for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(attempts(), 1);
    await clock.advance(100);
    await until(attempts, 2);
    assert.equal(counters[COUNTER.TCP_REFUSED], 2);
    await clock.advance(100);
    assert.equal((await answers).length, 1);
    assert.equal(counters[COUNTER.TCP_REFUSED], 2);
    assert.equal(counters[COUNTER.TCP_ACCEPTED], 1);
  },
);

test(
  'a connection that is gone before it is accepted does not delay the next',
  requirement('linux'),
  async (context) => {
    const { port, counters } = await start(context, [ECONNABORTED]);
    assert.equal((await talkTcp('127.0.0.1', port, QUERY)).length, 1);
    assert.equal(counters[COUNTER.TCP_REFUSED], 1);
  },
);

test(
  'connections that wait to be accepted are served when the listener stops',
  requirement('linux'),
  async (context) => {
    const { listener, port, attempts } = await start(context, [EMFILE]);
    const answers = talkTcp('127.0.0.1', port, QUERY);
    await until(attempts, 1);
    listener.stop();
    assert.equal((await answers).length, 1);
  },
);

test('without descriptors the idlest connection is replaced by a new one', requirement('linux'), async (context) => {
  const errnos: number[] = [];
  const { port, counters } = await start(context, errnos);
  const idle = connect(port, '127.0.0.1');
  const closed = once(idle, 'close');
  await until(() => counters[COUNTER.TCP_OPEN], 1);
  errnos.push(EMFILE);
  assert.equal((await talkTcp('127.0.0.1', port, QUERY)).length, 1);
  await closed;
  assert.deepEqual(
    [counters[COUNTER.TCP_EVICTED], counters[COUNTER.TCP_REFUSED], counters[COUNTER.TCP_ACCEPTED]],
    [1, 0, 2],
  );
});

test(
  'a late answer for a client that has gone does not reach the next one with its descriptor',
  requirement('linux'),
  async (context) => {
    const plane = createInProcessPlane();
    const { engine } = plane;
    await serveExample(plane);
    const replies: ((response: Uint8Array) => void)[] = [];
    let isLate = true;
    const respondSlot: typeof engine.respondSlot = (...call) =>
      isLate ? { resolve: (reply) => void replies.push(reply) } : engine.respondSlot(...call);
    const listener = await listenTcp('epoll', { ...engine, respondSlot }, SETTINGS, fakeClock());
    context.after(() => listener.close());
    const { counters } = engine;
    const gone = connect(listener.bound.port, '127.0.0.1');
    gone.on('error', () => {});
    gone.write(QUERY);
    await until(() => replies.length, 1);
    gone.resetAndDestroy();
    await until(() => counters[COUNTER.TCP_OPEN], 0);
    isLate = false;
    const next = connect(listener.bound.port, '127.0.0.1');
    context.after(() => next.destroy());
    await until(() => counters[COUNTER.TCP_OPEN], 1);
    replies[0](QUERY.subarray(2));
    next.write(QUERY);
    const [first] = (await once(next, 'data')) as [Buffer];
    assert.equal(first[4] & 0x80, 0x80, 'its own response, not the other one');
    assert.equal(counters[COUNTER.TCP_ABORTED], 1);
  },
);
