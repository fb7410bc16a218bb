// The walks of src/README.md: title → the files that it lists, in order.
import { readFileSync } from 'node:fs';

const README = new URL('../../../src/README.md', import.meta.url);

export function walks(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(README, 'utf8').match(/^## Walks\n(.*?)^## /ms)?.[1] ?? '';
  const sections = text.split(/^### /m).slice(1);
  return new Map(
    sections.map((section) => [
      section.split('\n')[0],
      [...section.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, path]) => path),
    ]),
  );
}
