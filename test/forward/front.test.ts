import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../src/dns/ip.ts';
import { formatRecord } from '../../src/dns/message/format-message.ts';
import { composeMessage, type Message, parseMessage } from '../../src/dns/message/message.ts';
import { formatName } from '../../src/dns/name.ts';
import { RCODE } from '../../src/dns/types.ts';
import { createFront } from '../../src/front/front.ts';
import type { FrontSettings } from '../../src/plane/forward-settings.ts';
import type { QueryHandler } from '../../src/server/answer/query-handler.ts';
import { composeQuestion } from '../support/forwarding.ts';
import { assertRecords, records } from '../support/zone-text.ts';

const NOTHING: FrontSettings = { acl: [], rewrites: [], autopath: undefined, dns64: undefined, queryLog: undefined };

/** Answers the zone text's names at once, and those below `later.` in another turn; others are NXDOMAIN. */
function responder(zoneText: string): Pick<QueryHandler, 'respond'> {
  const known = records(zoneText);
  const answer = (query: Uint8Array) => {
    const { id, questions } = parseMessage(query);
    const name = formatName(questions[0].name).toLowerCase();
    const same = known.filter((one) => formatName(one.name) === name);
    const answers = same.filter((one) => one.type === questions[0].type);
    return composeMessage({ id, flags: 0x8400, rcode: same.length > 0 ? 0 : RCODE.NXDOMAIN, questions, answers });
  };
  return {
    respond(query, queryLength, out) {
      const asked = query.subarray(0, queryLength);
      const response = answer(asked);
      if (formatName(parseMessage(asked).questions[0].name).endsWith('later.'))
        return { resolve: (send) => setImmediate(() => send(response)) };
      out.set(response);
      return response.length;
    },
  };
}

async function ask(settings: Partial<FrontSettings>, zoneText: string, question: string, client = '10.0.0.7') {
  const front = createFront({ ...NOTHING, ...settings }, responder(zoneText), {
    onError: assert.ifError,
  });
  const { bytes } = composeQuestion(question);
  const out = new Uint8Array(1232);
  const answered = front.respond(bytes, bytes.length, out, false, parseIp(client) ?? new Uint8Array(0));
  const response =
    typeof answered === 'number'
      ? out.subarray(0, answered)
      : await new Promise<Uint8Array>((resolve) => answered.resolve((late) => resolve(late.slice()), undefined));
  return { response, message: response.length > 0 ? parseMessage(response) : (undefined as unknown as Message) };
}

const WWW = 'www.example. 5 IN A 192.0.2.1\nwww.later. 5 IN A 192.0.2.1';

test('acl: the first matching rule allows, blocks, filters or drops', async () => {
  const acl: FrontSettings['acl'] = [
    { action: 'allow', zones: [], types: [], networks: ['10.0.0.0/30'] },
    { action: 'block', zones: ['example.'], types: [], networks: ['10.0.0.0/8', '2001:db8::/32'] },
    { action: 'filter', zones: [], types: [1], networks: ['192.0.2.0/24'] },
    { action: 'drop', zones: [], types: [], networks: ['198.51.100.7'] },
  ];
  const outcome = async (client: string) => {
    const { response, message } = await ask({ acl }, WWW, 'www.example. A', client);
    return response.length === 0 ? 'dropped' : `${message.rcode} ${message.answers.length}`;
  };
  assert.equal(await outcome('10.0.0.3'), '0 1');
  assert.equal(await outcome('10.0.0.4'), '5 0');
  assert.equal(await outcome('::ffff:10.0.0.4'), '5 0');
  assert.equal(await outcome('2001:db8::1'), '5 0');
  assert.equal(await outcome('192.0.2.9'), '0 0');
  assert.equal(await outcome('198.51.100.7'), 'dropped');
  assert.equal(await outcome('203.0.113.1'), '0 1');
});

const rewrites: FrontSettings['rewrites'] = [
  { kind: 'exact', from: 'old.example.', to: 'www.example.' },
  { kind: 'prefix', from: 'v1-', to: '' },
  { kind: 'suffix', from: 'corp.', to: 'example.' },
  { kind: 'regex', from: '([a-z]+)\\.([a-z]+)\\.dc\\.', to: '$1.$2.' },
];

