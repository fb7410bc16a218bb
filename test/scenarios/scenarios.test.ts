// Every scenario over every transport; the tables are in test/scenarios/*.txt.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatFlags, formatRecord } from '../../src/dns/message/format-message.ts';
import { composeMessage, type Message, parseMessage } from '../../src/dns/message/message.ts';
import { extendedErrors } from '../../src/dns/message/opt.ts';
import { parseNameKeepingCase } from '../../src/dns/name.ts';
import { rcodeName } from '../../src/dns/types.ts';
import { type Ask, type Expectation, parseScenarios, type Scenario } from '../support/scenario.ts';
import { clearing, createServed } from '../support/served.ts';
import { overTcp, overUdp, type Transport, withoutSockets } from '../support/transports.ts';

const folder = fileURLToPath(new URL('../../../test/scenarios/', import.meta.url));
const scenarios = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .sort()
  .flatMap((name) => parseScenarios(name, readFileSync(folder + name, 'utf8')));

const linux = process.platform === 'linux';
const transports: readonly (readonly [string, () => Promise<Transport>, boolean])[] = [
  ['without sockets, as over UDP', async () => withoutSockets('udp'), true],
  ['without sockets, as over TCP', async () => withoutSockets('tcp'), true],
  ['UDP in batches', () => overUdp('batched'), linux],
  ['UDP in batches, on a wildcard address', () => overUdp('batched', '0.0.0.0'), linux],
  ['UDP packet by packet', () => overUdp('plain'), true],
  ['TCP by epoll', () => overTcp('batched'), linux],
  ['TCP by epoll, over IPv6', () => overTcp('batched', '::1'), linux],
  ['TCP by node:net', () => overTcp('plain'), true],
];

for (const [name, open, possible] of transports) {
  describe(name, { skip: possible ? false : 'needs Linux' }, () => {
    let transport: Transport;
    before(async () => {
      transport = await open();
    });
    after(() => transport?.close());
    for (const scenario of scenarios) test(scenario.title, () => run(scenario, transport));
  });
}

async function run(scenario: Scenario, transport: Transport): Promise<void> {
  const plane = clearing(transport.plane);
  const served = createServed(plane);
  let dirty = false;
  try {
    for (const step of scenario.steps) {
      if (step.kind !== 'ask') {
        served.step(step);
        // Health needs no message: the slots are read on each answer.
        if (step.kind !== 'health') dirty = true;
        continue;
      }
      if (dirty) await served.flush();
      dirty = false;
      if (step.ask.only !== undefined && step.ask.only !== transport.kind) continue;
      const query = compose(step.ask);
      const response = await transport.ask(query);
      check(step.place, query, response, step.ask, step.expect);
    }
  } finally {
    await plane.clear();
  }
}

function compose(ask: Ask): Uint8Array {
  if (ask.raw) return ask.raw;
  const { edns } = ask;
  return composeMessage({
    id: 0x1234,
    opcode: ask.opcode,
    flags: ask.flags,
    questions: [{ name: parseNameKeepingCase(ask.name), type: ask.type, class: ask.class }],
    edns: edns && { ...edns, options: edns.option ? [{ code: 65_001, data: Uint8Array.of(1, 2, 3) }] : [] },
  });
}

function check(place: string, query: Uint8Array, bytes: Uint8Array | undefined, ask: Ask, expect: Expectation): void {
  if (expect.nothing) {
    assert.equal(bytes, undefined, `${place}: a response to what deserves none`);
    return;
  }
  assert.ok(bytes, `${place}: no response`);
  const response = parseMessage(bytes);
  assert.deepEqual([...bytes.subarray(0, 2)], [...query.subarray(0, 2)], `${place}: the id`);
  const head = `${rcodeName(response.rcode)} ${formatFlags(response)}`;
  assert.equal(
    head,
    `${rcodeName(expect.rcode)} ${['qr', ...expect.flags.split(' ').filter(Boolean)].join(' ')}`,
    place,
  );
  checkEdns(place, response, ask, expect);
  const limit = ask.only === 'tcp' ? 65_535 : (ask.edns?.udpBytes ?? 512);
  if (ask.only === 'udp')
    assert.ok(bytes.length <= Math.max(512, Math.min(limit, 1232)), `${place}: ${bytes.length} bytes`);
  checkAnswer(place, response, expect);
  assert.deepEqual(response.authorities.map(formatRecord).sort(), [...expect.authority].sort(), `${place}: authority`);
  assert.deepEqual(
    response.additionals.map(formatRecord).sort(),
    [...expect.additional].sort(),
    `${place}: additional`,
  );
  if (response.questions.length > 0 && !ask.raw) {
    assert.deepEqual(response.questions[0].name, parseNameKeepingCase(ask.name), `${place}: the case of the name`);
  }
}

function checkEdns(place: string, response: Message, ask: Ask, expect: Expectation): void {
  if (ask.raw === undefined && response.questions.length > 0) {
    assert.equal(response.edns !== undefined, ask.edns !== undefined, `${place}: OPT`);
  }
  if (response.edns === undefined) return;
  assert.equal(response.edns.version, 0, `${place}: EDNS version`);
  assert.equal(response.edns.udpBytes, 1232, `${place}: EDNS size`);
  assert.equal(response.edns.dnssecOk, ask.edns?.dnssecOk ?? false, `${place}: DO`);
  const errors = extendedErrors(response.edns).map(({ infoCode }) => infoCode);
  assert.deepEqual(errors, expect.ede === undefined ? [] : [expect.ede], `${place}: EDE`);
  assert.equal(response.edns.options.length, errors.length, `${place}: options that were not ours`);
}

/** Names are compared in lower case: an answer repeats the case of the question. */
function checkAnswer(place: string, response: Message, expect: Expectation): void {
  const lower = (text: string) => text.replace(/^\S+/, (name) => name.toLowerCase());
  const actual = response.answers.map(formatRecord).map(lower);
  if (expect.some === undefined) {
    assert.deepEqual([...actual].sort(), [...expect.answer].sort(), `${place}: answer`);
    return;
  }
  assert.equal(actual.length, expect.some, `${place}: how many answers`);
  assert.equal(new Set(actual).size, actual.length, `${place}: duplicates`);
  const isExpected = (line: string) =>
    expect.answer.some((one) => (one.endsWith('*') ? line.startsWith(one.slice(0, -1)) : line === one));
  for (const line of actual) assert.ok(isExpected(line), `${place}: ${line} is not among the expected`);
}
