// Outages of upstreams: how soon after their end answers are right again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../src/dns/message/message.ts';
import { RCODE } from '../../src/dns/types.ts';
import { ROUTE_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { DATAGRAM_WAYS } from '../support/datagram-ways.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { forwarder, upstream } from '../support/forwarding.ts';
import { type Asked, answerFrom, type ScriptedUpstream, startScriptedUpstream } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';
import { assertRecords } from '../support/zone-text.ts';

const WWW = 'www.example. 300 IN A 192.0.2.1';
const NO_PROBES = { ...ROUTE_DEFAULTS.probe, intervalMs: 0 };
const BOTH = `${WWW}\nwarm.example. 300 IN A 192.0.2.9`;

/** Fails where the answer has not come by now: the clock stands still. */
async function soon(answer: Promise<Message>): Promise<Message> {
  let come: Message | undefined;
  void answer.then((message) => {
    come = message;
  });
  await until(() => come !== undefined, true, 3000);
  return answer;
}

for (const outageMs of [500, 2000, 3300]) {
  for (const warm of [true, false]) {
    const when = warm ? 'a server that was fast before' : 'a server that was never asked before';
    test(`an outage of ${outageMs} ms of ${when} delays the answer by at most a second`, async () => {
      const clock = fakeClock();
      const one = await upstream(answerFrom(BOTH));
      const { ask } = forwarder([one], { clock });
      if (warm) await ask('warm.example. A');
      one.script = () => {};
      const before = one.asked.length;
      const answer = ask('www.example. A');
      await until(() => one.asked.length > before, true);
      await clock.advance(outageMs);
      one.script = answerFrom(BOTH);
      await clock.advance(1000);
      assertRecords((await soon(answer)).answers, WWW);
    });
  }
}

test('attempts are spaced increasingly and continue until the deadline', async () => {
  const clock = fakeClock();
  const sentMs: number[] = [];
  const openSocket = () => ({
    send() {
      sentMs.push(clock.monotonicMs());
      return false;
    },
    close() {},
  });
  const { ask } = forwarder([{ port: 53 }], { clock, openSocket, route: { probe: NO_PROBES } });
  const answer = ask('www.example. A');
  await clock.advance(4600);
  assert.equal((await soon(answer)).rcode, RCODE.SERVFAIL);
  const gaps = sentMs.slice(1).map((ms, i) => ms - sentMs[i]);
  assert.ok(gaps.length >= 4 && gaps.every((gap, i) => gap <= 1000 && (i === 0 || gap >= gaps[i - 1] - 20)), `${gaps}`);
  assert.ok(4500 - sentMs[sentMs.length - 1] <= 1000, `${sentMs}`);
});

test('a single slow reply hardly delays the next attempt', async () => {
  const clock = fakeClock();
  const held: Asked[] = [];
  const one = await upstream((asked) => held.push(asked));
  const { ask } = forwarder([one], { clock, route: { attemptTimeoutMs: 4000, probe: NO_PROBES } });
  for (const [i, tookMs] of [10, 10, 90].entries()) {
    const answer = ask(`warm${i}.example. A`);
    await until(() => held.length, i + 1);
    await clock.advance(tookMs);
    answerFrom(`warm${i}.example. 300 IN A 192.0.2.1`)(held[i]);
    await answer;
  }
  void ask('www.example. A');
  await until(() => held.length, 4);
  await clock.advance(300);
  await until(() => held.length > 4, true, 3000);
});

test('over TCP, which retransmits by itself, a silent server is given twice as long in each round', async () => {
  const clock = fakeClock();
  const silent = await upstream();
  const { ask } = forwarder([silent], { clock, route: { forceTcp: true, attemptTimeoutMs: 500, probe: NO_PROBES } });
  const answer = ask('www.example. A');
  await until(() => silent.asked.length, 1);
  for (const [waitMs, attempts] of [
    [499, 1],
    [1, 2],
    [999, 2],
    [1, 3],
  ]) {
    await clock.advance(waitMs);
    await until(() => silent.asked.length, attempts);
  }
  await clock.advance(10_000);
  assert.equal((await soon(answer)).rcode, RCODE.SERVFAIL);
});

test('a server that refuses does not stop attempts while another one is silent', async () => {
  const clock = fakeClock();
  const gone = await startScriptedUpstream();
  await gone.close();
  const silent = await upstream();
  const { ask } = forwarder([silent, gone], { clock });
  const answer = ask('www.example. A');
  await until(() => silent.asked.length, 1);
  await clock.advance(2000);
  silent.script = answerFrom(WWW);
  await clock.advance(1000);
  assertRecords((await soon(answer)).answers, WWW);
});

test('a silent server is queried again, one that has answered SERVFAIL is not', async () => {
  const clock = fakeClock();
  const broken = await upstream((asked) => asked.send(asked.reply({ rcode: RCODE.SERVFAIL })));
  const silent = await upstream();
  const { ask } = forwarder([broken, silent], { clock });
  const answer = ask('www.example. A');
  await until(() => silent.asked.length, 1);
  silent.script = answerFrom(WWW);
  await clock.advance(1000);
  assertRecords((await soon(answer)).answers, WWW);
  const times = ({ asked }: ScriptedUpstream) => asked.filter(({ text }) => text === 'www.example. A').length;
  assert.deepEqual([times(broken), times(silent)], [1, 2]);
});

test('a server that resets each connection fails a query at once, and the failure is not cached', async () => {
  const one = await upstream((asked) => asked.reset());
  const { ask, cached } = forwarder([one], { clock: fakeClock(), route: { forceTcp: true, maxFails: 0 } });
  assert.equal((await soon(ask('www.example. A'))).rcode, RCODE.SERVFAIL);
  assert.equal(cached('www.example. A'), undefined);
  one.script = answerFrom(WWW);
  assertRecords((await soon(ask('www.example. A'))).answers, WWW);
});

test('a refusal is not cached: the first query after a restart of the server is answered', async () => {
  const gone = await startScriptedUpstream();
  await gone.close();
  const { ask, cached } = forwarder([gone], { clock: fakeClock() });
  assert.equal((await ask('www.example. A')).rcode, RCODE.SERVFAIL);
  assert.equal(cached('www.example. A'), undefined);
});

test('silence up to the deadline is cached for one second (RFC 9520), and no longer', async () => {
  const clock = fakeClock();
  const silent = await upstream();
  const { ask, cached } = forwarder([silent], { clock });
  const answer = ask('www.example. A');
  await clock.advance(4600);
  assert.equal((await soon(answer)).rcode, RCODE.SERVFAIL);
  assert.equal(cached('www.example. A')?.rcode, RCODE.SERVFAIL);
  await clock.advance(1000);
  assert.equal(cached('www.example. A'), undefined);
});

test('SERVFAIL of one server is cached although others were silent', async () => {
  const clock = fakeClock();
  const broken = await upstream((asked) => asked.send(asked.reply({ rcode: RCODE.SERVFAIL })));
  const silent = await upstream();
  const { ask, cached } = forwarder([broken, silent], { clock });
  const answer = ask('www.example. A');
  await until(() => silent.asked.length, 1);
  await clock.advance(4600);
  assert.equal((await soon(answer)).rcode, RCODE.SERVFAIL);
  await clock.advance(2000);
  assert.equal(cached('www.example. A')?.rcode, RCODE.SERVFAIL);
});

for (const [name, { make, skip }] of Object.entries(DATAGRAM_WAYS)) {
  test(`${name}: a reply that arrived while the thread was busy is read before its server counts as late`, {
    skip,
  }, async () => {
    const way = make();
    const one = await upstream((asked) => {
      answerFrom(WWW)(asked);
      // The reply is on its way; then nothing is read until long after the next attempt was due.
      process.nextTick(() => busyFor(700));
    });
    const { ask, forwarder: made } = forwarder([one], { openSocket: way.open, route: { probe: NO_PROBES } });
    // As the receive loop does.
    let open = true;
    const turn = () => {
      way.read();
      if (open) setImmediate(turn);
    };
    turn();
    const response = await ask('www.example. A');
    open = false;
    assertRecords(response.answers, WWW);
    const [{ failures, requests }] = made.upstreams();
    assert.deepEqual({ failures, requests }, { failures: 0, requests: 1 });
    made.close();
    way.close();
  });
}

function busyFor(milliseconds: number): void {
  const endMs = performance.now() + milliseconds;
  while (performance.now() < endMs);
}
