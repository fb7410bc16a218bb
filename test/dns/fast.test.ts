// The readers and writers that work in place (dns/fast/) against those that make values (dns/message/).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { emptyQueryEdns, readQueryEdns } from '../../src/dns/fast/query-edns.ts';
import { createQuestionReader, labelledName, questionNameEnd } from '../../src/dns/fast/question-reader.ts';
import {
  NO_EDE,
  writeHeader,
  writeHeaderOnly,
  writeKeepalive,
  writeOpt,
  writeRecordHead,
} from '../../src/dns/fast/response-writer.ts';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { readQuestion } from '../../src/dns/message/record.ts';
import { labelCount, lowerCased, parseName } from '../../src/dns/name.ts';
import { hashName, wildcardHash } from '../../src/dns/name-hash.ts';
import { MessageError, WireReader } from '../../src/dns/reader.ts';
import { CLASS, FLAG, OPTION, TYPE } from '../../src/dns/types.ts';
import { messageParts, messageRecord, wireName } from '../support/dns-arbitraries.ts';

const SEED = 0x1234_5678;
const QUERY_AT = 300;
const RESPONSE_AT = 1200;
const memory = new Uint8Array(4096);
const view = new DataView(memory.buffer);
const reader = createQuestionReader(memory, 0, SEED);
const HEADER = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/** The bytes of a query after its header, as the general reader sees them; a question cannot hold a pointer that points back. */
function questionByValue(bytes: Uint8Array) {
  try {
    return readQuestion(new WireReader(bytes, 12));
  } catch (error) {
    assert.ok(error instanceof MessageError);
    return undefined;
  }
}

function readInPlace(bytes: Uint8Array): boolean {
  memory.fill(0xee);
  memory.set(bytes, QUERY_AT);
  return reader.readQuestion(QUERY_AT, QUERY_AT + bytes.length, RESPONSE_AT);
}

const bytesOfQuestions = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .array(fc.constantFrom(0, 0, 1, 2, 3, 10, 62, 63, 64, 0x41, 0x5a, 0x61, 0xc0), { maxLength: 300 })
    .map((list) => Uint8Array.from(list)),
  fc.tuple(wireName, fc.uint8Array({ maxLength: 8 })).map(([name, rest]) => Uint8Array.from([...name, ...rest])),
);

test('the question reader and the message reader agree on every question', () => {
  fc.assert(
    fc.property(bytesOfQuestions, (body) => {
      const query = Uint8Array.from([...HEADER, ...body]);
      const byValue = questionByValue(query);
      assert.equal(readInPlace(query), byValue !== undefined);
      if (byValue === undefined) return;
      const { question } = reader;
      const { name } = question;
      assert.deepEqual([question.type, question.class], [byValue.type, byValue.class]);
      assert.equal(question.length, 12 + byValue.name.length + 4);
      assert.deepEqual(memory.slice(RESPONSE_AT + 12, RESPONSE_AT + question.length), query.slice(12, question.length));
      assert.deepEqual(name.bytes.slice(0, name.length), lowerCased(byValue.name));
      const words = new Int32Array((name.length + 3) >> 2);
      new Uint8Array(words.buffer).set(lowerCased(byValue.name));
      assert.deepEqual(name.words.slice(0, words.length), words);
    }),
    { numRuns: 20_000 },
  );
});

test('the hash of a suffix equals the hash of that suffix as a separate name, regardless of case', () => {
  fc.assert(
    fc.property(wireName, (wire) => {
      assert.ok(readInPlace(Uint8Array.from([...HEADER, ...wire, 0, 1, 0, 1])));
      const { name } = reader.question;
      const labelled = labelledName(wire, SEED);
      assert.equal(name.labels, labelCount(wire));
      assert.deepEqual(labelled.bytes, name.bytes.slice(0, name.length));
      for (let labels = 0; labels <= name.labels; labels++) {
        assert.equal(name.hashes[labels], hashName(wire, SEED, name.starts[labels]));
        assert.deepEqual(
          [labelled.hashes[labels], labelled.starts[labels]],
          [name.hashes[labels], name.starts[labels]],
        );
      }
    }),
    { numRuns: 2000 },
  );
});

