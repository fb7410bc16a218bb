// What a test has run of each file, from the coverage that V8 writes for it and its threads.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Reads what NODE_V8_COVERAGE=`folder` has brought: files below `tree`, by their path in it, each with ranges by process or thread. */
export async function readCoverage(folder, tree) {
  const base = pathToFileURL(`${tree}/`).href;
  const byFile = new Map();
  for (const name of await readdir(folder)) {
    const { result } = JSON.parse(await readFile(join(folder, name), 'utf8'));
    for (const { url, functions } of result) {
      if (!url.startsWith(base)) continue;
      const file = url.slice(base.length);
      const ranges = functions.flatMap((one) => one.ranges);
      byFile.set(file, [...(byFile.get(file) ?? []), ranges]);
    }
  }
  return byFile;
}

/** Whether any of them ran the code at this offset: the innermost range around it decides. */
export function covers(rangesByThread, offset) {
  return rangesByThread.some((ranges) => {
    const around = ranges.filter(({ startOffset, endOffset }) => startOffset <= offset && offset < endOffset);
    around.sort((a, b) => a.endOffset - a.startOffset - (b.endOffset - b.startOffset));
    return around.length > 0 && around[0].count > 0;
  });
}
