// What subscribers are told when something changes, over each transport.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { composeUnsubscribe } from '../../src/dns/dso/operations.ts';
import { formatRecord } from '../../src/dns/message/format-message.ts';
import { RCODE } from '../../src/dns/types.ts';
import type { Held, PushClient } from '../support/push-client.ts';
import { type PushServerUnderTest, startPushServer } from '../support/push-server.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const holds = (held: Held, ...lines: readonly string[]): Promise<void> => until(held.records, [...lines].sort());

for (const transport of ['plain TCP', 'TLS'] as const) {
  describe(transport, transport === 'TLS' ? requirement('openssl') : {}, () => {
    let server: PushServerUnderTest;
    let client: PushClient;
    before(async () => {
      server = await startPushServer(transport);
      await server.state('zone x.test.');
      client = await server.connect();
    });
    after(async () => {
      client.close();
      await server.close();
    });

    test('a subscriber has all healthy records, and is told of each flip', async () => {
      await server.state(`api 5 A 10.0.0.1 ; slot=a
        api 5 A 10.0.0.2 ; slot=b`);
      const held = await client.subscribe('api.x.test.', 'A');
      await holds(held, 'api.x.test. 5 IN A 10.0.0.1', 'api.x.test. 5 IN A 10.0.0.2');
      assert.equal(held.pushes(), 1);
      await server.state('down a');
      await holds(held, 'api.x.test. 5 IN A 10.0.0.2');
      await server.state('down b');
      await holds(held);
      assert.equal(held.rules()?.rcode, RCODE.NOERROR);
      assert.match(formatRecord(held.rules()!.soa!), /^x\.test\. 30 IN SOA /);
      await server.state('up a');
      await holds(held, 'api.x.test. 5 IN A 10.0.0.1');
    });

    test('a name that does not exist can be subscribed to, and its records come when it does', async () => {
      const held = await client.subscribe('later.x.test.', 'A');
      assert.equal(held.rules()?.rcode, RCODE.NXDOMAIN);
      assert.equal(held.pushes(), 0);
      await server.state('later 5 A 10.0.0.3');
      await holds(held, 'later.x.test. 5 IN A 10.0.0.3');
      assert.equal(held.rules()?.soa, undefined);
    });

    test('a wildcard that appears answers for names below it, and no longer when their own records come', async () => {
      const held = await client.subscribe('any.wild.x.test.', 'A');
      await server.state('*.wild 5 A 10.0.0.4 ; slot=w');
      await holds(held, 'any.wild.x.test. 5 IN A 10.0.0.4');
      assert.ok(held.rules()?.isWildcard);
      await server.state('down w');
      await holds(held);
      await server.state('any.wild 5 A 10.0.0.5');
      await holds(held, 'any.wild.x.test. 5 IN A 10.0.0.5');
      assert.ok(!held.rules()?.isWildcard);
    });

    test('a change of weights or of the policy is a change', async () => {
      await server.state('w 5 A 10.0.0.1 ; weight=10');
      const held = await client.subscribe('w.x.test.', 'A');
      await holds(held, 'w.x.test. 5 IN A 10.0.0.1 weight 10');
      await server.state('policy w A routing=weighted maxAnswers=3');
      await until(() => [held.rules()?.isWeighted, held.rules()?.maxAnswers], [true, 3]);
      await holds(held, 'w.x.test. 5 IN A 10.0.0.1 weight 10');
    });

    test('ANY stands for the records of all types', async () => {
      await server.state(`all 5 A 10.0.0.1 ; slot=all
        all 5 TXT "text"`);
      const held = await client.subscribe('all.x.test.', 'ANY');
      await holds(held, 'all.x.test. 5 IN A 10.0.0.1', 'all.x.test. 5 IN TXT "text"');
      await server.state('down all');
      await holds(held, 'all.x.test. 5 IN TXT "text"');
    });

    test('a state that needs several messages arrives whole', async () => {
      const lines = Array.from({ length: 1500 }, (_, i) => `many 5 A 10.1.${i >> 8}.${i & 255} ; slot=m${i % 3}`);
      await server.state(lines.join('\n'));
      const held = await client.subscribe('many.x.test.', 'A');
      await until(() => held.records().length, 1500);
      assert.ok(held.pushes() > 1);
      await server.state('down m0');
      await until(() => held.records().length, 1000);
    });

    test('who has unsubscribed is told nothing more, and may subscribe again', async () => {
      await server.state('off 5 A 10.0.0.1 ; slot=off');
      const held = await client.subscribe('off.x.test.', 'A');
      await holds(held, 'off.x.test. 5 IN A 10.0.0.1');
      client.send(composeUnsubscribe(held.id));
      const again = await client.subscribe('off.x.test.', 'AAAA');
      await server.state('down off');
      await until(() => again.rules()?.rcode, RCODE.NOERROR);
      const third = await client.subscribe('off.x.test.', 'A');
      assert.equal(third.rules()?.rcode, RCODE.NOERROR);
      assert.deepEqual(third.records(), []);
      assert.equal(held.pushes(), 1);
    });

    test('ordinary queries are answered on the same session', async () => {
      await server.state('query 5 A 10.0.0.9');
      const { answers } = await client.ask('query.x.test.', 'A');
      assert.deepEqual(answers.map(formatRecord), ['query.x.test. 5 IN A 10.0.0.9']);
      assert.equal((await client.ask('elsewhere.test.', 'A')).rcode, RCODE.REFUSED);
    });

    test('the last state is what counts, however often it changed before', async () => {
      await server.state('often 5 A 10.0.0.1 ; slot=o1\noften 5 A 10.0.0.2 ; slot=o2');
      const held = await client.subscribe('often.x.test.', 'A');
      for (let i = 0; i < 200; i++) await server.state(i % 2 === 0 ? 'down o1\nup o2' : 'up o1\ndown o2');
      await server.state('up o2');
      await holds(held, 'often.x.test. 5 IN A 10.0.0.1', 'often.x.test. 5 IN A 10.0.0.2');
    });

    test('a zone that goes takes its subscriptions with it: NOTAUTH', async () => {
      await server.state('zone gone.test.\napi 5 A 10.0.0.1');
      const held = await client.subscribe('api.gone.test.', 'A');
      await holds(held, 'api.gone.test. 5 IN A 10.0.0.1');
      await server.state('remove-zone gone.test.');
      await until(held.rcode, RCODE.NOTAUTH);
      await assert.rejects(client.subscribe('api.gone.test.', 'A'), /RCODE 9/);
      await server.state('zone x.test.');
    });
  });
}
