// The documents refer only to what exists.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { repository } from './support/command.ts';

const documents = ['', '.github', 'bench', 'docs', 'src', 'test/scenarios'].flatMap((folder) =>
  readdirSync(join(repository, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file)),
);
const scripts = Object.keys(
  (JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts,
);

/** As GitHub names the anchor of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const anchorsIn = (text: string) => [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));

for (const document of documents) {
  const text = readFileSync(join(repository, document), 'utf8');

  test(`every link in ${document} leads to an existing file and heading`, () => {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [path, anchor] = target!.split('#') as [string, string | undefined];
      const file = path === '' ? join(repository, document) : join(repository, dirname(document), path);
      assert.ok(existsSync(file), `${target} does not exist`);
      if (anchor !== undefined)
        assert.ok(anchorsIn(readFileSync(file, 'utf8')).includes(anchor), `${target}: the heading does not exist`);
    }
  });

  test(`no heading of ${document} occurs twice, as after a text was pasted over a part of itself`, () => {
    const anchors = anchorsIn(text.replaceAll(/^```.*?^```$/gms, ''));
    const twice = anchors.filter((anchor, i) => anchors.indexOf(anchor) !== i);
    assert.deepEqual(document === 'CHANGELOG.md' ? [] : twice, []);
  });

  test(`every npm script that ${document} mentions exists`, () => {
    const mentioned = [...text.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name!);
    assert.deepEqual(
      mentioned.filter((name) => !scripts.includes(name)),
      [],
    );
  });
}

test('CONTRIBUTING.md lists every bench script, once', () => {
  const contributing = readFileSync(join(repository, 'CONTRIBUTING.md'), 'utf8');
  const listed = [...contributing.matchAll(/^\| `npm run (bench[a-z:]*)` \|/gm)].map(([, name]) => name!);
  assert.deepEqual(listed.sort(), scripts.filter((name) => name.startsWith('bench')).sort());
});

test('every file and folder that src/README.md and CONTRIBUTING.md name exists', () => {
  const missing = ['src/README.md', 'CONTRIBUTING.md'].flatMap((document) => {
    const named = readFileSync(join(repository, document), 'utf8').matchAll(
      /`([\w.-]+\/[\w./-]*|[\w-]+\.(?:ts|yaml))`/g,
    );
    return [...named]
      .map(([, path]) => path!)
      .filter(
        (path) =>
          !/^(application|sigs)/.test(path) && !['src', ''].some((top) => existsSync(join(repository, top, path))),
      )
      .map((path) => `${document}: ${path}`);
  });
  assert.deepEqual(missing, []);
});
