import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseName } from '../../src/dns/name.ts';
import { EDE, FLAG, RCODE, TYPE } from '../../src/dns/types.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { edeOf, forwarder, upstream } from '../support/forwarding.ts';
import { answerFrom, SOA, startScriptedUpstream } from '../support/scripted-upstream.ts';
import { assertRecords } from '../support/zone-text.ts';

test('a name is forwarded once and then answered from the cache, in the case that the client used', async () => {
  const one = await upstream(answerFrom('www.example. 300 IN A 192.0.2.1\nwww.example. 300 IN A 192.0.2.2'));
  const { ask, cached } = forwarder([one], { clock: fakeClock() });
  assert.equal(cached('www.example. A'), undefined);
  const first = await ask('www.example. A');
  assertRecords(first.answers, 'www.example. 300 IN A 192.0.2.1\nwww.example. 300 IN A 192.0.2.2');
  const again = cached('WWW.eXample. A', { id: 99 });
  assert.equal(again?.id, 99);
  assert.equal(Buffer.from(again?.questions[0].name ?? []).toString(), '\x03WWW\x07eXample\0');
  assert.equal(again?.answers.length, 2);
  assert.equal(one.asked.length, 1);
});

test('an upstream server that refuses every packet leads to the next at once', async () => {
  const dead = await startScriptedUpstream();
  await dead.close();
  const alive = await upstream(answerFrom('www.example. 300 IN A 192.0.2.1'));
  const { ask } = forwarder([dead, alive], { clock: fakeClock() });
  assert.equal((await ask('www.example. A')).answers.length, 1);
});

test('SERVFAIL from all upstream servers is SERVFAIL, cached for a few seconds', async () => {
  const script: Parameters<typeof upstream>[0] = (asked) => asked.send(asked.reply({ rcode: RCODE.SERVFAIL }));
  const [one, two] = [await upstream(script), await upstream(script)];
  const { ask, cached } = forwarder([one, two], { clock: fakeClock() });
  assert.equal((await ask('broken.example. A')).rcode, RCODE.SERVFAIL);
  assert.equal(cached('broken.example. A')?.rcode, RCODE.SERVFAIL);
  assert.deepEqual([one.asked.length, two.asked.length], [1, 1]);
});

test('NXDOMAIN carries its SOA and is cached for the negative TTL', async () => {
  const one = await upstream(answerFrom(''));
  const { ask, cached } = forwarder([one], { clock: fakeClock() });
  const response = await ask('missing.example. A');
  assert.equal(response.rcode, RCODE.NXDOMAIN);
  assertRecords(response.authorities, '. 60 IN SOA ns.test. admin.test. 1 7200 3600 1209600 60');
  assert.equal(cached('missing.example. A')?.rcode, RCODE.NXDOMAIN);
});

test('a truncated reply is retried over TCP', async () => {
  const answers = Array.from({ length: 200 }, (_, i) => `big.example. 300 IN A 192.0.2.${i}`).join('\n');
  const one = await upstream((asked) =>
    asked.send(asked.transport === 'tcp' ? asked.reply({ answers }) : asked.reply({ flags: 0x8380 })),
  );
  const { ask } = forwarder([one], { clock: fakeClock() });
  assert.equal((await ask('big.example. A', { maxBytes: 65_535 })).answers.length, 200);
  const short = await ask('big.example. A', { maxBytes: 1232 });
  assert.equal(short.answers.length, 0);
  assert.equal((short.flags & 0x0200) !== 0, true);
  assert.deepEqual(
    one.asked.map(({ transport }) => transport),
    ['udp', 'tcp'],
  );
});

test('after a truncated reply over TCP the next server is queried; else the partial answer is passed on and not cached', async () => {
  const part = Array.from({ length: 20 }, (_, i) => `big.example. 300 IN A 192.0.2.${i}`).join('\n');
  const all = `${part}\nbig.example. 300 IN A 192.0.2.200`;
  const truncating = () =>
    upstream((asked) => {
      const tc = { flags: FLAG.QR | FLAG.TC };
      asked.send(asked.reply(asked.transport === 'tcp' ? { ...tc, answers: part } : tc));
    });
  const alone = forwarder([await truncating()], { clock: fakeClock() });
  const response = await alone.ask('big.example. A', { maxBytes: 65_535 });
  assertRecords(response.answers, part);
  assert.equal(response.flags & FLAG.TC, FLAG.TC);
  assert.equal(alone.cached('big.example. A', { maxBytes: 65_535 }), undefined);
  const target = new Promise((resolve) =>
    alone.forwarder.resolveTarget(parseName('big.example.'), TYPE.A, false, undefined, resolve),
  );
  assert.deepEqual(await target, { rcode: RCODE.SERVFAIL, records: [], authority: [], stale: false });

  const whole = await upstream((asked) => asked.send(asked.reply({ answers: all })));
  const two = forwarder([await truncating(), whole], { clock: fakeClock() });
  const better = await two.ask('big.example. A', { maxBytes: 65_535 });
  assertRecords(better.answers, all);
  assert.equal(better.flags & FLAG.TC, 0);
});

