// DNS64 for names of our own, through a whole engine: zone text in, zone text out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAG, RCODE } from '../../src/dns/types.ts';
import type { FrontSettings } from '../../src/plane/forward-settings.ts';
import { upstream } from '../support/forwarding.ts';
import { answerFrom } from '../support/scripted-upstream.ts';
import { throughEngine } from '../support/through-engine.ts';
import { assertRecords } from '../support/zone-text.ts';

const DNS64 = { prefix: '64:ff9b::', prefixBits: 96, translateAll: false } as const;
const ZONE = `zone example.test.
v4 60 A 192.0.2.33 ; slot=one
v4 60 A 192.0.2.34 ; slot=two
v6 60 AAAA 2001:db8::1
both 60 A 192.0.2.1 ; slot=one
both 60 AAAA 2001:db8::1 ; slot=two
text 60 TXT "words"
www 5 CNAME v4.example.test.`;

test('AAAA records for own names are synthesized from A records, with the lower TTL and the own authority', async () => {
  const { ask } = await throughEngine(ZONE, { dns64: DNS64 });
  const v4 = await ask('v4.example.test. AAAA');
  assertRecords(
    v4.answers,
    'v4.example.test. 30 IN AAAA 64:ff9b::c000:221\nv4.example.test. 30 IN AAAA 64:ff9b::c000:222',
  );
  assert.deepEqual([v4.rcode, v4.flags & FLAG.AA, v4.questions[0].type, v4.authorities.length], [0, FLAG.AA, 28, 0]);
  assertRecords((await ask('v6.example.test. AAAA')).answers, 'v6.example.test. 60 IN AAAA 2001:db8::1');
  assertRecords(
    (await ask('v4.example.test. A')).answers,
    'v4.example.test. 60 IN A 192.0.2.33\nv4.example.test. 60 IN A 192.0.2.34',
  );
  assertRecords(
    (await ask('www.example.test. AAAA')).answers,
    'www.example.test. 5 IN CNAME v4.example.test.\nv4.example.test. 30 IN AAAA 64:ff9b::c000:221\nv4.example.test. 30 IN AAAA 64:ff9b::c000:222',
  );
  assertRecords((await ask('both.example.test. AAAA')).answers, 'both.example.test. 60 IN AAAA 2001:db8::1');
  const text = await ask('text.example.test. AAAA');
  assert.deepEqual([text.rcode, text.answers.length, text.authorities.length], [RCODE.NOERROR, 0, 1]);
  assert.equal((await ask('none.example.test. AAAA')).rcode, RCODE.NXDOMAIN);
});

test('synthesized AAAA records contain only addresses that may be answered now', async () => {
  const { ask, change } = await throughEngine(ZONE, { dns64: DNS64 });
  await change('down one');
  assertRecords((await ask('v4.example.test. AAAA')).answers, 'v4.example.test. 30 IN AAAA 64:ff9b::c000:222');
  assertRecords((await ask('both.example.test. AAAA')).answers, 'both.example.test. 60 IN AAAA 2001:db8::1');
  await change('up one\ndown two');
  assertRecords((await ask('both.example.test. AAAA')).answers, 'both.example.test. 30 IN AAAA 64:ff9b::c000:201');
  await change('down one');
  const none = await ask('v4.example.test. AAAA');
  assert.deepEqual([none.rcode, none.answers.length, none.authorities.length], [RCODE.NOERROR, 0, 1]);
});

test('with whenAllUnhealthy: servfail, A and AAAA are SERVFAIL only if no instance of either family is left', async () => {
  const policies = 'policy both A whenAllUnhealthy=servfail\npolicy both AAAA whenAllUnhealthy=servfail';
  const { ask, change } = await throughEngine(`${ZONE}\n${policies}\npolicy v4 A whenAllUnhealthy=servfail\ndown two`, {
    dns64: DNS64,
  });
  assertRecords((await ask('both.example.test. AAAA')).answers, 'both.example.test. 60 IN AAAA 64:ff9b::c000:201');
  await change('down one');
  assert.equal((await ask('both.example.test. AAAA')).rcode, RCODE.SERVFAIL);
  assert.equal((await ask('v4.example.test. AAAA')).rcode, RCODE.SERVFAIL, 'not: there is no AAAA');
});

test('without dns64 or for validating clients nothing is synthesized; translateAll adds records', async () => {
  const off = await throughEngine(ZONE, {});
  assert.equal((await off.ask('v4.example.test. AAAA')).answers.length, 0);
  const on = await throughEngine(ZONE, { dns64: DNS64 });
  assert.equal((await on.ask('v4.example.test. AAAA', { dnssecOk: true, flags: FLAG.CD })).answers.length, 0);
  const all = await throughEngine(ZONE, { dns64: { ...DNS64, translateAll: true } });
  assertRecords((await all.ask('both.example.test. AAAA')).answers, 'both.example.test. 60 IN AAAA 64:ff9b::c000:201');
});

test('a synthesized answer that does not fit is truncated, and a rewritten name is restored', async () => {
  const many = Array.from({ length: 25 }, (_, i) => `many 60 A 192.0.2.${i}`).join('\n');
  const rewrites: FrontSettings['rewrites'] = [{ kind: 'suffix', from: 'corp.', to: 'example.test.' }];
  const { ask } = await throughEngine(`${ZONE}\n${many}`, { dns64: DNS64, rewrites });
  const cut = await ask('many.example.test. AAAA', { edns: false });
  assert.deepEqual([cut.flags & FLAG.TC, cut.answers.length], [FLAG.TC, 0]);
  assert.equal((await ask('many.example.test. AAAA')).answers.length, 25);
  assert.equal((await ask('v4.corp. AAAA')).answers.length, 2);
});

test('synthesized records that do not fit into 64 KiB make the answer truncated over TCP', async () => {
  const addresses = Array.from({ length: 3_000 }, (_, i) => `many 60 A 10.0.${i >> 8}.${i & 255}`).join('\n');
  const { ask } = await throughEngine(`${ZONE}\n${addresses}`, { dns64: DNS64 });
  assert.equal((await ask('many.example.test. A', { overTcp: true })).answers.length, 3_000);
  const { rcode, flags, answers } = await ask('many.example.test. AAAA', { overTcp: true });
  assert.deepEqual([rcode, flags & FLAG.TC, answers.length], [RCODE.NOERROR, FLAG.TC, 0]);
});

test('a reverse zone with fallthrough answers its own names and forwards the rest', async () => {
  const one = await upstream(answerFrom('33.2.0.192.in-addr.arpa. 60 IN PTR outside.example.'));
  const zone = 'zone in-addr.arpa. fallthrough=.\n34.2.0.192 5 PTR pod.ours.';
  const { ask, close } = await throughEngine(zone, { dns64: DNS64 }, [one.port]);
  const name = (last: string) => `${last}.2.2.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa.`;
  assertRecords(
    (await ask(`${name('2')} PTR`)).answers,
    `${name('2')} 600 IN CNAME 34.2.0.192.in-addr.arpa.\n34.2.0.192.in-addr.arpa. 5 IN PTR pod.ours.`,
  );
  assertRecords(
    (await ask(`${name('1')} PTR`)).answers,
    `${name('1')} 600 IN CNAME 33.2.0.192.in-addr.arpa.\n33.2.0.192.in-addr.arpa. 60 IN PTR outside.example.`,
  );
  close();
});
