import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrontSettings } from '../../src/plane/forward-settings.ts';
import { throughEngine } from '../support/through-engine.ts';

const FRONT: Partial<FrontSettings> = {
  acl: [
    { action: 'allow', zones: [], types: [], networks: ['10.0.0.0/8'] },
    { action: 'block', zones: ['secret.test.'], types: [], networks: [] },
    { action: 'filter', zones: [], types: [16], networks: [] },
  ],
  rewrites: [
    { kind: 'suffix', from: 'corp.', to: 'example.test.' },
    { kind: 'exact', from: 'open.test.', to: 'host.secret.test.' },
    { kind: 'exact', from: 'short.test.', to: undefined, ttl: { least: 1, most: 5 } },
  ],
};
const ALLOWED = 'acl: allowed, no rule matches';

/** The question, who asks, the rules in their order, and what is asked for instead. */
const CASES: readonly (readonly [string, string | undefined, readonly string[], string?])[] = [
  ['host.secret.test. A', undefined, ['acl rule 2: block']],
  ['host.secret.test. A', '192.0.2.1', ['acl rule 2: block']],
  ['host.secret.test. A', '10.1.2.3', ['acl rule 1: allow']],
  ['www.test. TXT', '192.0.2.1', ['acl rule 3: filter']],
  ['www.test. A', undefined, [`${ALLOWED} every client`]],
  ['www.test. A', '192.0.2.1', [ALLOWED]],
  ['www.corp. A', '192.0.2.1', [ALLOWED, 'rewrite rule 1: asks for www.example.test. instead'], 'www.example.test.'],
  ['short.test. A', '192.0.2.1', [ALLOWED, 'rewrite rule 3: changes the type or the answer']],
  [
    'open.test. A',
    '192.0.2.1',
    [ALLOWED, 'rewrite rule 2: asks for host.secret.test. instead', 'acl rule 2: block'],
    'host.secret.test.',
  ],
  [
    'open.test. A',
    '10.1.2.3',
    ['acl rule 1: allow', 'rewrite rule 2: asks for host.secret.test. instead'],
    'host.secret.test.',
  ],
];

for (const [question, client, rules, rewritten] of CASES) {
  test(`explain names the rules for ${question} from ${client ?? 'anybody'}`, async () => {
    const { explain } = await throughEngine('zone ours.test.', FRONT);
    const explained = explain(question, client);
    assert.deepEqual([explained.rules, explained.rewritten], [rules, rewritten]);
  });
}

test('explain reports the autopath of a query, unless a rewrite precedes it', async () => {
  const { explain } = await throughEngine('zone ours.test.', {
    rewrites: [{ kind: 'suffix', from: 'corp.', to: 'example.test.' }],
    autopath: { zone: 'cluster.local.', search: [] },
  });
  assert.deepEqual(explain('www.test. A').rules, [
    'autopath: the search path of pods in cluster.local. is walked here',
  ]);
  assert.deepEqual(explain('www.corp. A').rules, ['rewrite rule 1: asks for www.example.test. instead']);
});
