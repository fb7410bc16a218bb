// Every way in which a name is looked up for a client, with an access list that denies that name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRecord } from '../../src/dns/message/format-message.ts';
import { extendedErrors } from '../../src/dns/message/opt.ts';
import { formatName } from '../../src/dns/name.ts';
import { EDE, OPCODE, RCODE, rcodeName, typeName } from '../../src/dns/types.ts';
import type { AclRule, FrontSettings } from '../../src/plane/forward-settings.ts';
import { upstream } from '../support/forwarding.ts';
import { answerFrom } from '../support/scripted-upstream.ts';
import { throughEngine } from '../support/through-engine.ts';

/** All that is secret has the addresses 192.0.2.66 and 2001:db8::66. */
const ZONE = `zone example.test.
zone cluster.test.
zone secret.test.
secret.test. 60 A 192.0.2.66
host.secret.test. 60 A 192.0.2.66
host.secret.test. 60 AAAA 2001:db8::66
four.secret.test. 60 A 192.0.2.66
open.example.test. 60 A 192.0.2.1
alias.example.test. 60 CNAME host.secret.test.
second.example.test. 60 CNAME alias.example.test.
led.example.test. 60 CNAME open.example.test.
old.example.test. 60 DNAME secret.test.
_sip._udp.example.test. 60 SRV 0 0 5060 host.secret.test.
_sip._udp.example.test. 60 SRV 0 0 5060 open.example.test.
example.test. 60 MX 1 host.secret.test.
mail.example.test. 60 MX 1 four.secret.test.
www.svc.cluster.test. 60 A 192.0.2.2
127-0-0-1.prod.pod.cluster.test. 5 A 127.0.0.1`;
const ALIAS = 'www.foreign.example. 60 IN CNAME host.secret.test.';
const fromOthers = answerFrom('far.foreign.example. 60 IN A 192.0.2.67');
const startUpstream = () =>
  upstream((asked) =>
    asked.text.startsWith('www.foreign.example.') ? asked.send(asked.reply({ answers: ALIAS })) : fromOthers(asked),
  );

const DNS64 = { prefix: '64:ff9b::', prefixBits: 96, translateAll: false } as const;
const rewriteTo = (to: string): FrontSettings['rewrites'] => [{ kind: 'exact', from: 'open.example.test.', to }];
const denied: AclRule = { action: 'block', zones: ['secret.test.'], types: [], networks: [] };
const deniedIpv4: AclRule = { action: 'block', zones: ['secret.test.', 'foreign.example.'], types: [1], networks: [] };

/** The path, settings, the question, and what the client gets. */
const PATHS: readonly (readonly [string, Partial<FrontSettings>, string, string])[] = [
  ['the question itself', {}, 'host.secret.test. A', 'REFUSED'],
  ['the target of a rewrite', { rewrites: rewriteTo('host.secret.test.') }, 'open.example.test. A', 'REFUSED'],
  [
    'an alias of the target of a rewrite',
    { rewrites: rewriteTo('alias.example.test.') },
    'open.example.test. A',
    'REFUSED',
  ],
  ['the target of an alias', {}, 'alias.example.test. A', 'REFUSED'],
  [
    'the target to which a rule leads an alias',
    {
      rewrites: [
        {
          kind: 'exact',
          from: undefined,
          to: undefined,
          cname: { from: 'open.example.test.', to: 'host.secret.test.' },
        },
      ],
    },
    'led.example.test. A',
    'REFUSED',
  ],
  ['the target of an alias, without records of the type', {}, 'alias.example.test. TXT', 'REFUSED'],
  ['the target of the second alias', {}, 'second.example.test. A', 'REFUSED'],
  ['the target of a DNAME', {}, 'host.old.example.test. A', 'REFUSED'],
  ['an alias in an answer of an upstream', {}, 'www.foreign.example. A', 'REFUSED'],
  [
    'a candidate of the search path',
    { autopath: { zone: 'cluster.test.', search: ['secret.test.'] } },
    'host.prod.svc.cluster.test. A',
    'REFUSED',
  ],
  ['the A records that DNS64 translates', { dns64: DNS64, acl: [deniedIpv4] }, 'four.secret.test. AAAA', 'NOERROR'],
  [
    'the A records of an upstream that DNS64 translates',
    { dns64: DNS64, acl: [deniedIpv4] },
    'far.foreign.example. AAAA',
    'NOERROR',
  ],
  [
    'the addresses added to SRV',
    {},
    '_sip._udp.example.test. SRV',
    'NOERROR _sip._udp.example.test. 60 IN SRV 0 0 5060 host.secret.test. / _sip._udp.example.test. 60 IN SRV 0 0 5060 open.example.test. / open.example.test. 60 IN A 192.0.2.1',
  ],
  ['the addresses added to MX', {}, 'example.test. MX', 'NOERROR example.test. 60 IN MX 1 host.secret.test.'],
  ['a name that is allowed', {}, 'open.example.test. A', 'NOERROR open.example.test. 60 IN A 192.0.2.1'],
];

