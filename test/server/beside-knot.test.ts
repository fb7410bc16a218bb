// Sizes of answers, beside those of a real Knot with the same zone; and that what is compressed says the same.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { formatRecord } from '../../src/dns/message/format-message.ts';
import { composeMessage, type Message, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { parseType } from '../../src/dns/types.ts';
import { createInProcessPlane, type InProcessPlane } from '../support/in-process.ts';
import { type RealServer, startKnot } from '../support/real-servers.ts';
import { requirement } from '../support/requirement.ts';
import { parseScenarios } from '../support/scenario.ts';
import { createServed } from '../support/served.ts';

const many = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i));

/** Absolute names, so that the zone is the same text in both servers. */
const ZONE = [
  'example.test. 300 SOA ns1.dns.example.test. hostmaster.dns.example.test. 1 7200 1800 86400 30',
  'example.test. 300 NS ns1.dns.example.test.',
  'example.test. 300 NS ns2.dns.example.test.',
  'ns1.dns.example.test. 300 A 192.0.2.1',
  'ns2.dns.example.test. 300 A 192.0.2.2',
  ...many(20, (i) => `mail.example.test. 300 MX ${i} mx${i}.mail.example.test.`),
  ...many(20, (i) => `foreign.example.test. 300 MX ${i} mx${i}.mail.provider.net.`),
  ...many(20, (i) => `7.2.0.192.example.test. 300 PTR host-${i}.rack.example.test.`),
  ...many(20, (i) => `8.2.0.192.example.test. 300 PTR host-${i}.rack${i % 3}.provider.net.`),
  ...many(13, (i) => `cut.example.test. 300 NS ${'abcdefghijklm'[i]}.gtld-servers.net.`),
  ...many(4, (i) => `inside.example.test. 300 NS ns${i}.inside.example.test.`),
  ...many(4, (i) => `ns${i}.inside.example.test. 300 A 192.0.2.${i + 10}`),
  ...many(3, (i) => `_sip._udp.example.test. 300 SRV 0 1 506${i} sip${i}.example.test.`),
  ...many(3, (i) => `sip${i}.example.test. 300 A 192.0.2.${i + 20}`),
  'www.example.test. 300 CNAME web.pool.example.test.',
  'web.pool.example.test. 300 CNAME real.pool.example.test.',
  'real.pool.example.test. 300 A 192.0.2.30',
  'outside.example.test. 300 CNAME www.provider.net.',
  'text.example.test. 300 TXT "one" "two"',
  'old.example.test. 300 DNAME new.example.test.',
  'old.example.test. 300 A 192.0.2.40',
  'www.new.example.test. 300 A 192.0.2.42',
  'alias.new.example.test. 300 CNAME www.new.example.test.',
  'twice.example.test. 300 DNAME old.example.test.',
  'away.example.test. 300 DNAME provider.net.',
  'into.example.test. 300 CNAME www.old.example.test.',
  '*.starred.example.test. 300 DNAME new.example.test.',
  `long.example.test. 300 DNAME ${many(4, (i) => `${i}${'x'.repeat(55)}`).join('.')}.`,
];

const QUESTIONS = [
  'mail.example.test. MX',
  'foreign.example.test. MX',
  '7.2.0.192.example.test. PTR',
  '8.2.0.192.example.test. PTR',
  'www.cut.example.test. A',
  'www.inside.example.test. A',
  'example.test. NS',
  'example.test. SOA',
  'missing.example.test. A',
  'a.b.c.missing.example.test. A',
  'text.example.test. A',
  '_sip._udp.example.test. SRV',
  'www.example.test. A',
  'web.pool.example.test. AAAA',
  'outside.example.test. A',
  'www.old.example.test. A',
  'www.old.example.test. AAAA',
  'www.old.example.test. CNAME',
  'www.old.example.test. DNAME',
  'old.example.test. DNAME',
  'old.example.test. A',
  'old.example.test. AAAA',
  'below.old.example.test. A',
  'missing.old.example.test. A',
  'alias.old.example.test. A',
  'www.twice.example.test. A',
  'a.b.away.example.test. A',
  'into.example.test. A',
  'a.starred.example.test. A',
  'b.a.starred.example.test. A',
  `${'y'.repeat(63)}.long.example.test. A`,
  'y.long.example.test. A',
];

describe('answers have the same records as those of Knot', requirement('knotd'), () => {
  let knot: RealServer;
  let plane: InProcessPlane;
  before(async () => {
    knot = await startKnot('example.test.', `${ZONE.join('\n')}\n`);
    // Knot refuses to load records below a DNAME; ours occludes them.
    plane = await planeWith([...ZONE, 'below.old.example.test. 300 A 192.0.2.41']);
  });
  after(() => knot.stop());

  for (const question of QUESTIONS) {
    test(`${question}: the same records in no more bytes than from Knot`, async () => {
      const query = queryFor(question);
      const theirs = await askUdp(knot.port, query);
      const ours = plane.respond(query, 'udp');
      assert.ok(ours);
      assert.deepEqual(linesOf(parseMessage(ours)), linesOf(parseMessage(theirs)));
      assert.ok(ours.length <= theirs.length, `${ours.length} bytes, Knot's answer has ${theirs.length}`);
    });
  }
});

async function planeWith(lines: readonly string[]): Promise<InProcessPlane> {
  const plane = createInProcessPlane();
  const served = createServed(plane);
  const text = ['scenario here', 'zone example.test. bare', ...lines].join('\n');
  for (const step of parseScenarios('here', text)[0].steps) if (step.kind !== 'ask') served.step(step);
  await served.flush();
  return plane;
}

function queryFor(question: string): Uint8Array {
  const [name, type] = question.split(' ');
  return composeMessage({
    id: 7,
    questions: [{ name: parseName(name), type: parseType(type)!, class: 1 }],
    edns: { version: 0, udpBytes: 1232, dnssecOk: false, options: [] },
  });
}

function linesOf(message: Message): Record<string, unknown> {
  const lines = (records: Message['answers']) => records.map(formatRecord).sort();
  return {
    rcode: message.rcode,
    flags: message.flags,
    answers: lines(message.answers),
    authorities: lines(message.authorities),
    additionals: lines(message.additionals),
  };
}

async function askUdp(port: number, query: Uint8Array): Promise<Uint8Array> {
  const socket = createSocket('udp4');
  socket.send(query, port, '127.0.0.1');
  const [response] = (await once(socket, 'message')) as [Uint8Array];
  socket.close();
  return response;
}