for (const [asked, rule] of [
  ['old.example.', 'exact'],
  ['v1-www.example.', 'prefix'],
  ['WWW.corp.', 'suffix'],
  ['www.example.dc.', 'regex'],
  ['www.later.dc.', 'regex, answered later'],
]) {
  test(`rewrite (${rule}): ${asked} is answered under the original name`, async () => {
    const { message } = await ask({ rewrites }, WWW, `${asked} A`);
    assert.equal(formatName(message.questions[0].name), asked);
    assert.deepEqual(message.answers.map(formatRecord), [`${asked} 5 IN A 192.0.2.1`]);
  });
}

test('rewrite: a suffix matches whole labels only, and a name that would become too long is unchanged', async () => {
  assert.equal((await ask({ rewrites }, WWW, 'www.anycorp. A')).message.rcode, RCODE.NXDOMAIN);
  const long = `${'a'.repeat(60)}.`.repeat(4);
  const growing: FrontSettings['rewrites'] = [{ kind: 'suffix', from: '.', to: 'much.longer.example.' }];
  assert.equal((await ask({ rewrites: growing }, WWW, `${long} A`)).message.rcode, RCODE.NXDOMAIN);
});

test('rewrite: a suffix with a leading dot matches only names below it, as in CoreDNS', async () => {
  const below: FrontSettings['rewrites'] = [{ kind: 'suffix', from: '.corp.', to: '.example.' }];
  const { message } = await ask({ rewrites: below }, WWW, 'www.corp. A');
  assert.deepEqual(message.answers.map(formatRecord), ['www.corp. 5 IN A 192.0.2.1']);
  const zone = 'corp. 5 IN A 192.0.2.2\nexample. 5 IN A 192.0.2.3\nwww. 5 IN A 192.0.2.4';
  assert.match(formatRecord((await ask({ rewrites: below }, zone, 'corp. A')).message.answers[0]), /192\.0\.2\.2$/);
  assert.equal((await ask({ rewrites: below }, WWW, 'wwwcorp. A')).message.rcode, RCODE.NXDOMAIN);
  for (const from of ['.corp.', 'corp.']) {
    const cut = await ask({ rewrites: [{ kind: 'suffix', from, to: '.' }] }, zone, 'www.corp. A');
    assert.deepEqual(cut.message.answers.map(formatRecord), ['www.corp. 5 IN A 192.0.2.4']);
  }
});

const CLUSTER = `
10-0-0-7.default.pod.cluster.local. 5 IN A 10.0.0.7
api.other.svc.cluster.local. 5 IN A 10.96.0.1
www.example. 5 IN A 192.0.2.1
www.later. 5 IN A 192.0.2.2`;
const autopath = { zone: 'cluster.local.', search: ['node.example.'] };

test('autopath: the first search name of a pod is answered with the name at which the search ends', async () => {
  for (const [stem, address] of [
    ['www.example.', '192.0.2.1'],
    ['www.later.', '192.0.2.2'],
  ]) {
    const first = `${stem}default.svc.cluster.local.`;
    const { message } = await ask({ autopath }, CLUSTER, `${first} A`);
    assertRecords(message.answers, `${first} 5 IN CNAME ${stem}\n${stem} 5 IN A ${address}`);
  }
  const { message } = await ask({ autopath }, CLUSTER, 'api.other.default.svc.cluster.local. A');
  assert.equal(message.answers.length, 2);
});

test('autopath: other clients, other namespaces and names that exist nowhere get NXDOMAIN', async () => {
  const rcode = async (question: string, client?: string) =>
    (await ask({ autopath }, CLUSTER, question, client)).message.rcode;
  assert.equal(await rcode('www.example.default.svc.cluster.local. A', '10.0.0.8'), RCODE.NXDOMAIN);
  assert.equal(await rcode('www.example.other.svc.cluster.local. A'), RCODE.NXDOMAIN);
  assert.equal(await rcode('www.example.default.svc.cluster.local. MX'), RCODE.NOERROR, 'any type, as CoreDNS');
  assert.equal(await rcode('none.example.default.svc.cluster.local. A'), RCODE.NXDOMAIN);
  assert.equal(await rcode('www.example.svc.cluster.local. A'), RCODE.NXDOMAIN);
});
