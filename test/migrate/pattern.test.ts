// Patterns that CoreDNS searches for, for whole names: the same names match, with the same groups.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { compilePattern } from '../../src/dns/pattern.ts';
import { wholeName } from '../../src/migrate/pattern.ts';

/** The groups that CoreDNS finds. */
function searched(pattern: string, name: string): string[] | null {
  const matcher = RE2JS.compile(pattern).matcher(name);
  if (!matcher.find()) return null;
  return Array.from({ length: matcher.groupCount() }, (_, group) => matcher.group(group + 1) ?? '');
}

const patterns = [
  String.raw`(.*)\.gard\.test`,
  String.raw`^(.*)\.gard\.test\.$`,
  String.raw`(\w+)\.gard`,
  '^a|test$',
  '(a)|(b)',
  '^(a|b)',
  String.raw`[|)](a)?|x\|`,
  String.raw`te(s)t\.$`,
  String.raw`a\\$`,
  String.raw`a\$`,
  '(?i)A(.)',
  '',
];

for (const pattern of patterns)
  test(`/${pattern}/ for the whole name captures what a search captures`, () => {
    const label = fc.constantFrom('a', 'b', 'gard', 'test', 'x|', '|a', String.raw`a\ `.trim(), 'a$', 'ab');
    const name = fc.array(label, { maxLength: 5 }).map((labels) => labels.map((text) => `${text}.`).join(''));
    const whole = compilePattern(wholeName(pattern));
    fc.assert(
      fc.property(name, (text) => assert.deepEqual(whole.exec(text)?.slice(1) ?? null, searched(pattern, text))),
    );
  });

test('an anchored pattern stays readable', () => {
  assert.equal(wholeName(String.raw`^(a|b)\.test\.$`), String.raw`(a|b)\.test\.`);
});
