// Nothing is left behind by failures, and no flood grows without bound.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { UDP_DEFAULTS } from '../../src/forward/upstream/udp.ts';
import { type OpenSocket, openDatagram } from '../../src/native/connected-datagram.ts';
import { DATAGRAM_WAYS } from '../support/datagram-ways.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { composeQuestion, forwarder, respondTo, upstream } from '../support/forwarding.ts';
import { type Asked, SOA, startScriptedUpstream } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes in use after garbage is collected. */
function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Of this process; 0 where the system does not tell. */
const openDescriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

/** `read` is called in every turn until all are answered. */
async function askMany(
  made: ReturnType<typeof forwarder>,
  count: number,
  inFlight: number,
  prefix: string,
  read: () => void = () => {},
) {
  let asked = 0;
  let answered = 0;
  await new Promise<void>((resolve) => {
    const next = () => {
      if (asked === count) return;
      const { bytes, questionEnd } = composeQuestion(`${prefix}${asked++}.example. A`);
      respondTo(made.forwarder, bytes, questionEnd, 1232, () => {
        if (++answered === count) resolve();
        setImmediate(next);
      });
    };
    const readOn = () => {
      read();
      if (answered < count) setImmediate(readOn);
    };
    for (let i = 0; i < inFlight; i++) next();
    readOn();
  });
}

for (const [name, { make, skip }] of Object.entries(DATAGRAM_WAYS)) {
  test(`${name}: 100,000 failed queries leave no socket, deadline, waiting client or memory behind`, {
    skip,
  }, async () => {
    const closed = await startScriptedUpstream();
    await closed.close();
    const descriptors = openDescriptors();
    const { open: openSocket, read, close } = make();
    const made = forwarder([closed], {
      openSocket,
      cache: { maxEntries: 1000, servfailTtlSeconds: 1 },
      route: { probe: { intervalMs: 0, timeoutMs: 100, name: '.', recursionDesired: true } },
    });
    await askMany(made, 10_000, 500, 'warm', read);
    const before = usedBytes();
    await askMany(made, 100_000, 500, 'n', read);
    const { waiting, questions, sockets, entries } = made.forwarder.gauges();
    assert.deepEqual({ waiting, questions }, { waiting: 0, questions: 0 });
    assert.ok(made.forwarder.counters.failed >= 110_000);
    assert.ok(sockets <= 8, `${sockets} sockets`);
    assert.ok(made.forwarder.gauges().deadlines <= sockets + 1, `${made.forwarder.gauges().deadlines} deadlines`);
    assert.ok(entries <= 1000);
    const grown = usedBytes() - before;
    assert.ok(grown < 8 * 1024 * 1024, `${grown} bytes more after 100,000 failures`);
    made.forwarder.close();
    assert.deepEqual([made.forwarder.gauges().sockets, made.forwarder.gauges().deadlines], [0, 0]);
    close();
    await until(openDescriptors, descriptors);
  });
}

test('a socket that has served its time is closed with its last reply, and not before', async () => {
  const clock = fakeClock();
  const held: Asked[] = [];
  const one = await upstream((asked) => held.push(asked));
  let opened = 0;
  const openSocket: OpenSocket = (...socket) => {
    opened++;
    return openDatagram(...socket);
  };
  const { ask, forwarder: made } = forwarder([one], { clock, openSocket });
  const askAll = (prefix: string) =>
    Promise.all(Array.from({ length: 200 }, (_, i) => ask(`${prefix}${i}.example. A`)));
  const answerAll = () => {
    for (const asked of held.splice(0)) asked.send(asked.reply({ rcode: 3, authorities: SOA }));
  };
  const first = askAll('a');
  await until(() => held.length, 200);
  answerAll();
  await first;
  const retiring = opened;
  await clock.advance(UDP_DEFAULTS.socketLifeMs - 20);
  const second = askAll('b');
  await until(() => held.length, 200);
  await clock.advance(60);
  assert.equal(made.gauges().sockets, retiring);
  answerAll();
  await second;
  assert.deepEqual([made.gauges().sockets, opened], [0, retiring]);
});

test('20,000 different missing names fill the cache up to its limits', async () => {
  const one = await upstream((asked) => asked.send(asked.reply({ rcode: 3, authorities: SOA })));
  const made = forwarder([one], { cache: { maxEntries: 5000, maxBytes: 1_000_000 } });
  // The upstream's own record of what it was asked is not what is measured.
  one.asked.push = () => 0;
  await askMany(made, 20_000, 500, 'missing');
  const { entries, bytes } = made.forwarder.gauges();
  assert.ok(entries <= 5000 && bytes <= 1_000_000, `${entries} entries, ${bytes} bytes`);
  assert.ok(made.forwarder.counters.evictions > 10_000);
});

test('a server that never answers leaves nothing behind after the deadline', async () => {
  const silent = await upstream();
  const made = forwarder([silent], {
    route: {
      deadlineMs: 100,
      attemptTimeoutMs: 50,
      probe: { intervalMs: 0, timeoutMs: 1, name: '.', recursionDesired: true },
    },
  });
  await askMany(made, 500, 100, 'n');
  await until(() => made.forwarder.gauges().questions, 0);
  assert.equal(made.forwarder.counters.failed, 500);
  assert.ok(made.forwarder.gauges().deadlines <= made.forwarder.gauges().sockets);
});
