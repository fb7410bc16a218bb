// Rewriting as clients see it: what is asked instead, and what becomes of the answer.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseConfig } from '../../src/config/loading/load.ts';
import { formatRecord } from '../../src/dns/message/format-message.ts';
import { rcodeName } from '../../src/dns/types.ts';
import { throughEngine } from '../support/through-engine.ts';

const ZONE = `
zone svc.test.
@ 60 NS ns
ns 60 A 192.0.2.53
web 30 A 192.0.2.1
alias 30 CNAME web
alias2 30 CNAME other
other 30 A 192.0.2.3
_http._tcp.web 30 SRV 0 1 80 web
mail 30 MX 10 web
`;

/** Rules → question → RCODE and the records of all sections, as they are sent. */
const CASES: Readonly<Record<string, readonly [rules: string, question: string, answer: string]>> = {
  'the answer shows the original name': [
    '- { from: a.test, to: web.svc.test }',
    'A.test. A',
    'NOERROR A.test. 30 IN A 192.0.2.1',
  ],
  'answer auto restores names in record data': [
    '- { kind: suffix, from: .b.test, to: .svc.test, answer: auto }',
    '_http._tcp.web.b.test. SRV',
    'NOERROR _http._tcp.web.b.test. 30 IN SRV 0 1 80 web.b.test. + web.b.test. 30 IN A 192.0.2.1',
  ],
  'answer auto of an exact name restores this name only': [
    '- { from: web.b.test, to: web.svc.test, answer: auto }',
    'web.b.test. A',
    'NOERROR web.b.test. 30 IN A 192.0.2.1',
  ],
  'without answer auto, names in record data stay': [
    '- { kind: suffix, from: b.test, to: svc.test }',
    'mail.b.test. MX',
    'NOERROR mail.b.test. 30 IN MX 10 web.svc.test. + web.svc.test. 30 IN A 192.0.2.1',
  ],
  'rules for names and values of the answer': [
    "- { kind: regex, from: '(.*)[.]b[.]test[.]', to: $1.svc.test., answer: [{ part: value, from: '(.*)[.]svc[.]test[.]', to: $1.c.test. }] }",
    'mail.b.test. MX',
    'NOERROR mail.b.test. 30 IN MX 10 web.c.test. + web.svc.test. 30 IN A 192.0.2.1',
  ],
  'a substring is replaced wherever it occurs': [
    '- { kind: substring, from: .B., to: . }',
    'web.b.svc.b.test. A',
    'NOERROR web.b.svc.b.test. 30 IN A 192.0.2.1',
  ],
  'the first rule that matches ends the search': [
    '- { from: a.test, to: other.svc.test }\n- { from: a.test, to: web.svc.test }',
    'a.test. A',
    'NOERROR a.test. 30 IN A 192.0.2.3',
  ],
  'with continue, later rules see the new name': [
    '- { from: a.test, to: b.test, continue: true }\n- { from: b.test, to: web.svc.test }',
    'a.test. A',
    'NOERROR a.test. 30 IN A 192.0.2.1',
  ],
  'a type becomes another, and the question stays': [
    '- { type: { from: TXT, to: A } }',
    'web.svc.test. TXT',
    'NOERROR web.svc.test. 30 IN A 192.0.2.1',
  ],
  'a rule for a type leaves others alone': [
    '- { type: { from: TXT, to: A } }',
    'web.svc.test. A',
    'NOERROR web.svc.test. 30 IN A 192.0.2.1',
  ],
  'TTLs are raised': [
    '- { kind: suffix, from: svc.test, minTtlSeconds: 100 }',
    'web.svc.test. A',
    'NOERROR web.svc.test. 100 IN A 192.0.2.1',
  ],
  'TTLs are lowered': ['- { maxTtlSeconds: 5 }', 'web.svc.test. A', 'NOERROR web.svc.test. 5 IN A 192.0.2.1'],
  'a response code becomes another': [
    '- { kind: prefix, from: absent, rcode: { from: NXDOMAIN, to: NOERROR }, maxTtlSeconds: 7 }',
    'absent.svc.test. A',
    'NOERROR svc.test. 7 IN SOA',
  ],
  'other response codes stay': [
    '- { rcode: { from: SERVFAIL, to: NOERROR } }',
    'web.svc.test. A',
    'NOERROR web.svc.test. 30 IN A 192.0.2.1',
  ],
  'an alias leads to another target, which is looked up': [
    '- { cname: { from: web.svc.test, to: other.svc.test } }',
    'alias.svc.test. A',
    'NOERROR alias.svc.test. 30 IN CNAME other.svc.test. + other.svc.test. 30 IN A 192.0.2.3',
  ],
  'other aliases stay': [
    '- { cname: { from: web.svc.test, to: other.svc.test } }',
    'alias2.svc.test. A',
    'NOERROR alias2.svc.test. 30 IN CNAME other.svc.test. + other.svc.test. 30 IN A 192.0.2.3',
  ],
};

