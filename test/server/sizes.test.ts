// Zones made at random, asked over UDP with sizes made at random: what fits is all there, what does not is TC.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatRecord } from '../../src/dns/message/format-message.ts';
import { composeMessage, type Message, parseMessage } from '../../src/dns/message/message.ts';
import type { MessageRecord } from '../../src/dns/message/record.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { FLAG, TYPE } from '../../src/dns/types.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { parseScenarios } from '../support/scenario.ts';
import { createServed } from '../support/served.ts';

const UDP_BYTES = 1232;
const TYPES = [TYPE.A, TYPE.AAAA, TYPE.MX, TYPE.TXT, TYPE.NS, TYPE.ANY];

const label = fc.constantFrom('a', 'b', 'c', 'a-label-that-is-long-enough-to-make-a-difference-to-the-size');
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const rrset = fc.record({
  name,
  kind: fc.constantFrom('A', 'A', 'AAAA', 'MX', 'TXT', 'CNAME', 'NS'),
  records: fc.integer({ min: 1, max: 80 }),
  target: name,
  textBytes: fc.integer({ min: 0, max: 200 }),
});

/** Zone text; of a name with a CNAME only that, as the configuration demands. */
function zoneText(
  rrsets: readonly { name: string; kind: string; records: number; target: string; textBytes: number }[],
) {
  const kinds = new Map<string, string>();
  const lines = ['scenario made', 'zone example.test.', '@ 5 NS ns'];
  for (const { name, kind, records, target, textBytes } of rrsets) {
    const before = kinds.get(name) ?? '';
    if (before.includes('CNAME') || before.includes(kind) || (kind === 'CNAME' && before !== '')) continue;
    kinds.set(name, `${before} ${kind}`);
    for (let i = 0; i < (kind === 'CNAME' ? 1 : records); i++) {
      const value = {
        A: `10.0.${i >> 8}.${i & 255}`,
        AAAA: `fd00::${i}`,
        MX: `${i} ${target}`,
        TXT: `"${i} ${'x'.repeat(textBytes)}"`,
        NS: `n${i}.${target}`,
        CNAME: target,
      }[kind];
      lines.push(`${name} 5 ${kind} ${value}`);
    }
  }
  return lines.join('\n');
}

const question = fc.record({
  name: fc.oneof({ weight: 9, arbitrary: name }, { weight: 1, arbitrary: fc.constant('@') }),
  type: fc.constantFrom(...TYPES),
  udpBytes: fc.option(fc.oneof(fc.integer({ min: 0, max: 1400 }), fc.constantFrom(512, 1232, 4096, 65_535)), {
    nil: undefined,
  }),
});

const rrsetsOf = (records: readonly MessageRecord[]): Map<string, string[]> => {
  const found = new Map<string, string[]>();
  for (const record of records) {
    const key = `${formatName(record.name)} ${record.type}`;
    found.set(key, [...(found.get(key) ?? []), formatRecord(record)].sort());
  }
  return found;
};

/** Every RRset of one section is the same in the other, or not there at all. */
function assertWhole(some: readonly MessageRecord[], all: readonly MessageRecord[]): void {
  const whole = rrsetsOf(all);
  for (const [key, records] of rrsetsOf(some)) assert.deepEqual(records, whole.get(key), key);
}

const isAddress = ({ type }: MessageRecord) => type === TYPE.A || type === TYPE.AAAA;

/** The same of types without addresses; of addresses, as many as fit where the message is truncated. */
function assertAnswers(udp: Message, tcp: Message, freeBytes: number): void {
  const truncated = (udp.flags & FLAG.TC) !== 0;
  assertWhole(
    udp.answers.filter((record) => !truncated || !isAddress(record)),
    tcp.answers,
  );
  const whole = rrsetsOf(tcp.answers.filter(isAddress));
  for (const [key, records] of rrsetsOf(udp.answers.filter(isAddress))) {
    const all = new Set(whole.get(key));
    for (const record of records) assert.ok(all.delete(record), `${key}: ${record}`);
    if (all.size > 0) assert.ok(freeBytes < 28, `${freeBytes} bytes are free for another ${key}`);
  }
}

function checkSizes(udp: Uint8Array, tcp: Uint8Array, most: number): void {
  assert.ok(udp.length <= most, `${udp.length} bytes of ${most}`);
  const [short, long]: Message[] = [parseMessage(udp), parseMessage(tcp)];
  assert.equal(long.flags & FLAG.TC, 0, 'TC over TCP');
  assert.equal(short.rcode, long.rcode);
  assertAnswers(short, long, most - udp.length);
  assertWhole(short.authorities, long.authorities);
  assertWhole(short.additionals, long.additionals);
  if ((short.flags & FLAG.TC) !== 0) assert.ok(tcp.length > most, `TC although all of it has ${tcp.length} bytes`);
  else {
    assert.equal(short.answers.length, long.answers.length);
    assert.equal(short.authorities.length, long.authorities.length);
  }
}

test('answers over UDP contain whole RRsets, or as many addresses as fit, and TC exactly if part is missing', async () => {
  const property = fc.asyncProperty(
    fc.array(rrset, { minLength: 1, maxLength: 8 }),
    fc.array(question, { minLength: 30, maxLength: 30 }),
    async (rrsets, questions) => {
      const plane = createInProcessPlane();
      const served = createServed(plane);
      for (const step of parseScenarios('made', zoneText(rrsets))[0].steps) if (step.kind !== 'ask') served.step(step);
      await served.flush();
      for (const { name, type, udpBytes } of questions) {
        const query = composeMessage({
          id: 1,
          questions: [{ name: parseName(name, parseName('example.test.')), type, class: 1 }],
          edns: udpBytes === undefined ? undefined : { version: 0, udpBytes, dnssecOk: false, options: [] },
        });
        const most = Math.max(512, Math.min(udpBytes ?? 0, UDP_BYTES));
        const udp = plane.respond(query, 'udp');
        const tcp = plane.respond(query, 'tcp');
        assert.ok(udp && tcp);
        checkSizes(udp, tcp, most);
      }
    },
  );
  await fc.assert(property, { numRuns: 100 });
});
