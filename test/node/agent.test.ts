// An agent beside a replica: what it holds is what the replica says, and what it does not know it asks.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DSO_TYPE, isDso, parseTlvs } from '../../src/dns/dso/message.ts';
import { composeKeepalive } from '../../src/dns/dso/operations.ts';
import { parseName } from '../../src/dns/name.ts';
import { EDE } from '../../src/dns/types.ts';
import { explainName } from '../../src/node/explain.ts';
import { agentReadings } from '../../src/node/readings.ts';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { startFakeReplica } from '../support/fake-replica.ts';
import { type AgentOptions, startTestAgent } from '../support/node-agent.ts';
import { startScriptedUpstream } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';

const WWW = `
  www.test. 5 IN A 192.0.2.1
  www.test. 5 IN A 192.0.2.2`;
const BOTH = 'www.test. 5 IN A 192.0.2.1\nwww.test. 5 IN A 192.0.2.2';

async function setUp(t: TestContext, zone: string, options: Partial<AgentOptions> = {}) {
  const clock = fakeClock();
  const replica = await startFakeReplica(zone);
  t.after(() => replica.close());
  const agent = startTestAgent(t, { clock, push: [replica.port], ...options });
  await until(agent.hasBeenFresh, true);
  return { agent, clock, replica };
}

/** Time goes on, and the replica is heard of: a question that is never cached for so long goes there and back. */
async function pass(clock: FakeClock, agent: ReturnType<typeof startTestAgent>, milliseconds: number): Promise<void> {
  for (let left = milliseconds; left > 0; left -= 6_000) {
    await clock.advance(Math.min(left, 6_000));
    await agent.answer('there-and-back.test. NS');
  }
}

/** "www.test. A" was asked and its first set has come. */
async function hold(agent: ReturnType<typeof startTestAgent>, question: string): Promise<void> {
  await agent.answer(question);
  await until(() => agent.held.sample(1000).length > 0, true);
}

test('the first question is asked over the session, later ones are answered from what is held', async (t) => {
  const { agent, replica } = await setUp(t, WWW);
  assert.equal(await agent.answer('WWW.test. A'), BOTH.replaceAll('www', 'WWW'));
  await until(replica.subscriptions, ['www.test. A']);
  await until(() => agent.held.sample(9).length, 1);
  for (let i = 0; i < 5; i++) assert.equal(await agent.answer('www.test. A'), BOTH);
  assert.deepEqual(replica.asked, ['www.test. A']);
});

test('a pushed change is in the next answer, and held records do not age', async (t) => {
  const { agent, clock, replica } = await setUp(t, WWW);
  await hold(agent, 'www.test. A');
  replica.push('-www.test. 5 IN A 192.0.2.1');
  await until(() => agent.answer('www.test. A'), 'www.test. 5 IN A 192.0.2.2');
  replica.push('+www.test. 5 IN A 192.0.2.9');
  await until(() => agent.answer('www.test. A'), 'www.test. 5 IN A 192.0.2.2\nwww.test. 5 IN A 192.0.2.9');
  replica.zone = 'www.test. 5 IN A 192.0.2.2\nwww.test. 5 IN A 192.0.2.9';
  // Less than until the audit asks again.
  for (let i = 0; i < 5; i++) {
    await pass(clock, agent, 10_000);
    await agent.answer('www.test. A');
  }
  assert.equal(await agent.answer('www.test. A'), 'www.test. 5 IN A 192.0.2.2\nwww.test. 5 IN A 192.0.2.9');
  assert.deepEqual(
    replica.asked.filter((question) => question.startsWith('www')),
    ['www.test. A'],
  );
});

test('when the last record is removed the replica is asked for the negative answer', async (t) => {
  const { agent, replica } = await setUp(t, 'www.test. 5 IN A 192.0.2.1');
  await hold(agent, 'www.test. A');
  replica.zone = '';
  replica.push('-www.test. 5 IN A 192.0.2.1');
  await until(() => agent.answer('www.test. A'), 'NXDOMAIN');
  replica.push('+www.test. 5 IN A 192.0.2.3');
  await until(() => agent.answer('www.test. A'), 'www.test. 5 IN A 192.0.2.3');
});

