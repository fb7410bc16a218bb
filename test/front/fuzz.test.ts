// Everything that may stand before the answers, against packets that nobody meant, beside the same server without it.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { parseMessage } from '../../src/dns/message/message.ts';
import { TYPE } from '../../src/dns/types.ts';
import type { FrontSettings } from '../../src/plane/forward-settings.ts';
import { createInProcessPlane } from '../support/in-process.ts';
import { mutated, queriesFor } from '../support/packets.ts';
import { EXAMPLE_NAMES, serveExample } from '../support/served-example.ts';

/** As in the packet memory of a data thread, which sends no more over UDP. */
const MOST_UDP_BYTES = 1232;
const NO_CLIENT = new Uint8Array(4);

const front: FrontSettings = {
  acl: [
    { action: 'block', zones: ['p1.api.example.test.'], types: [], networks: ['0.0.0.0/0'] },
    { action: 'filter', zones: ['txt.example.test.'], types: [TYPE.TXT], networks: [] },
  ],
  rewrites: [
    { kind: 'suffix', from: 'corp.', to: 'example.test.', answer: 'auto' },
    { kind: 'regex', from: '^([a-z]+)\\.short\\.', to: '$1.api.example.test.', ttl: { least: 1, most: 3 } },
    {
      kind: 'exact',
      from: 'alias.',
      to: 'www.example.test.',
      cname: { from: 'api.example.test.', to: 'txt.example.test.' },
    },
  ],
  autopath: { zone: 'example.test.', search: ['example.test.', '.'] },
  dns64: { prefix: '64:ff9b::', prefixBits: 96, translateAll: true },
  queryLog: undefined,
  nsid: 'fuzzed',
};
const plain = createInProcessPlane({ versionBind: 'fuzzed' });
const fronted = createInProcessPlane({ versionBind: 'fuzzed', front });
before(async () => {
  await serveExample(plain);
  await serveExample(fronted);
});

const OTHER_NAMES = [
  'api.corp.',
  'corp.',
  'out.corp.',
  '_http._tcp.api.corp.',
  'p1.short.',
  'alias.',
  'api.x.svc.example.test.',
];
const query = queriesFor([...EXAMPLE_NAMES, ...OTHER_NAMES]);
const out = new Uint8Array(MOST_UDP_BYTES);

test('each of 30,000 well-formed queries gets one well-formed response to its question', () => {
  const property = fc.property(query, (bytes) => {
    const response = respond(bytes);
    const asked = parseMessage(bytes);
    const answered = parseMessage(response);
    assert.equal(answered.id, asked.id);
    assert.equal(answered.flags & 0x8100, 0x8000 | (asked.flags & 0x0100), 'QR, RD');
    assert.deepEqual(answered.questions, asked.questions);
    assert.equal(answered.edns !== undefined, asked.edns !== undefined);
    const most = asked.edns ? Math.max(512, Math.min(MOST_UDP_BYTES, asked.edns.udpBytes)) : 512;
    assert.ok(response.length <= most, `${response.length} bytes`);
  });
  fc.assert(property, { numRuns: 30_000 });
});

test('a malformed query is refused in the same way with and without a front', () => {
  const packet = fc.oneof(mutated(query), fc.uint8Array({ maxLength: 200 }));
  const property = fc.property(packet, (bytes) => {
    const expected = plain.respond(bytes) ?? new Uint8Array(0);
    const asked = expected.length === 0 ? [] : parseMessage(expected).questions;
    const response = respond(bytes);
    if (asked.length === 0) assert.deepEqual(response, expected);
    else assert.deepEqual(parseMessage(response).questions, asked);
  });
  fc.assert(property, { numRuns: 30_000 });
});

function respond(query: Uint8Array): Uint8Array {
  const response = fronted.engine.respond(query, query.length, out, false, NO_CLIENT);
  assert.ok(typeof response === 'number', 'nothing here is answered later');
  return out.slice(0, response);
}
