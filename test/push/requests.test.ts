// What a client may send, and what becomes of the session: RFC 8490 and RFC 8765, error by error, over each transport.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { DSO_TYPE, parseTlvs } from '../../src/dns/dso/message.ts';
import {
  composeKeepalive,
  composeReconfirm,
  composeRetryDelay,
  composeSubscribe,
  composeUnsubscribe,
  parseKeepalive,
  parseRetryDelay,
} from '../../src/dns/dso/operations.ts';
import { composePush } from '../../src/dns/dso/push.ts';
import { composeMessage } from '../../src/dns/message/message.ts';
import type { Question } from '../../src/dns/message/record.ts';
import { parseName } from '../../src/dns/name.ts';
import { CLASS, OPTION, RCODE, TYPE } from '../../src/dns/types.ts';
import { dso, framed, type PushClient } from '../support/push-client.ts';
import { type PushServerUnderTest, startPushServer } from '../support/push-server.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const NOTHING = new Uint8Array(0);
const name = parseName('api.x.test.');
const question: Question = { name, type: TYPE.A, class: CLASS.IN };
const subscribeTo = (id: number, over: Partial<Question> = {}) => composeSubscribe(id, { ...question, ...over });
const keepalive = composeKeepalive(1, false, { inactivityMs: 15_000, keepaliveMs: 15_000 });
const response = (bytes: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[4] |= 0x80;
  return copy;
};
const withCounts = (bytes: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[7] = 1;
  return copy;
};
const added = { action: 'add', ...question, ttlSeconds: 5, rdata: Uint8Array.of(10, 0, 0, 1), weight: 1 } as const;
const query = (id: number, options: readonly { code: number; data: Uint8Array }[] = []): Uint8Array =>
  framed(
    composeMessage({
      ...{ id, questions: [question] },
      edns: { version: 0, udpBytes: 1232, dnssecOk: false, options },
    }),
  );

/** Bytes on a session (after a KEEPALIVE) that are a fatal error: the connection is reset. */
const FATAL: Readonly<Record<string, Uint8Array>> = {
  'a response that nobody has asked for': response(keepalive),
  'KEEPALIVE without an id': composeKeepalive(0, false, { inactivityMs: 1, keepaliveMs: 10_000 }),
  'SUBSCRIBE without an id': subscribeTo(0),
  'UNSUBSCRIBE with an id': dso(9, [DSO_TYPE.UNSUBSCRIBE, Uint8Array.of(0, 1)]),
  'UNSUBSCRIBE of one byte': dso(0, [DSO_TYPE.UNSUBSCRIBE, Uint8Array.of(1)]),
  'RECONFIRM with an id': dso(9, [DSO_TYPE.RECONFIRM, NOTHING]),
  'RECONFIRM of ANY': composeReconfirm(name, TYPE.ANY, CLASS.IN, NOTHING),
  'PUSH of a client': composePush([added])[0],
  'RETRY DELAY of a client': composeRetryDelay(RCODE.NOERROR, 1),
  'an unknown TLV without an id': dso(0, [0x44, NOTHING]),
  'no TLV and no id': dso(0),
  'counts of records and no id': withCounts(dso(0, [DSO_TYPE.UNSUBSCRIBE, Uint8Array.of(0, 1)])),
  'a message shorter than a header': framed(Uint8Array.of(0, 1, 2)),
  'an ordinary query with the keepalive option of EDNS': query(9, [{ code: OPTION.TCP_KEEPALIVE, data: NOTHING }]),
};

