import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeQuery } from '../../../src/shadow/answers/question.ts';
import { createBytes } from '../../../src/shadow/questions/bytes.ts';
import { readDnstap } from '../../../src/shadow/questions/dnstap.ts';
import { createNotes } from '../../../src/shadow/questions/notes.ts';
import { control, dnstap, dnstapMessage, lengthAndBytes } from '../../support/captures.ts';
import { readInput } from '../../support/read-input.ts';

const query = (name: string) => composeQuery({ name, type: 'AAAA', way: { transport: 'udp' } });
const response = (name: string) => {
  const message = query(name);
  message[2]! |= 0x84;
  return message;
};
const [AUTH_QUERY, AUTH_RESPONSE, RESOLVER_QUERY, CLIENT_QUERY, CLIENT_RESPONSE] = [1, 2, 3, 5, 6] as const;
const [UDP, TCP] = [1, 2] as const;

test("clients' queries are read from dnstap, those of the server itself and responses are not", async () => {
  const { questions, skipped, notes } = await readInput(
    dnstap([
      { type: CLIENT_QUERY, protocol: UDP, message: query('a.example.') },
      { type: RESOLVER_QUERY, protocol: UDP, message: query('upstream.example.') },
      { type: CLIENT_RESPONSE, protocol: UDP, message: response('a.example.') },
      { type: AUTH_QUERY, protocol: TCP, message: query('b.example.') },
    ]),
  );
  assert.deepEqual(
    questions.map(({ name, type, way }) => [name, type, way.transport]),
    [
      ['a.example.', 'AAAA', 'udp'],
      ['b.example.', 'AAAA', 'tcp'],
    ],
  );
  assert.deepEqual([notes.format, notes.read, skipped], ['dnstap', 4, { "not a client's query": 1, response: 1 }]);
});

test('of senders that only log responses, the questions in them are asked', async () => {
  const types = [CLIENT_RESPONSE, AUTH_RESPONSE];
  const { names } = await readInput(
    dnstap(types.map((type) => ({ type, protocol: UDP, message: response(`n${type}.example.`) }))),
  );
  assert.deepEqual(names, ['n6.example.', 'n2.example.']);
});

test('a stream that is cut, of other content, or with an implausible length ends with its place', async () => {
  const file = dnstap(['a.example.', 'b.example.'].map((name) => ({ type: 5, protocol: UDP, message: query(name) })));
  const cut = await readInput(file.subarray(0, file.length - 20));
  assert.deepEqual(cut.names, ['a.example.']);
  assert.match(cut.notes.damage ?? '', /^byte \d+: \d+ bytes expected/);
  const other = await readInput(control(2, 'protobuf:other.Thing'));
  assert.match(other.notes.damage ?? '', /^byte 0: the stream contains "protobuf:other.Thing"/);
  const long = await readInput(Buffer.concat([control(2, 'protobuf:dnstap.Dnstap'), Buffer.alloc(8, 0x7f)]));
  assert.match(long.notes.damage ?? '', /^byte 42: a frame of \d+ bytes is not plausible/);
});

test('a sender that expects a handshake gets ACCEPT with the content type, and FINISH after STOP', async () => {
  async function* pieces() {
    yield control(4, 'protobuf:dnstap.Dnstap');
    yield control(2, 'protobuf:dnstap.Dnstap');
    yield lengthAndBytes(dnstapMessage({ type: 5, protocol: UDP, message: query('a.example.') }));
    yield control(3);
  }
  const sent: Buffer[] = [];
  const names: string[] = [];
  const questions = readDnstap(createBytes(pieces()), createNotes(), (frame) => sent.push(frame));
  for await (const { name } of questions) names.push(name);
  assert.deepEqual([names, sent], [['a.example.'], [control(1, 'protobuf:dnstap.Dnstap'), control(5)]]);
});

test('no bytes make the reader of dnstap throw or hang', async () => {
  const file = dnstap([{ type: 5, protocol: UDP, message: query('a.example.') }]);
  const changes = fc.array(fc.tuple(fc.nat(file.length - 5), fc.nat(255)), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(changes, fc.integer({ min: 1, max: 99 }), async (all, piece) => {
      const bytes = Buffer.from(file);
      for (const [at, value] of all) bytes[4 + at] = value;
      await readInput(bytes, piece);
    }),
    { numRuns: 500 },
  );
});