describe('rewriting', () => {
  for (const [what, [rules, question, answer]] of Object.entries(CASES))
    test(`${what}`, async () => {
      const indented = rules.replaceAll('\n', '\n  ');
      const config = await parseConfig(`zones: [{ name: x.test }]\nrewrite:\n  ${indented}\n`, 'zones.yaml');
      assert.ok(config.ok, JSON.stringify(config));
      const { ask, close } = await throughEngine(ZONE, { rewrites: config.config.front!.rewrites });
      const message = await ask(question);
      const records = [...message.answers, ...message.authorities, ...message.additionals].map(formatRecord);
      const text = `${rcodeName(message.rcode)} ${records.join(' + ')}`;
      assert.ok(text === answer || (answer.endsWith('SOA') && text.startsWith(answer)), text);
      assert.equal(message.questions.length, 1);
      close();
    });

  test("a response to a rewritten query repeats the client's question", async () => {
    const rewrites = [{ kind: 'exact', from: 'a.test.', to: 'web.svc.test.', type: { from: 16, to: 1 } }] as const;
    const { ask, close } = await throughEngine(ZONE, { rewrites });
    const { questions } = await ask('a.test. TXT');
    assert.deepEqual(
      questions.map(({ type }) => type),
      [16],
    );
    close();
  });

  test('an access list also applies to the name that a rewrite leads to', async () => {
    const rewrites = [{ kind: 'exact', from: 'a.test.', to: 'web.svc.test.' }] as const;
    const acl = [{ action: 'block', zones: ['svc.test.'], types: [], networks: [] }] as const;
    const { ask, close } = await throughEngine(ZONE, { rewrites, acl });
    assert.equal(rcodeName((await ask('a.test. A')).rcode), 'REFUSED');
    close();
  });

  test('a rule that changes nothing, and bounds that are inverted, are rejected', async () => {
    const text =
      'zones: [{ name: x.test }]\nrewrite:\n  - { from: a.test }\n  - { minTtlSeconds: 9, maxTtlSeconds: 3 }\n  - { from: a.test, to: b.test, answer: [{ part: name, from: "(", to: x }] }\n';
    const result = await parseConfig(text, 'zones.yaml');
    assert.ok(!result.ok);
    assert.deepEqual(
      result.problems.map(({ line }) => line),
      [3, 4, 5],
    );
  });
});

describe('NSID', () => {
  test('a client that requests NSID gets the identifier, others do not', async () => {
    const { ask, close } = await throughEngine(ZONE, { nsid: 'node-7' });
    const idOf = async (nsid: boolean) =>
      (await ask('web.svc.test. A', { nsid })).edns?.options.map(({ code, data }) => `${code} ${Buffer.from(data)}`);
    assert.deepEqual(await idOf(true), ['3 node-7']);
    assert.deepEqual(await idOf(false), []);
    close();
  });
});
