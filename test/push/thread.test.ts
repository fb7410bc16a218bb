// The push thread beside the data threads: there only if it is configured, replaced by a reload, and when it dies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { parseName } from '../../src/dns/name.ts';
import type { Change } from '../../src/plane/records.ts';
import { startDataPlane } from '../../src/plane/threads.ts';
import { pushClient } from '../support/push-client.ts';
import { PUSH_LIMITS, startPushServer } from '../support/push-server.ts';
import { startTestPlane, testSettings } from '../support/transports.ts';
import { until } from '../support/until.ts';

const RRSET = { type: 1, ttlSeconds: 5, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' } as const;
const changes: readonly Change[] = [
  { kind: 'replace-zone', zone: { name: parseName('x.test.'), ready: true, stale: false, fallthrough: [] } },
  {
    kind: 'replace-name',
    records: {
      name: parseName('api.x.test.'),
      rrsets: [{ ...RRSET, records: [{ rdata: Uint8Array.of(10, 0, 0, 1), slot: 0, weight: 1 }] }],
    },
  },
];
const push = { ...PUSH_LIMITS, listen: [{ address: '127.0.0.1', port: 0 }], tls: undefined };
const RECORD = ['api.x.test. 5 IN A 10.0.0.1'];

test('a reload starts the push thread, moves it, and ends it; the data threads stay where only it has changed', async (t) => {
  const plane = await startTestPlane({ udp: 'plain' }, () => changes);
  t.after(() => plane.close());
  await plane.apply(changes);
  const [{ port }] = await plane.listen();
  assert.deepEqual(plane.pushListening(), []);
  assert.ok(![...plane.counters()].some(({ name }) => name.startsWith('healthdns_push')));
  const settings = testSettings({ udp: 'plain' });

  await plane.replaceThreads({ ...settings, push });
  const [{ port: first }] = plane.pushListening();
  const client = await pushClient(first);
  const held = await client.subscribe('api.x.test.', 'A');
  await until(held.records, RECORD);

  await plane.replaceThreads({ ...settings, push: { ...push, subscriptions: 5 } });
  await until(() => client.retryDelay() !== undefined, true);
  client.close();
  const next = await pushClient(plane.pushListening()[0].port);
  await until((await next.subscribe('api.x.test.', 'A')).records, RECORD);
  await plane.replaceThreads(settings);
  await until(() => next.retryDelay() !== undefined, true);
  next.close();
  assert.deepEqual(plane.pushListening(), []);
  assert.equal(plane.listening()[0].port, port);
  assert.equal(plane.restarts(), 0);
});

test('an address that is not available leaves everything as it is', async (t) => {
  const server = await startPushServer('plain TCP');
  t.after(() => server.close());
  const plane = await startTestPlane({ udp: 'plain' }, () => changes);
  t.after(() => plane.close());
  await plane.listen();
  const taken = { ...push, listen: [{ address: '127.0.0.1', port: server.port }] };
  await assert.rejects(plane.replaceThreads({ ...testSettings({ udp: 'plain' }), push: taken }), /already in use/);
  assert.deepEqual(plane.pushListening(), []);
  assert.equal(plane.listening().length, 2);
});

test('a push thread that dies is replaced, and what is subscribed to again is true', async (t) => {
  const log: string[] = [];
  const plane = await startDataPlane(testSettings({ udp: 'plain', push }), {
    threadUrl: new URL('./dying/thread.js', import.meta.url),
    ...{ clock: systemClock, random: Math.random, slotCapacity: 1024, refill: () => changes },
    log: (_level, message) => log.push(message),
  });
  t.after(() => plane.close());
  await plane.apply(changes);
  await plane.listen();
  const [{ port }] = plane.pushListening();
  const client = await pushClient(port);
  await until((await client.subscribe('api.x.test.', 'A')).records, RECORD);
  const gauge = () => [...plane.counters()].find(({ name }) => name === 'healthdns_push_subscriptions')?.value;
  assert.equal(gauge(), 1);

  plane.slots.set(plane.slots.allocate(), true);
  await until(() => client.ended() !== undefined, true);
  await until(() => log.some((line) => line === 'push thread 0 answers again'), true);
  assert.match(
    log.find((line) => line.includes('died'))!,
    /^push thread 0 died and is replaced in \d+ ms: told to die/,
  );
  assert.equal(plane.restarts(), 1);
  assert.equal(gauge(), 0);
  const next = await pushClient(port);
  await until((await next.subscribe('api.x.test.', 'A')).records, RECORD);
  next.close();
});
