// Answers that are stated or made here: hosts, templates, DNS64.
import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RCODE } from '../../src/dns/types.ts';
import type { HostsSettings, TemplateSettings } from '../../src/forward/settings.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { forwarder, upstream } from '../support/forwarding.ts';
import { answerFrom, SOA } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';
import { assertRecords } from '../support/zone-text.ts';

const NO_HOSTS: HostsSettings = { files: [], entries: [], ttlSeconds: 60, reverse: true };

test('hosts: inline addresses are answered at once, both ways; the other family is NODATA; others are forwarded', async () => {
  const one = await upstream(answerFrom('www.example. 300 IN A 192.0.2.1'));
  const entries = [{ address: '10.0.0.1', names: ['printer.office.', 'laser.office.'] }];
  const { ask, cached } = forwarder([one], { settings: { hosts: { ...NO_HOSTS, entries } } });
  assertRecords(cached('laser.office. A')?.answers ?? [], 'laser.office. 60 IN A 10.0.0.1');
  assertRecords(
    cached('1.0.0.10.in-addr.arpa. PTR')?.answers ?? [],
    '1.0.0.10.in-addr.arpa. 60 IN PTR printer.office.',
  );
  assert.deepEqual([cached('printer.office. AAAA')?.rcode, cached('printer.office. AAAA')?.answers.length], [0, 0]);
  assert.equal((await ask('www.example. A')).answers.length, 1);
  assert.deepEqual(
    one.asked.map(({ text }) => text),
    ['www.example. A'],
  );
});

test('hosts: a file is read again when it changes, and what was cached of its names is forgotten', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'healthdns-')), 'hosts');
  await writeFile(file, '10.0.0.1 a.office # first\nnonsense b.office\nfd00::1 a.office\n');
  const clock = fakeClock();
  const { cached, logged } = forwarder([], { clock, settings: { hosts: { ...NO_HOSTS, files: [file] } } });
  await until(() => cached('a.office. A')?.answers.length, 1);
  assertRecords(cached('a.office. AAAA')?.answers ?? [], 'a.office. 60 IN AAAA fd00::1');
  assert.match(logged.join(), /2 hosts, 1 lines are none/);
  await writeFile(file, '10.0.0.2 a.office');
  await until(async () => {
    await clock.advance(5000);
    return cached('a.office. A')?.answers[0].rdata.at(-1);
  }, 2);
});

const TEMPLATE: TemplateSettings = {
  zone: 'ip.test.',
  type: 1,
  match: 'ip-(\\d+)-(\\d+)-(\\d+)-(\\d+)\\.ip\\.test\\.',
  rcode: 0,
  values: ['$1.$2.$3.$4'],
  ttlSeconds: 60,
};

test('templates make answers of a name’s text; without sense there is no record, without match others are asked', async () => {
  const one = await upstream(answerFrom(''));
  const templates = [TEMPLATE, { ...TEMPLATE, zone: 'ads.test.', type: 0, match: undefined, rcode: 3, values: [] }];
  const { ask, cached } = forwarder([one], { settings: { templates } });
  assertRecords(cached('ip-10-0-0-1.ip.test. A')?.answers ?? [], 'ip-10-0-0-1.ip.test. 60 IN A 10.0.0.1');
  assert.equal(cached('ip-300-0-0-1.ip.test. A')?.answers.length, 0);
  assert.equal(cached('x.ads.test. TXT')?.rcode, RCODE.NXDOMAIN);
  assert.equal(cached('www.ip.test. A'), undefined);
  await ask('www.ip.test. A');
  assert.equal(one.asked.length, 1);
});

const DNS64 = { prefix: '64:ff9b::', prefixBits: 96, translateAll: false } as const;

test('DNS64: AAAA records are made of A records where there are none, with the TTL of the shorter', async () => {
  const one = await upstream(
    answerFrom(
      'v4.example. 300 IN A 192.0.2.33\nboth.example. 300 IN A 192.0.2.1\nboth.example. 300 IN AAAA 2001:db8::1',
    ),
  );
  const { ask } = forwarder([one], { settings: { dns64: DNS64 } });
  assertRecords((await ask('v4.example. AAAA')).answers, 'v4.example. 60 IN AAAA 64:ff9b::c000:221');
  assertRecords((await ask('both.example. AAAA')).answers, 'both.example. 300 IN AAAA 2001:db8::1');
  assert.equal((await ask('none.example. AAAA')).rcode, RCODE.NXDOMAIN);
  assert.equal(
    (await ask('v4.example. AAAA', { dnssecOk: true, flags: 0x110 })).answers.length,
    0,
    'RFC 6147 section 5.5',
  );
});

test('DNS64: a failure of the AAAA question is taken as an empty answer', async () => {
  const one = await upstream((asked) =>
    asked.text.endsWith(' AAAA')
      ? asked.send(asked.reply({ rcode: RCODE.SERVFAIL }))
      : answerFrom('v4.example. 900 IN A 192.0.2.33')(asked),
  );
  const { ask } = forwarder([one], { settings: { dns64: DNS64 } });
  assertRecords((await ask('v4.example. AAAA')).answers, 'v4.example. 600 IN AAAA 64:ff9b::c000:221');
  assert.equal((await ask('none.example. AAAA')).rcode, RCODE.SERVFAIL);
});

test('DNS64: a chain of CNAMEs stays, and every length of prefix puts the address where RFC 6052 says', async () => {
  const one = await upstream((asked) =>
    asked.text.endsWith(' A')
      ? asked.send(asked.reply({ answers: 'www.example. 9 IN CNAME v4.example.\nv4.example. 9 IN A 192.0.2.33' }))
      : asked.send(asked.reply({ answers: 'www.example. 9 IN CNAME v4.example.', authorities: SOA })),
  );
  // The examples of RFC 6052 section 2.4.
  for (const [prefix, prefixBits, address] of [
    ['2001:db8::', 32, '2001:db8:c000:221::'],
    ['2001:db8:100::', 40, '2001:db8:1c0:2:21::'],
    ['2001:db8:122::', 48, '2001:db8:122:c000:2:2100::'],
    ['2001:db8:122:300::', 56, '2001:db8:122:3c0:0:221::'],
    ['2001:db8:122:344::', 64, '2001:db8:122:344:c0:2:2100::'],
    ['2001:db8:122:344::', 96, '2001:db8:122:344::c000:221'],
  ] as const) {
    const { ask } = forwarder([one], { settings: { dns64: { prefix, prefixBits, translateAll: false } } });
    assertRecords(
      (await ask('www.example. AAAA')).answers,
      `www.example. 9 IN CNAME v4.example.\nv4.example. 9 IN AAAA ${address}`,
    );
  }
});
