// Answers that are stated or made here: hosts, templates, DNS64.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RCODE } from '../../src/dns/types.ts';
import { type HostsSettings, ROUTE_DEFAULTS, type TemplateSettings } from '../../src/plane/forward-settings.ts';
import { temporaryFolder } from '../support/command.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { forwarder, upstream } from '../support/forwarding.ts';
import { answerFrom, SOA } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';
import { assertRecords, records } from '../support/zone-text.ts';

const NO_HOSTS: HostsSettings = { files: [], entries: [], ttlSeconds: 60, reverse: true };

test('hosts: inline addresses are answered in both directions; the other family is NODATA; other names are forwarded', async () => {
  const one = await upstream(answerFrom('www.example. 300 IN A 192.0.2.1'));
  const entries = [{ address: '10.0.0.1', names: ['printer.office.', 'laser.office.'] }];
  const { ask, cached } = forwarder([one], { settings: { hosts: { ...NO_HOSTS, entries } } });
  assertRecords(cached('laser.office. A')?.answers ?? [], 'laser.office. 60 IN A 10.0.0.1');
  assertRecords(
    cached('1.0.0.10.in-addr.arpa. PTR')?.answers ?? [],
    '1.0.0.10.in-addr.arpa. 60 IN PTR printer.office.\n1.0.0.10.in-addr.arpa. 60 IN PTR laser.office.',
  );
  assert.deepEqual([cached('printer.office. AAAA')?.rcode, cached('printer.office. AAAA')?.answers.length], [0, 0]);
  assert.equal((await ask('www.example. A')).answers.length, 1);
  assert.deepEqual(
    one.asked.map(({ text }) => text),
    ['www.example. A'],
  );
});

test('hosts: other types of a listed name are NODATA as in CoreDNS; its PTR and other types of an address are forwarded', async () => {
  const one = await upstream(answerFrom(''));
  const entries = [
    { address: '10.0.0.1', names: ['printer.office.'] },
    { address: 'fd00::1', names: ['six.office.'] },
  ];
  const { ask, cached } = forwarder([one], { settings: { hosts: { ...NO_HOSTS, entries } } });
  const empty = [
    'printer.office. MX',
    'printer.office. TXT',
    'printer.office. HTTPS',
    'printer.office. AAAA',
    'six.office. A',
  ];
  for (const question of empty) {
    const response = cached(question);
    assert.deepEqual([response?.rcode, response?.answers.length, response?.authorities.length], [0, 0, 0], question);
  }
  const asked = ['printer.office. PTR', '1.0.0.10.in-addr.arpa. A', 'other.office. MX'];
  for (const question of asked) await ask(question);
  assert.deepEqual(
    one.asked.map(({ text }) => text),
    asked,
  );
});

test('hosts: PTR returns all names of a line and of other lines, except wildcards', async () => {
  const entries = [
    { address: '192.0.2.1', names: ['one.office.', 'two.office.', '*.office.'] },
    { address: '192.0.2.1', names: ['three.office.'] },
  ];
  const { cached } = forwarder([], { settings: { hosts: { ...NO_HOSTS, entries } } });
  const names = ['one', 'two', 'three'].map((name) => `1.2.0.192.in-addr.arpa. 60 IN PTR ${name}.office.`);
  assertRecords(cached('1.2.0.192.in-addr.arpa. PTR')?.answers ?? [], names.join('\n'));
});

test('hosts: with zones, only names in them are answered, and PTR has only these', () => {
  const entries = [{ address: '192.0.2.1', names: ['a.in.example.', 'b.out.example.', '*.w.in.example.'] }];
  const { cached } = forwarder([], { settings: { hosts: { ...NO_HOSTS, entries, zones: ['in.example.'] } } });
  assertRecords(cached('a.in.example. A')?.answers ?? [], 'a.in.example. 60 IN A 192.0.2.1');
  assertRecords(cached('x.w.in.example. A')?.answers ?? [], 'x.w.in.example. 60 IN A 192.0.2.1');
  assert.equal(cached('b.out.example. A'), undefined);
  assertRecords(
    cached('1.2.0.192.in-addr.arpa. PTR')?.answers ?? [],
    '1.2.0.192.in-addr.arpa. 60 IN PTR a.in.example.',
  );
});

