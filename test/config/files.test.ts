import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadConfig, parseConfig } from '../../src/config/loading/load.ts';

describe('configuration files', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'healthdns-config-'));
  });
  after(() => rm(folder, { recursive: true }));

  /** The only problem of a file. */
  async function problemOf(path: string): Promise<string> {
    const result = await loadConfig(path);
    assert.ok(!result.ok && result.problems.length === 1);
    return result.problems[0].message;
  }

  test('an unreadable file is a problem with a reason', async () => {
    assert.equal(await problemOf(join(folder, 'absent.yaml')), 'cannot read the file: there is no such file');
    assert.equal(await problemOf(folder), 'cannot read the file: it is a folder');
    const latin = join(folder, 'latin.yaml');
    await writeFile(latin, Uint8Array.of(0x61, 0xe9));
    assert.equal(await problemOf(latin), 'the file is not UTF-8 text');
    const large = join(folder, 'large.yaml');
    await writeFile(large, '');
    await truncate(large, 16 * 1024 * 1024 + 1);
    assert.match(await problemOf(large), /^the file has 16777217 bytes, at most 16777216 are read/);
  });

  test('an endless file is read up to the limit', { skip: process.platform === 'win32' }, async () => {
    assert.match(await problemOf('/dev/zero'), /^the file has more than 16777216 bytes/);
  });

  test('the same problem at the same location is reported once', async () => {
    const result = await parseConfig(`zones: ${'['.repeat(50)}`, 'x');
    assert.equal(!result.ok && result.problems.length, 1);
  });

  test('a file nested more than 64 levels deep is rejected', async () => {
    for (const depth of [65, 10_000]) {
      const result = await parseConfig(`zones: ${'['.repeat(depth)}${']'.repeat(depth)}`, 'x');
      assert.deepEqual(!result.ok && result.problems.map(({ message }) => message), [
        'nested too deeply: at most 64 levels are allowed',
      ]);
    }
  });

  test('a file whose aliases multiply is rejected', async () => {
    const levels = Array.from({ length: 12 }, (_, i) => `a${i}: &a${i} [${Array(9).fill(i ? `*a${i - 1}` : 'x')}]`);
    const result = await parseConfig(levels.join('\n'), 'x');
    assert.deepEqual(!result.ok && result.problems.map(({ message }) => message), [
      'aliases of aliases expand too often: use fewer',
    ]);
  });

  test('too many anchors and aliases are rejected, even if checking each would take long', async () => {
    const result = await parseConfig(`a: &a x\nzones: [${'*a,'.repeat(500_000)}]`, 'x');
    assert.deepEqual(!result.ok && result.problems.map(({ message }) => message), [
      'at most 10000 anchors and aliases are allowed',
    ]);
  });

  test('a merge that contains itself is rejected', async () => {
    const result = await parseConfig('a: &a { <<: *a }', 'x');
    assert.deepEqual(!result.ok && result.problems.map(({ message }) => message), ['alias *a contains itself']);
  });

  test('a long list of problems is cut and counted', async () => {
    const result = await parseConfig(`zones: [${'{},'.repeat(1500)}]`, 'x');
    assert.ok(!result.ok);
    assert.equal(result.problems.length, 1001);
    assert.equal(result.problems[1000].message, '500 more problems are not shown');
  });
});
