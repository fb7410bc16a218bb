import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeRules, parseRules, type SentRules } from '../../src/dns/dso/answer-rules.ts';
import { composeDso, DSO_TYPE, isDso, parseTlvs, readDsoHead } from '../../src/dns/dso/message.ts';
import {
  composeKeepalive,
  composeReconfirm,
  composeRetryDelay,
  composeSubscribe,
  composeUnsubscribe,
  parseKeepalive,
  parseReconfirm,
  parseRetryDelay,
  parseSubscribe,
  parseUnsubscribe,
} from '../../src/dns/dso/operations.ts';
import { type Change, composePush, MAX_PUSH_BYTES, parsePush } from '../../src/dns/dso/push.ts';
import { parseName, parseNameKeepingCase } from '../../src/dns/name.ts';
import { MessageError } from '../../src/dns/reader.ts';
import { CLASS, RCODE, TYPE } from '../../src/dns/types.ts';
import { lowerName, RDATA, wireName } from '../support/dns-arbitraries.ts';

/** A message without the length that a stream has in front of it, which must be right. */
function unframed(bytes: Uint8Array): Uint8Array {
  assert.equal((bytes[0] << 8) | bytes[1], bytes.length - 2);
  return bytes.slice(2);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

const name = parseName('api.local.');
const rules: SentRules = {
  ...{ name, type: TYPE.A, isWildcard: false, isWeighted: true, isPartial: false, maxAnswers: 8, whenAllUnhealthy: 1 },
  ...{ rcode: RCODE.NOERROR, errors: [], weights: [3, 0] },
};
const change = (action: Change['action'], rdata: readonly number[], over: Partial<Change> = {}): Change => ({
  ...{ action, name, type: TYPE.A, class: CLASS.IN, ttlSeconds: action === 'add' ? 5 : 0, weight: 1 },
  rdata: Uint8Array.from(rdata),
  ...over,
});

/** What each message is on the wire, by hand from the figures of the RFCs. */
const GOLDEN: readonly (readonly [string, Uint8Array, string])[] = [
  [
    'KEEPALIVE request: 15 s of inactivity, 60 s of keepalive',
    composeKeepalive(0x1234, false, { inactivityMs: 15_000, keepaliveMs: 60_000 }),
    '0018 1234 3000 0000 0000 0000 0000 0001 0008 00003a98 0000ea60',
  ],
  [
    'KEEPALIVE response',
    composeKeepalive(0x1234, true, { inactivityMs: 15_000, keepaliveMs: 60_000 }),
    '0018 1234 b000 0000 0000 0000 0000 0001 0008 00003a98 0000ea60',
  ],
  [
    'RETRY DELAY of a server that is overloaded, 2.5 s',
    composeRetryDelay(RCODE.SERVFAIL, 2500),
    '0014 0000 3002 0000 0000 0000 0000 0002 0004 000009c4',
  ],
  [
    'SUBSCRIBE to Api.local A, its case kept',
    composeSubscribe(7, { name: parseNameKeepingCase('Api.local.'), type: TYPE.A, class: CLASS.IN }),
    '001f 0007 3000 0000 0000 0000 0000 0040 000f 03 417069 05 6c6f63616c 00 0001 0001',
  ],
  ['response to SUBSCRIBE', composeDso({ id: 7, isResponse: true }), '000c 0007 b000 0000 0000 0000 0000'],
  [
    'response to SUBSCRIBE to a foreign name',
    composeDso({ id: 7, isResponse: true, rcode: RCODE.NOTAUTH }),
    '000c 0007 b009 0000 0000 0000 0000',
  ],
  ['UNSUBSCRIBE', composeUnsubscribe(7), '0012 0000 3000 0000 0000 0000 0000 0042 0002 0007'],
  [
    'RECONFIRM of an address',
    composeReconfirm(name, TYPE.A, CLASS.IN, Uint8Array.of(10, 0, 0, 1)),
    '0023 0000 3000 0000 0000 0000 0000 0043 0013 03 617069 05 6c6f63616c 00 0001 0001 0a000001',
  ],
  [
    'PUSH of an added and a removed address, the second name a pointer',
    composePush([change('add', [10, 0, 0, 1]), change('remove', [10, 0, 0, 2])])[0],
    `0039 0000 3000 0000 0000 0000 0000 0041 0029
     03 617069 05 6c6f63616c 00 0001 0001 00000005 0004 0a000001
     c010 0001 0001 ffffffff 0004 0a000002`,
  ],
  [
    'PUSH that removes an RRset',
    composePush([change('remove-all', [])])[0],
    '0025 0000 3000 0000 0000 0000 0000 0041 0015 03 617069 05 6c6f63616c 00 0001 0001 fffffffe 0000',
  ],
  [
    'PUSH with answer rules: weighted, at most 8 records, nxdomain if none is healthy',
    composePush([change('add', [10, 0, 0, 1], { weight: 3 }), change('add', [10, 0, 0, 2], { weight: 0 })], rules)[0],
    `0058 0000 3000 0000 0000 0000 0000 0041 0029
     03 617069 05 6c6f63616c 00 0001 0001 00000005 0004 0a000001
     c010 0001 0001 00000005 0004 0a000002
     f801 001b 01 02 00 01 0008 0001 03 617069 05 6c6f63616c 00 00 00 0002 0003 0000`,
  ],
];

for (const [what, composed, expected] of GOLDEN) {
  test(`DSO bytes: ${what}`, () => {
    assert.equal(hex(composed), hex(bytesOf(expected)));
    assert.ok(isDso(composed.subarray(2)));
  });
}

test('a padded message has a multiple of the block, and its padding is an additional TLV of zeros', () => {
  for (const block of [1, 16, 128, 468]) {
    const message = unframed(composeKeepalive(1, true, { inactivityMs: 0, keepaliveMs: 10_000 }, block));
    assert.equal(message.length % block, 0);
    const [keepalive, padding] = parseTlvs(message);
    assert.equal(keepalive.type, DSO_TYPE.KEEPALIVE);
    assert.equal(padding.type, DSO_TYPE.PADDING);
    assert.ok(padding.data.every((byte) => byte === 0));
  }
});

test('every operation survives a round trip through bytes', () => {
  const uint16 = fc.nat(0xffff);
  const uint32 = fc.nat(0xffff_ffff);
  fc.assert(
    fc.property(wireName, uint16, uint16, uint16, uint32, uint32, (owner, id, type, recordClass, a, b) => {
      const first = (bytes: Uint8Array) => {
        const message = unframed(bytes);
        return { message, head: readDsoHead(message), tlv: parseTlvs(message)[0] };
      };
      const question = { name: owner, type, class: recordClass };
      const subscribe = first(composeSubscribe(id, question));
      assert.deepEqual(subscribe.head, { id, isResponse: false, rcode: 0, hasNoRecords: true });
      assert.deepEqual(parseSubscribe(subscribe.message, subscribe.tlv), question);
      const timeouts = { inactivityMs: a, keepaliveMs: b };
      const keepalive = first(composeKeepalive(id, true, timeouts));
      assert.deepEqual(parseKeepalive(keepalive.tlv), timeouts);
      assert.ok(keepalive.head.isResponse);
      assert.equal(parseRetryDelay(first(composeRetryDelay(5, a)).tlv), a);
      assert.equal(first(composeRetryDelay(5, a)).head.rcode, 5);
      assert.equal(parseUnsubscribe(first(composeUnsubscribe(id)).tlv), id);
    }),
    { numRuns: 500 },
  );
});

const typedRdata = fc
  .constantFrom(...RDATA.keys())
  .chain((type) => RDATA.get(type)!.map((rdata) => ({ type, rdata })))
  .filter(({ rdata }) => rdata.length < 8000);

const changes: fc.Arbitrary<Change> = fc
  .tuple(lowerName, typedRdata, fc.constantFrom('add', 'remove', 'remove-all'), fc.nat(0x7fff_ffff), fc.nat(0xffff))
  .map(([owner, { type, rdata }, action, ttlSeconds, weight]) => ({
    ...{ action: action as Change['action'], name: owner, type, class: CLASS.IN },
    ttlSeconds: action === 'add' ? ttlSeconds : 0,
    rdata: action === 'remove-all' ? new Uint8Array(0) : rdata,
    weight: action === 'add' ? weight : 1,
  }));

const ruleSets = fc.record({
  ...{ name: lowerName, type: fc.nat(0xffff), isWildcard: fc.boolean(), isWeighted: fc.boolean() },
  ...{ maxAnswers: fc.nat(0xffff), whenAllUnhealthy: fc.nat(3), rcode: fc.nat(15) },
  errors: fc.array(
    fc.tuple(fc.nat(0xffff), fc.string({ maxLength: 60 })).map(([infoCode, text]) => ({ infoCode, text })),
    { maxLength: 4 },
  ),
  soa: fc.option(
    fc
      .tuple(lowerName, fc.nat(0xffff_ffff), RDATA.get(TYPE.SOA)!)
      .map(([owner, ttlSeconds, rdata]) => ({ name: owner, type: TYPE.SOA, class: CLASS.IN, ttlSeconds, rdata })),
    { nil: undefined },
  ),
});

test('changes and rules of any size survive a round trip, each message within the limit of the RFC', () => {
  fc.assert(
    fc.property(
      fc.array(changes, { minLength: 1, maxLength: 60 }),
      ruleSets,
      fc.boolean(),
      (sent, given, withRules) => {
        const { soa, ...rest } = given;
        const expected = { ...rest, ...(soa && { soa }) };
        const pushes = composePush(sent, withRules ? expected : undefined).map((bytes) => {
          assert.ok(bytes.length <= MAX_PUSH_BYTES + 2);
          const message = unframed(bytes);
          return parsePush(message, parseTlvs(message));
        });
        const weighed = withRules ? sent : sent.map((one) => ({ ...one, weight: 1 }));
        assert.deepEqual(
          pushes.flatMap((push) => push.changes),
          weighed,
        );
        pushes.forEach((push, i) => {
          assert.equal(push.rules !== undefined, withRules);
          if (push.rules === undefined) return;
          const { isPartial, weights, ...parsed } = push.rules;
          assert.deepEqual(parsed, expected);
          assert.equal(isPartial, i < pushes.length - 1);
          assert.ok(weights.length <= push.changes.length);
        });
      },
    ),
    { numRuns: 300 },
  );
});

test('rules of a later version are ignored, those that are cut short are an error', () => {
  const data = composeRules(rules);
  const tlv = (bytes: Uint8Array) => ({ type: DSO_TYPE.ANSWER_RULES, data: bytes, at: 0 });
  assert.deepEqual(parseRules(tlv(data)), rules);
  const later = Uint8Array.from(data);
  later[0] = 2;
  assert.equal(parseRules(tlv(later)), undefined);
  for (let length = 0; length < data.length; length++)
    assert.throws(() => parseRules(tlv(data.subarray(0, length))), MessageError);
});

test('a PUSH is refused that has no change, is too long, or names ANY where one record is meant', () => {
  const parse = (text: string) => {
    const message = bytesOf(`0000 3000 0000 0000 0000 0000 ${text}`);
    return parsePush(message, parseTlvs(message));
  };
  const record = (type: string, recordClass: string, ttl: string, rest: string) =>
    `0041 ${(9 + rest.length / 2).toString(16).padStart(4, '0')} 00 ${type} ${recordClass} ${ttl} ${rest}`;
  assert.throws(() => parse('0041 0000'), /without a change/);
  assert.throws(() => parse(record('00ff', '0001', '00000005', '000400000000')), MessageError);
  assert.throws(() => parse(record('0001', '00ff', 'ffffffff', '000400000000')), MessageError);
  assert.throws(() => parse(record('0001', '0001', 'fffffffe', '000400000000')), /collective/);
  assert.throws(() => parse(record('0001', '0001', '00000005', '000500000000')), /past the end/);
  assert.deepEqual(parse(record('0001', '0001', '80000000', '000400000000')).changes, []);
  assert.equal(parse(record('00ff', '0001', 'fffffffe', '0000')).changes[0].action, 'remove-all');
});

test('random bytes are a DSO message or throw MessageError (20,000 cases)', () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .array(fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 0x40, 0x41, 0x42, 0x43, 0xc0, 0xf8, 0xff), { maxLength: 60 })
      .map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(DSO_TYPE)), part, part, (type, data, rest) => {
      const body = Buffer.concat([Uint8Array.of(type >> 8, type & 255, 0, data.length), data, rest]);
      const message = Buffer.concat([bytesOf('0001 3000 0000 0000 0000 0000'), body]);
      try {
        const tlvs = parseTlvs(message);
        if (type === DSO_TYPE.SUBSCRIBE) parseSubscribe(message, tlvs[0]);
        else if (type === DSO_TYPE.PUSH) parsePush(message, tlvs);
        else if (type === DSO_TYPE.UNSUBSCRIBE) parseUnsubscribe(tlvs[0]);
        else if (type === DSO_TYPE.RECONFIRM) parseReconfirm(message, tlvs[0]);
        else if (type === DSO_TYPE.KEEPALIVE) parseKeepalive(tlvs[0]);
        else if (type === DSO_TYPE.RETRY_DELAY) parseRetryDelay(tlvs[0]);
        else if (type === DSO_TYPE.ANSWER_RULES) parseRules(tlvs[0]);
      } catch (error) {
        if (!(error instanceof MessageError)) throw error;
      }
    }),
    { numRuns: 20_000 },
  );
});
