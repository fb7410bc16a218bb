import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../src/clock.ts';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { startDataPlane } from '../../src/plane/threads.ts';
import { testSettings } from '../support/transports.ts';
import { until } from '../support/until.ts';

const QUERIES = 3_000;

/** Asks one query after the other, and raises a flag at the end. */
const ASKER = `
const { workerData: { port, query, count, done } } = require('node:worker_threads');
const socket = require('node:dgram').createSocket('udp4');
let left = count;
const ask = () => socket.send(query, port, '127.0.0.1');
socket.on('message', () => {
  if (--left > 0) return ask();
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
  socket.close();
});
ask();`;

test('at most 1,000 log lines wait for a busy control plane; others are dropped and counted', async () => {
  const lines: string[] = [];
  const queryLog = { every: 1, rcodes: [], classes: [], names: [], networks: [], format: undefined };
  const front = { acl: [], rewrites: [], autopath: undefined, dns64: undefined, queryLog };
  const plane = await startDataPlane(testSettings({ front }), {
    threadUrl: new URL('../../src/thread/thread.js', import.meta.url),
    ...{ clock: systemClock, random: Math.random, slotCapacity: 1024, refill: () => [] },
    log: () => {},
  });
  plane.observe({ onQuery: ({ name }) => void lines.push(name), onTally: () => {} });
  const [{ port }] = await plane.listen();
  const query = composeMessage({ id: 1, flags: 0, questions: [{ name: parseName('x.test.'), type: 1, class: 1 }] });
  const done = new Int32Array(new SharedArrayBuffer(4));
  const asker = new Worker(ASKER, { eval: true, workerData: { port, query, count: QUERIES, done } });
  // This thread is the control plane; it does nothing else until all queries are answered.
  assert.equal(Atomics.wait(done, 0, 0, 60_000), 'ok');
  await until(() => lines.length, 1_000);
  const dropped = [...plane.counters()].find(({ name }) => name === 'healthdns_log_lines_dropped_total');
  assert.equal(dropped?.value, QUERIES - 1_000);
  await asker.terminate();
  await plane.close();
});
