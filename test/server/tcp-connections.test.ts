// Which connections must go, without sockets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COUNTER, createCounters } from '../../src/plane/counters.ts';
import { createTcpConnections, type TimedConnection } from '../../src/server/tcp/tcp-connections.ts';
import { fakeClock } from '../support/fake-clock.ts';

function start({ connections = 3, unreadTotalBytes = 1000, clock = fakeClock() } = {}) {
  const counters = createCounters();
  const settings = { connections, idleMs: 10_000, totalMs: 60_000, unreadBytes: 100, unreadTotalBytes };
  const all = createTcpConnections(settings, clock, counters);
  /** Given up, and closed with all that was sent. */
  const closed: string[] = [];
  const ended: string[] = [];
  /** A connection that was accepted; undefined: it was refused. */
  const open = (name: string): TimedConnection | undefined => {
    if (!all.admit()) return undefined;
    const now = clock.monotonicMs();
    const giveUp = () => void closed.push(name);
    const close = () => void ended.push(name);
    const connection = { openedMs: now, lastActiveMs: now, waiting: 0, heldBytes: 0, close, giveUp };
    all.add(connection);
    return connection;
  };
  const opened = (...names: string[]) =>
    names.map((name) => {
      const connection = open(name);
      assert.ok(connection, name);
      return connection;
    });
  return { clock, counters, all, open, opened, closed, ended };
}

test('of connections without a query, the oldest is replaced by a new one, from the first moment', () => {
  const { counters, opened, closed } = start();
  opened('a', 'b', 'c', 'd', 'e');
  assert.deepEqual(closed, ['a', 'b']);
  assert.equal(counters[COUNTER.TCP_EVICTED], 2);
  assert.equal(counters[COUNTER.TCP_REFUSED], 0);
  assert.equal(counters[COUNTER.TCP_OPEN], 3);
});

test('connections with recent queries are not replaced, and the new one is refused', async () => {
  const { clock, counters, all, open, opened, closed } = start();
  const connections = opened('a', 'b', 'c');
  for (const connection of connections) all.active(connection);
  await clock.advance(99);
  assert.equal(open('d'), undefined);
  assert.equal(counters[COUNTER.TCP_REFUSED], 1);
  await clock.advance(1);
  all.active(connections[0]);
  opened('d');
  assert.deepEqual(closed, ['b']);
});

test('a connection with a recent query outlives a younger one without queries', async () => {
  const { clock, all, opened, closed } = start();
  const [asks] = opened('asks');
  await clock.advance(5000);
  opened('silent');
  await clock.advance(1000);
  all.active(asks);
  opened('c', 'd');
  assert.deepEqual(closed, ['silent']);
});

test('a connection whose last query is long ago is replaced before one that has been silent for less time', async () => {
  const { clock, all, opened, closed } = start({ connections: 2 });
  const [asked] = opened('asked');
  all.active(asked);
  await clock.advance(2000);
  opened('silent');
  await clock.advance(1000);
  opened('c');
  assert.deepEqual(closed, ['asked']);
});

test('a connection whose query waits for an upstream server is not replaced', async () => {
  const { clock, all, opened, closed } = start({ connections: 2 });
  const connections = opened('waits', 'idle');
  for (const connection of connections) all.active(connection);
  connections[0].waiting = 1;
  await clock.advance(3000);
  opened('c');
  assert.deepEqual(closed, ['idle']);
});

test('over the limit of unread answers, connections that have not read for the longest time are closed', async () => {
  const { clock, counters, all, opened, closed } = start({ connections: 10 });
  const [a, b, c, idle] = opened('a', 'b', 'c', 'idle');
  for (const connection of [a, b, c, idle]) all.active(connection);
  for (const connection of [a, b, c]) all.holds(connection, 300);
  await clock.advance(1000);
  all.active(a);
  all.holds(a, 500);
  assert.deepEqual(closed, ['b']);
  all.holds(c, 500);
  assert.deepEqual(closed, ['b']);
  all.holds(a, 501);
  assert.deepEqual(closed, ['b', 'c']);
  assert.equal(counters[COUNTER.TCP_UNREAD], 2);
  assert.equal(counters[COUNTER.TCP_OPEN], 2);
});

test('answers that were read, or whose client is gone, no longer count as unread', () => {
  const { all, opened, closed } = start({ connections: 10 });
  const [a, b, c] = opened('a', 'b', 'c');
  for (let round = 0; round < 10; round++) {
    all.holds(a, 900);
    all.holds(a, 0);
  }
  all.holds(b, 900);
  all.forget(b);
  all.holds(b, 900);
  all.holds(c, 1000);
  assert.deepEqual(closed, []);
  all.holds(c, 1001);
  assert.deepEqual(closed, ['c']);
});

test('on shutdown no connection is dropped before its answers have arrived', () => {
  const { all, opened, closed, ended } = start();
  opened('a', 'b');
  all.close();
  assert.deepEqual([closed, ended], [[], ['a', 'b']]);
});

test('a query that arrived in time keeps its connection, although the thread stalled for longer than the idle limit', async () => {
  let nowMs = 0;
  let timer = () => {};
  const setTimeout = (callback: () => void) => {
    timer = callback;
    return { cancel() {} };
  };
  const { all, opened, closed } = start({ clock: { ...fakeClock(), monotonicMs: () => nowMs, setTimeout } });
  const [asks] = opened('asks', 'idle');
  nowMs = 20_000;
  // The event loop runs timers before it reads sockets; the second timer finds the loop on time again.
  timer();
  all.active(asks);
  nowMs += 500;
  timer();
  await new Promise(setImmediate);
  assert.deepEqual(closed, ['idle']);
});
