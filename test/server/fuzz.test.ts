// The answer path against packets that nobody meant.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { parseMessage } from '../../src/dns/message/message.ts';
import { RCODE } from '../../src/dns/types.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { mutated, queriesFor } from '../support/packets.ts';
import { EXAMPLE_NAMES, serveExample } from '../support/served-example.ts';

const PACKETS_A_RUN = 100;
const plane = createInProcessPlane({ versionBind: 'fuzzed' });
before(() => serveExample(plane));

const query = queriesFor(EXAMPLE_NAMES);

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
  const property = fc.property(
    fc.array(mutated(query), { minLength: PACKETS_A_RUN, maxLength: PACKETS_A_RUN }),
    (packets) => {
      for (const bytes of packets) checkResponse(bytes, plane.respond(bytes));
    },
  );
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
