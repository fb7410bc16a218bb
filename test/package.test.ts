// What `npm pack` gives, and that it runs where it is installed.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { repository, serving, temporaryFolder } from './support/command.ts';

const run = promisify(execFile);

/** The text of a bundle in dist/ and of all that it needs to run. */
async function bundlesOf(name: string, loaded = new Map<string, string>()): Promise<Map<string, string>> {
  if (loaded.has(name)) return loaded;
  const text = await readFile(join(repository, 'dist', name), 'utf8');
  loaded.set(name, text);
  for (const [, path] of text.matchAll(/(?<!=>)require\("\.\/([^"]+)"\)/g)) await bundlesOf(path!, loaded);
  return loaded;
}

/** The bundle that another one imports when it runs. */
async function bundleOf(name: string, importer: string): Promise<string> {
  const text = await readFile(join(repository, 'dist', importer), 'utf8');
  return new RegExp(`require\\("\\./(${name}-[^"]+)"\\)`).exec(text)![1]!;
}

const wordsIn = (bundles: ReadonlyMap<string, string>, words: readonly string[]) =>
  words.filter((word) => [...bundles.values()].some((text) => text.includes(word)));

test('the command line does not load what its commands may not need', async () => {
  const cli = await bundlesOf(await bundleOf('program', 'cli.bundle.js'));
  const all = ['loadFromCluster', 'SignatureV4', 'RE2JS', 'parseAllDocuments', 'pino'];
  assert.deepEqual(wordsIn(cli, all), []);
  const needed = await bundlesOf(await bundleOf('serve', [...cli.keys()][0]!));
  assert.deepEqual(wordsIn(needed, all.slice(0, 2)), []);
  assert.deepEqual(
    wordsIn(needed, ['parseAllDocuments']),
    ['parseAllDocuments'],
    'the words are still there to be found',
  );
});

test('the code cache of the bundle is used; if it does not fit this version of Node.js, commands work without it', async (t) => {
  const folder = await temporaryFolder(t);
  await cp(join(repository, 'dist'), join(folder, 'dist'), { recursive: true });
  const report = join(folder, 'report.cjs');
  await writeFile(
    report,
    `process.on('exit', () => {
       const { loaded } = require('./dist/load.js');
       console.log([...new Set([...loaded.values()].map(({ script }) => String(script.cachedDataRejected)))].join());
     });`,
  );
  const example = join(repository, 'zones.example.yaml');
  const rejected = async (...flags: string[]) => {
    const args = [...flags, '--require', report, join(folder, 'dist/cli.js'), 'check', example];
    const { stdout } = await run(process.execPath, args);
    assert.match(stdout, /valid/);
    return stdout
      .trim()
      .split('\n')
      .at(-1)!
      .split(',')
      .filter((one) => one !== 'undefined');
  };
  const caches = join(folder, 'dist/code-cache');
  assert.deepEqual(await rejected(), ['false']);
  assert.deepEqual(await rejected('--stack-size=900'), ['true'], 'other flags');
  for (const file of await readdir(caches, { recursive: true, withFileTypes: true }))
    if (file.isFile()) await truncate(join(file.parentPath, file.name), 100);
  assert.deepEqual(await rejected(), ['true'], 'truncated files');
  await rm(caches, { recursive: true });
  assert.deepEqual(await rejected(), [], 'as for another version of Node.js');
});

test('the package contains exactly the files it needs, and serves once installed', async (t) => {
  const folder = await temporaryFolder(t);
  // The test command has built dist/ already; other tests are running from it.
  const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: repository,
  });
  const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const path of [
    'bin/healthdns',
    'dist/cli.js',
    'dist/healthdns.1',
    'dist/thread/thread.js',
    'zones.example.yaml',
    'zones.schema.json',
  ]) {
    assert.ok(paths.includes(path), `${path} is missing`);
  }
  for (const path of ['README.md', 'LICENSE', 'dist/THIRD-PARTY-LICENSES.txt'])
    assert.ok(paths.includes(path), `${path} is missing`);
  assert.deepEqual(
    paths.filter((path) =>
      /\.map$|\.ts$|^(test|bench|build|src|node_modules)\/(?!README|RESULTS)|code-cache/.test(path),
    ),
    [],
  );
  for (const page of paths.filter((path) => path.endsWith('.md')))
    for (const [, target] of (await readFile(join(repository, page), 'utf8')).matchAll(/\]\((?!https?:)([^)\s#]+)/g)) {
      const file = normalize(join(dirname(page), target!)).replace(/\/$/, '');
      const isPacked = paths.some((path) => path === file || path.startsWith(`${file}/`));
      assert.ok(isPacked, `${page} links to ${target}, which is not in the package`);
    }
  const scripts = paths.filter((path) => /^dist\/.*\.js$/.test(path));
  for (const text of await Promise.all(scripts.map((path) => readFile(join(repository, path), 'utf8')))) {
    assert.doesNotMatch(text, /\/\/# sourceMappingURL=/);
    // Loaded, it makes Node.js 22 and later print a warning.
    assert.doesNotMatch(text, /require\("punycode"\)/);
  }

  // Unpacked where npm would put it: what it needs beside itself (koffi) is optional.
  const installed = join(folder, 'node_modules/healthdns');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components=1']);
  const command = join(installed, 'bin/healthdns');
  const checked = await run(process.execPath, [command, 'check', join(installed, 'zones.example.yaml')]);
  assert.match(checked.stdout, /valid/);

  const file = join(folder, 'zones.yaml');
  await writeFile(file, 'zones: [{ name: a.local, records: [{ name: www, type: A, value: 192.0.2.1 }] }]');
  const server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0'], command);
  t.after(() => server.stop('SIGKILL'));
  const [, port] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);
  const asked = await run(process.execPath, [command, 'query', 'www.a.local', `@127.0.0.1:${port}`, '--short']);
  assert.equal(asked.stdout, '192.0.2.1\n');
  assert.equal(await server.stop(), 0);
});