test('a name of 127 labels is read completely, one of 128 is rejected', () => {
  const labels = (count: number) => Uint8Array.from([...Array.from({ length: count }, () => [1, 0x41]).flat(), 0]);
  const query = (name: Uint8Array) => Uint8Array.from([...HEADER, ...name, 0, 1, 0, 1]);
  assert.ok(readInPlace(query(labels(127))));
  const { name } = reader.question;
  assert.deepEqual([name.labels, name.length, name.starts[1], name.starts[127]], [127, 255, 252, 0]);
  for (let count = 0; count <= 127; count++) assert.equal(name.hashes[count], hashName(labels(count), SEED));
  assert.equal(questionNameEnd(query(labels(127))), 12 + 255);
  assert.equal(questionNameEnd(query(labels(128))), 0);
  assert.equal(readInPlace(query(labels(128))), false);
});

test('the hash of a name is the same in any case', () => {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const wire = (text: string) => Uint8Array.of(text.length, ...Buffer.from(text), 0);
  assert.equal(hashName(wire(letters.toUpperCase()), SEED), hashName(wire(letters), SEED));
  for (const [one, other] of ['@`', '[{', 'ab'])
    assert.notEqual(hashName(wire(one), SEED), hashName(wire(other), SEED));
});

test('the hash of a wildcard equals the hash of its name', () => {
  assert.equal(wildcardHash(hashName(parseName('a.b.'), SEED)), hashName(parseName('*.a.b.'), SEED));
});

test('the end of the question’s name is where the message reader finds it', () => {
  fc.assert(
    fc.property(bytesOfQuestions, (body) => {
      const query = Uint8Array.from([...HEADER, ...body]);
      const byValue = questionByValue(query);
      assert.equal(questionNameEnd(query), byValue === undefined ? 0 : 12 + byValue.name.length);
    }),
    { numRuns: 5000 },
  );
});

const queryRecords = fc.record({
  answers: fc.array(messageRecord, { maxLength: 1 }),
  authorities: fc.array(messageRecord, { maxLength: 1 }),
  additionals: fc.array(messageRecord, { maxLength: 2 }),
});

/** What both readers make of the OPT of a query with one question; undefined: malformed. */
function ednsOf(query: Uint8Array, questionEnd: number) {
  const inPlace = emptyQueryEdns();
  memory.set(query, QUERY_AT);
  const wellFormed = readQueryEdns(memory, QUERY_AT, QUERY_AT + questionEnd, QUERY_AT + query.length, inPlace);
  return wellFormed ? inPlace : undefined;
}

test('counts that are not those of the records make a query malformed', () => {
  const opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
  const withCounts = (an: number, ns: number, ar: number, ...rest: number[]) =>
    ednsOf(Uint8Array.from([0, 0, 0, 0, 0, 1, 0, an, 0, ns, 0, ar, 0, 0, 1, 0, 1, ...rest]), 17);
  assert.deepEqual(withCounts(0, 0, 1, ...opt), {
    present: true,
    udpBytes: 1232,
    version: 0,
    dnssecOk: false,
    keepalive: false,
    nsid: false,
  });
  assert.equal(withCounts(0, 0, 2, ...opt), undefined);
  assert.equal(withCounts(0, 0, 0, ...opt), undefined);
  assert.equal(withCounts(0, 0, 1), undefined);
  assert.equal(withCounts(0, 0, 1, ...opt, 0), undefined);
  assert.equal(withCounts(1, 0, 0, ...opt), undefined);
  assert.equal(withCounts(0, 1, 0, ...opt), undefined);
  assert.equal(withCounts(0, 1, 1, ...opt, ...opt), undefined);
});

const KNOWN = [OPTION.TCP_KEEPALIVE, OPTION.NSID];

test('the OPT reader and the message reader agree on the OPT of a query', () => {
  fc.assert(
    fc.property(messageParts, queryRecords, fc.subarray(KNOWN), ({ edns }, records, known) => {
      const options = [...(edns?.options ?? []), ...known.map((code) => ({ code, data: new Uint8Array(2) }))];
      const name = parseName('a.example.');
      const query = composeMessage({
        ...records,
        questions: [{ name, type: 1, class: 1 }],
        ...(edns && { edns: { ...edns, options } }),
      });
      if (query.length > 800) return;
      const read = ednsOf(query, 12 + name.length + 4);
      const byValue = parseMessage(query).edns;
      assert.equal(read?.present, byValue !== undefined);
      if (byValue === undefined) return;
      assert.deepEqual(
        [read?.udpBytes, read?.version, read?.dnssecOk, read?.keepalive, read?.nsid],
        [
          ...[byValue.udpBytes, byValue.version, byValue.dnssecOk],
          ...KNOWN.map((known) => byValue.options.some(({ code }) => code === known)),
        ],
      );
    }),
    { numRuns: 3000 },
  );
});

