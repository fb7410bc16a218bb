import assert from 'node:assert/strict';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { parseConfig } from '../../src/config/loading/load.ts';
import { readKubeconfig } from '../../src/config/sections/kubeconfig.ts';
import { loadKubeConfig } from '../../src/sources/kubernetes/api/credentials.ts';
import { temporary } from '../support/temporary.ts';

const KUBECONFIG = {
  clusters: [
    { name: 'c', cluster: { server: 'https://127.0.0.1:6443' } },
    { name: 'nowhere', cluster: {} },
    { name: 'bare', cluster: { server: '127.0.0.1:6443' } },
    { name: 'half', cluster: { server: 'https://' } },
  ],
  contexts: [
    { name: 'ctx', context: { cluster: 'c', user: 'u' } },
    { name: 'lost', context: { cluster: 'gone', user: 'u' } },
    { name: 'idle', context: { cluster: 'nowhere', user: 'u' } },
    { name: 'bare', context: { cluster: 'bare', user: 'u' } },
    { name: 'half', context: { cluster: 'half', user: 'u' } },
    { name: 'stranger', context: { cluster: 'c', user: 'gone' } },
  ],
  users: [{ name: 'u', user: { token: 'secret' } }],
  'current-context': 'ctx',
};
const kubeconfig = (changes: object = {}) => JSON.stringify({ ...KUBECONFIG, ...changes });
const KNOWN = '(it has ctx, lost, idle, bare, half, stranger)';
const NO_URL = 'refers to a cluster whose server is not an https:// or http:// URL';
const EMPTY = ' is empty';

/** What is in the file, the context that the configuration says, and what is wrong. */
const WRONG: readonly (readonly [text: string, context: string | undefined, problem: string])[] = [
  [kubeconfig(), 'nope', ` has no context "nope" ${KNOWN}`],
  [kubeconfig(), 'lost', ': context "lost" refers to an undefined cluster'],
  [kubeconfig(), 'idle', ': context "idle" refers to a cluster without a server'],
  [kubeconfig(), 'bare', `: context "bare" ${NO_URL}`],
  [kubeconfig(), 'half', `: context "half" ${NO_URL}`],
  [kubeconfig(), 'stranger', ': context "stranger" refers to an undefined user'],
  [kubeconfig({ users: null }), undefined, ': context "ctx" refers to an undefined user'],
  [kubeconfig({ 'current-context': 'old' }), undefined, ` has no context "old" ${KNOWN}`],
  [kubeconfig({ 'current-context': '' }), undefined, ` has no current-context: select one with \`context\` ${KNOWN}`],
  [kubeconfig({ contexts: null }), 'ctx', ' has no context "ctx" (it has none)'],
  [
    kubeconfig({ contexts: Array.from({ length: 11 }, (_, i) => ({ name: `c${i}`, context: {} })) }),
    'ctx',
    ' has no context "ctx" (it has c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, …)',
  ],
  [kubeconfig({ clusters: [] }), undefined, ': context "ctx" refers to an undefined cluster'],
  ['', undefined, EMPTY],
  ['# to come\n', 'ctx', EMPTY],
  ['ctx', undefined, ' is not a kubeconfig'],
  ['- ctx', undefined, ' is not a kubeconfig'],
  ['users:\n  - name: u\n    user: { token: [secret }\n', 'ctx', ' is not YAML: see its line 3, column 28'],
];