test('hosts: ::ffff:a.b.c.d is an IPv4 address, in both directions', async () => {
  const entries = [{ address: '::ffff:192.0.2.1', names: ['printer.office.'] }];
  const { cached } = forwarder([], { settings: { hosts: { ...NO_HOSTS, entries } } });
  assertRecords(cached('printer.office. A')?.answers ?? [], 'printer.office. 60 IN A 192.0.2.1');
  assert.equal(cached('printer.office. AAAA')?.answers.length, 0);
  assertRecords(
    cached('1.2.0.192.in-addr.arpa. PTR')?.answers ?? [],
    '1.2.0.192.in-addr.arpa. 60 IN PTR printer.office.',
  );
});

test('hosts: a wildcard matches one label, and listed names take precedence, as in CoreDNS', async (t) => {
  const file = join(await temporaryFolder(t), 'hosts');
  await writeFile(file, '192.0.2.1 *.office.\n192.0.2.2 printer.office.\n');
  const clock = fakeClock();
  const one = await upstream((asked) => asked.send(asked.reply({ rcode: 3, authorities: SOA })));
  const { ask, cached } = forwarder([one], { clock, settings: { hosts: { ...NO_HOSTS, files: [file] } } });
  await until(() => cached('any.office. A')?.answers.length, 1);
  assertRecords(cached('any.office. A')?.answers ?? [], 'any.office. 60 IN A 192.0.2.1');
  assertRecords(cached('printer.office. A')?.answers ?? [], 'printer.office. 60 IN A 192.0.2.2');
  assert.equal(cached('any.office. AAAA')?.rcode, RCODE.NOERROR);
  for (const other of ['office. A', 'deep.any.office. A', 'any.office2. A'])
    assert.equal((await ask(other)).rcode, RCODE.NXDOMAIN);
  await writeFile(file, '192.0.2.3 *.office.\n');
  await until(async () => {
    await clock.advance(5000);
    return cached('any.office. A')?.answers[0]?.rdata.at(-1);
  }, 3);
});

