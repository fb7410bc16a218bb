// What an upstream, or somebody who plays it, may send: only the reply to what was asked is taken, and of it only what
// answers the question.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp, parseIp } from '../../src/dns/ip.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { EDE, FLAG, parseType, RCODE } from '../../src/dns/types.ts';
import { CACHE_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { edeOf, forwarder, respondTo, routeTo, upstream } from '../support/forwarding.ts';
import type { Asked } from '../support/scripted-upstream.ts';
import { answerFrom, SOA } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';
import { assertRecords, record } from '../support/zone-text.ts';

const GOOD = 'www.example. 300 IN A 192.0.2.1';
const EVIL = 'www.example. 300 IN A 192.0.2.66';

const good = (asked: Asked) => asked.send(asked.reply({ answers: GOOD }));

/** Each sends something that must not be taken; the true reply follows. */
const forgeries: Record<string, (asked: Asked) => void> = {
  'another ID': (asked) => asked.send(asked.reply({ id: asked.query.id ^ 1, answers: EVIL })),
  'another port of the server': (asked) => asked.sendFromElsewhere(asked.reply({ answers: EVIL })),
  'another name in the question': (asked) =>
    asked.send(
      asked.reply({ questions: [{ ...asked.query.questions[0], name: parseName('wwx.example.') }], answers: EVIL }),
    ),
  'another type in the question': (asked) =>
    asked.send(asked.reply({ questions: [{ ...asked.query.questions[0], type: 28 }], answers: EVIL })),
  'another class in the question': (asked) =>
    asked.send(asked.reply({ questions: [{ ...asked.query.questions[0], class: 3 }], answers: EVIL })),
  'no question': (asked) => asked.send(asked.reply({ questions: [], answers: EVIL })),
  'two questions': (asked) =>
    asked.send(asked.reply({ questions: [asked.query.questions[0], asked.query.questions[0]], answers: EVIL })),
  'a query': (asked) => asked.send(asked.reply({ flags: 0, answers: EVIL })),
  'another opcode': (asked) => asked.send(asked.reply({ opcode: 4, answers: EVIL })),
  'a header alone': (asked) => asked.send(asked.reply({ answers: EVIL }).subarray(0, 12)),
  'eleven bytes': (asked) => asked.send(asked.reply({}).subarray(0, 11)),
  'no bytes': (asked) => asked.send(new Uint8Array(0)),
  noise: (asked) => asked.send(Uint8Array.from({ length: 300 }, (_, i) => (i * 7919) & 0xff)),
};

for (const [what, forge] of Object.entries(forgeries)) {
  test(`${what} is ignored and counted, and the wait continues`, async () => {
    const one = await upstream((asked) => {
      forge(asked);
      good(asked);
    });
    const { ask, forwarder: made } = forwarder([one], { clock: fakeClock() });
    assertRecords((await ask('www.example. A')).answers, GOOD);
    // The kernel itself drops what comes from another address or port.
    const dropped = what === 'another port of the server' ? 0 : 1;
    assert.equal(made.upstreams()[0].ignored, dropped);
    assert.equal(one.asked.length, 1);
  });
}

test('a duplicate or late reply is ignored and counted', async () => {
  let late: Asked | undefined;
  const one = await upstream((asked) => {
    late = asked;
    good(asked);
    asked.send(asked.reply({ answers: EVIL }));
  });
  const { ask, cached, forwarder: made } = forwarder([one], { clock: fakeClock() });
  await ask('www.example. A');
  late?.send(late.reply({ answers: EVIL }));
  one.script = (asked) => asked.send(asked.reply({ authorities: SOA }));
  await ask('other.example. A');
  assertRecords(cached('www.example. A')?.answers ?? [], GOOD);
  assert.ok(made.upstreams()[0].ignored >= 1);
});

test('with randomCase, every letter may be asked for in upper case, and nothing else changes', async () => {
  const one = await upstream(answerFrom(''));
  const { ask } = forwarder([one], { route: { randomCase: true } });
  const name = `${'a'.repeat(60)}.${'z'.repeat(60)}.@[\`{09-.`;
  await ask(`${name} A`);
  const [spelled] = one.asked.map(({ text }) => text.split(' ')[0]);
  assert.equal(spelled.toLowerCase(), formatName(parseName(name)).toLowerCase());
  for (const letter of ['a', 'A', 'z', 'Z']) assert.ok(spelled.includes(letter), letter);
});

test('with randomCase, a reply with a different case is ignored', async () => {
  const one = await upstream((asked) => {
    const { name } = asked.query.questions[0];
    const question = { ...asked.query.questions[0], name: name.map((byte) => (byte > 64 ? byte ^ 0x20 : byte)) };
    asked.send(asked.reply({ questions: [question], answers: EVIL }));
    good(asked);
  });
  const { ask } = forwarder([one], { clock: fakeClock(), route: { randomCase: true } });
  assertRecords((await ask('www.example. A')).answers, GOOD);
});

/** Replies that are for us but cannot be read or make no sense: the next upstream is asked. */
const malformed: Record<string, (asked: Asked) => Uint8Array> = {
  'cut short': (asked) => asked.reply({ answers: GOOD }).subarray(0, -2),
  'with a pointer to itself': (asked) => {
    const reply = asked.reply({ answers: GOOD });
    reply[29] = 0xc0;
    reply[30] = 29;
    return reply;
  },
  'with a pointer forward': (asked) => {
    const reply = asked.reply({ answers: GOOD });
    reply[29] = 0xc0;
    reply[30] = 40;
    return reply;
  },
  'with more records than bytes': (asked) => {
    const reply = asked.reply({ answers: GOOD });
    reply[6] = 0xff;
    return reply;
  },
  'with an address of five bytes': (asked) => {
    const wide = asked.reply({ answers: 'www.example. 300 IN TXT "abcd"' });
    wide[32] = 1;
    return wide;
  },
  'that is a CNAME loop': (asked) =>
    asked.reply({ answers: 'www.example. 60 IN CNAME a.example.\na.example. 60 IN CNAME www.example.' }),
  'that is a CNAME of itself': (asked) => asked.reply({ answers: 'www.example. 60 IN CNAME www.example.' }),
  'that is a CNAME chain of 100': (asked) =>
    asked.reply({
      answers: Array.from({ length: 100 }, (_, i) =>
        i === 0 ? 'www.example. 60 IN CNAME c1.example.' : `c${i}.example. 60 IN CNAME c${i + 1}.example.`,
      ).join('\n'),
    }),
  'that is a referral': (asked) => asked.reply({ authorities: 'example. 60 IN NS ns.example.' }),
};

for (const [what, compose] of Object.entries(malformed)) {
  test(`a reply ${what} leads to the next upstream server`, async () => {
    const bad = await upstream((asked) => asked.send(compose(asked)));
    const next = await upstream(good);
    const { ask, forwarder: made } = forwarder([bad, next], { clock: fakeClock() });
    assertRecords((await ask('www.example. A')).answers, GOOD);
    assert.equal(made.counters.malformed, 1);
  });
}

test('records of other names, glue and additional data are neither answered nor cached', async () => {
  const one = await upstream((asked) =>
    asked.send(
      asked.reply({
        answers: `${GOOD}\nbank.example. 300 IN A 192.0.2.66\nwww.example. 300 IN TXT "x"`,
        authorities: 'example. 300 IN NS ns.evil.\ncom. 300 IN NS ns.evil.',
        additionals: 'ns.evil. 300 IN A 192.0.2.66\nbank.example. 300 IN A 192.0.2.66',
      }),
    ),
  );
  const { ask, cached, forwarder: made } = forwarder([one], { clock: fakeClock() });
  const response = await ask('www.example. A');
  assertRecords(response.answers, GOOD);
  assert.deepEqual([response.authorities.length, response.additionals.length], [0, 0]);
  assert.equal(cached('bank.example. A'), undefined);
  assert.equal(made.gauges().entries, 1);
});

test('a negative answer with an SOA that does not enclose the name is not cached', async () => {
  const one = await upstream((asked) =>
    asked.send(asked.reply({ rcode: 3, authorities: SOA.replace('. 3600', 'other.example. 3600') })),
  );
  const { ask, cached } = forwarder([one], { clock: fakeClock() });
  const response = await ask('www.example. A');
  assert.deepEqual([response.rcode, response.authorities.length], [RCODE.NXDOMAIN, 0]);
  assert.equal(cached('www.example. A'), undefined);
});

test('an upstream cannot supply records for own zones, not even behind a CNAME', async () => {
  const ours = record('api.production.local. 5 IN A 10.0.0.1');
  const one = await upstream((asked) =>
    asked.send(
      asked.reply({
        answers: 'www.example. 300 IN CNAME api.production.local.\napi.production.local. 300 IN A 192.0.2.66',
      }),
    ),
  );
  const { ask, cached } = forwarder([one], {
    clock: fakeClock(),
    ourZones: ['production.local.'],
    ourAnswer: () => ({ records: [ours] }),
  });
  const response = await ask('www.example. A');
  assertRecords(
    response.answers,
    'www.example. 300 IN CNAME api.production.local.\napi.production.local. 5 IN A 10.0.0.1',
  );
  assert.equal(cached('www.example. A'), undefined, 'what is in our zones is never cached');
});

test('a CNAME into an own zone that is not ready is SERVFAIL and not cached', async () => {
  const one = await upstream((asked) =>
    asked.send(asked.reply({ answers: 'www.example. 300 IN CNAME api.production.local.' })),
  );
  const { ask, cached } = forwarder([one], {
    ourZones: ['production.local.'],
    ourAnswer: () => ({ rcode: RCODE.SERVFAIL }),
  });
  assert.equal((await ask('www.example. A')).rcode, RCODE.SERVFAIL);
  assert.equal(cached('www.example. A'), undefined);
});

test('the rebinding filter removes private addresses, except for allowed names', async () => {
  const one = await upstream((asked) => {
    const name = asked.text.split(' ')[0];
    const answers = ['10.0.0.1', '127.0.0.1', '169.254.169.254', '192.0.2.1'].map((ip) => `${name} 60 IN A ${ip}`);
    asked.send(asked.reply({ answers: answers.join('\n') }));
  });
  const { ask, forwarder: made } = forwarder([one], {
    clock: fakeClock(),
    settings: { rebinding: { allow: ['office.example.'] } },
  });
  assertRecords((await ask('www.example. A')).answers, 'www.example. 60 IN A 192.0.2.1');
  assert.equal((await ask('printer.office.example. A')).answers.length, 4);
  assert.equal(made.counters.rebindingDropped, 3);
});

test('rebinding filter: an answer without its addresses is NODATA, whatever the authority section contains', async () => {
  const one = await upstream((asked) =>
    asked.send(asked.reply({ answers: 'www.example. 60 IN A 10.0.0.1', authorities: 'example. 60 IN NS ns.example.' })),
  );
  const { ask } = forwarder([one], { clock: fakeClock(), settings: { rebinding: { allow: [] } } });
  const response = await ask('www.example. A');
  assert.deepEqual([response.rcode, response.answers.length, response.authorities.length], [RCODE.NOERROR, 0, 0]);
});

const HINTS: Record<string, [value: string, passes: boolean]> = {
  'a private IPv4 hint': ['1 . alpn=h2 ipv4hint=192.0.2.1,10.0.0.1', false],
  'a private IPv4 hint of another block': ['1 . alpn=h2 ipv4hint=192.0.2.1,192.168.0.1', false],
  'a private IPv6 hint': ['1 . ipv6hint=2001:db8::1,fd00::1 port=443', false],
  'a mapped private address': ['1 . ipv6hint=::ffff:192.168.0.1', false],
  'public hints': ['1 www.example. alpn=h2 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1', true],
  'no hints': ['0 www.example.', true],
  'a port that looks like a hint': ['1 . port=2560', true],
};

for (const [what, [value, passes]] of Object.entries(HINTS)) {
  for (const type of ['HTTPS', 'SVCB']) {
    test(`rebinding filter: ${type} with ${what} ${passes ? 'passes' : 'is removed'}`, async () => {
      const one = await upstream((asked) =>
        asked.send(asked.reply({ answers: `www.example. 60 IN ${type} ${value}` })),
      );
      const { ask } = forwarder([one], { clock: fakeClock(), settings: { rebinding: { allow: [] } } });
      assert.equal((await ask(`www.example. ${type}`)).answers.length, passes ? 1 : 0);
    });
  }
}

test('YXDOMAIN keeps its DNAME (RFC 6672 section 2.2), and is cached for its TTL', async () => {
  const dname = 'example. 60 IN DNAME a-much-longer-name.example.net.';
  const one = await upstream((asked) => asked.send(asked.reply({ rcode: RCODE.YXDOMAIN, answers: dname })));
  const { ask, cached } = forwarder([one], { clock: fakeClock() });
  for (const response of [await ask('www.example. A'), cached('www.example. A')]) {
    assert.equal(response?.rcode, RCODE.YXDOMAIN);
    assertRecords(response?.answers ?? [], dname);
  }
});

/** Types with bytes that are no value of them. */
const MALFORMED: Record<string, string> = {
  'a TXT string longer than its record': 'TXT \\# 3 056162',
  'an A record of 5 bytes': 'A \\# 5 0102030405',
  'an AAAA record of 4 bytes': 'AAAA \\# 4 01020304',
  'an HTTPS parameter longer than its record': 'HTTPS \\# 8 0001000001000902',
  'a CAA record without a tag': 'CAA \\# 1 00',
};

for (const [what, value] of Object.entries(MALFORMED)) {
  test(`${what} is neither passed on nor cached, and the next server is queried`, async () => {
    const type = value.split(' ')[0];
    const bad = await upstream((asked) => asked.send(withRdata(asked, value)));
    const next = await upstream((asked) => asked.send(asked.reply({ rcode: 3, authorities: SOA })));
    assert.equal(
      (await forwarder([bad, next], { clock: fakeClock() }).ask(`www.example. ${type}`)).rcode,
      RCODE.NXDOMAIN,
    );
    const { ask, forwarder: made } = forwarder([bad], { clock: fakeClock() });
    const response = await ask(`www.example. ${type}`);
    assert.deepEqual([response.rcode, edeOf(response)], [RCODE.SERVFAIL, EDE.INVALID_DATA]);
    assert.equal(made.counters.malformed, 1);
  });
}

test('an empty TXT record, which some servers send, passes', async () => {
  const one = await upstream((asked) => asked.send(withRdata(asked, 'TXT \\# 0 ')));
  assert.equal((await forwarder([one], { clock: fakeClock() }).ask('www.example. TXT')).answers.length, 1);
});

/** A reply with one record of the type whose rdata are these bytes, well-formed or not. */
function withRdata(asked: Asked, value: string): Uint8Array {
  const [type, , , hex] = value.split(' ');
  const rdata = Buffer.from(hex, 'hex');
  const code = parseType(type) ?? 0;
  const fixed = [0xc0, 12, code >> 8, code & 255, 0, 1, 0, 0, 0, 60, 0, rdata.length];
  const reply = Uint8Array.from([...asked.reply({}), ...fixed, ...rdata]);
  reply[7] = 1;
  return reply;
}

test('TTL 0 is not cached, and a TTL above 2^31 is a long one (RFC 8767)', async () => {
  for (const [ttl, given] of [
    [0, 0],
    [2 ** 31, CACHE_DEFAULTS.maxTtlSeconds],
    [2 ** 32 - 1, CACHE_DEFAULTS.maxTtlSeconds],
  ]) {
    const one = await upstream((asked) => asked.send(asked.reply({ answers: `www.example. ${ttl} IN A 192.0.2.1` })));
    const { ask, cached } = forwarder([one], { clock: fakeClock() });
    assertRecords((await ask('www.example. A')).answers, `www.example. ${given} IN A 192.0.2.1`);
    assert.equal(cached('www.example. A') !== undefined, given > 0);
  }
});

test('upstream queries contain only the question: no client subnet, no cookie', async () => {
  const one = await upstream(good);
  const { forwarder: made } = forwarder([one], { clock: fakeClock() });
  const name = parseName('www.example.');
  const option = [0, 8, 0, 7, 0, 1, 24, 0, 198, 51, 100];
  const opt = [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, option.length, ...option];
  const query = Uint8Array.from([0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, ...name, 0, 1, 0, 1, ...opt]);
  await new Promise((resolve) => respondTo(made, query, 12 + name.length + 4, 1232, resolve));
  assert.deepEqual(one.asked[0].query.edns?.options, []);
  assert.notEqual(one.asked[0].query.id, 9);
});

test('IDs and source ports follow no pattern', async () => {
  const one = await upstream((asked) => asked.send(asked.reply({ authorities: SOA, rcode: 3 })));
  const { ask } = forwarder([one], { clock: fakeClock() });
  for (let i = 0; i < 200; i++) await ask(`n${i}.example. A`);
  const ids = new Set(one.asked.map(({ query }) => query.id));
  assert.ok(ids.size > 190, `${ids.size} different IDs`);
  assert.ok(new Set(one.asked.map(({ port }) => port)).size >= 5);
});

test('a thousand clients with the same question share one upstream query', async () => {
  const held: Asked[] = [];
  const one = await upstream((asked) => held.push(asked));
  const { ask, forwarder: made } = forwarder([one], { clock: fakeClock() });
  const all = Promise.all(Array.from({ length: 1000 }, (_, id) => ask('www.example. A', { id })));
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
  good(held[0]);
  const responses = await all;
  assert.deepEqual(
    responses.map(({ id }) => id),
    Array.from({ length: 1000 }, (_, id) => id),
  );
  assert.equal(one.asked.length, 1);
  assert.equal(made.counters.coalesced, 999);
});

test('beyond the limit of waiting clients the answer is SERVFAIL at once', async () => {
  const one = await upstream();
  const { ask, forwarder: made } = forwarder([one], { clock: fakeClock(), settings: { maxConcurrent: 10 } });
  const waiting = Array.from({ length: 10 }, (_, i) => ask(`n${i}.example. A`));
  assert.equal((await ask('n10.example. A')).rcode, RCODE.SERVFAIL);
  assert.equal(made.routes()[0].rejected, 1);
  made.close();
  assert.deepEqual([...new Set((await Promise.all(waiting)).map(({ rcode }) => rcode))], [RCODE.SERVFAIL]);
});

test('a dead route fills at most half of the places, and others are answered meanwhile', async () => {
  const dead = await upstream();
  const alive = await upstream((asked) => asked.send(asked.reply({ rcode: 3, authorities: SOA })));
  const { ask, forwarder: made } = forwarder([], {
    routes: [routeTo('dead.test.', [dead.port]), routeTo('.', [alive.port])],
    settings: { maxConcurrent: 10 },
  });
  const waiting = Array.from({ length: 20 }, (_, i) => ask(`n${i}.dead.test. A`));
  const refused = (await Promise.all(waiting.slice(5)))[0];
  assert.deepEqual([refused.rcode, edeOf(refused)], [RCODE.SERVFAIL, EDE.OTHER]);
  const option = refused.edns?.options.find(({ code }) => code === 15);
  assert.equal(
    Buffer.from(option?.data.subarray(2) ?? []).toString(),
    "too many queries are waiting for this zone's servers",
  );
  for (let i = 0; i < 5; i++) assert.equal((await ask(`n${i}.example. A`)).rcode, RCODE.NXDOMAIN);
  assert.deepEqual(
    made.routes().map(({ zone, waiting: now, rejected }) => [zone, now, rejected]),
    [
      ['dead.test.', 5, 15],
      ['.', 0, 0],
    ],
  );
});

test('all routes together stay within the global limit, and each within its own', async () => {
  const dead = await upstream();
  const zones = ['a.test.', 'b.test.', 'c.test.'];
  const routes = [
    ...zones.map((zone) => routeTo(zone, [dead.port])),
    routeTo('small.test.', [dead.port], { maxConcurrent: 3 }),
  ];
  const { ask, forwarder: made } = forwarder([], { clock: fakeClock(), routes, settings: { maxConcurrent: 64 } });
  for (let i = 0; i < 100; i++) for (const zone of ['small.test.', ...zones]) void ask(`n${i}.${zone} A`);
  const places = made.routes().map(({ waiting }) => waiting);
  assert.equal(places[3], 3);
  assert.ok(Math.min(...places.slice(0, 3)) >= 15, places.join(' '));
  assert.equal(
    made.gauges().waiting,
    places.reduce((sum, waiting) => sum + waiting, 0),
  );
  assert.ok(made.gauges().waiting < 64);
  made.close();
  assert.deepEqual([made.gauges().waiting, ...made.routes().map(({ waiting }) => waiting)], [0, 0, 0, 0, 0]);
});

test('a query without RD does not reveal what others have asked', async () => {
  const one = await upstream(good);
  const { ask, cached } = forwarder([one], { clock: fakeClock() });
  await ask('www.example. A');
  assert.equal(cached('www.example. A', { flags: 0 }), undefined);
  assert.ok(cached('www.example. A', { flags: FLAG.RD }));
});

test('queries with other CD, DO or RD bits are other questions: none waits for the answer to another', async () => {
  const held: Asked[] = [];
  const one = await upstream((asked) => held.push(asked));
  const { ask } = forwarder([one], { clock: fakeClock() });
  const asking = [{}, { flags: FLAG.RD | FLAG.CD }, { flags: 0 }, { dnssecOk: true }];
  const answers = asking.map((each) => ask('www.example. A', each));
  await until(() => held.length, asking.length);
  for (const asked of held) good(asked);
  await Promise.all(answers);
});

const RRSIG = 'A 13 2 300 20300101000000 20200101000000 1 example. AAAA';

test('with DO an answer has the signatures of its records, and no others', async () => {
  const mine = `www.example. 300 IN A 192.0.2.1\nwww.example. 300 IN RRSIG ${RRSIG}`;
  const others = `other.example. 300 IN RRSIG ${RRSIG}\nwww.example. 300 IN RRSIG ${RRSIG.replace('A 13', 'TXT 13')}`;
  const one = await upstream((asked) => asked.send(asked.reply({ answers: `${mine}\n${others}` })));
  const { ask } = forwarder([one], { clock: fakeClock() });
  assertRecords((await ask('www.example. A', { dnssecOk: true })).answers, mine);
  assertRecords((await ask('www.example. A')).answers, mine.split('\n')[0]);
  const signatures = `www.example. 300 IN RRSIG ${RRSIG}\nwww.example. 300 IN RRSIG ${RRSIG.replace('A 13', 'TXT 13')}`;
  assertRecords((await ask('www.example. RRSIG', { dnssecOk: true })).answers, signatures);
});

test('a chain of several replies is authentic only if all of them are', async () => {
  const flags = (asked: Asked) => FLAG.QR | FLAG.RA | (asked.text.startsWith('first') ? 0 : FLAG.AD);
  const one = await upstream((asked) =>
    asked.send(
      asked.reply({
        flags: flags(asked),
        answers: asked.text.startsWith('first')
          ? 'first.example. 60 IN CNAME www.example.'
          : 'www.example. 60 IN A 192.0.2.1',
      }),
    ),
  );
  const { ask } = forwarder([one], { clock: fakeClock() });
  const asking = { flags: FLAG.RD | FLAG.AD };
  assert.equal((await ask('first.example. A', asking)).flags & FLAG.AD, 0);
  assert.equal((await ask('www.example. A', asking)).flags & FLAG.AD, FLAG.AD);
});

/** RFC 6890, and what is beside its blocks. */
const PRIVATE = [
  '0.0.0.0',
  '10.255.0.1',
  '100.64.0.1',
  '100.127.255.1',
  '127.1.1.1',
  '169.254.1.1',
  '172.16.0.1',
  '172.31.0.1',
  '192.168.1.1',
];
const PUBLIC = [
  '1.0.0.1',
  '11.0.0.1',
  '100.63.0.1',
  '100.128.0.1',
  '169.253.1.1',
  '172.15.0.1',
  '172.32.0.1',
  '192.167.1.1',
  '192.169.0.1',
];
const PRIVATE6 = ['::', '::1', 'fc00::1', 'fdff::1', 'fe80::1', 'febf::1', '::ffff:10.0.0.1', '64:ff9b::10.0.0.1'];
const PUBLIC6 = [
  '::2',
  '2001:db8::1',
  'fe00::1',
  'fec0::1',
  '::ffff:192.0.2.1',
  '64:ff9b::192.0.2.1',
  '64:ff9b:1::10.0.0.1',
];

test('the rebinding filter knows exactly the private blocks', async () => {
  for (const [type, addresses, passing] of [
    ['A', [...PRIVATE, ...PUBLIC], PUBLIC],
    ['AAAA', [...PRIVATE6, ...PUBLIC6], PUBLIC6],
  ] as const) {
    const lines = (all: readonly string[]) => all.map((address) => `www.example. 60 IN ${type} ${address}`).join('\n');
    const one = await upstream((asked) =>
      asked.send(asked.reply({ flags: FLAG.QR | FLAG.AD, answers: lines(addresses) })),
    );
    const { ask } = forwarder([one], { clock: fakeClock(), settings: { rebinding: { allow: [] } } });
    const { answers, flags } = await ask(`www.example. ${type}`, { maxBytes: 65_535, flags: FLAG.RD | FLAG.AD });
    assert.equal(flags & FLAG.AD, 0, 'what is left of an answer is not authentic');
    assert.deepEqual(
      new Set(answers.map(({ rdata }) => formatIp(rdata))),
      new Set(passing.map((text) => formatIp(parseIp(text)!))),
    );
  }
});