describe('kubeconfigs', () => {
  let folder: string;
  let file: string;
  before(async () => {
    folder = await temporary();
    file = join(folder, 'kc');
  });
  after(() => rm(folder, { recursive: true }));

  /** "line:column message" of a configuration whose zone has `kubernetes` in line 2, and in line 3 what follows it. */
  async function report(kubernetes: string, more = ''): Promise<string[]> {
    const text = `zones:\n  - { name: a, kubernetes: ${kubernetes} }\n${more}`;
    const result = await parseConfig(text, join(folder, 'zones.yaml'));
    const problems = result.ok ? result.warnings : result.problems;
    return problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  }

  test('a usable kubeconfig is accepted, as JSON and as YAML', async () => {
    await writeFile(file, kubeconfig());
    assert.deepEqual(await report('{ kubeconfig: kc }'), []);
    assert.deepEqual(await report('{ kubeconfig: kc, context: ctx }'), []);
    await writeFile(
      file,
      `---
apiVersion: v1
kind: Config
preferences: {}
current-context: ctx
clusters:
- cluster: { server: 'https://127.0.0.1:6443' }
  name: c
contexts: [{ context: { cluster: c }, name: ctx }]
users: null
`,
    );
    assert.deepEqual(await report('{ kubeconfig: kc }'), []);
    assert.equal(
      loadKubeConfig({ kubeconfig: file, context: undefined, label: 'x' }).getCurrentCluster()?.server,
      'https://127.0.0.1:6443',
    );
  });

  test('an unusable kubeconfig is a problem of its key, for check and for the source', async () => {
    for (const [text, context, problem] of WRONG) {
      await writeFile(file, text);
      const isAboutContext = context !== undefined && problem.includes('context "');
      assert.deepEqual(
        await report(context === undefined ? '{ kubeconfig: kc }' : `{ kubeconfig: kc, context: ${context} }`),
        [`2:${isAboutContext ? 55 : 42} kubeconfig ${file}${problem}`],
      );
      assert.throws(() => loadKubeConfig({ kubeconfig: file, context, label: 'x' }), { message: `${file}${problem}` });
    }
  });

  test('a kubeconfig that refers to missing files causes a warning, unless it contains their data', async () => {
    const authority = { server: 'https://127.0.0.1:6443', 'certificate-authority': 'ca.crt' };
    const user = { 'client-certificate': 'absent.crt', 'client-key': '/absent/key', tokenFile: 'absent.token' };
    await writeFile(join(folder, 'ca.crt'), '');
    await writeFile(file, kubeconfig({ clusters: [{ name: 'c', cluster: authority }], users: [{ name: 'u', user }] }));
    const warning = (what: string) =>
      `2:42 kubeconfig ${file}: ${what} cannot be read: the zone is not ready until it can`;
    assert.deepEqual(await report('{ kubeconfig: kc }'), [
      warning('client-certificate absent.crt'),
      warning('client-key /absent/key'),
      warning('tokenFile absent.token'),
    ]);
    const data = { ...user, 'client-certificate-data': 'eA==', 'client-key-data': 'eA==' };
    await writeFile(file, kubeconfig({ users: [{ name: 'u', user: data }] }));
    assert.deepEqual(await report('{ kubeconfig: kc }'), [warning('tokenFile absent.token')]);
  });

  test('a missing kubeconfig is a warning; another missing file is an error', async () => {
    assert.deepEqual(await report('{ kubeconfig: absent }'), [
      `2:42 kubeconfig ${join(folder, 'absent')} cannot be read: the zone is not ready until it can`,
    ]);
    await writeFile(file, Uint8Array.of(0xe9));
    assert.deepEqual(await report('{ kubeconfig: kc }'), [`2:42 kubeconfig ${file}: the file is not UTF-8 text`]);
    await truncate(file, 16 * 1024 * 1024 + 1);
    assert.deepEqual(await report('{ kubeconfig: kc }'), [
      `2:42 kubeconfig ${file}: the file has 16777217 bytes, at most 16777216 are read`,
    ]);
  });

  test('the kubeconfigs of the Cloud Map API are checked too', async () => {
    await writeFile(file, kubeconfig());
    const access = '{ kubeconfig: kc, context: nope, namespace: n }';
    const problem = `kubeconfig ${file} has no context "nope" ${KNOWN}`;
    assert.deepEqual(await report('{ kubeconfig: kc }', `cloudMap: { store: { kubernetes: ${access} } }`), [
      `3:61 ${problem}`,
    ]);
    const tasks = (text: string) => report('{ kubeconfig: kc }', `cloudMap: { store: memory, tasks: ${text} }`);
    assert.deepEqual(await tasks('{ kubeconfig: kc, context: nope }'), [`3:62 ${problem}`]);
    assert.deepEqual(await tasks('[{ kubeconfig: kc }, { kubeconfig: kc, context: nope }]'), [`3:83 ${problem}`]);
  });

  test('the source can use every kubeconfig that check accepts', async () => {
    const name = fc.oneof(fc.constantFrom('c', 'ctx'), fc.constantFrom<unknown>('u', '', 1, null));
    const part = (key: string, inner: fc.Arbitrary<unknown>) =>
      fc.oneof(fc.array(fc.record({ name, [key]: inner }, { requiredKeys: [] }), { maxLength: 2 }), fc.constant(null));
    /** Mostly what is right, so that many of the 500 files can be used. */
    const mostly = (right: unknown, other: fc.Arbitrary<unknown>) =>
      fc.oneof({ arbitrary: fc.constant(right), weight: 3 }, { arbitrary: other, weight: 1 });
    const any = fc.record({
      clusters: mostly(
        KUBECONFIG.clusters.slice(0, 1),
        part('cluster', fc.record({ server: fc.constant('https://127.0.0.1:1') })),
      ),
      contexts: mostly(KUBECONFIG.contexts.slice(0, 1), part('context', fc.record({ cluster: name, user: name }))),
      users: mostly(KUBECONFIG.users, part('user', fc.constant({ token: 'secret' }))),
      'current-context': mostly('ctx', fc.oneof(name, fc.constant(undefined))),
    });
    let usable = 0;
    await fc.assert(
      fc.asyncProperty(any, async (value) => {
        const text = JSON.stringify(value);
        if ('message' in readKubeconfig(text, undefined)) return;
        await writeFile(file, text);
        assert.ok(loadKubeConfig({ kubeconfig: file, context: undefined, label: 'x' }).getCurrentCluster());
        usable++;
      }),
      { numRuns: 500, examples: [[KUBECONFIG]] },
    );
    assert.ok(usable > 50, `${usable} of 500 were usable`);
  });
});
