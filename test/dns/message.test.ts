import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMessage, formatRecord } from '../../src/dns/message/format-message.ts';
import { composeMessage, hasFlag, parseMessage } from '../../src/dns/message/message.ts';
import { extendedErrors } from '../../src/dns/message/opt.ts';
import { lowerCased, parseName, parseNameKeepingCase } from '../../src/dns/name.ts';
import { MessageError } from '../../src/dns/reader.ts';
import { FLAG, OPTION, RCODE, TYPE } from '../../src/dns/types.ts';
import { messageParts } from '../support/dns-arbitraries.ts';
import { assertRecords, record, records } from '../support/zone-text.ts';

const question = { name: parseName('api.production.local.'), type: TYPE.A, class: 1 };

/** A header with these counts, then the given bytes. */
function message(counts: readonly [number, number, number, number], ...body: readonly number[]): Uint8Array {
  return Uint8Array.from([0, 1, 0x80, 0, ...counts.flatMap((count) => [count >> 8, count & 255]), ...body]);
}

test('any message survives a round trip through bytes, compressed or not', () => {
  fc.assert(
    fc.property(messageParts, fc.boolean(), (parts, compress) => {
      const { edns, ...rest } = parts;
      assert.deepEqual(parseMessage(composeMessage(parts, { compress })), { ...rest, ...(edns && { edns }) });
    }),
    { numRuns: 1000 },
  );
});

test('compression never makes a message longer', () => {
  fc.assert(
    fc.property(messageParts, (parts) => {
      assert.ok(composeMessage(parts).length <= composeMessage(parts, { compress: false }).length);
    }),
    { numRuns: 300 },
  );
});

/** No other error may come out; of every tenth message, formatting and composing it neither. */
function mustBeMessageOrMessageError(bytes: Uint8Array, alsoBack: boolean): void {
  try {
    const parsed = parseMessage(bytes);
    if (!alsoBack) return;
    formatMessage(parsed);
    assert.deepEqual(parseMessage(composeMessage(parsed)), parsed);
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
  }
}

test('random bytes are a message or throw MessageError (40,000 cases)', () => {
  const counts = fc.array(fc.constantFrom(0, 0, 1, 2, 255), { minLength: 8, maxLength: 8 });
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    fc
      .array(fc.constantFrom(0, 1, 2, 5, 6, 12, 13, 15, 33, 41, 63, 64, 65, 0xc0, 0xff), { maxLength: 120 })
      .map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(counts, body, (sizes, bytes) =>
      mustBeMessageOrMessageError(Uint8Array.from([0, 1, 0x81, 0x80, ...sizes, ...bytes]), true),
    ),
    { numRuns: 40_000 },
  );
});

test('mutated and truncated messages are a message or throw MessageError (over 80,000 cases)', () => {
  const variants = fc.array(fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 3 }), {
    minLength: 40,
    maxLength: 40,
  });
  const cuts = fc.array(fc.nat(2000), { minLength: 4, maxLength: 4 });
  let cases = 0;
  fc.assert(
    fc.property(messageParts, variants, cuts, (parts, changes, lengths) => {
      const bytes = composeMessage(parts);
      for (const change of changes) {
        const changed = bytes.slice();
        for (const [at, byte] of change) changed[at % bytes.length] = byte;
        mustBeMessageOrMessageError(changed, cases++ % 10 === 0);
      }
      for (const length of lengths)
        assert.throws(() => parseMessage(bytes.subarray(0, length % bytes.length)), MessageError);
      cases += lengths.length;
    }),
    { numRuns: 2000 },
  );
  assert.ok(cases >= 80_000, `${cases}`);
});

test('names in answers and rdata are expanded with their case preserved', () => {
  // Question WWW.x, then a CNAME from a pointer to it, whose target is "api" and a pointer to "x".
  const bytes = message(
    [1, 1, 0, 0],
    3,
    0x57,
    0x57,
    0x57,
    1,
    0x78,
    0,
    0,
    1,
    0,
    1,
    0xc0,
    12,
    0,
    5,
    0,
    1,
    0,
    0,
    0,
    9,
    0,
    6,
    3,
    0x61,
    0x70,
    0x69,
    0xc0,
    16,
  );
  const parsed = parseMessage(bytes);
  assert.equal(formatRecord(parsed.answers[0]), 'WWW.x. 9 IN CNAME api.x.');
  assert.deepEqual(parsed.questions[0].name, parseNameKeepingCase('WWW.x.'));
});