test('a negative answer is not subscribed, and asked again after 5 seconds', async (t) => {
  const { agent, clock, replica } = await setUp(t, '');
  assert.equal(await agent.answer('new.test. A'), 'NXDOMAIN');
  replica.zone = 'new.test. 5 IN A 192.0.2.1';
  assert.equal(await agent.answer('new.test. A'), 'NXDOMAIN');
  assert.deepEqual(replica.subscriptions(), []);
  await clock.advance(5_100);
  assert.equal(await agent.answer('new.test. A'), 'new.test. 5 IN A 192.0.2.1');
});

test('another type of a held name is asked for, and never NODATA by itself', async (t) => {
  const { agent, replica } = await setUp(t, `${WWW}\n www.test. 5 IN AAAA 2001:db8::1`);
  await hold(agent, 'www.test. A');
  assert.equal(await agent.answer('www.test. AAAA'), 'www.test. 5 IN AAAA 2001:db8::1');
  assert.equal(await agent.answer('below.www.test. A'), 'NXDOMAIN');
  assert.deepEqual(replica.asked, ['www.test. A', 'www.test. AAAA', 'below.www.test. A']);
});

test('an alias is followed through names that are held, each subscribed', async (t) => {
  const zone = 'www.test. 5 IN CNAME api.test.\napi.test. 5 IN A 192.0.2.1';
  const { agent, replica } = await setUp(t, zone);
  await agent.answer('www.test. A');
  await until(replica.subscriptions, ['api.test. A', 'www.test. A']);
  await until(() => agent.answer('www.test. A'), 'api.test. 5 IN A 192.0.2.1\nwww.test. 5 IN CNAME api.test.');
  replica.push('-api.test. 5 IN A 192.0.2.1\n+api.test. 5 IN A 192.0.2.2');
  await until(() => agent.answer('www.test. A'), 'api.test. 5 IN A 192.0.2.2\nwww.test. 5 IN CNAME api.test.');
});

test('a state that comes in several messages is answered when it is whole', async (t) => {
  const { agent, replica } = await setUp(t, WWW);
  await hold(agent, 'www.test. A');
  replica.push('-www.test. 5 IN A 192.0.2.1\n-www.test. 5 IN A 192.0.2.2\n+www.test. 5 IN A 192.0.2.3', true);
  await until(() => agent.replicas.session()?.pushes, 2);
  assert.equal(await agent.answer('www.test. A'), BOTH);
  replica.push('+www.test. 5 IN A 192.0.2.4');
  await until(() => agent.answer('www.test. A'), 'www.test. 5 IN A 192.0.2.3\nwww.test. 5 IN A 192.0.2.4');
});

test('weights and the limit of answers are those of the replica', async (t) => {
  const clock = fakeClock();
  const replica = await startFakeReplica(WWW);
  t.after(() => replica.close());
  replica.rules = { maxAnswers: 1 };
  const agent = startTestAgent(t, { clock, push: [replica.port] });
  await until(agent.hasBeenFresh, true);
  await hold(agent, 'www.test. A');
  const seen = new Set<string>();
  for (let i = 0; i < 40; i++) seen.add(await agent.answer('www.test. A'));
  assert.deepEqual([...seen].sort(), ['www.test. 5 IN A 192.0.2.1', 'www.test. 5 IN A 192.0.2.2']);
});

test('after the session is lost, records age by their TTL with EDE 3, and are never answered later', async (t) => {
  const { agent, clock, replica } = await setUp(t, WWW);
  await hold(agent, 'www.test. A');
  replica.script = () => true;
  replica.cut();
  await until(() => agent.replicas.session(), undefined);
  const { edns } = await agent.ask('www.test. A');
  assert.equal(
    edns?.options.some(({ code, data }) => code === 15 && data[1] === EDE.STALE_ANSWER),
    true,
  );
  await clock.advance(2_500);
  assert.equal(await agent.answer('www.test. A'), BOTH.replaceAll(' 5 IN', ' 2 IN'));
  assert.match(
    explainName(agent, parseName('www.test.')),
    /A from before the session was lost, TTL 1 s; in use\n {4}192/,
  );
  assert.match(explainName(agent, parseName('other.test.')), /nothing is held: the next question is SERVFAIL/);
  await clock.advance(3_000);
  const after = agent.answer('www.test. A');
  await clock.advance(10_000);
  assert.equal(await after, 'SERVFAIL');
  assert.match(explainName(agent, parseName('www.test.')), /A nothing that is held is young enough without a session;/);
});

