// The text beside extended errors: why an answer is empty.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { extendedErrors } from '../../src/dns/message/opt.ts';
import { parseName } from '../../src/dns/name.ts';
import { composeRdata } from '../../src/dns/rdata/rdata.ts';
import { EDE, RCODE, TYPE } from '../../src/dns/types.ts';
import type { Change, NameRecords, WhenAllUnhealthy } from '../../src/plane/records.ts';
import { createInProcessPlane } from '../support/in-process.ts';

const ZONE = parseName('test.');
const DB = parseName('db.test.');

/** A zone with db.test., whose addresses have the slots 1 to `count`, all unhealthy. */
async function plane(whenAllUnhealthy: WhenAllUnhealthy, count = 3, zone: { stale?: boolean; why?: string } = {}) {
  const made = createInProcessPlane();
  const always = { slot: 0, weight: 1 };
  const common = { ttlSeconds: 5, routing: 'multivalue', maxAnswers: 0 } as const;
  const soa = composeRdata(TYPE.SOA, 'the-name-server-of-this-zone.test. root.test. 1 2 3 4 5', ZONE);
  const apex: NameRecords = {
    name: ZONE,
    rrsets: [{ ...common, type: TYPE.SOA, records: [{ ...always, rdata: soa }], whenAllUnhealthy: 'nodata' }],
  };
  const records = Array.from({ length: count }, (_, i) => ({
    rdata: Uint8Array.of(192, 0, 2, i + 1),
    slot: made.slots.allocate(),
    weight: 1,
  }));
  const db: NameRecords = { name: DB, rrsets: [{ ...common, type: TYPE.A, records, whenAllUnhealthy }] };
  const alias = composeRdata(TYPE.CNAME, 'db.test.', ZONE);
  const www: NameRecords = {
    name: parseName('www.test.'),
    rrsets: [{ ...common, type: TYPE.CNAME, records: [{ ...always, rdata: alias }], whenAllUnhealthy: 'nodata' }],
  };
  const changes: Change[] = [
    { kind: 'replace-zone', zone: { name: ZONE, ready: true, stale: false, fallthrough: [], ...zone } },
    ...[apex, db, www].map((one) => ({ kind: 'replace-name', records: one }) as const),
  ];
  await made.apply(changes);
  const ask = (name: string, type: number = TYPE.A, udpBytes = 1232) => {
    const questions = [{ name: parseName(name), type, class: 1 }];
    const edns = { version: 0, udpBytes, dnssecOk: false, options: [] };
    const response = made.respond(composeMessage({ questions, edns }))!;
    const { rcode, edns: opt, answers } = parseMessage(response);
    return { rcode, answers, length: response.length, errors: extendedErrors(opt) };
  };
  const say = (slot: number, text: string) => made.apply([{ kind: 'replace-reason', slot, text }]);
  return { ...made, ask, say };
}

test('an answer that health has emptied says how many instances there are, and why', async () => {
  for (const [policy, rcode, infoCode] of [
    ['nodata', RCODE.NOERROR, EDE.OTHER],
    ['nxdomain', RCODE.NXDOMAIN, EDE.OTHER],
    ['servfail', RCODE.SERVFAIL, EDE.NO_REACHABLE_AUTHORITY],
  ] as const) {
    const { ask, say } = await plane(policy);
    await say(1, 'db-0 container app is waiting: CrashLoopBackOff');
    const text = '0 of 3 healthy: db-0 container app is waiting: CrashLoopBackOff';
    for (const name of ['db.test.', 'www.test.']) {
      const answer = ask(name);
      assert.equal(answer.rcode, rcode, policy);
      assert.deepEqual(answer.errors, [{ infoCode, text }], policy);
    }
  }
});

test('a name that does not exist because of health says so for every type', async () => {
  const { ask, say } = await plane('nxdomain');
  await say(2, 'db-1 not ready');
  assert.equal(ask('db.test.', TYPE.AAAA).errors[0]?.text, '0 of 3 healthy: db-1 not ready');
});

test('answers with records, and negative answers not caused by health, carry no error text', async () => {
  const { ask, say, slots } = await plane('nodata');
  await say(1, 'db-0 not ready');
  assert.deepEqual(ask('db.test.', TYPE.AAAA).errors, []);
  assert.deepEqual(ask('nothing.test.').errors, []);
  slots.set(2, true);
  assert.deepEqual(ask('db.test.').errors, []);
});

test('a withdrawn reason is no longer sent', async () => {
  const { ask, say } = await plane('nodata');
  await say(1, 'db-0 not ready');
  await say(1, '');
  assert.deepEqual(ask('db.test.').errors, []);
});

test('the text never has more than 200 bytes, names several instances and repeats none', async () => {
  const { ask, say } = await plane('nodata', 20);
  for (let slot = 1; slot <= 20; slot++) await say(slot, `db-${slot % 4} ${'x'.repeat(60)}`);
  const { text } = ask('db.test.').errors[0];
  assert.ok(text.length <= 200, String(text.length));
  assert.match(text, /^0 of 20 healthy: db-1 x+, db-2 x+$/);
});

test('a text that does not fit is left out before its code is', async () => {
  const label = 'a'.repeat(60);
  const { ask, apply, slots } = await plane('nodata', 1);
  const name = parseName(`${label}.${label}.${label}.${label.slice(0, 50)}.test.`);
  const slot = slots.allocate();
  const records = [{ rdata: Uint8Array.of(192, 0, 2, 1), slot, weight: 1 }];
  const rrset = { type: TYPE.A, ttlSeconds: 5, records, routing: 'multivalue', maxAnswers: 0 } as const;
  await apply([
    { kind: 'replace-name', records: { name, rrsets: [{ ...rrset, whenAllUnhealthy: 'nodata' }] } },
    { kind: 'replace-reason', slot, text: 'y'.repeat(170) },
  ]);
  const asked = `${label}.${label}.${label}.${label.slice(0, 50)}.test.`;
  const small = ask(asked, TYPE.A, 512);
  assert.deepEqual(small.errors, [{ infoCode: EDE.OTHER, text: '' }]);
  assert.ok(small.length <= 512);
  assert.match(ask(asked).errors[0].text, /^0 of 1 healthy: y+$/);
});

test('a zone that is not ready or stale says why, in positive and in negative answers', async () => {
  const why = 'stale: kubernetes/default has not been confirmed since 2026-11-28T02:47:10Z';
  const { ask, apply, slots } = await plane('nodata', 3, { stale: true, why });
  assert.deepEqual(ask('nothing.test.').errors, [{ infoCode: EDE.STALE_NXDOMAIN_ANSWER, text: why }]);
  slots.set(2, true);
  assert.deepEqual(ask('db.test.').errors, [{ infoCode: EDE.STALE_ANSWER, text: why }]);
  const missing = 'not ready: kubernetes/default has not listed pods';
  const zone = { name: ZONE, ready: false, stale: false, fallthrough: [], why: missing };
  await apply([{ kind: 'replace-zone', zone }]);
  assert.deepEqual(ask('nothing.test.').errors, [{ infoCode: EDE.NOT_READY, text: missing }]);
  assert.deepEqual(ask('db.test.').errors, []);
});

test('the error text of one answer does not appear in the next', async () => {
  const { ask, say } = await plane('servfail');
  await say(1, 'db-0 not ready');
  ask('db.test.');
  assert.deepEqual(ask('db.other.').errors[0]?.text ?? '', '');
});
