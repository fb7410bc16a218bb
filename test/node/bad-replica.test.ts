// What a replica sends wrongly ends its session, and is counted; the agent goes on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeDso, DSO_TYPE } from '../../src/dns/dso/message.ts';
import { composeKeepalive, composeSubscribe } from '../../src/dns/dso/operations.ts';
import { composePush } from '../../src/dns/dso/push.ts';
import { parseName } from '../../src/dns/name.ts';
import { CLASS, TYPE } from '../../src/dns/types.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { startFakeReplica } from '../support/fake-replica.ts';
import { startTestAgent } from '../support/node-agent.ts';
import { until } from '../support/until.ts';
import { record } from '../support/zone-text.ts';

const WWW = 'www.test. 5 IN A 192.0.2.1';
const question = { name: parseName('www.test'), type: TYPE.A, class: CLASS.IN };
const change = { ...record('www.test. 5 IN A 192.0.2.9'), action: 'add', weight: 1 } as const;

const cases: readonly (readonly [what: string, message: Uint8Array])[] = [
  ['a message that is shorter than a header', Uint8Array.of(0, 3, 1, 2, 3)],
  ['a request that only clients send', composeSubscribe(9, question)],
  ['a request with an ID', composeKeepalive(77, false, { inactivityMs: 1, keepaliveMs: 1 })],
  ['a response to nothing', composeDso({ id: 40_000, isResponse: true })],
  ['a notice of an unknown kind', composeDso({ tlvs: [{ type: 0x7777, data: new Uint8Array(3) }] })],
  ['a notice without a TLV', composeDso({})],
  ['an empty PUSH', composeDso({ tlvs: [{ type: DSO_TYPE.PUSH, data: new Uint8Array(0) }] })],
  ['a PUSH that is cut short', composeDso({ tlvs: [{ type: DSO_TYPE.PUSH, data: Uint8Array.of(3, 0x77, 0x77) }] })],
  ['RETRY DELAY of another length', composeDso({ tlvs: [{ type: DSO_TYPE.RETRY_DELAY, data: new Uint8Array(3) }] })],
];

test('a message that breaks the protocol ends the session, and another one is made', async (t) => {
  const clock = fakeClock();
  const replica = await startFakeReplica(WWW);
  t.after(() => replica.close());
  const agent = startTestAgent(t, { clock, push: [replica.port] });
  await until(agent.hasBeenFresh, true);
  for (const [what, message] of cases) {
    const { lost } = agent.replicas.counts;
    replica.send(message);
    await until(() => agent.replicas.counts.lost, lost + 1);
    assert.match(agent.replicas.trouble(), /^127\.0\.0\.1:\d+: protocol error: /, what);
    await clock.advance(1_000);
    await until(() => agent.replicas.session() !== undefined, true);
    await until(() => agent.answer('www.test. A'), WWW);
  }
});

test('whatever bytes a replica sends, clients get what it answers, or what was pushed', async (t) => {
  const clock = fakeClock();
  const replica = await startFakeReplica(WWW);
  t.after(() => replica.close());
  const agent = startTestAgent(t, { clock, push: [replica.port] });
  const valid = [composePush([change])[0], ...cases.map(([, message]) => message)];
  const mutated = fc
    .tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }), fc.uint8Array())
    .map(([message, edits, more]) => {
      const bytes = Uint8Array.from(message);
      for (const [at, value] of edits) if (at >= 2 && at < bytes.length) bytes[at] = value;
      return Buffer.concat([bytes, more]);
    });
  await fc.assert(
    fc.asyncProperty(mutated, async (bytes) => {
      await until(() => agent.replicas.session() !== undefined, true);
      await agent.answer('www.test. A');
      replica.send(bytes);
      // Half a message waits for its other half: the next session begins anew.
      replica.cut();
      await until(() => agent.replicas.session(), undefined);
      await clock.advance(40_000);
      await until(() => agent.replicas.session() !== undefined, true);
      await until(() => agent.answer('www.test. A'), WWW);
    }),
    { numRuns: 60 },
  );
});
