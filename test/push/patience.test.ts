// How long a client may be silent or read nothing, on a clock that stands still: one server in this process, and answers that are
// made up.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { composeSubscribe } from '../../src/dns/dso/operations.ts';
import { parseName } from '../../src/dns/name.ts';
import { CLASS, RCODE, TYPE } from '../../src/dns/types.ts';
import { COUNTER, createCounters, PUSH_ENDS } from '../../src/plane/counters.ts';
import { POLICY } from '../../src/plane/layout.ts';
import type { AnswerSet } from '../../src/push/answer-set.ts';
import { createKeys } from '../../src/push/keys.ts';
import { createPushServer } from '../../src/push/server.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { type PushClient, pushClient } from '../support/push-client.ts';
import { PUSH_LIMITS } from '../support/push-server.ts';
import { unchanging, until } from '../support/until.ts';

const NAME = 'api.x.test.';
const HOUR_MS = 3_600_000;
/** Of a TXT record that is made up. */
const RECORD_BYTES = 200;

/** `version` is part of each record: no two versions have one in common. */
function setOf(version: number, bytes: number): AnswerSet {
  const name = parseName(NAME);
  const records = Array.from({ length: Math.ceil(bytes / RECORD_BYTES) }, (_, i) => {
    const text = Buffer.from(`${version} ${i} `.padEnd(RECORD_BYTES, 'x'));
    return { type: TYPE.TXT, ttlSeconds: 5, weight: 1, rdata: Buffer.concat([Uint8Array.of(RECORD_BYTES), text]) };
  });
  return {
    records: new Map(records.map((record) => [`${record.rdata}`, record])),
    rules: {
      ...{ name, type: TYPE.TXT, isWildcard: false, isWeighted: false, maxAnswers: 0, rcode: 0, errors: [] },
      whenAllUnhealthy: POLICY.NODATA,
    },
    rulesText: '',
  };
}

async function start(t: TestContext, unreadTotalBytes = 1 << 26) {
  const clock = fakeClock();
  const counters = createCounters();
  const keys = createKeys();
  let version = 1;
  let set = setOf(version, RECORD_BYTES);
  const server = createPushServer({
    ...{ clock, counters, keys, unreadTotalBytes, random: () => 0, hashSeed: [1, 2, 3, 4] as never },
    settings: { ...PUSH_LIMITS, listen: [], tls: undefined },
    sets: { evaluate: () => ({ set, rcode: 0 }), dependencies: () => ({ slots: [], ancestors: [] }) },
    handler: { respond: () => 0 } as never,
    acl: () => 'allow',
    log: () => {},
  });
  const [{ port }] = await server.listen([{ address: '127.0.0.1', port: 0 }]);
  const clients: PushClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await until(() => counters[COUNTER.PUSH_SESSIONS], 0);
    await server.close();
  });
  return {
    ...{ clock, counters },
    ended: (why: (typeof PUSH_ENDS)[number]) => counters[COUNTER.PUSH_ENDED + PUSH_ENDS.indexOf(why)],
    async connect(keepaliveMs = HOUR_MS): Promise<PushClient> {
      const client = await pushClient(port);
      clients.push(client);
      await client.keepalive(HOUR_MS, keepaliveMs);
      return client;
    },
    /** A state of so many bytes, all of them new. */
    async change(bytes: number): Promise<void> {
      set = setOf(++version, bytes);
      for (const key of keys.all()) server.pace.changed(key, false);
      await clock.advance(0.25);
    },
    records: () => set.records.size,
  };
}

type Started = Awaited<ReturnType<typeof start>>;

/** A subscriber beside others that do not read; it does not either, and the kernel takes no more for it. */
async function stall(server: Started, stateBytes: number): Promise<PushClient> {
  const { connect, change, counters } = server;
  const client = await connect();
  await client.subscribe(NAME, 'TXT');
  client.socket.pause();
  for (let i = 0; ; i++) {
    assert.ok(i < 5_000, 'nothing is ever skipped');
    const skipped = counters[COUNTER.PUSH_SKIPPED];
    await change(stateBytes);
    if (counters[COUNTER.PUSH_SKIPPED] - skipped === counters[COUNTER.PUSH_SESSIONS]) return client;
  }
}

