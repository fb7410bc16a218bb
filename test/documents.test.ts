// What the documents point to exists.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { repository } from './support/command.ts';

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'src/README.md',
  ...readdirSync(join(repository, 'docs')).map((file) => `docs/${file}`),
].filter((file) => file.endsWith('.md'));

/** As GitHub names the anchor of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const anchorsIn = (text: string) => [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));

for (const document of documents) {
  test(`${document}: every link leads to a file, and to a heading in it`, () => {
    const text = readFileSync(join(repository, document), 'utf8');
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [path, anchor] = target!.split('#') as [string, string | undefined];
      const file = path === '' ? join(repository, document) : join(repository, dirname(document), path);
      assert.ok(existsSync(file), `${target} is not there`);
      if (anchor !== undefined)
        assert.ok(anchorsIn(readFileSync(file, 'utf8')).includes(anchor), `${target}: no such heading`);
    }
  });
}