test('names in rdata are compressed only in the types of RFC 1035', () => {
  const answers = records(`
    x.local. 5 IN MX  1 mail.x.local.
    x.local. 5 IN SRV 1 2 3 mail.x.local.
  `);
  const bytes = composeMessage({ answers });
  // Header; x.local.; 10 + 2 + "mail" and a pointer; pointer; 10 + 6 + 14 bytes of target.
  assert.equal(bytes.length, 12 + 9 + 10 + 2 + 7 + 2 + 10 + 6 + 14);
  assertRecords(parseMessage(bytes).answers, 'x.local. 5 IN MX 1 mail.x.local.\nx.local. 5 IN SRV 1 2 3 mail.x.local.');
});

test('a compressed SRV target is accepted', () => {
  const bytes = message([0, 1, 0, 0], 1, 0x78, 0, 0, 33, 0, 1, 0, 0, 0, 5, 0, 8, 0, 1, 0, 2, 0, 3, 0xc0, 12);
  assert.equal(formatRecord(parseMessage(bytes).answers[0]), 'x. 5 IN SRV 1 2 3 x.');
});

test('compression pointers that do not point backwards are rejected', () => {
  const atItself = message([1, 0, 0, 0], 0xc0, 12, 0, 1, 0, 1);
  const forward = message([1, 0, 0, 0], 0xc0, 14, 0, 0, 1, 0, 1);
  const intoTheHeader = message([1, 0, 0, 0], 0xc0, 4, 0, 1, 0, 1);
  const loop = message([2, 0, 0, 0], 1, 0x61, 0xc0, 12, 0, 1, 0, 1, 0xc0, 14, 0, 1, 0, 1);
  for (const bytes of [atItself, forward, intoTheHeader, loop])
    assert.throws(() => parseMessage(bytes), /does not point back/);
});