test('records age from the end of a session that the replica closed, however long it had nothing to say', async (t) => {
  const { agent, clock, replica } = await setUp(t, WWW);
  await hold(agent, 'www.test. A');
  replica.script = () => true;
  await clock.advance(10_000);
  for (const socket of replica.sockets) socket.end();
  await until(() => agent.replicas.session(), undefined);
  await clock.advance(2_500);
  assert.equal(await agent.answer('www.test. A'), BOTH.replaceAll(' 5 IN', ' 2 IN'));
});

test('a new session replaces whole RRsets, those that are empty now as well', async (t) => {
  const { agent, clock, replica } = await setUp(t, `${WWW}\n api.test. 5 IN A 192.0.2.7`);
  await hold(agent, 'www.test. A');
  await hold(agent, 'api.test. A');
  await until(() => agent.held.sample(9).length, 2);
  replica.zone = 'www.test. 5 IN A 192.0.2.8';
  replica.cut();
  await until(() => agent.replicas.session(), undefined);
  await clock.advance(1_000);
  await until(() => agent.answer('www.test. A'), 'www.test. 5 IN A 192.0.2.8');
  await until(() => agent.answer('api.test. A'), 'NXDOMAIN');
  await clock.advance(1_000);
  const { edns } = await agent.ask('www.test. A');
  assert.deepEqual(edns?.options, []);
});

test('a replica that is silent for 30 seconds is left for the next one', async (t) => {
  const other = await startFakeReplica('www.test. 5 IN A 192.0.2.5');
  t.after(() => other.close());
  const clock = fakeClock();
  const replica = await startFakeReplica(WWW);
  t.after(() => replica.close());
  const agent = startTestAgent(t, { clock, push: [replica.port, other.port] });
  await until(agent.hasBeenFresh, true);
  await hold(agent, 'www.test. A');
  replica.isSilent = true;
  await clock.advance(29_000);
  assert.equal(agent.replicas.session() === undefined, false);
  await clock.advance(5_000);
  await until(() => agent.replicas.address(), `127.0.0.1:${other.port}`);
  await clock.advance(500);
  await until(() => agent.answer('www.test. A'), 'www.test. 5 IN A 192.0.2.5');
});

test('without a session, ordinary servers are asked, and what they say is not held afterwards', async (t) => {
  const dns = await startScriptedUpstream((asked) =>
    asked.send(asked.reply({ answers: 'www.test. 30 IN A 192.0.2.6' })),
  );
  t.after(() => dns.close());
  const { agent, clock, replica } = await setUp(t, WWW, { dns: [dns.port] });
  replica.script = () => true;
  replica.cut();
  await until(() => agent.replicas.session(), undefined);
  assert.equal(await agent.answer('www.test. A'), 'www.test. 30 IN A 192.0.2.6');
  replica.script = undefined;
  replica.cut();
  await clock.advance(6_000);
  await until(() => agent.replicas.session() !== undefined, true);
  assert.equal(await agent.answer('www.test. A'), BOTH);
});

test('a replica that has accepted the connection is given 20 seconds to answer, because many may come at once', async (t) => {
  const clock = fakeClock();
  const replica = await startFakeReplica(WWW);
  t.after(() => replica.close());
  let requests = 0;
  replica.script = () => {
    requests++;
    return true;
  };
  const agent = startTestAgent(t, { clock, push: [replica.port] });
  await until(() => requests, 1);
  await clock.advance(19_000);
  assert.equal(agent.replicas.counts.failed, 0);
  await clock.advance(1_000);
  assert.deepEqual(
    [agent.replicas.counts.failed, agent.replicas.trouble()],
    [1, `127.0.0.1:${replica.port}: no session within 20 s`],
  );
});

test('a session that fails is tried less and less often', async (t) => {
  const { agent, clock, replica } = await setUp(t, WWW);
  replica.refusal = undefined;
  await replica.close();
  await until(() => agent.replicas.session(), undefined);
  for (let i = 0; i < 60; i++) {
    await clock.advance(2_000);
    await until(() => agent.replicas.trouble(), `127.0.0.1:${replica.port}: ECONNREFUSED`);
  }
  const { failed } = agent.replicas.counts;
  assert.ok(failed >= 4 && failed <= 12, `${failed} attempts in 2 minutes`);
});