test('the one address added to MX is removed without EDNS as well', async () => {
  const { ask } = await throughEngine(ZONE, { acl: [denied] });
  const { answers, additionals } = await ask('mail.example.test. MX', { edns: false });
  assert.deepEqual([answers.length, additionals.length], [1, 0]);
});

for (const [action, ede] of [
  ['block', EDE.PROHIBITED],
  ['filter', EDE.FILTERED],
] as const) {
  test(`the answer of the action ${action} carries its EDE over TCP, and over UDP only if it is no longer than the query`, async () => {
    const { ask } = await throughEngine(ZONE, { acl: [{ ...denied, action }] });
    const reasons = async (overTcp: boolean) =>
      extendedErrors((await ask('host.secret.test. A', { overTcp })).edns!).map(({ infoCode }) => infoCode);
    assert.deepEqual([await reasons(true), await reasons(false)], [[ede], []]);
  });
}

test('a refusal has the DO bit of its query', async () => {
  const { ask } = await throughEngine(ZONE, { acl: [denied] });
  for (const dnssecOk of [true, false])
    assert.equal((await ask('host.secret.test. A', { dnssecOk })).edns!.dnssecOk, dnssecOk);
});

test('messages that are not ordinary queries bypass access lists, and the server refuses them', async () => {
  const { ask } = await throughEngine(ZONE, { acl: [denied] });
  const notify = OPCODE.NOTIFY << 11;
  assert.equal((await ask('host.secret.test. A', { flags: notify })).rcode, RCODE.NOTIMP);
});

for (const [path, settings, question, expected] of PATHS) {
  test(`an access list that blocks a name applies to ${path}`, async () => {
    const one = await startUpstream();
    const { ask, close } = await throughEngine(ZONE, { acl: [denied], ...settings }, [one.port]);
    const { rcode, questions, answers, additionals } = await ask(question);
    const lines = [...answers, ...additionals].map(formatRecord).sort();
    assert.equal([rcodeName(rcode), lines.join(' / ')].filter(Boolean).join(' '), expected);
    assert.equal(`${formatName(questions[0].name)} ${typeName(questions[0].type)}`, question);
    close();
  });
}

test('without an access list, the same queries are answered', async () => {
  for (const [path, { acl: _acl, ...settings }, question] of PATHS) {
    const one = await startUpstream();
    const { ask, close } = await throughEngine(ZONE, settings, [one.port]);
    const { rcode, answers } = await ask(question);
    if (!question.endsWith('TXT')) assert.ok(rcode === RCODE.NOERROR && answers.length > 0, path);
    close();
  }
});

test('drop and filter also apply to targets of aliases', async () => {
  const filtering = await throughEngine(ZONE, { acl: [{ ...denied, action: 'filter' }] });
  const filtered = await filtering.ask('alias.example.test. A');
  assert.deepEqual([filtered.rcode, filtered.answers.length], [RCODE.NOERROR, 0]);
  const dropping = await throughEngine(ZONE, { acl: [{ ...denied, action: 'drop' }] });
  await assert.rejects(dropping.ask('alias.example.test. A'), /message/);
});

test('an access list does not apply to names that are only part of the answer', async () => {
  const one = await startUpstream();
  const { ask, close } = await throughEngine(ZONE, { acl: [denied] }, [one.port]);
  const alias = 'alias.example.test. 60 IN CNAME host.secret.test.';
  const redirection = 'old.example.test. 60 IN DNAME secret.test.';
  const redirected = [redirection, 'host.old.example.test. 60 IN CNAME host.secret.test.'];
  for (const [question, expected] of [
    ['alias.example.test. CNAME', [alias]],
    ['alias.example.test. ANY', [alias]],
    ['host.old.example.test. CNAME', redirected],
    ['host.old.example.test. ANY', redirected],
    ['old.example.test. DNAME', [redirection]],
    ['www.foreign.example. CNAME', [ALIAS]],
    ['mail.example.test. MX', ['mail.example.test. 60 IN MX 1 four.secret.test.']],
  ] as const) {
    const { rcode, answers } = await ask(question);
    assert.deepEqual([rcodeName(rcode), answers.map(formatRecord)], ['NOERROR', expected], question);
  }
  for (const question of ['alias.example.test. A', 'host.old.example.test. DNAME', 'host.secret.test. CNAME'])
    assert.equal((await ask(question)).rcode, RCODE.REFUSED, question);
  close();
});