test('a silent client is aborted after twice its keepalive interval, one that says something is not', async (t) => {
  const { clock, ended, connect, counters } = await start(t);
  const [silent, talking] = [await connect(10_000), await connect(10_000)];
  await silent.subscribe(NAME, 'TXT');
  await clock.advance(15_000);
  await talking.keepalive(HOUR_MS, 10_000);
  await clock.advance(4_000);
  assert.equal(counters[COUNTER.PUSH_SESSIONS], 2);
  await clock.advance(2_000);
  assert.equal(ended('silent'), 1);
  await until(silent.ended, 'reset');
  assert.equal((await talking.keepalive(HOUR_MS, 10_000)).rcode, RCODE.NOERROR);
  assert.equal(counters[COUNTER.PUSH_SUBSCRIPTIONS], 0);
});

test('a client that reads nothing is aborted after 30 s', async (t) => {
  const server = await start(t);
  await stall(server, 20_000);
  assert.equal(server.ended('unread'), 0);
  await server.clock.advance(20_000);
  assert.equal(server.ended('unread'), 0);
  await server.clock.advance(12_000);
  assert.equal(server.ended('unread'), 1);
  assert.equal(server.counters[COUNTER.PUSH_SUBSCRIPTIONS], 0);
});

test('a client that leaves more than 64 KiB unread is aborted after 5 s', async (t) => {
  const server = await start(t);
  await stall(server, 300_000);
  await server.clock.advance(2_000);
  assert.equal(server.ended('unread'), 0);
  await server.clock.advance(5_000);
  assert.equal(server.ended('unread'), 1);
});

test('a client is sent a state of any size, and the last one in the end, however often it changes before it is read', async (t) => {
  const { ended, connect, change, records, counters } = await start(t);
  const client = await connect();
  const held = await client.subscribe(NAME, 'TXT');
  client.socket.pause();
  for (let i = 0; counters[COUNTER.PUSH_SKIPPED] < 3; i++) {
    assert.ok(i < 1_000, 'nothing is ever skipped');
    await change(1_600_000);
  }
  client.socket.resume();
  await until(() => held.records().length, records());
  assert.equal(ended('unread'), 0);
});

test('beyond the limit of all unread bytes, those that have not read for the longest time are aborted', async (t) => {
  // Of each, 16 to 28 KB wait.
  const server = await start(t, 60_000);
  const clients: PushClient[] = [];
  for (let i = 0; i < 4; i++) {
    clients.push(await stall(server, 5_000));
    assert.ok(i >= 2 || server.ended('unread') === 0);
    await server.clock.advance(1_500);
  }
  assert.ok(server.ended('unread') > 0);
  assert.ok(server.counters[COUNTER.PUSH_UNREAD_BYTES] <= 60_000);
  for (const client of clients) client.socket.resume();
  await until(() => clients[0].ended() !== undefined, true);
  assert.deepEqual([clients[2].ended(), clients[3].ended()], [undefined, undefined]);
});

test('many requests at once wait while their answers are not read', async (t) => {
  const { connect, change, counters } = await start(t);
  const client = await connect();
  await change(300_000);
  client.socket.pause();
  const subscribe = (id: number) =>
    composeSubscribe(id, { name: parseName(`n${id}.x.test.`), type: TYPE.TXT, class: CLASS.IN });
  client.send(Buffer.concat(Array.from({ length: 99 }, (_, i) => subscribe(1_000 + i))));
  await until(() => counters[COUNTER.PUSH_SUBSCRIBES] > 0, true);
  // No more than what the kernel takes, of 30 MB.
  await unchanging(() => counters[COUNTER.PUSH_SUBSCRIBES]);
  assert.ok(counters[COUNTER.PUSH_SUBSCRIBES] < 90, `${counters[COUNTER.PUSH_SUBSCRIBES]}`);
  client.socket.resume();
  await until(() => counters[COUNTER.PUSH_SUBSCRIBES], 99);
});
