import { readFileSync, writeFileSync } from 'node:fs';

const FILE = 'bench/RESULTS.md';

/** Puts text between `<!-- NAME -->` and `<!-- /NAME -->` of bench/RESULTS.md; what people wrote around it stays. */
export function replaceSection(name: string, text: string): void {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const before = readFileSync(FILE, 'utf8');
  const from = before.indexOf(start);
  const to = before.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${FILE} has no section ${start} … ${end}`);
  writeFileSync(FILE, `${before.slice(0, from + start.length)}\n${text}\n${before.slice(to)}`);
}