test('the OPT reader accepts every message that the message reader accepts, and rejects a second OPT', () => {
  const counts = fc.tuple(fc.nat(1), fc.nat(1), fc.nat(2));
  const body = fc.array(fc.constantFrom(0, 0, 0, 1, 2, 4, 11, 15, 41, 63, 0xc0, 12), { maxLength: 60 });
  fc.assert(
    fc.property(counts, body, ([an, ns, ar], rest) => {
      const query = Uint8Array.from([0, 0, 0, 0, 0, 1, 0, an, 0, ns, 0, ar, 1, 0x61, 0, 0, 1, 0, 1, ...rest]);
      const read = ednsOf(query, 19);
      let byValue: ReturnType<typeof parseMessage>;
      try {
        byValue = parseMessage(query);
      } catch (error) {
        if (!(error instanceof MessageError)) throw error;
        return;
      }
      assert.equal(read?.present, byValue.edns !== undefined);
    }),
    { numRuns: 40_000 },
  );
  const opt = [0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0];
  const twice = Uint8Array.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 1, ...opt, ...opt]);
  assert.equal(ednsOf(twice, 17), undefined);
});

test('a response written in place equals the message that the composer builds from the same values', () => {
  const parts = fc.record({
    id: fc.nat(0xffff),
    rcode: fc.nat(4095),
    authoritative: fc.boolean(),
    recursionDesired: fc.boolean(),
    ttlSeconds: fc.nat(0x7fffffff),
    udpBytes: fc.nat(0xffff),
    dnssecOk: fc.boolean(),
    ede: fc.option(fc.nat(0xffff)),
    text: fc.stringMatching(/^[ -~]{0,40}$/),
    idleMs: fc.option(fc.nat(7_000_000)),
    name: wireName,
  });
  fc.assert(
    fc.property(parts, (p) => {
      const question = { name: p.name, type: TYPE.A, class: CLASS.IN };
      const query = composeMessage({ id: p.id, flags: p.recursionDesired ? FLAG.RD : 0, questions: [question] });
      assert.ok(readInPlace(query));
      const flags = (p.authoritative ? FLAG.AA : 0) | (p.rcode & 15);
      writeHeader(view, RESPONSE_AT, QUERY_AT, flags, 1, 0, 1);
      let at = RESPONSE_AT + query.length;
      writeRecordHead(view, at, 12, TYPE.A, p.ttlSeconds, 4);
      memory.set([192, 0, 2, 1], at + 12);
      at += 16;
      const optAt = at;
      at = writeOpt(memory, at, p.udpBytes, p.rcode, p.dnssecOk, p.ede ?? NO_EDE, p.text);
      if (p.idleMs !== null) at = writeKeepalive(memory, at, optAt, p.idleMs);
      const tenths = Math.min(0xffff, Math.floor((p.idleMs ?? 0) / 100));
      const options = [
        ...(p.ede === null
          ? []
          : [{ code: OPTION.EDE, data: Uint8Array.from([p.ede >> 8, p.ede & 255, ...Buffer.from(p.text)]) }]),
        ...(p.idleMs === null ? [] : [{ code: OPTION.TCP_KEEPALIVE, data: Uint8Array.of(tenths >> 8, tenths & 255) }]),
      ];
      const expected = composeMessage({
        id: p.id,
        flags: FLAG.QR | (p.authoritative ? FLAG.AA : 0) | (p.recursionDesired ? FLAG.RD : 0),
        rcode: p.rcode,
        questions: [question],
        answers: [{ ...question, ttlSeconds: p.ttlSeconds, rdata: Uint8Array.of(192, 0, 2, 1) }],
        edns: { version: 0, udpBytes: p.udpBytes, dnssecOk: p.dnssecOk, options },
      });
      // The composer writes the root as a byte of its own where the writer in place points to it.
      if (p.name.length > 1) assert.deepEqual(memory.slice(RESPONSE_AT, at), expected);
    }),
    { numRuns: 2000 },
  );
});

test('a refusal without a question repeats only the ID', () => {
  memory.set([0xab, 0xcd, 0xff, 0xff, 0, 9], QUERY_AT);
  assert.equal(writeHeaderOnly(view, RESPONSE_AT, QUERY_AT, FLAG.QR | 4), 12);
  assert.deepEqual([...memory.slice(RESPONSE_AT, RESPONSE_AT + 12)], [0xab, 0xcd, 0x80, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
});