test('labels behind a pointer must not run into the name that contains it', () => {
  // The first type's second byte, 3, read as a label's length, covers the pointer; its low byte, 14, another label's.
  const first = [0, 0, 3, 0x61, 0x61];
  const second = [0xc0, 14, 0, 1, 0, 1];
  const answer = [0, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  assert.throws(
    () => parseMessage(message([2, 1, 0, 0], ...first, ...second, ...answer)),
    /label at 14 runs past the end/,
  );
});

test('names beyond the reach of a pointer are written in full', () => {
  const bulk = { name: parseName('bulk.'), type: 65_280, class: 1, ttlSeconds: 5, rdata: new Uint8Array(0x4000) };
  const late = records('late.local. 5 IN A 127.0.0.1\nlate.local. 5 IN A 127.0.0.2');
  assertRecords(
    parseMessage(composeMessage({ answers: [bulk, ...late] })).answers.slice(1),
    late.map(formatRecord).join('\n'),
  );
});

test('a name that becomes too long through pointers is rejected', () => {
  const label = [63, ...new Array<number>(63).fill(0x61)];
  const first = [...label, ...label, ...label, 0, 0, 1, 0, 1];
  const below = (length: number) => {
    const last = [length, ...new Array<number>(length).fill(0x61)];
    return parseMessage(message([2, 0, 0, 0], ...first, ...last, 0xc0, 12, 0, 1, 0, 1)).questions[1].name.length;
  };
  assert.equal(below(61), 255);
  for (const length of [62, 63]) assert.throws(() => below(length), /longer than 255/);
});

test('a chain of compression pointers is followed only up to a limit', () => {
  /** A record whose rdata are a root byte and `hops` pointers, each to the one before; a record named by the last. */
  const chained = (hops: number) => {
    const rdataAt = 12 + 11;
    const target = (i: number) => (i === 0 ? rdataAt : rdataAt + 1 + 2 * (i - 1));
    const pointer = (i: number) => [0xc0 | (target(i) >> 8), target(i) & 255];
    const rdata = [0, ...Array.from({ length: hops }, (_, i) => pointer(i)).flat()];
    const fixed = [255, 0, 0, 1, 0, 0, 0, 5];
    return message(
      [0, 2, 0, 0],
      0,
      ...fixed,
      rdata.length >> 8,
      rdata.length & 255,
      ...rdata,
      ...pointer(hops),
      ...fixed,
      0,
      0,
    );
  };
  assert.equal(parseMessage(chained(120)).answers[1].name.length, 1);
  assert.throws(() => parseMessage(chained(3000)), /too many pointers/);
});

test('counts that the message cannot contain are rejected early', () => {
  assert.throws(() => parseMessage(message([0, 65_535, 65_535, 65_535])), /196605 records, at most/);
  assert.throws(() => parseMessage(message([65_535, 0, 0, 0])), /65535 questions, at most/);
});

test('errors describe the problem with a message', () => {
  const opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
  const cases: readonly [bytes: Uint8Array, expected: RegExp][] = [
    [new Uint8Array(11), /at least 12 bytes, got 11/],
    [new Uint8Array(65_536), /at most 65535 bytes/],
    [message([0, 0, 0, 0], 1), /1 bytes follow the last record/],
    [message([1, 0, 0, 0], 0x40, 0, 0, 1, 0, 1), /unknown label type 0x40/],
    [message([0, 1, 0, 0], 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3), /rdata at 23 runs past the end/],
    [message([0, 1, 0, 0], 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0), /1 bytes follow the rdata's fields/],
    [message([0, 1, 0, 0], 0, 0, 15, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0), /runs past the end/],
    [message([0, 0, 0, 2], ...opt, ...opt), /more than one OPT/],
    [message([0, 1, 0, 0], ...opt), /OPT record outside the additional section/],
    [message([0, 0, 0, 1], 1, 0x61, ...opt), /name is not the root/],
    [message([0, 0, 0, 1], ...opt.slice(0, -1), 3, 0, 3, 0), /option is cut short/],
    [message([0, 0, 0, 1], ...opt.slice(0, -1), 4, 0, 3, 0, 1), /option runs past the end/],
  ];
  for (const [bytes, expected] of cases)
    assert.throws(() => parseMessage(bytes), { name: 'MessageError', message: expected });
});

test('a parsed message shares no memory with the packet', () => {
  const bytes = Buffer.from(
    composeMessage({ questions: [question], answers: [record('api.production.local. 5 IN A 127.0.0.1')] }),
  );
  const parsed = parseMessage(bytes);
  bytes.fill(0xff);
  assertRecords(parsed.answers, 'api.production.local. 5 IN A 127.0.0.1');
  assert.deepEqual(parsed.questions[0].name, lowerCased(question.name));
});

test('a TTL with the top bit set is the maximum TTL (RFC 8767)', () => {
  const bytes = message([0, 1, 0, 0], 0, 0, 1, 0, 1, 0x80, 0, 0, 1, 0, 4, 1, 2, 3, 4);
  assert.equal(parseMessage(bytes).answers[0].ttlSeconds, 0x7fff_ffff);
});

test('an rcode above 15 and Extended DNS Errors are carried in OPT', () => {
  const data = Uint8Array.from([0, 14, ...Buffer.from('not synced'), 0]);
  const edns = { version: 0, udpBytes: 1232, dnssecOk: true, options: [{ code: OPTION.EDE, data }] };
  const parsed = parseMessage(composeMessage({ rcode: RCODE.BADVERS, edns }));
  assert.equal(parsed.rcode, RCODE.BADVERS);
  assert.deepEqual(extendedErrors(parsed.edns), [{ infoCode: 14, text: 'not synced' }]);
  assert.throws(() => composeMessage({ rcode: RCODE.BADVERS }), /needs EDNS/);
});

test('a message is printed like in dig', () => {
  const text = formatMessage(
    parseMessage(
      composeMessage({
        id: 7,
        flags: FLAG.QR | FLAG.AA | FLAG.RD,
        rcode: RCODE.SERVFAIL,
        questions: [question],
        answers: [record('api.production.local. 5 IN A 127.0.0.1')],
        edns: {
          version: 0,
          udpBytes: 1232,
          dnssecOk: false,
          options: [{ code: OPTION.EDE, data: Uint8Array.of(0, 14, 0x68, 0x69) }],
        },
      }),
    ),
  );
  assert.equal(
    text,
    `;; opcode: QUERY, status: SERVFAIL, id: 7
;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
; EDE: 14 (Not Ready): hi

;; QUESTION SECTION:
;api.production.local. IN A

;; ANSWER SECTION:
api.production.local. 5 IN A 127.0.0.1`,
  );
  assert.equal(hasFlag(parseMessage(composeMessage({ flags: FLAG.TC })), FLAG.TC), true);
});

test('malformed rdata of a known type are printed as bytes', () => {
  const bytes = message([0, 1, 0, 0], 0, 0, 1, 0, 1, 0, 0, 0, 5, 0, 3, 1, 2, 3);
  assert.equal(formatRecord(parseMessage(bytes).answers[0]), '. 5 IN A \\# 3 010203');
});
