// Whatever is done to a file, loading it gives a configuration or problems that lie inside the file, and never throws.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseConfig } from '../../src/config/loading/load.ts';

const EXAMPLE = readFileSync('zones.example.yaml', 'utf8');

async function holds(text: string): Promise<void> {
  const result = await parseConfig(text, 'zones.yaml');
  const lines = text.split('\n');
  const problems = result.ok ? [] : result.problems;
  assert.ok(result.ok || problems.length > 0, 'refused without a reason');
  for (const { line, column, message } of [...problems, ...result.warnings]) {
    assert.ok(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}: ${message}`);
    assert.ok(column >= 1 && column <= lines[line - 1].length + 1, `column ${column} of line ${line}: ${message}`);
    assert.ok(message !== '' && !/[\p{Cc}]|undefined|\[object/u.test(message), JSON.stringify(message));
  }
}

const position = fc.nat({ max: EXAMPLE.length });
const snippet = fc.oneof(
  fc.constantFrom(
    '\t',
    '\n',
    ':',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '&a ',
    '*a',
    '<<: ',
    '!x ',
    '|',
    '%',
    '#',
    '?',
    'null',
    '@',
    '..',
  ),
  fc.constantFrom(
    '0',
    '-1',
    '1e400',
    '.nan',
    '.inf',
    '0x10',
    'true',
    '65536',
    '{}',
    '[]',
    '~',
    '__proto__',
    'constructor',
  ),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
);
const mutation = fc.record({ from: position, length: fc.nat({ max: 40 }), insert: snippet });

function mutated(text: string, mutations: readonly { from: number; length: number; insert: string }[]): string {
  return mutations.reduce((so, { from, length, insert }) => so.slice(0, from) + insert + so.slice(from + length), text);
}

test('any mutation of characters yields a configuration or problems with their locations', async () => {
  const cases = fc.array(mutation, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(cases, (mutations) => holds(mutated(EXAMPLE, mutations))),
    { numRuns: 400 },
  );
});

test('any value in place of any other yields a configuration or problems with their locations', async () => {
  const values = [...EXAMPLE.matchAll(/(?<=: )(\S[^,}\]\n]*)/g)];
  const replacement = fc.oneof(
    fc.constantFrom(
      '',
      'null',
      '{}',
      '[]',
      '[[]]',
      '{ a: b }',
      '[x]',
      '-1',
      '0.5',
      '1e9',
      '.nan',
      'true',
      '""',
      '"\\0"',
      'x y',
      '"@"',
      '"."',
      '*a',
    ),
    fc.json({ maxDepth: 2 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: values.length - 1 }), replacement, (i, text) => {
      const { index, 0: old } = values[i];
      return holds(EXAMPLE.slice(0, index) + text + EXAMPLE.slice(index + old.length));
    }),
    { numRuns: 400 },
  );
});

test('any JSON yields a configuration or problems with their locations', async () => {
  const keys = [
    'zones',
    'name',
    'services',
    'instances',
    'healthCheck',
    'records',
    'kubernetes',
    'listen',
    'soa',
    'type',
    'value',
  ];
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'medium' },
      fc.constantFrom<unknown>(null, 0, 1, 'x', 'A', '192.0.2.1', true, '@', '{service}'),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('tree'), { maxKeys: 4 }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(tree, (value) => holds(JSON.stringify({ zones: [value, { name: 'x', services: value }] }))),
    { numRuns: 400 },
  );
});