test('a session with nothing to say lives by its keepalives, at the interval that the replica grants', async (t) => {
  const { agent, clock, replica } = await setUp(t, WWW);
  let keepalives = 0;
  replica.script = (message) => {
    if (isDso(message) && parseTlvs(message)[0].type === DSO_TYPE.KEEPALIVE) keepalives++;
    return false;
  };
  const isHeardNow = () => agent.replicas.session()?.lastHeardMs === clock.monotonicMs();
  for (let i = 1; i <= 6; i++) {
    await clock.advance(12_500);
    await until(isHeardNow, true);
    assert.equal(keepalives, i);
  }
  replica.send(composeKeepalive(0, false, { inactivityMs: 60_000, keepaliveMs: 60_000 }));
  await clock.advance(100);
  await until(isHeardNow, true);
  await clock.advance(50_000);
  assert.deepEqual([keepalives, agent.replicas.counts.lost], [6, 0]);
});

test('the staleness metric is the age of the oldest answer that may be given', async (t) => {
  const { agent, clock, replica } = await setUp(t, WWW);
  const staleness = () => agentReadings(agent).find(({ name }) => name === 'healthdns_node_staleness_seconds')?.value;
  await hold(agent, 'www.test. A');
  await clock.advance(10_000);
  assert.equal(staleness(), 0);
  await agent.answer('there-and-back.test. NS');
  replica.script = () => true;
  replica.cut();
  await until(() => agent.replicas.session(), undefined);
  await clock.advance(2_000);
  assert.equal(staleness(), 2);
  await clock.advance(5_000);
  assert.equal(staleness(), 0, 'everything has expired');
  replica.script = undefined;
  replica.cut();
  await clock.advance(60_000);
  await until(() => agent.replicas.session() !== undefined, true);
  await until(() => agent.answer('www.test. A'), BOTH);
  assert.equal(staleness(), 0);
});

test('RETRY DELAY ends the session, and the other replica is used meanwhile', async (t) => {
  const { composeRetryDelay } = await import('../../src/dns/dso/operations.ts');
  const clock = fakeClock();
  const [one, two] = [await startFakeReplica(WWW), await startFakeReplica(WWW)];
  t.after(() => Promise.all([one.close(), two.close()]));
  const agent = startTestAgent(t, { clock, push: [one.port, two.port] });
  await until(agent.hasBeenFresh, true);
  one.send(composeRetryDelay(0, 60_000));
  await until(() => agent.replicas.counts.retryDelays, 1);
  assert.equal(agent.replicas.trouble(), `127.0.0.1:${one.port}: asked to come back in 60.0 s (RETRY DELAY)`);
  await clock.advance(500);
  await until(() => two.sockets.size, 1);
  assert.equal(one.sockets.size, 0);
});

test('what nobody asks for is unsubscribed', async (t) => {
  const { agent, clock, replica } = await setUp(t, `${WWW}\n api.test. 5 IN A 192.0.2.7`, {
    hold: { unusedSeconds: 60 },
  });
  await hold(agent, 'www.test. A');
  await agent.answer('api.test. A');
  await until(replica.subscriptions, ['api.test. A', 'www.test. A']);
  for (let i = 0; i < 12; i++) {
    await agent.answer('www.test. A');
    await pass(clock, agent, 10_000);
  }
  await until(replica.subscriptions, ['www.test. A']);
  assert.equal(agent.held.counts.unused, 1);
});

test('the RRset unused longest makes room for a new one', async (t) => {
  const zone = Array.from({ length: 20 }, (_, i) => `n${i}.test. 5 IN A 192.0.2.${i}`).join('\n');
  const { agent, clock, replica } = await setUp(t, zone, { hold: { rrsets: 16, unusedSeconds: 80 } });
  for (let i = 0; i < 20; i++) {
    await agent.answer(`n${i}.test. A`);
    await agent.answer('n0.test. A');
    await pass(clock, agent, 1_000);
  }
  await until(() => replica.subscriptions().length, 16);
  assert.ok(replica.subscriptions().includes('n0.test. A'));
  assert.equal(agent.held.counts.evicted, 4);
  assert.equal(agent.held.rrsets(), 16);
});

