// The answer path against packets that nobody meant: random bytes, queries with bytes changed, cut, doubled, joined.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { RCODE } from '../../src/dns/types.ts';
import { wireName } from '../support/dns-arbitraries.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { EXAMPLE_NAMES, serveExample } from '../support/served-example.ts';

const PACKETS_A_RUN = 100;
const plane = createInProcessPlane({ versionBind: 'fuzzed' });
before(() => serveExample(plane));

const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...EXAMPLE_NAMES).map((text) => parseName(text)) },
  { weight: 1, arbitrary: wireName },
);
const type = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(1, 2, 5, 6, 12, 15, 16, 28, 33, 251, 252, 255) },
  fc.nat(0xffff),
);
const edns = fc.record({
  version: fc.constantFrom(0, 0, 0, 1, 255),
  udpBytes: fc.nat(0xffff),
  dnssecOk: fc.boolean(),
  options: fc.array(fc.record({ code: fc.nat(0xffff), data: fc.uint8Array({ maxLength: 20 }) }), { maxLength: 3 }),
});

/** Well-formed, opcode QUERY. */
const query = fc
  .record({
    id: fc.nat(0xffff),
    flags: fc.nat(0x7fff).map((flags) => flags & 0x07f0),
    name,
    type,
    class: fc.constantFrom(1, 1, 1, 1, 3, 4, 255),
    edns: fc.option(edns, { nil: undefined }),
  })
  .map((parts) =>
    composeMessage({ ...parts, questions: [{ name: parts.name, type: parts.type, class: parts.class }] }),
  );

const mutation = fc.oneof(
  fc.record({ kind: fc.constant('byte' as const), at: fc.nat(300), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(300), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(300), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('double' as const), at: fc.nat(300), value: fc.nat(255) }),
);

const mutated = fc
  .tuple(query, fc.array(mutation, { minLength: 1, maxLength: 4 }))
  .map(([bytes, mutations]) => withMutations([...bytes], mutations));

function withMutations(list: number[], mutations: readonly { kind: string; at: number; value: number }[]): Uint8Array {
  for (const { kind, at, value } of mutations) {
    const place = list.length === 0 ? 0 : at % list.length;
    if (kind === 'byte') list[place] = value;
    else if (kind === 'cut') list.length = place;
    else if (kind === 'insert') list.splice(place, 0, value);
    else list.push(...list.slice(place));
  }
  return Uint8Array.from(list);
}

test('60,000 well-formed queries each get one well-formed response', () => {
  const property = fc.property(
    fc.array(query, { minLength: PACKETS_A_RUN, maxLength: PACKETS_A_RUN }),
    fc.constantFrom('udp' as const, 'tcp' as const),
    (queries, transport) => {
      for (const bytes of queries) {
        const response = plane.respond(bytes, transport);
        assert.ok(response, 'a response');
        const asked = parseMessage(bytes);
        const answered = parseMessage(response);
        assert.equal(answered.id, asked.id);
        assert.equal(answered.flags & 0x8000, 0x8000, 'QR');
        assert.equal(answered.flags & 0x0100, asked.flags & 0x0100, 'RD');
        assert.deepEqual(answered.questions, asked.questions);
        assert.equal(answered.edns !== undefined, asked.edns !== undefined);
        const most = asked.edns ? Math.max(512, Math.min(1232, asked.edns.udpBytes)) : 512;
        if (transport === 'udp') assert.ok(response.length <= most, `${response.length} bytes`);
      }
    },
  );
  fc.assert(property, { numRuns: 60_000 / PACKETS_A_RUN });
});

test('30,000 mutated queries never throw, and responses are never answered', () => {
  const property = fc.property(fc.array(mutated, { minLength: PACKETS_A_RUN, maxLength: PACKETS_A_RUN }), (packets) => {
    for (const bytes of packets) checkResponse(bytes, plane.respond(bytes));
  });
  fc.assert(property, { numRuns: 30_000 / PACKETS_A_RUN });
});

test('30,000 random packets never throw, and responses are never answered', () => {
  const packet = fc.uint8Array({ maxLength: 200 });
  const property = fc.property(fc.array(packet, { minLength: PACKETS_A_RUN, maxLength: PACKETS_A_RUN }), (packets) => {
    for (const bytes of packets) checkResponse(bytes, plane.respond(bytes, 'tcp'));
  });
  fc.assert(property, { numRuns: 30_000 / PACKETS_A_RUN });
});

function checkResponse(packet: Uint8Array, response: Uint8Array | undefined): void {
  if (packet.length < 12 || (packet[2] & 0x80) !== 0) {
    assert.equal(response, undefined);
    return;
  }
  assert.ok(response, 'a response');
  const { id, flags, rcode, questions, edns } = parseMessage(response);
  assert.equal(id, (packet[0] << 8) | packet[1]);
  assert.equal(flags & 0x8000, 0x8000);
  // What cannot be understood is never answered with more than it has itself: nothing to gain for who forges senders.
  if (rcode === RCODE.FORMERR || rcode === RCODE.NOTIMP) {
    assert.equal(response.length, edns ? 23 : 12);
    assert.ok(response.length <= packet.length);
  } else {
    assert.equal(questions.length, 1);
    const asked = packet.subarray(12, 12 + questions[0].name.length + 4);
    assert.deepEqual(response.subarray(12, 12 + asked.length), asked, 'the question as it was spelt');
  }
  assert.ok(response.length <= (edns ? 1232 : 512), `${response.length} bytes`);
}
