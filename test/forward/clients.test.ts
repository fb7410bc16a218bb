// Clients that ask for more than their share, and what others notice of it: nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../src/dns/ip.ts';
import { type Message, parseMessage } from '../../src/dns/message/message.ts';
import { FLAG, RCODE } from '../../src/dns/types.ts';
import { clientOf } from '../../src/forward/resolve/clients.ts';
import { type ClientLimits, FORWARD_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { composeQuestion, edeOf, forwarder, respondTo, type TestForwarder, upstream } from '../support/forwarding.ts';
import { type Asked, answerFrom, SOA } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';

const WWW = 'www.example. 300 IN A 192.0.2.1';
const MISSING = (asked: Asked) => asked.send(asked.reply({ rcode: 3, authorities: SOA }));
const SERVFAIL = (asked: Asked) => asked.send(asked.reply({ rcode: RCODE.SERVFAIL }));

async function setUp(limits: Partial<ClientLimits>, script: (asked: Asked) => void = () => {}) {
  const clock = fakeClock();
  const server = await upstream(script);
  const clients = { ...FORWARD_DEFAULTS.clients, ...limits };
  return { clock, server, ...forwarder([server], { clock, settings: { clients }, route: { attempts: 1 } }) };
}

type Response = Message | 'dropped';

/** Asks as the client of this address; the responses are in the order of their coming. */
function asker({ forwarder: made }: TestForwarder, address: string, maxBytes = 1232) {
  const responses: Response[] = [];
  return {
    responses,
    ask(question: string): void {
      const { bytes, questionEnd } = composeQuestion(question);
      const reply = (response: Uint8Array) =>
        void responses.push(response.length === 0 ? 'dropped' : parseMessage(response.slice()));
      respondTo(made, bytes, questionEnd, maxBytes, reply, parseIp(address));
    },
  };
}

const rcodes = (responses: readonly Response[]) =>
  responses.map((response) => (response === 'dropped' ? response : response.rcode));

for (const [kind, same, other] of [
  ['an IPv4 address', '192.0.2.1', '192.0.2.2'],
  ['an IPv6 /64', '2001:db8::1', '2001:db8:0:1::1'],
]) {
  test(`${kind} has a limited number of places to wait, and the others are for other clients`, async () => {
    const made = await setUp({ maxWaiting: 5 });
    const greedy = asker(made, same);
    for (let i = 0; i < 20; i++) greedy.ask(`n${i}.example. A`);
    assert.deepEqual(rcodes(greedy.responses), new Array(15).fill(RCODE.SERVFAIL));
    assert.deepEqual(
      greedy.responses.map((one) => one !== 'dropped' && edeOf(one)),
      new Array(15).fill(0),
    );
    assert.equal(made.forwarder.counters.clientWaiting, 15);
    assert.equal(made.forwarder.gauges().waiting, 5);
    const modest = asker(made, other);
    modest.ask('www.example. A');
    assert.equal(made.forwarder.gauges().waiting, 6);
    await until(() => made.server.asked.length, 6);
    made.server.script = MISSING;
    for (const asked of made.server.asked) MISSING(asked);
    await until(() => [greedy.responses.length, modest.responses.length], [20, 1]);
    greedy.ask('again.example. A');
    await until(() => greedy.responses.length, 21);
    assert.deepEqual(rcodes(greedy.responses.slice(-1)), [RCODE.NXDOMAIN], 'its places are free again');
  });
}

test('addresses of one IPv6 /64 are one client, and ::ffff:a.b.c.d is the client a.b.c.d', async () => {
  const made = await setUp({ maxWaiting: 1 });
  for (const [first, second] of [
    ['2001:db8::1', '2001:db8::ffff:2'],
    ['192.0.2.1', '::ffff:192.0.2.1'],
  ]) {
    asker(made, first).ask(`a-${first.length}.example. A`);
    const again = asker(made, second);
    again.ask(`b-${first.length}.example. A`);
    assert.deepEqual(rcodes(again.responses), [RCODE.SERVFAIL]);
  }
});

test('of 600 late replies to one client, all but a few are discarded', async () => {
  const made = await setUp({ maxWaiting: 1000 });
  const bomb = asker(made, '192.0.2.1');
  for (let i = 0; i < 600; i++) {
    bomb.ask(`n${i}.example. A`);
    // No more at once than a socket's buffer takes.
    if (i % 50 === 49) await until(() => made.server.asked.length, i + 1);
  }
  const bystander = asker(made, '192.0.2.2');
  bystander.ask('www.example. A');
  await until(() => made.server.asked.length, 601);
  await made.clock.advance(2000);
  for (const asked of made.server.asked) MISSING(asked);
  await until(() => bomb.responses.length, 600);
  const given = bomb.responses.filter((response) => response !== 'dropped').length;
  assert.ok(given > 0 && given <= 16, `${given} replies`);
  assert.equal(made.forwarder.counters.clientLate, 600 - given);
  assert.deepEqual(rcodes(bystander.responses), [RCODE.NXDOMAIN], 'a client that waits for little gets its late reply');
  assert.equal(made.forwarder.gauges().waiting, 0);
});

test('replies in time and replies over TCP are never discarded', async () => {
  for (const [waitMs, maxBytes] of [
    [1800, 1232],
    [2500, 65_535],
  ]) {
    const made = await setUp({ maxWaiting: 1000 });
    const client = asker(made, '192.0.2.1', maxBytes);
    for (let i = 0; i < 100; i++) client.ask(`n${i}.example. A`);
    await until(() => made.server.asked.length, 100);
    await made.clock.advance(waitMs);
    for (const asked of made.server.asked) MISSING(asked);
    await until(() => client.responses.length, 100);
    assert.deepEqual([...new Set(rcodes(client.responses))], [RCODE.NXDOMAIN]);
  }
});

for (const way of ['fetched', 'cached']) {
  test(`errors for one client (${way}) are limited: every second one beyond the limit is dropped, the others are truncated`, async () => {
    const made = await setUp({ errorsPerSecond: 10 }, SERVFAIL);
    const client = asker(made, '192.0.2.1');
    for (let i = 0; i < 30; i++) {
      client.ask(way === 'cached' ? 'same.example. A' : `n${i}.example. A`);
      await until(() => client.responses.length, i + 1);
    }
    const counts = { failed: 0, truncated: 0, dropped: 0 };
    for (const response of client.responses) {
      if (response === 'dropped') counts.dropped++;
      else if ((response.flags & FLAG.TC) !== 0) counts.truncated++;
      else counts.failed++;
    }
    assert.deepEqual(counts, {
      failed: way === 'cached' ? 20 : 10,
      truncated: way === 'cached' ? 5 : 10,
      dropped: way === 'cached' ? 5 : 10,
    });
    assert.equal(made.forwarder.counters.clientErrors, counts.dropped);
    assert.equal(made.forwarder.counters.clientTruncated, counts.truncated);
  });
}

test('errors over TCP, for other clients and after a second are not limited, and answers never are', async () => {
  const names = answerFrom(WWW);
  const made = await setUp({ errorsPerSecond: 2 }, (asked) =>
    asked.text.startsWith('www') ? names(asked) : SERVFAIL(asked),
  );
  const [client, tcp, other] = [asker(made, '192.0.2.1'), asker(made, '192.0.2.1', 65_535), asker(made, '192.0.2.2')];
  const next = async (one: typeof client, question: string) => {
    const before = one.responses.length;
    one.ask(question);
    await until(() => one.responses.length, before + 1);
    return rcodes(one.responses.slice(-1))[0];
  };
  for (let i = 0; i < 2; i++) assert.equal(await next(client, `a${i}.example. A`), RCODE.SERVFAIL);
  assert.equal(await next(client, 'a3.example. A'), 'dropped');
  assert.equal(made.forwarder.counters.clientErrors, 1);
  assert.equal(await next(tcp, 'b.example. A'), RCODE.SERVFAIL);
  assert.equal(await next(other, 'c.example. A'), RCODE.SERVFAIL);
  assert.notEqual(await next(client, 'a4.example. A'), RCODE.SERVFAIL, 'the first client is still known');
  for (let i = 0; i < 5; i++) assert.equal(await next(client, 'www.example. A'), RCODE.NOERROR);
  await made.clock.advance(1000);
  for (let i = 0; i < 2; i++) assert.equal(await next(client, `d${i}.example. A`), RCODE.SERVFAIL);
});

test('a limit of 0 is no limit', async () => {
  const made = await setUp({ errorsPerSecond: 0, discardMs: 0 }, SERVFAIL);
  const client = asker(made, '192.0.2.1');
  for (let i = 0; i < 300; i++) client.ask('same.example. A');
  await until(() => client.responses.length, 300);
  assert.deepEqual([...new Set(rcodes(client.responses))], [RCODE.SERVFAIL]);
});

test('a client is an IPv4 address, also a mapped one, or the /64 of an IPv6 address', () => {
  const client = (address: string) => clientOf(parseIp(address));
  assert.equal(client('::ffff:10.1.2.3'), client('10.1.2.3'));
  assert.equal(client('2001:db8::1'), client('2001:db8::2:0:0:1'));
  assert.equal(client('::ff:a01:203'), client('::ff00:a01:203'), 'not mapped, and in one /64');
  const others = [
    '10.1.2.3',
    '10.1.2.4',
    '10.1.3.3',
    '10.2.2.3',
    '11.1.2.3',
    '::ff:a01:203',
    '2001:db8::1',
    '2001:db8:0:1::1',
    '3001:db8::1',
  ];
  assert.equal(new Set(others.map(client)).size, others.length);
  assert.equal(clientOf(undefined), undefined);
});