/** Requests with the id 9, and the RCODE of the response; the session goes on. */
const ANSWERED: Readonly<Record<string, readonly [Uint8Array, number]>> = {
  'KEEPALIVE of 7 bytes': [dso(9, [DSO_TYPE.KEEPALIVE, new Uint8Array(7)]), RCODE.FORMERR],
  'KEEPALIVE of 9 bytes': [dso(9, [DSO_TYPE.KEEPALIVE, new Uint8Array(9)]), RCODE.FORMERR],
  'SUBSCRIBE without data': [dso(9, [DSO_TYPE.SUBSCRIBE, NOTHING]), RCODE.FORMERR],
  'SUBSCRIBE without a class': [dso(9, [DSO_TYPE.SUBSCRIBE, Uint8Array.of(0, 0, 1)]), RCODE.FORMERR],
  'SUBSCRIBE with more': [dso(9, [DSO_TYPE.SUBSCRIBE, Uint8Array.of(0, 0, 1, 0, 1, 0)]), RCODE.FORMERR],
  'a request without a TLV': [dso(9), RCODE.FORMERR],
  'a request with counts of records': [withCounts(dso(9, [DSO_TYPE.KEEPALIVE, new Uint8Array(8)])), RCODE.FORMERR],
  'a TLV that runs past the end': [framed(dso(9, [DSO_TYPE.KEEPALIVE, new Uint8Array(8)]).slice(2, -1)), RCODE.FORMERR],
  'padding as an operation': [dso(9, [DSO_TYPE.PADDING, NOTHING]), RCODE.FORMERR],
  'an unknown operation': [dso(9, [0x44, Uint8Array.of(1, 2, 3)]), RCODE.DSOTYPENI],
  'an operation of the range for local use': [dso(9, [DSO_TYPE.ANSWER_RULES, NOTHING]), RCODE.DSOTYPENI],
  'a foreign zone': [subscribeTo(9, { name: parseName('www.example.com.') }), RCODE.NOTAUTH],
  'a name below a cut': [subscribeTo(9, { name: parseName('a.cut.x.test.') }), RCODE.NOTAUTH],
  'class CH': [subscribeTo(9, { class: CLASS.CH }), RCODE.NOTAUTH],
  'a name in a zone that is not complete': [subscribeTo(9, { name: parseName('a.half.test.') }), RCODE.SERVFAIL],
  'an asterisk, which is an ordinary name': [subscribeTo(9, { name: parseName('*.x.test.') }), RCODE.NOERROR],
  'all classes': [subscribeTo(9, { class: CLASS.ANY }), RCODE.NOERROR],
  'unknown additional TLVs, which are ignored': [
    dso(9, [DSO_TYPE.KEEPALIVE, new Uint8Array(8)], [0xf900, Uint8Array.of(1)], [5, NOTHING]),
    RCODE.NOERROR,
  ],
};

