// What time does to answers, on a clock that the test advances (the upstream is real, so its replies are waited for).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseName } from '../../src/dns/name.ts';
import { EDE, FLAG, RCODE, TYPE } from '../../src/dns/types.ts';
import type { TargetAnswer } from '../../src/forward/resolve/target.ts';
import { PREFETCH_DEFAULTS, SERVE_STALE_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { type Asking, edeOf, forwarder, type TestForwarderOptions, upstream } from '../support/forwarding.ts';
import { type Asked, answerFrom, SOA } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';
import { assertRecords } from '../support/zone-text.ts';

const WWW = 'www.example. 300 IN A 192.0.2.1';
const NEW = 'www.example. 300 IN A 192.0.2.2';
const SERVFAIL = (asked: Asked) => asked.send(asked.reply({ rcode: RCODE.SERVFAIL }));

async function setUp(options: TestForwarderOptions = {}) {
  const clock = fakeClock();
  const server = await upstream(answerFrom(WWW));
  return { clock, server, ...forwarder([server], { clock, ...options }) };
}

test('TTLs decrease, and the answer is refreshed when they expire', async () => {
  const { clock, server, ask, cached } = await setUp();
  await ask('www.example. A');
  await clock.advance(100_000);
  assertRecords(cached('www.example. A')?.answers ?? [], 'www.example. 200 IN A 192.0.2.1');
  await clock.advance(199_999);
  assertRecords(cached('www.example. A')?.answers ?? [], 'www.example. 1 IN A 192.0.2.1');
  await clock.advance(1);
  assert.equal(cached('www.example. A'), undefined);
  server.script = answerFrom(NEW);
  assertRecords((await ask('www.example. A')).answers, NEW);
});

test('TTLs stay within the configured bounds, negative ones within theirs', async () => {
  const cache = { minTtlSeconds: 60, maxTtlSeconds: 120, minNegativeTtlSeconds: 5, maxNegativeTtlSeconds: 10 };
  const { clock, server, ask, cached } = await setUp({ cache });
  server.script = answerFrom(`${WWW}\nshort.example. 1 IN A 192.0.2.1`);
  assertRecords((await ask('www.example. A')).answers, 'www.example. 120 IN A 192.0.2.1');
  assertRecords((await ask('short.example. A')).answers, 'short.example. 60 IN A 192.0.2.1');
  assertRecords((await ask('none.example. A')).authorities, SOA.replace('3600 IN', '10 IN'));
  await clock.advance(10_000);
  assert.equal(cached('none.example. A'), undefined);
  assert.ok(cached('short.example. A'));
});

test('a failure is cached for servfailSeconds', async () => {
  const { clock, server, ask, cached } = await setUp({ cache: { servfailTtlSeconds: 5 } });
  server.script = SERVFAIL;
  await ask('www.example. A');
  await clock.advance(4999);
  assert.equal(cached('www.example. A')?.rcode, RCODE.SERVFAIL);
  await clock.advance(1);
  assert.equal(cached('www.example. A'), undefined);
});

const stale = { serveStale: SERVE_STALE_DEFAULTS };

test('serve-stale: if upstream servers fail, the expired answer is served with TTL 30 and EDE 3, then at once', async () => {
  const { clock, server, ask, cached, forwarder: made } = await setUp({ cache: stale });
  await ask('www.example. A');
  server.script = SERVFAIL;
  await clock.advance(301_000);
  assert.equal(cached('www.example. A'), undefined, 'upstreams are tried first');
  const old = await ask('www.example. A');
  assertRecords(old.answers, 'www.example. 30 IN A 192.0.2.1');
  assert.equal(edeOf(old), EDE.STALE_ANSWER);
  const asked = server.asked.length;
  assert.equal(edeOf(cached('www.example. A')), EDE.STALE_ANSWER);
  assert.equal(server.asked.length, asked);
  assert.equal(made.counters.servedStale, 2);
  server.script = answerFrom(NEW);
  await clock.advance(30_000);
  assert.equal(cached('www.example. A'), undefined, 'after the failure recheck time upstreams are tried again');
  assertRecords((await ask('www.example. A')).answers, NEW);
});

test('serve-stale: after 1.8 seconds the expired answer is served, and the late reply is still cached', async () => {
  const { clock, server, ask, cached } = await setUp({ cache: stale });
  await ask('www.example. A');
  const held: Asked[] = [];
  server.script = (asked) => held.push(asked);
  await clock.advance(301_000);
  let answered = false;
  const old = ask('www.example. A').then((response) => {
    answered = true;
    return response;
  });
  await until(() => held.length, 1);
  await clock.advance(1700);
  assert.equal(answered, false);
  await clock.advance(200);
  assert.equal(edeOf(await old), EDE.STALE_ANSWER);
  answerFrom(NEW)(held[0]);
  await until(() => cached('www.example. A')?.answers.length, 1);
  assertRecords(cached('www.example. A')?.answers ?? [], NEW);
});

test('serve-stale: where no more clients may wait, the expired answer is served at once', async () => {
  const { clock, server, ask } = await setUp({ cache: stale, settings: { maxConcurrent: 1 } });
  await ask('www.example. A');
  server.script = () => {};
  await clock.advance(301_000);
  const waiting = ask('other.example. A');
  await until(() => server.asked.length, 2);
  assert.equal(edeOf(await ask('www.example. A')), EDE.STALE_ANSWER);
  await clock.advance(5_000);
  assert.equal((await waiting).rcode, RCODE.SERVFAIL);
});

test('serve-stale: a name that was never answered has its late answer', async () => {
  const { clock, server, ask } = await setUp({ cache: stale });
  const held: Asked[] = [];
  server.script = (asked) => held.push(asked);
  const answer = ask('www.example. A');
  await until(() => held.length > 0, true);
  await clock.advance(2_500);
  answerFrom(NEW)(held[0]);
  assertRecords((await answer).answers, NEW);
});

test('serve-stale: NXDOMAIN is an answer and replaces the expired one', async () => {
  const { clock, server, ask } = await setUp({ cache: stale });
  await ask('www.example. A');
  server.script = answerFrom('');
  await clock.advance(301_000);
  assert.equal((await ask('www.example. A')).rcode, RCODE.NXDOMAIN);
});

test('serve-stale: an answer older than the limit is not served', async () => {
  const { clock, server, ask } = await setUp({ cache: { serveStale: { ...stale.serveStale, maxStaleSeconds: 100 } } });
  await ask('www.example. A');
  server.script = SERVFAIL;
  await clock.advance(400_000);
  assert.equal((await ask('www.example. A')).rcode, RCODE.SERVFAIL);
});

test('serve-stale with clientTimeoutSeconds 0: the expired answer is served at once and refreshed in the background', async () => {
  const { clock, server, ask, cached } = await setUp({
    cache: { serveStale: { ...SERVE_STALE_DEFAULTS, clientTimeoutMs: 0 } },
  });
  await ask('www.example. A');
  server.script = answerFrom(NEW);
  await clock.advance(301_000);
  assert.equal(edeOf(cached('www.example. A')), EDE.STALE_ANSWER);
  await clock.advance(20);
  await until(() => edeOf(cached('www.example. A')), undefined);
  assertRecords(cached('www.example. A')?.answers ?? [], NEW);
});

const AT_ONCE = { serveStale: { ...SERVE_STALE_DEFAULTS, clientTimeoutMs: 0 } };

for (const [what, script] of Object.entries({
  'with TTL 0': answerFrom(NEW.replace('300', '0')),
  'NODATA without SOA': (asked: Asked) => asked.send(asked.reply({})),
})) {
  test(`serve-stale with clientTimeoutSeconds 0: an answer ${what} is not cached, but ends the expired one`, async () => {
    const { clock, server, ask, cached } = await setUp({ cache: AT_ONCE });
    await ask('www.example. A');
    server.script = script;
    await clock.advance(301_000);
    assert.equal(edeOf(cached('www.example. A')), EDE.STALE_ANSWER);
    await clock.advance(20);
    await until(() => cached('www.example. A'), undefined);
    assert.notDeepEqual((await ask('www.example. A')).answers[0]?.rdata, Uint8Array.of(192, 0, 2, 1));
  });
}

for (const [what, script] of Object.entries({
  NXDOMAIN: answerFrom(''),
  'an answer with TTL 0': answerFrom(NEW.replace('300', '0')),
})) {
  for (const cache of [AT_ONCE, stale]) {
    const { clientTimeoutMs } = cache.serveStale;
    test(`serve-stale after ${clientTimeoutMs} ms: ${what} to a query without DO ends the expired answer of those with DO`, async () => {
      const { clock, server, ask, cached } = await setUp({ cache });
      await ask('www.example. A', { dnssecOk: true });
      await clock.advance(200_000);
      server.script = script;
      await ask('www.example. A');
      assert.ok(cached('www.example. A', { dnssecOk: true }), 'it is still fresh');
      await clock.advance(101_000);
      server.script = SERVFAIL;
      assert.equal(cached('www.example. A', { dnssecOk: true }), undefined);
      const { answers } = await ask('www.example. A', { dnssecOk: true });
      assert.equal(answers.length, 0);
    });
  }
}

test('serve-stale: an answer to a query with CD does not end the expired one of those without', async () => {
  const { clock, server, ask, cached } = await setUp({ cache: AT_ONCE });
  await ask('www.example. A');
  await clock.advance(301_000);
  server.script = answerFrom('');
  await ask('www.example. A', { flags: FLAG.RD | FLAG.CD });
  assert.equal(edeOf(cached('www.example. A')), EDE.STALE_ANSWER);
});

test('serve-stale: an incomplete answer (TC over TCP) ends the expired one', async () => {
  const { clock, server, ask, cached } = await setUp({ cache: stale });
  await ask('www.example. A');
  server.script = (asked) => asked.send(asked.reply({ flags: FLAG.QR | FLAG.TC, answers: NEW }));
  await clock.advance(301_000);
  assertRecords((await ask('www.example. A')).answers, NEW);
  server.script = SERVFAIL;
  assert.equal((await ask('www.example. A')).rcode, RCODE.SERVFAIL);
  assert.equal(edeOf(cached('www.example. A')), EDE.NETWORK_ERROR);
});

const SIGNED = `${WWW}\nwww.example. 300 IN RRSIG A 13 2 300 20300101000000 20200101000000 1 example. AAAA`;
/** Queries with other DO and CD bits than those of the answer that is in the cache. */
const OTHERS: Record<string, [stored: Asking, asked: Asking, records: string | undefined]> = {
  'DO gets what is stored without': [{}, { dnssecOk: true }, WWW],
  'CD gets what is stored without': [{}, { flags: FLAG.RD | FLAG.CD }, WWW],
  'DO and CD get what is stored without': [{}, { dnssecOk: true, flags: FLAG.RD | FLAG.CD }, WWW],
  'no DO gets what is stored with DO, without its signatures': [{ dnssecOk: true }, {}, WWW],
  'no CD gets nothing of what CD let pass': [{ flags: FLAG.RD | FLAG.CD }, {}, undefined],
  'RD=0 gets nothing that is stale (RFC 8767 section 5)': [{ flags: 0 }, { flags: 0 }, undefined],
  'RD=0 gets nothing that is stored for RD=1': [{}, { flags: 0 }, undefined],
};

for (const [what, [stored, asked, records]] of Object.entries(OTHERS)) {
  test(`serve-stale: ${what}`, async () => {
    const { clock, server, ask, cached } = await setUp({ cache: stale });
    server.script = (query) => query.send(query.reply({ answers: query.query.edns?.dnssecOk ? SIGNED : WWW }));
    await ask('www.example. A', stored);
    server.script = SERVFAIL;
    await clock.advance(301_000);
    const old = await ask('www.example. A', asked);
    assert.equal(edeOf(old), records === undefined ? EDE.NETWORK_ERROR : EDE.STALE_ANSWER);
    assertRecords(old.answers, (records ?? '').replace('300 IN', '30 IN'));
    if (records === undefined) return;
    const count = server.asked.length;
    for (const ms of [0, 29_999]) {
      await clock.advance(ms);
      assert.equal(edeOf(cached('www.example. A', asked)), EDE.STALE_ANSWER, 'for failureRecheckSeconds, at once');
    }
    await clock.advance(1);
    assert.equal(cached('www.example. A', asked), undefined);
    assert.equal(server.asked.length, count);
  });
}

test('serve-stale: a flush while a refresh fails is not undone by the failure', async () => {
  const { clock, server, ask, cached, forwarder: made } = await setUp({ cache: stale });
  await ask('www.example. A');
  const held: Asked[] = [];
  server.script = (asked) => held.push(asked);
  await clock.advance(301_000);
  const old = ask('www.example. A');
  await until(() => held.length, 1);
  made.flush({ kind: 'all' });
  SERVFAIL(held[0]);
  assert.equal(edeOf(await old), EDE.STALE_ANSWER);
  assert.notEqual(edeOf(cached('www.example. A')), EDE.STALE_ANSWER);
});

test('serve-stale: an expired answer does not have AD set', async () => {
  const { clock, server, ask } = await setUp({ cache: stale });
  server.script = (asked) => asked.send(asked.reply({ flags: FLAG.QR | FLAG.RA | FLAG.AD, answers: WWW }));
  assert.equal((await ask('www.example. A', { flags: FLAG.RD | FLAG.AD })).flags & FLAG.AD, FLAG.AD);
  server.script = SERVFAIL;
  await clock.advance(301_000);
  const old = await ask('www.example. A', { flags: FLAG.RD | FLAG.AD });
  assert.deepEqual([edeOf(old), old.flags & FLAG.AD], [EDE.STALE_ANSWER, 0]);
});

test('serve-stale: the expired target of an alias of ours is also served at once after a failure', async () => {
  const { clock, server, ask, forwarder: made } = await setUp({ cache: stale });
  await ask('www.example. A');
  server.script = SERVFAIL;
  await clock.advance(301_000);
  await ask('www.example. A');
  let target: TargetAnswer | undefined;
  made.resolveTarget(parseName('www.example.'), TYPE.A, false, undefined, (answer) => {
    target = answer;
  });
  assert.deepEqual([target?.stale, target?.records.length, target?.records[0]?.ttlSeconds], [true, 1, 30]);
});

test('prefetch: a popular answer is refreshed once shortly before it expires', async () => {
  const { clock, server, ask, cached, forwarder: made } = await setUp({ cache: { prefetch: PREFETCH_DEFAULTS } });
  await ask('www.example. A');
  await clock.advance(275_000);
  server.script = answerFrom(NEW);
  for (let i = 0; i < 10; i++) assertRecords(cached('www.example. A')?.answers ?? [], WWW.replace('300', '25'));
  await clock.advance(20);
  await until(() => cached('www.example. A')?.answers[0].ttlSeconds, 300);
  assertRecords(cached('www.example. A')?.answers ?? [], NEW);
  assert.deepEqual([server.asked.length, made.counters.prefetches], [2, 1]);
});

test('prefetch: if it fails, the answer is served until it expires', async () => {
  const { clock, server, ask, cached, forwarder: made } = await setUp({ cache: { prefetch: PREFETCH_DEFAULTS } });
  await ask('www.example. A');
  await clock.advance(275_000);
  server.script = SERVFAIL;
  for (let i = 0; i < 10; i++) cached('www.example. A');
  await clock.advance(20);
  await until(() => made.counters.failed, 1);
  assertRecords(cached('www.example. A')?.answers ?? [], WWW.replace('300', '25'));
});

test('prefetch: an unpopular answer is not refreshed', async () => {
  const { clock, server, ask, cached } = await setUp({ cache: { prefetch: PREFETCH_DEFAULTS } });
  await ask('www.example. A');
  for (let i = 0; i < 4; i++) {
    await clock.advance(70_000);
    cached('www.example. A');
  }
  await clock.advance(1000);
  assert.equal(server.asked.length, 1);
});

test('local answers are neither prefetched nor served stale', async () => {
  for (const cache of [
    { prefetch: PREFETCH_DEFAULTS },
    { serveStale: { ...SERVE_STALE_DEFAULTS, clientTimeoutMs: 0 } },
  ]) {
    const entries = [{ address: '10.0.0.1', names: ['printer.office.'] }];
    const hosts = { files: [], entries, ttlSeconds: 100, reverse: true };
    const { clock, server, cached } = await setUp({ cache, settings: { hosts } });
    for (let second = 0; second < 120; second += 1) {
      await clock.advance(1000);
      const response = cached('printer.office. A');
      assert.deepEqual([response?.answers.length, edeOf(response)], [1, undefined]);
    }
    assert.equal(server.asked.length, 0);
  }
});

test('an expired failure is neither listed nor kept, with or without serve-stale', async () => {
  for (const cache of [{}, stale]) {
    const { clock, server, ask, cached, forwarder: made } = await setUp({ cache });
    await ask('www.example. A');
    server.script = SERVFAIL;
    await ask('broken.example. A');
    const listed = () => made.list(10).map(({ name }) => name);
    assert.deepEqual(listed(), ['broken.example.', 'www.example.']);
    await clock.advance(5000);
    assert.deepEqual(listed(), ['www.example.']);
    assert.equal(cached('broken.example. A'), undefined);
    assert.equal(made.gauges().entries, 1);
    await clock.advance(300_000);
    assert.equal(cached('www.example. A'), undefined);
    assert.deepEqual(listed(), 'serveStale' in cache ? ['www.example.'] : []);
    assert.equal(made.gauges().entries, 'serveStale' in cache ? 1 : 0);
  }
});

test('flush removes everything, one name, or a subtree, and queries in progress are not cached afterwards', async () => {
  const { server, ask, cached, forwarder: made } = await setUp();
  const names = ['www.example. A', 'www.example. AAAA', 'a.www.example. A', 'b.test. A'];
  const fill = () => Promise.all(names.map((name) => ask(name)));
  const left = () => names.filter((name) => cached(name) !== undefined);
  const { parseName } = await import('../../src/dns/name.ts');
  await fill();
  assert.equal(made.flush({ kind: 'name', name: parseName('www.example.') }), 2);
  assert.deepEqual(left(), ['a.www.example. A', 'b.test. A']);
  await fill();
  made.flush({ kind: 'below', name: parseName('www.example.') });
  assert.deepEqual(left(), ['b.test. A']);
  assert.deepEqual(
    made.list(10).map(({ name, type }) => `${name} ${type}`),
    ['b.test. A'],
  );
  const held: Asked[] = [];
  server.script = (asked) => held.push(asked);
  const waiting = ask('www.example. A');
  await until(() => held.length, 1);
  made.flush({ kind: 'all' });
  answerFrom(WWW)(held[0]);
  await waiting;
  assert.deepEqual(left(), []);
});

test('answers of disabledZones and negative answers of disabledNegativeZones are not cached', async () => {
  const { ask, cached } = await setUp({
    cache: { disabledZones: ['www.example.'], disabledNegativeZones: ['example.'] },
  });
  for (const name of ['www.example. A', 'none.example. A', 'none.test. A']) await ask(name);
  assert.deepEqual(
    ['www.example. A', 'none.example. A', 'none.test. A'].map((name) => cached(name) !== undefined),
    [false, false, true],
  );
});

test('failures in disabledZones are not cached', async () => {
  const one = await upstream((asked) => asked.send(asked.reply({ rcode: RCODE.SERVFAIL })));
  const { ask, cached } = forwarder([one], {
    cache: { disabledZones: ['a.example.'], disabledNegativeZones: ['b.example.'] },
  });
  const names = ['a.example. A', 'b.example. A', 'c.example. A'];
  for (const name of names) assert.equal((await ask(name)).rcode, RCODE.SERVFAIL);
  assert.deepEqual(
    names.map((name) => cached(name) !== undefined),
    [false, false, true],
  );
});

test('serve-stale: clients that wait for the same answer leave no deadline behind', async () => {
  const { clock, server, ask, forwarder: made } = await setUp({ cache: stale });
  await ask('www.example. A');
  await clock.advance(301_000);
  const held: Asked[] = [];
  server.script = (asked) => held.push(asked);
  const answers = [1, 2, 3].map(() => ask('www.example. A'));
  await until(() => held.length, 1);
  answerFrom(NEW)(held[0]!);
  for (const answer of answers) assertRecords((await answer).answers, NEW);
  const { deadlines, sockets } = made.gauges();
  assert.equal(deadlines, sockets, 'one for the life of each socket');
});

test('serve-stale: a client that joins a refresh under way gets the expired answer once its patience is over', async () => {
  const cache = { prefetch: PREFETCH_DEFAULTS, serveStale: SERVE_STALE_DEFAULTS };
  const { clock, server, ask, cached } = await setUp({ cache });
  server.script = answerFrom('www.example. 20 IN A 192.0.2.1');
  await ask('www.example. A');
  await clock.advance(19_000);
  server.script = () => {};
  for (let i = 0; i < 10; i++) cached('www.example. A');
  await clock.advance(20);
  await until(() => server.asked.length, 2);
  await clock.advance(980);
  let given: number | undefined;
  void ask('www.example. A').then((response) => {
    given = edeOf(response);
  });
  await clock.advance(SERVE_STALE_DEFAULTS.clientTimeoutMs - 1);
  assert.equal(given, undefined);
  await clock.advance(20);
  assert.equal(given, EDE.STALE_ANSWER);
});