test('hosts: a changed file is reread, and cached answers from it are dropped', async (t) => {
  const file = join(await temporaryFolder(t), 'hosts');
  await writeFile(file, '10.0.0.1 a.office # first\nnonsense b.office\nfd00::1 a.office\n');
  const clock = fakeClock();
  const { cached, logged } = forwarder([], { clock, settings: { hosts: { ...NO_HOSTS, files: [file] } } });
  await until(() => cached('a.office. A')?.answers.length, 1);
  assertRecords(cached('a.office. AAAA')?.answers ?? [], 'a.office. 60 IN AAAA fd00::1');
  assert.match(logged.join(), /2 hosts, 1 invalid lines: 2/);
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

test('templates: answers are generated from the name; invalid values yield no record, and other names are forwarded', async () => {
  const one = await upstream(answerFrom(''));
  const templates = [TEMPLATE, { ...TEMPLATE, zone: 'ads.test.', type: 0, match: undefined, rcode: 3, values: [] }];
  const { ask, cached } = forwarder([one], { settings: { templates } });
  assertRecords(cached('ip-10-0-0-1.ip.test. A')?.answers ?? [], 'ip-10-0-0-1.ip.test. 60 IN A 10.0.0.1');
  const senseless = cached('ip-300-0-0-1.ip.test. A');
  assert.equal(senseless?.answers.length, 0);
  assertRecords(senseless?.authorities ?? [], 'ip.test. 60 IN SOA ip.test. nobody.invalid. 1 3600 1200 604800 60');
  const blocked = cached('x.ads.test. TXT');
  assert.equal(blocked?.rcode, RCODE.NXDOMAIN);
  assertRecords(blocked?.authorities ?? [], 'ads.test. 60 IN SOA ads.test. nobody.invalid. 1 3600 1200 604800 60');
  assert.equal(cached('www.ip.test. A'), undefined);
  await ask('www.ip.test. A');
  assert.equal(one.asked.length, 1);
});

const DNS64 = { prefix: '64:ff9b::', prefixBits: 96, translateAll: false } as const;

test('DNS64: AAAA records are synthesized from A records if there are none, with the lower TTL', async () => {
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

test('DNS64: a failed AAAA query counts as an empty answer', async () => {
  const one = await upstream((asked) =>
    asked.text.endsWith(' AAAA')
      ? asked.send(asked.reply({ rcode: RCODE.SERVFAIL }))
      : answerFrom('v4.example. 900 IN A 192.0.2.33')(asked),
  );
  const { ask } = forwarder([one], { settings: { dns64: DNS64 } });
  assertRecords((await ask('v4.example. AAAA')).answers, 'v4.example. 600 IN AAAA 64:ff9b::c000:221');
  assert.equal((await ask('none.example. AAAA')).rcode, RCODE.SERVFAIL);
});

test('DNS64: after an AAAA query that ran out of time, the A query is not sent', async () => {
  const clock = fakeClock();
  const one = await upstream();
  const { ask } = forwarder([one], { clock, settings: { dns64: DNS64 } });
  let answered = false;
  void ask('v4.example. AAAA').then(() => {
    answered = true;
  });
  await until(() => one.asked.length, 1);
  await clock.advance(ROUTE_DEFAULTS.deadlineMs);
  assert.equal(answered, true);
  await clock.advance(100);
  assert.ok(one.asked.every(({ text }) => !text.endsWith(' A')));
});

test('DNS64: a CNAME chain is preserved, and every prefix length places the address as in RFC 6052', async () => {
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

test('DNS64: PTR of an address in the prefix is answered with a CNAME to the reverse name of the IPv4 address', async () => {
  const name = '1.2.2.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa.';
  const one = await upstream(answerFrom('33.2.0.192.in-addr.arpa. 300 IN PTR v4.example.'));
  const { ask, cached } = forwarder([one], { settings: { dns64: DNS64 } });
  const expected = `${name} 300 IN CNAME 33.2.0.192.in-addr.arpa.\n33.2.0.192.in-addr.arpa. 300 IN PTR v4.example.`;
  assertRecords((await ask(`${name} PTR`)).answers, expected.replace('300', '600'));
  assertRecords(cached(`${name} PTR`)?.answers ?? [], expected.replace('300', '600'));
  const other = await ask(`${name.replace('b.9.f.f', 'c.9.f.f')} PTR`);
  assert.deepEqual([other.rcode, other.answers.length], [RCODE.NXDOMAIN, 0], 'not of the prefix');
  const missing = await ask(`${name.replace('1.2', '2.2')} PTR`);
  assert.deepEqual([missing.rcode, missing.answers.length], [RCODE.NXDOMAIN, 1]);
});

test('DNS64: PTR works for addresses of hosts, of own zones, and in a 64-bit prefix', async () => {
  const one = await upstream(answerFrom(''));
  const entries = [{ address: '192.0.2.33', names: ['printer.office.'] }];
  const { ask, cached } = forwarder([one], {
    settings: {
      dns64: { prefix: '2001:db8:122:344::', prefixBits: 64, translateAll: false },
      hosts: { ...NO_HOSTS, entries },
    },
    ourZones: ['10.in-addr.arpa.'],
    ourAnswer: () => ({ records: records('1.0.0.10.in-addr.arpa. 5 IN PTR a.ours.') }),
  });
  const stated = '0.0.0.0.0.0.1.2.2.0.0.0.0.c.0.0.4.4.3.0.2.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa.';
  assertRecords(
    (await ask(`${stated} PTR`)).answers,
    `${stated} 600 IN CNAME 33.2.0.192.in-addr.arpa.\n33.2.0.192.in-addr.arpa. 60 IN PTR printer.office.`,
  );
  const ours = '0.0.0.0.0.0.1.0.0.0.0.0.a.0.0.0.4.4.3.0.2.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa.';
  assertRecords(
    (await ask(`${ours} PTR`)).answers,
    `${ours} 600 IN CNAME 1.0.0.10.in-addr.arpa.\n1.0.0.10.in-addr.arpa. 5 IN PTR a.ours.`,
  );
  assert.equal(cached(`${ours} PTR`), undefined, 'what is ours is not kept');
  assert.equal(one.asked.length, 0);
});

test('DNS64: hosts with only IPv4 addresses and external aliases of own names get AAAA records too', async () => {
  const one = await upstream((asked) => asked.send(asked.reply({ answers: 'www.example. 300 IN CNAME a.ours.' })));
  const entries = [{ address: '192.0.2.33', names: ['printer.office.'] }];
  const { ask, cached } = forwarder([one], {
    settings: { dns64: DNS64, hosts: { ...NO_HOSTS, entries } },
    ourZones: ['ours.'],
    ourAnswer: (_name, type) => ({
      records: records('a.ours. 5 IN A 192.0.2.1').filter((record) => record.type === type),
    }),
  });
  assertRecords(cached('printer.office. AAAA')?.answers ?? [], 'printer.office. 60 IN AAAA 64:ff9b::c000:221');
  assertRecords(
    (await ask('www.example. AAAA')).answers,
    'www.example. 300 IN CNAME a.ours.\na.ours. 5 IN AAAA 64:ff9b::c000:201',
  );
  assert.equal(cached('www.example. AAAA'), undefined, 'what is ours is not kept');
});

test('DNS64: ipv4only.arpa reveals the prefix and is not forwarded (RFC 7050, RFC 8880)', async () => {
  const one = await upstream(answerFrom(''));
  const { cached } = forwarder([one], { settings: { dns64: DNS64 } });
  assertRecords(
    cached('ipv4only.arpa. AAAA')?.answers ?? [],
    'ipv4only.arpa. 3600 IN AAAA 64:ff9b::c000:aa\nipv4only.arpa. 3600 IN AAAA 64:ff9b::c000:ab',
  );
  assertRecords(
    cached('ipv4only.arpa. A')?.answers ?? [],
    'ipv4only.arpa. 3600 IN A 192.0.0.170\nipv4only.arpa. 3600 IN A 192.0.0.171',
  );
  assertRecords(
    cached('170.0.0.192.in-addr.arpa. PTR')?.answers ?? [],
    '170.0.0.192.in-addr.arpa. 3600 IN PTR ipv4only.arpa.',
  );
  const soa = (zone: string) => `${zone} 1800 IN SOA ${zone} nobody.invalid. 1 3600 1200 604800 86400`;
  for (const [question, rcode, zone] of [
    ['ipv4only.arpa. NS', RCODE.NOERROR, 'ipv4only.arpa.'],
    ['x.ipv4only.arpa. A', RCODE.NXDOMAIN, 'ipv4only.arpa.'],
    ['171.0.0.192.in-addr.arpa. TXT', RCODE.NOERROR, '171.0.0.192.in-addr.arpa.'],
  ] as const) {
    const response = cached(question);
    assert.deepEqual([response?.rcode, response?.answers.length], [rcode, 0], question);
    assertRecords(response?.authorities ?? [], soa(zone));
  }
  assert.equal(forwarder([one]).cached('ipv4only.arpa. A'), undefined, 'without DNS64 it is a name like others');
});