test('what is held takes no more than its bytes, also when an RRset grows', async (t) => {
  const bytes = 5_000;
  const zone = Array.from({ length: 20 }, (_, i) => `n${i}.test. 5 IN A 192.0.2.${i}`).join('\n');
  const { agent, clock, replica } = await setUp(t, zone, { hold: { bytes, unusedSeconds: 80 } });
  const fresh = () => agent.held.sample(99).length;
  for (let i = 0; i < 20; i++) {
    await agent.answer(`n${i}.test. A`);
    await agent.answer('n0.test. A');
    await until(() => fresh() === agent.held.rrsets(), true);
    assert.ok(agent.held.bytes() <= bytes, `${agent.held.bytes()} bytes`);
    await pass(clock, agent, 1_000);
  }
  const held = agent.held.rrsets();
  assert.ok(held > 5 && held < 15, `${held} RRsets`);
  assert.ok(replica.subscriptions().includes('n0.test. A'));
  await clock.advance(5_000);
  await agent.answer('n0.test. A');
  replica.push(Array.from({ length: 100 }, (_, i) => `+n0.test. 5 IN A 198.51.100.${i}`).join('\n'));
  await until(() => agent.held.rrsets() < held, true);
  assert.ok(agent.held.bytes() <= bytes, `${agent.held.bytes()} bytes`);
  assert.equal((await agent.answer('n0.test. A')).split('\n').length, 101);
  // Alone it would take more than all may.
  replica.push(Array.from({ length: 200 }, (_, i) => `+n0.test. 5 IN A 203.0.113.${i}`).join('\n'));
  await until(() => replica.subscriptions().includes('n0.test. A'), false);
  assert.equal(await agent.answer('n0.test. A'), 'n0.test. 5 IN A 192.0.2.0', 'asked for at the replica');
  assert.ok(agent.held.bytes() <= bytes, `${agent.held.bytes()} bytes`);
});

test('an RRset that cannot be subscribed is asked for each time, and tried again later', async (t) => {
  const { agent, clock, replica } = await setUp(t, WWW);
  replica.refusal = { rcode: 5, retryMs: 20_000 };
  await agent.answer('www.test. A');
  await until(() => agent.held.counts.refused, 1);
  await agent.answer('www.test. A');
  assert.equal(agent.held.counts.refused, 1);
  assert.equal(agent.held.rrsets(), 0);
  replica.refusal = undefined;
  await clock.advance(21_000);
  await agent.answer('www.test. A');
  await until(replica.subscriptions, ['www.test. A']);
});

test('records of names outside the zones, or that nobody asked for, are ignored and counted', async (t) => {
  const { agent, replica } = await setUp(t, WWW);
  await hold(agent, 'www.test. A');
  replica.push('+bank.example. 5 IN A 192.0.2.66');
  replica.push('+other.test. 5 IN A 192.0.2.66');
  await until(() => [agent.held.counts.foreign, agent.held.counts.unasked], [1, 1]);
  assert.equal(await agent.answer('www.test. A'), BOTH);
  assert.equal(await agent.answer('bank.example. A'), 'REFUSED');
  assert.equal(await agent.answer('other.test. A'), 'NXDOMAIN');
});

test('an external server has no say about our zones behind its aliases', async (t) => {
  const outside = await startScriptedUpstream((asked) =>
    asked.send(asked.reply({ answers: 'go.example. 9 IN CNAME www.test.\nwww.test. 9 IN A 203.0.113.66' })),
  );
  t.after(() => outside.close());
  const { agent } = await setUp(t, 'www.test. 5 IN A 192.0.2.1', { forward: outside.port });
  assert.equal(await agent.answer('go.example. A'), 'go.example. 9 IN CNAME www.test.\nwww.test. 5 IN A 192.0.2.1');
});

test('the audit mends what is held wrongly, and counts it', async (t) => {
  const { agent, clock, replica } = await setUp(t, WWW);
  await hold(agent, 'www.test. A');
  await clock.advance(60_000);
  await until(() => agent.audit.counts, { compared: 1, different: 0 });
  // The replica forgets to push.
  replica.zone = 'www.test. 5 IN A 192.0.2.3';
  await clock.advance(60_000);
  await until(() => agent.audit.counts.compared, 2);
  await clock.advance(2_000);
  await until(() => agent.audit.counts.different, 1);
  await until(() => agent.answer('www.test. A'), 'www.test. 5 IN A 192.0.2.3');
});
