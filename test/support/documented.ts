// Configurations of the documentation, for tests that run with them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from './command.ts';

/** The fenced code blocks of a page in this language, in their order. */
export async function documented(page: string, language: string): Promise<string[]> {
  const text = await readFile(join(repository, 'docs', page), 'utf8');
  return [...text.matchAll(/^```(\S+)\n(.*?)^```$/gms)]
    .filter(([, fence]) => fence === language)
    .map(([, , code]) => code);
}
