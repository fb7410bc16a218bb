// Every scenario of test/scenarios by subscription: what a client holds is what an ordinary query is answered, at each question.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatRecord } from '../../src/dns/message/format-message.ts';
import { formatName, parseName, sameName } from '../../src/dns/name.ts';
import { CLASS, RCODE, rcodeName, TYPE, typeName } from '../../src/dns/types.ts';
import type { Held, PushClient } from '../support/push-client.ts';
import { type PushServerUnderTest, startPushServer } from '../support/push-server.ts';
import { requirement } from '../support/requirement.ts';
import { type Ask, type Expectation, parseScenarios, type Scenario } from '../support/scenario.ts';
import { clearing, createServed } from '../support/served.ts';
import { until } from '../support/until.ts';
import { record } from '../support/zone-text.ts';

const folder = fileURLToPath(new URL('../../../test/scenarios/', import.meta.url));
const scenarios = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .sort()
  .flatMap((name) => parseScenarios(name, readFileSync(folder + name, 'utf8')));

/** Questions that a subscription may stand for. */
const isPushed = ({ raw, opcode, class: asked, type, edns }: Ask): boolean =>
  raw === undefined && opcode === 0 && asked === CLASS.IN && type < TYPE.IXFR && (edns?.version ?? 0) === 0;

for (const transport of ['plain TCP', 'TLS'] as const) {
  describe(transport, transport === 'TLS' ? requirement('openssl') : {}, () => {
    let server: PushServerUnderTest;
    let client: PushClient;
    before(async () => {
      server = await startPushServer(transport);
      client = await server.connect();
    });
    after(async () => {
      client.close();
      await server.close();
    });
    for (const scenario of scenarios)
      if (scenario.steps.some((step) => step.kind === 'ask' && isPushed(step.ask)))
        test(scenario.title, () => run(scenario, server, client));
  });
}

async function run(scenario: Scenario, { plane: threads }: PushServerUnderTest, client: PushClient): Promise<void> {
  const plane = clearing(threads);
  const served = createServed(plane);
  const subscriptions = new Map<string, Held>();
  try {
    for (const step of scenario.steps) {
      if (step.kind !== 'ask') {
        served.step(step);
        continue;
      }
      await served.flush();
      if (isPushed(step.ask)) await check(step.place, step.ask, step.expect, subscriptions, client);
    }
  } finally {
    await plane.clear();
  }
}

async function check(
  place: string,
  { name, type }: Ask,
  expect: Expectation,
  subscriptions: Map<string, Held>,
  client: PushClient,
): Promise<void> {
  const key = `${formatName(parseName(name))} ${type}`;
  const known = subscriptions.get(key);
  // Since the last question it may have been cancelled, and subscribing may be possible only now.
  const held =
    known?.rcode() === 0 ? known : await client.subscribe(name, typeName(type)).catch((error: Error) => error);
  if (held instanceof Error) {
    assert.ok(isRefused(expect), `${place}: ${held.message}, an ordinary query is ${rcodeName(expect.rcode)}`);
    return;
  }
  subscriptions.set(key, held);
  await until(() => difference(held, name, type, expect), undefined).catch((error: Error) => {
    throw new Error(`${place}: ${error.message}`);
  });
}

/** Not ours, below a cut, or not known yet. */
const isRefused = ({ rcode, authority }: Expectation): boolean =>
  rcode === RCODE.REFUSED || rcode === RCODE.SERVFAIL || authority.some((line) => / NS /.test(line));

/** What is not as expected. */
function difference(held: Held, name: string, type: number, expect: Expectation): string | undefined {
  const rules = held.rules();
  if (held.rcode() !== 0) return isRefused(expect) ? undefined : `cancelled: ${rcodeName(held.rcode())}`;
  if (rules === undefined) return 'no rules yet';
  const records = held.records().map((line) => line.replace(/ weight \d+$/, ''));
  const isOwn = (line: string) => {
    const answer = record(line);
    return sameName(answer.name, parseName(name)) && (answer.type === type || answer.type === TYPE.CNAME);
  };
  // "*" is any of several addresses, which the scenario tells by their number.
  const isAny = (line: string) => line.endsWith(' *');
  const answered = expect.answer
    .filter((line) => !isAny(line) && isOwn(line))
    .map((line) => formatRecord(record(line)));
  // Of ANY, an ordinary answer has only a HINFO (RFC 8482).
  if (type === TYPE.ANY) return undefined;
  const isSome =
    expect.some !== undefined ||
    expect.answer.some(isAny) ||
    rules.isWeighted ||
    rules.maxAnswers > 0 ||
    expect.flags.includes('tc');
  const missing = answered.filter((line) => !records.includes(line));
  const more = records.filter((line) => !answered.includes(line));
  if (missing.length > 0 || (more.length > 0 && !isSome))
    return `held ${records.join(', ')}; missing ${missing.join(', ')}`;
  if (records.length > 0) return undefined;
  if (rules.rcode !== expect.rcode) return `${rcodeName(rules.rcode)} if there is nothing`;
  const soa = rules.soa === undefined ? [] : [formatRecord(rules.soa)];
  const expected = expect.authority.filter((line) => / SOA /.test(line));
  if (soa.join() !== expected.join()) return `SOA ${soa.join()}`;
  return undefined;
}
