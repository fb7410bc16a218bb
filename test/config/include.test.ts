// zones.yaml of several files, and with environment variables.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of zones.yaml
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type LoadResult, parseConfig } from '../../src/config/loading/load.ts';
import { temporaryFolder } from '../support/command.ts';

async function load(
  context: TestContext,
  files: Readonly<Record<string, string>>,
  variables = {},
): Promise<LoadResult> {
  const folder = await temporaryFolder(context);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const values: Readonly<Record<string, string>> = variables;
  return parseConfig(files['zones.yaml'], join(folder, 'zones.yaml'), (name) => values[name]);
}

/** "custom/a.yaml:3:5 message", or that it is fine. */
function problemsOf(result: LoadResult): string[] {
  if (result.ok) return ['fine'];
  return result.problems.map(
    ({ file, line, column, message }) => `${file.replace(/.*healthdns-\w+\//, '')}:${line}:${column} ${message}`,
  );
}

const base =
  'include: [custom/*.yaml]\nzones:\n  - { name: a.test, records: [{ name: x, type: A, value: 192.0.2.1 }] }\n';

describe('included files', () => {
  test('lists of included files are joined in the order of their names, and mappings are merged', async (context) => {
    const result = await load(context, {
      'zones.yaml': `${base}cache: { maxTtlSeconds: 60 }\nforward: [{ to: 192.0.2.9 }]\n`,
      'custom/b.yaml': 'zones: [{ name: c.test }]\nforward: [{ zone: corp, to: 192.0.2.7 }]\n',
      'custom/a.yaml': 'zones: [{ name: b.test }]\ncache: { maxNegativeTtlSeconds: 5 }\n',
      'custom/comment.yaml': '# nothing yet\n',
      'custom/other.txt': 'zones: [',
    });
    assert.ok(result.ok, problemsOf(result).join('\n'));
    assert.deepEqual(
      result.config.zones.map(({ name }) => name),
      ['a.test.', 'b.test.', 'c.test.'],
    );
    assert.deepEqual(
      result.config.forward?.routes.map(({ zone }) => zone),
      ['.', 'corp.'],
    );
    const { maxTtlSeconds, maxNegativeTtlSeconds } = result.config.forward!.cache;
    assert.deepEqual([maxTtlSeconds, maxNegativeTtlSeconds], [60, 5]);
  });

  test('an included pattern may match no file, but an included path must exist', async (context) => {
    assert.deepEqual(problemsOf(await load(context, { 'zones.yaml': base })), ['fine']);
    const missing = { 'zones.yaml': base.replace('[custom/*.yaml]', 'custom.yaml') };
    assert.deepEqual(problemsOf(await load(context, missing)), [
      'custom.yaml:1:1 cannot read the file: there is no such file',
    ]);
  });

  const wrong: Readonly<Record<string, readonly [text: string, problem: string]>> = {
    'a wrong value': [
      'zones:\n  - name: b.test\n    ttlSeconds: no\n',
      'custom/a.yaml:3:17 `ttlSeconds`: expected a whole number from 0 to 2147483647, got "no"',
    ],
    'an unknown key': ['zons: []\n', 'custom/a.yaml:1:1 unknown key `zons`, did you mean `zones`?'],
    'a zone that another file has': ['zones: [{ name: a.test }]\n', 'custom/a.yaml:1:17 duplicate zone a.test.'],
    'a value that another file sets': [
      'cache: { maxTtlSeconds: 1 }\nlogLevel: warn\n',
      'custom/a.yaml:2:1 `logLevel` is also set in zones.yaml: only lists are joined and mappings merged',
    ],
    'a key of a mapping that another file sets': [
      'server: { udp: plain }\n',
      'custom/a.yaml:1:11 `server.udp` is also set in another file',
    ],
    'an include of its own': ['include: x.yaml\n', 'custom/a.yaml:1:1 `include` is possible in the first file only'],
    'a list': ['- a\n', 'custom/a.yaml:1:1 expected a mapping with keys such as zones, got a list'],
    'broken YAML': [
      'zones: [\n',
      'custom/a.yaml:2:1 Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  };
  for (const [what, [text, problem]] of Object.entries(wrong))
    test(`${what} in an included file is reported at its place there`, async (context) => {
      const first = `${base}logLevel: info\nserver: { udp: auto }\n`;
      const found = problemsOf(await load(context, { 'zones.yaml': first, 'custom/a.yaml': text }));
      assert.ok(
        found.some((line) => line.replace(/ \/\S*\/zones.yaml/, ' zones.yaml').startsWith(problem)),
        found.join('\n'),
      );
    });

  test('an invalid value in the main file is reported at its location, however many files are included', async (context) => {
    const first = `${base}  - { name: bad..test }\n`;
    const found = problemsOf(
      await load(context, { 'zones.yaml': first, 'custom/a.yaml': 'zones: [{ name: b.test }]\n' }),
    );
    assert.match(found[0], /^zones.yaml:4:13 /);
  });
});

describe('environment variables', () => {
  test('environment variables are expanded with defaults and escapes, and their values are typed like YAML scalars', async (context) => {
    const result = await load(
      context,
      {
        'zones.yaml':
          'forward: ${UPSTREAM}\ncache: { maxTtlSeconds: "${TTL}", enabled: "${CACHE:-false}" }\nzones: [{ name: "${PREFIX}.test" }]\nserver: { idServer: "$${PREFIX}" }\n',
      },
      { UPSTREAM: '192.0.2.9', TTL: '60', PREFIX: 'a' },
    );
    assert.ok(result.ok, problemsOf(result).join('\n'));
    assert.equal(result.config.forward?.routes[0].upstreams[0].address, '192.0.2.9');
    assert.equal(result.config.forward?.cache.maxTtlSeconds, 60);
    assert.equal(result.config.forward?.cache.enabled, false);
    assert.equal(result.config.zones[0].name, 'a.test.');
    assert.equal(result.config.server.idServer, '${PREFIX}');
  });

  test('an unset variable without a default is reported at its location', async (context) => {
    assert.deepEqual(problemsOf(await load(context, { 'zones.yaml': 'zones: []\nforward: ${UPSTREAM}\n' })), [
      'zones.yaml:2:10 the environment variable UPSTREAM is not set: set it, or write ${UPSTREAM:-DEFAULT}',
    ]);
  });

  test('references to the groups of a pattern, such as $1, are not expanded as variables', async (context) => {
    const text = 'zones: [{ name: a.test }]\nrewrite: [{ kind: regex, from: "(.*)[.]b[.]", to: "$1.c." }]\n';
    assert.deepEqual(problemsOf(await load(context, { 'zones.yaml': text })), ['fine']);
  });
});
