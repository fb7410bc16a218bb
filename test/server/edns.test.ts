// What the scenario tables do not say of our OPT record: when there is one, and its options.
import assert from 'node:assert/strict';
import test from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { OPTION, RCODE, TYPE } from '../../src/dns/types.ts';
import { createInProcessPlane } from '../support/in-process.ts';

const EXAMPLE = { name: parseName('example.test.'), type: TYPE.SOA, class: 1 };
const KEEPALIVE = { code: OPTION.TCP_KEEPALIVE, data: new Uint8Array(0) };
const edns = (options: readonly { code: number; data: Uint8Array }[] = []) => ({
  version: 0,
  udpBytes: 1232,
  dnssecOk: false,
  options: [...options],
});

async function ask(query: Uint8Array, transport: 'udp' | 'tcp') {
  const plane = createInProcessPlane();
  const zone = { name: EXAMPLE.name, ready: false, stale: false, fallthrough: [] };
  await plane.apply([{ kind: 'replace-zone', zone }]);
  const response = plane.respond(query, transport);
  return response && parseMessage(response);
}

test('TCP clients that request a keepalive get the idle timeout in tenths of a second (RFC 7828)', async () => {
  const query = composeMessage({ questions: [EXAMPLE], edns: edns([KEEPALIVE]) });
  const [extendedError, keepalive] = (await ask(query, 'tcp'))!.edns!.options;
  assert.equal(extendedError!.code, OPTION.EDE);
  assert.deepEqual(keepalive, { code: OPTION.TCP_KEEPALIVE, data: Uint8Array.of(0, 100) });
});

test('over UDP, and without a request, no keepalive option is sent', async () => {
  const asking = composeMessage({ questions: [EXAMPLE], edns: edns([KEEPALIVE]) });
  const silent = composeMessage({ questions: [EXAMPLE], edns: edns() });
  for (const response of [await ask(asking, 'udp'), await ask(silent, 'tcp')])
    assert.deepEqual(
      response!.edns!.options.map(({ code }) => code),
      [OPTION.EDE],
    );
});

test('an early refusal has an OPT record if the query has one (RFC 6891 section 6.1.1)', async () => {
  const opcode15 = composeMessage({ flags: 15 << 11, questions: [EXAMPLE], edns: edns() });
  const opcode15WithoutQuestion = composeMessage({ flags: 15 << 11, questions: [], edns: edns() });
  const noQuestion = composeMessage({ questions: [], edns: edns() });
  for (const [query, rcode] of [
    [opcode15, RCODE.NOTIMP],
    [opcode15WithoutQuestion, RCODE.NOTIMP],
    [noQuestion, RCODE.FORMERR],
  ] as const) {
    const response = (await ask(query, 'udp'))!;
    assert.equal(response.rcode, rcode);
    assert.deepEqual(response.edns, edns());
    assert.deepEqual(response.questions, []);
  }
});

test('an early refusal has no OPT record if the query has none, or a malformed one', async () => {
  const plain = composeMessage({ flags: 15 << 11, questions: [EXAMPLE] });
  // The option's length goes beyond the end of the record.
  const broken = composeMessage({ questions: [EXAMPLE], edns: edns([{ code: 65001, data: Uint8Array.of(1, 2, 3) }]) });
  broken[broken.length - 4] = 200;
  for (const query of [plain, broken]) assert.equal((await ask(query, 'udp'))!.edns, undefined);
});