test('the longest reply that there can be is passed on whole, and from the cache again', async () => {
  const one = await upstream((asked) => {
    if (asked.transport === 'udp') return asked.send(asked.reply({ flags: FLAG.QR | FLAG.TC }));
    const empty = asked.reply({});
    const length = 65_535 - empty.length - 12;
    const record = [0xc0, 12, 0, TYPE.NULL, 0, 1, 0, 0, 1, 44, length >> 8, length & 0xff, ...new Uint8Array(length)];
    empty[7] = 1;
    asked.send(Uint8Array.from([...empty, ...record]));
  });
  const { ask, cached } = forwarder([one], { clock: fakeClock() });
  const asking = { maxBytes: 65_535, edns: false };
  for (const response of [await ask('www.example. NULL', asking), cached('www.example. NULL', asking)]) {
    assert.equal((response?.flags ?? 0) & FLAG.TC, 0);
    assert.equal(response?.answers[0].rdata.length, 65_535 - 12 - 13 - 4 - 12);
  }
});

test('a reply whose names the upstream compressed so well that the response is too long has TC, and is not cached', async () => {
  const COUNT = 1000;
  const name = `${'a'.repeat(60)}.${'b'.repeat(60)}.example.`;
  const one = await upstream((asked) => {
    if (asked.transport === 'udp') return asked.send(asked.reply({ flags: FLAG.QR | FLAG.TC }));
    // The owner and the target of each SRV record are pointers to the question.
    const record = [0xc0, 12, 0, TYPE.SRV, 0, 1, 0, 0, 1, 44, 0, 8, 0, 0, 0, 0, 0, 53, 0xc0, 12];
    const empty = asked.reply({});
    empty.set([COUNT >> 8, COUNT & 0xff], 6);
    asked.send(Uint8Array.from([...empty, ...Array.from({ length: COUNT }, () => record).flat()]));
  });
  const { ask, cached } = forwarder([one], { clock: fakeClock() });
  const response = await ask(`${name} SRV`, { maxBytes: 65_535 });
  assert.equal(response.flags & FLAG.TC, FLAG.TC);
  assert.ok(response.answers.length > 400 && response.answers.length < COUNT);
  assert.equal(cached(`${name} SRV`, { maxBytes: 65_535 }), undefined);
});

test('a truncated reply over TCP without a matching record is SERVFAIL', async () => {
  const one = await upstream((asked) => asked.send(asked.reply({ flags: FLAG.QR | FLAG.TC, authorities: SOA })));
  const { ask } = forwarder([one], { clock: fakeClock() });
  const response = await ask('big.example. A', { maxBytes: 65_535 });
  assert.deepEqual([response.rcode, response.flags & FLAG.TC, edeOf(response)], [RCODE.SERVFAIL, 0, EDE.INVALID_DATA]);
});

test('a client without EDNS gets TC, no records and no OPT for a large cached answer', async () => {
  const answers = Array.from({ length: 60 }, (_, i) => `big.example. 300 IN A 192.0.2.${i}`).join('\n');
  const one = await upstream((asked) => asked.send(asked.reply({ answers })));
  const { ask, cached } = forwarder([one], { clock: fakeClock() });
  assert.equal((await ask('big.example. A')).answers.length, 60);
  const plain = cached('big.example. A', { edns: false, maxBytes: 512 });
  assert.deepEqual([plain?.answers.length, (plain?.flags ?? 0) & 0x0200, plain?.edns], [0, 0x0200, undefined]);
  assert.equal(cached('big.example. A', { edns: false, maxBytes: 65_535 })?.answers.length, 60);
});

test('HTTPS, SVCB and unknown types pass through unchanged', async () => {
  const zone = [
    'www.example. 300 IN HTTPS \\# 13 00010000010006026832026833',
    '_dns.example. 300 IN SVCB \\# 20 000103646f740474657374000001000403646f74',
    'odd.example. 300 IN TYPE65534 \\# 5 c00c00ff01',
  ];
  const one = await upstream(answerFrom(zone.join('\n')));
  const { ask, cached } = forwarder([one], { clock: fakeClock() });
  for (const [line, question] of zone.map((text) => [text, text.split(' ')] as const)) {
    const [name, , , type] = question;
    assertRecords((await ask(`${name} ${type}`)).answers, line);
    assertRecords(cached(`${name} ${type}`)?.answers ?? [], line);
  }
});

test('with loadbalance, each address of a cached answer is first in turn, and all stay in it, behind their alias', async () => {
  const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
  const lines = addresses.map((address) => `web.example. 300 IN A ${address}`);
  const answers = ['www.example. 300 IN CNAME web.example.', ...lines].join('\n');
  const one = await upstream((asked) => asked.send(asked.reply({ answers })));
  const { ask, cached } = forwarder([one], { clock: fakeClock(), settings: { loadbalance: true } });
  await ask('www.example. A');
  const firsts: string[] = [];
  for (let i = 0; i < 7; i++) {
    const [alias, ...others] = cached('www.example. A')!.answers;
    assert.equal(alias.type, TYPE.CNAME);
    assertRecords(others, lines.join('\n'));
    firsts.push(String(others[0].rdata.at(-1)));
  }
  assert.deepEqual(new Set(firsts.slice(0, 3)).size, 3);
  assert.deepEqual(firsts.slice(3, 6), firsts.slice(0, 3));
});