for (const transport of ['plain TCP', 'TLS'] as const) {
  describe(transport, transport === 'TLS' ? requirement('openssl') : {}, () => {
    let server: PushServerUnderTest;
    before(async () => {
      server = await startPushServer(transport, { subscriptionsPerSession: 100 });
      await server.state(`zone x.test.
        @ 5 NS ns.elsewhere.
        api 5 A 10.0.0.1
        cut 5 NS ns.elsewhere.`);
      await server.state('zone half.test. not-ready\n@ 5 NS ns.elsewhere.');
    });
    after(() => server.close());

    const session = async (): Promise<PushClient> => {
      const client = await server.connect();
      await client.keepalive(15_000, 15_000);
      return client;
    };

    const isReset = async (client: PushClient): Promise<void> => {
      await until(client.ended, 'reset');
      client.close();
    };

    for (const [what, bytes] of Object.entries(FATAL))
      test(`the session is aborted: ${what}`, async () => {
        const before = server.count('healthdns_push_sessions_ended_total', 'protocol');
        const client = await session();
        client.send(bytes);
        await isReset(client);
        assert.equal(server.count('healthdns_push_sessions_ended_total', 'protocol'), before + 1);
      });

    for (const [what, [bytes, rcode]] of Object.entries(ANSWERED))
      test(`a request is answered, and the session goes on: ${what}`, async () => {
        const client = await session();
        const answered = client.response(9);
        client.send(bytes);
        const { rcode: actual, message } = await answered;
        assert.equal(actual, rcode);
        const delay = parseTlvs(message).find(({ type }) => type === DSO_TYPE.RETRY_DELAY);
        assert.equal(delay !== undefined, rcode !== RCODE.NOERROR, 'an error says when it may be tried again');
        if (delay !== undefined) assert.ok(parseRetryDelay(delay) > 0);
        assert.equal((await client.keepalive(15_000, 15_000)).rcode, RCODE.NOERROR);
        client.close();
      });

    for (const [what, bytes] of [
      ['the same name and type, in another case', subscribeTo(8, { name: parseName('API.x.test.') })],
      ['an id that is in use', subscribeTo(7, { type: TYPE.AAAA })],
    ] as const)
      test(`a second subscription aborts the session: ${what}`, async () => {
        const client = await session();
        const answered = client.response(7);
        client.send(subscribeTo(7));
        await answered;
        client.send(bytes);
        await isReset(client);
      });

    test('nothing unidirectional is taken before a session is established', async () => {
      const client = await server.connect();
      client.send(composeUnsubscribe(1));
      await isReset(client);
    });

    test('UNSUBSCRIBE of what is not subscribed to is ignored, and RECONFIRM has no response', async () => {
      const client = await session();
      client.send(composeUnsubscribe(99));
      client.send(composeReconfirm(name, TYPE.A, CLASS.IN, Uint8Array.of(10, 0, 0, 1)));
      assert.equal((await client.keepalive(15_000, 15_000)).rcode, RCODE.NOERROR);
      assert.equal(client.messages.length, 2);
      client.close();
    });

    test('timeouts are granted within bounds: never less than 10 s of keepalive, at most an hour', async () => {
      const client = await session();
      const granted = async (inactivityMs: number, keepaliveMs: number) => {
        const { message } = await client.keepalive(inactivityMs, keepaliveMs);
        return parseKeepalive(parseTlvs(message)[0]);
      };
      assert.deepEqual(await granted(0, 1), { inactivityMs: 0, keepaliveMs: 10_000 });
      assert.deepEqual(await granted(0xffff_ffff, 0xffff_ffff), { inactivityMs: 3_600_000, keepaliveMs: 3_600_000 });
      client.close();
    });

    test('the response to a padded request is padded', async () => {
      const client = await session();
      const answered = client.response(9);
      client.send(dso(9, [DSO_TYPE.KEEPALIVE, new Uint8Array(8)], [DSO_TYPE.PADDING, new Uint8Array(30)]));
      assert.equal((await answered).message.length, 468);
      client.close();
    });

    test('a message may come byte by byte, and many in one piece', async () => {
      const client = await session();
      const slow = client.response(9);
      for (const byte of subscribeTo(9)) {
        client.send(Uint8Array.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal((await slow).rcode, RCODE.NOERROR);
      const ids = Array.from({ length: 300 }, (_, i) => 100 + i);
      const answers = ids.map((id) => client.response(id));
      client.send(Buffer.concat(ids.map((id) => query(id))));
      assert.ok((await Promise.all(answers)).every(({ rcode }) => rcode === RCODE.NOERROR));
      client.close();
    });

    test('the limit of subscriptions of a session is REFUSED beyond, and those before go on', async () => {
      const client = await session();
      const names = Array.from({ length: 101 }, (_, i) => parseName(`n${i}.x.test.`));
      const answers = names.map((_, i) => client.response(1000 + i));
      client.send(Buffer.concat(names.map((one, i) => subscribeTo(1000 + i, { name: one }))));
      const rcodes = (await Promise.all(answers)).map(({ rcode }) => rcode);
      assert.deepEqual(new Set(rcodes.slice(0, 100)), new Set([RCODE.NOERROR]));
      assert.equal(rcodes[100], RCODE.REFUSED);
      client.close();
    });

    test('whatever comes is answered, or ends the session; others never notice (300 streams)', async () => {
      const other = await session();
      await other.keepalive(3_600_000, 3_600_000);
      const held = await other.subscribe('api.x.test.', 'A');
      const part = fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom(...Object.values(FATAL), ...Object.values(ANSWERED).map(([bytes]) => bytes), keepalive),
        fc
          .tuple(fc.nat(3), fc.constantFrom(...Object.values(DSO_TYPE)), fc.uint8Array({ maxLength: 30 }))
          .map(([id, type, data]) => dso(id, [type, data])),
      );
      for (const parts of fc.sample(fc.array(part, { minLength: 1, maxLength: 6 }), 300)) {
        const client = await server.connect();
        client.send(Buffer.concat(parts));
        client.socket.end();
        if (!client.socket.closed) await new Promise((resolve) => client.socket.once('close', resolve));
      }
      await until(() => server.count('healthdns_push_sessions'), 1);
      assert.equal((await other.keepalive(15_000, 15_000)).rcode, RCODE.NOERROR);
      assert.deepEqual(held.records(), ['api.x.test. 5 IN A 10.0.0.1']);
      other.close();
    });
  });
}
