import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createQueryLog } from '../../../src/front/query-log.ts';
import type { Question } from '../../../src/shadow/answers/question.ts';
import { composeQuery } from '../../../src/shadow/answers/question.ts';
import { readQuestions } from '../../../src/shadow/questions/input.ts';
import { createNotes } from '../../../src/shadow/questions/notes.ts';
import { readLine } from '../../../src/shadow/questions/text-lines.ts';
import { readInput } from '../../support/read-input.ts';

const FLAGS = { RD: 0x0100 };

/** CoreDNS's formats "common" and "combined", as its log plugin and `kubectl logs` write them. */
const COREDNS_LINES: readonly (readonly [string, Question])[] = [
  [
    '[INFO] 127.0.0.1:50759 - 29008 "A IN example.org. udp 41 false 4096" NOERROR qr,rd,ra,ad 68 0.037990251s',
    {
      ...{ name: 'example.org.', type: 'A', class: 1 },
      way: { transport: 'udp', edns: { udpBytes: 4096, dnssecOk: false }, flags: FLAGS.RD },
    },
  ],
  [
    '[INFO] 10.0.0.7:4711 - 1 "SRV IN _http._tcp.web.prod.svc.cluster.local. tcp 60 false 65535" NXDOMAIN qr,aa,rd 150 0.0001s',
    {
      ...{ name: '_http._tcp.web.prod.svc.cluster.local.', type: 'SRV', class: 1 },
      way: { transport: 'tcp', edns: { udpBytes: 65_535, dnssecOk: false }, flags: FLAGS.RD },
    },
  ],
  [
    '2026-11-28T10:00:00.1Z [pod/coredns-7c/coredns] [INFO] [fd00::7]:4711 - 1 "TYPE65 IN web. udp 21 false 512" NOERROR qr,aa 21 0.0001s',
    { name: 'web.', type: 'HTTPS', class: 1, way: { transport: 'udp', flags: 0 } },
  ],
  [
    '[INFO] 10.0.0.7:4711 - 1 "TXT CH version.bind. udp 30 true 512" REFUSED qr,rd 30 0.0001s',
    {
      ...{ name: 'version.bind.', type: 'TXT', class: 3 },
      way: { transport: 'udp', edns: { udpBytes: 512, dnssecOk: true }, flags: FLAGS.RD },
    },
  ],
];

for (const [line, question] of COREDNS_LINES) {
  test(`a line of CoreDNS's log is the question ${question.name} ${question.type}`, () => {
    assert.deepEqual(readLine(line), question);
  });
}

test('a line of our own query log is its question, alone and within the JSON of the log', () => {
  const query = composeQuery({ name: 'Web.Example.', type: 'AAAA', way: { transport: 'tcp' } });
  const settings = { every: 1, rcodes: [], classes: [], names: [], networks: [] };
  const seen = {
    client: Uint8Array.of(10, 0, 0, 7),
    port: 1,
    overTcp: true,
    query,
    response: query,
    milliseconds: 0.1,
  };
  const fields = createQueryLog({ ...settings, format: undefined })({ ...seen, from: 'own' });
  const line = createQueryLog({ ...settings, format: '{common}' })({ ...seen, from: 'own' });
  for (const text of [JSON.stringify({ msg: 'query', ...fields }), line!.text!]) {
    const question = readLine(text) as Question;
    assert.deepEqual([question.name, question.type, question.way.transport], ['Web.Example.', 'AAAA', 'tcp'], text);
  }
});

test('lines of dnsperf are questions; comments and other lines are not, and are counted', async () => {
  const lines = ['; dnsperf', 'www.example.org A', 'web.prod.svc.cluster.local. srv', 'a\\.b.example', '# end', ''];
  const { questions, skipped, notes } = await readInput(
    Buffer.from(
      [...lines, 'plugin/kubernetes: Warning: no such host', 'x A more', 'www.example.org BAD', 'z. AXFR'].join('\r\n'),
    ),
    7,
  );
  assert.deepEqual(
    questions.map(({ name, type }) => `${name} ${type}`),
    ['www.example.org. A', 'web.prod.svc.cluster.local. SRV', 'a\\.b.example. A'],
  );
  assert.deepEqual(skipped, { 'line without a question': 4 });
  assert.deepEqual([notes.format, notes.read], ['text', 10]);
  assert.equal(notes.skipped.get('line without a question')!.firstAt, 'line 7');
});

test('a line of 64 MiB is skipped without being held', async () => {
  async function* chunks() {
    for (let i = 0; i < 64; i++) yield Buffer.alloc(1 << 20, 'x');
    yield Buffer.from('\nwww.example.org A\n');
  }
  const notes = createNotes();
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for await (const { name } of readQuestions(chunks(), 53, notes)) {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    assert.equal(name, 'www.example.org.');
  }
  assert.deepEqual([...notes.skipped.keys()], ['line longer than 16 KiB']);
  assert.ok(most < 32 << 20, `${most} bytes`);
});

test('whatever a line contains, it is a question that can be asked, a comment, or a reason', () => {
  const words = fc.constantFrom(
    '"A IN',
    'x.',
    'udp',
    '45',
    'false',
    '512"',
    '{"name":"x",',
    '"type":"A"}',
    '\\',
    '\\999',
    'A',
  );
  const line = fc.oneof(
    fc.string(),
    fc.array(fc.oneof(words, fc.string()), { maxLength: 9 }).map((all) => all.join(' ')),
  );
  fc.assert(
    fc.property(line, (text) => {
      const question = readLine(text);
      if (typeof question === 'object') composeQuery(question);
    }),
    { numRuns: 2_000 },
  );
});
