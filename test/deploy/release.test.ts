// The release: its workflow, and the check that all places name one version.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { VERSION } from '../../src/version.ts';
import { repository, temporaryFolder } from '../support/command.ts';

const run = promisify(execFile);
const script = join(repository, 'scripts/release-version.mjs');
const PLACES = [
  ...['package.json', 'package-lock.json', 'src/version.ts', 'CHANGELOG.md'],
  ...['deploy/helm/healthdns/Chart.yaml', 'deploy/healthdns.yaml'],
];

const check = (folder: string, tag: string) =>
  run(process.execPath, [script, tag], { cwd: folder }).catch(({ stderr }: { stderr: string }) => stderr);

test('a release needs its version in every place and its section in the CHANGELOG, which becomes its notes', async (t) => {
  const folder = await temporaryFolder(t);
  for (const file of PLACES) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await cp(join(repository, file), join(folder, file));
  }
  const edit = async (file: string, from: RegExp, to: string) => {
    const before = await readFile(join(folder, file), 'utf8');
    const after = before.replace(from, to);
    assert.notEqual(after, before, file);
    await writeFile(join(folder, file), after);
  };
  await edit('CHANGELOG.md', /^## .*$/m, `## Unreleased\n\n## ${VERSION} (2026-01-01)`);
  const good = await check(folder, `v${VERSION}`);
  assert.ok(typeof good === 'object' && good.stdout.startsWith('First release.'), JSON.stringify(good));

  await edit('src/version.ts', /'\d[^']*'/, "'9.9.9'");
  await edit('deploy/helm/healthdns/Chart.yaml', /^appVersion: .*$/m, 'appVersion: "9.9.8"');
  await edit('CHANGELOG.md', /^## \d.*$/m, '## 9.9.9 (2026-01-01)');
  assert.equal(
    await check(folder, `v${VERSION}`),
    [
      `src/version.ts: 9.9.9 where ${VERSION} is released`,
      `deploy/helm/healthdns/Chart.yaml: 9.9.8 where ${VERSION} is released`,
      `CHANGELOG.md: no section "## ${VERSION} (YYYY-MM-DD)"`,
      '',
    ].join('\n'),
  );
  assert.match(String(await check(folder, VERSION)), /^usage: /);
});

interface Workflow {
  readonly on: Record<string, unknown>;
  readonly jobs: Record<
    string,
    { readonly needs?: string | string[]; readonly uses?: string; readonly steps?: readonly Record<string, string>[] }
  >;
}

test('the steps of the workflows are valid shell, in jobs that exist, by actions of a fixed version', async () => {
  const folder = join(repository, '.github/workflows');
  for (const file of await readdir(folder)) {
    const { on, jobs } = parse(await readFile(join(folder, file), 'utf8')) as Workflow;
    assert.ok(Object.keys(on).length > 0, file);
    for (const [name, { needs = [], uses, steps = [] }] of Object.entries(jobs)) {
      for (const one of [needs].flat()) assert.ok(jobs[one], `${file}: ${name} needs ${one}`);
      if (uses !== undefined) {
        const called = parse(await readFile(join(repository, uses), 'utf8')) as Workflow;
        assert.ok('workflow_call' in called.on, uses);
      }
      for (const step of steps) {
        if (step.uses !== undefined) assert.match(step.uses, /^[\w-]+\/[\w-]+@v\d+$/);
        else await run('bash', ['-n', '-c', step.run!.replaceAll(/\$\{\{.*?\}\}/g, 'x')]);
      }
    }
  }
});

test('before the first release, no document tells readers to install a package that is not published', async () => {
  const changelog = await readFile(join(repository, 'CHANGELOG.md'), 'utf8');
  if (/^## \d/m.test(changelog)) return;
  const pages = (await readdir(join(repository, 'docs'), { recursive: true })).filter((file) => file.endsWith('.md'));
  for (const file of ['README.md', ...pages.map((page) => `docs/${page}`)]) {
    if (file === 'docs/releasing.md') continue;
    const text = await readFile(join(repository, file), 'utf8');
    assert.doesNotMatch(text, /npx healthdns|npm (?:i|install)(?: -g)? healthdns/, file);
  }
});
