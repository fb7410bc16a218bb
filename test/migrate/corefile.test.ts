import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { COREFILE_LIMITS, type CorefileSources, type Directive, parseCorefile } from '../../src/migrate/corefile.ts';

const nothing: CorefileSources = { filesOf: () => [], environment: () => undefined };

const parse = (text: string, sources: CorefileSources = nothing) => parseCorefile(text, 'Corefile', sources);

/** Directives as nested lists of words: ['forward', '.', ['max_fails', '2']]. */
const words = ({ name, args, lines }: Directive): unknown[] => [name, ...args, ...lines.map(words)];
const shape = (text: string, sources?: CorefileSources) =>
  parse(text, sources).blocks.map(({ keys, directives }) => ({ [keys.join(' ')]: directives.map(words) }));
const problems = (text: string, sources?: CorefileSources) =>
  parse(text, sources).problems.map(({ at, text: problem }) => `${at.file}:${at.line}: ${problem}`);

test('a server block has keys, and directives with arguments and blocks of their own', () => {
  assert.deepEqual(
    shape('example.org:53 dns://b.test {\n  errors\n  forward . 192.0.2.1 {\n    max_fails 2\n  }\n}\n'),
    [{ 'example.org:53 dns://b.test': [['errors'], ['forward', '.', '192.0.2.1', ['max_fails', '2']]] }],
  );
});

test('keys continue after a comma at the end of a line, and a file without braces is one block', () => {
  assert.deepEqual(shape('a.test,\nb.test {\n  errors\n}\n'), [{ 'a.test b.test': [['errors']] }]);
  assert.deepEqual(shape('.\nerrors\nforward . 192.0.2.1\n'), [{ '.': [['errors'], ['forward', '.', '192.0.2.1']] }]);
});

test('quotes preserve spaces, braces and comment signs, and \\" is a quotation mark', () => {
  assert.deepEqual(shape('. {\n  template IN A . {\n    answer "{{ .Name }} 60 IN A \\"x\\" # no comment"\n  }\n}'), [
    { '.': [['template', 'IN', 'A', '.', ['answer', '{{ .Name }} 60 IN A "x" # no comment']]] },
  ]);
});

test('a comment begins at a word that starts with #, not inside a word', () => {
  assert.deepEqual(shape('. { # the root\n  errors # all\n  chaos a#b\n}'), [{ '.': [['errors'], ['chaos', 'a#b']] }]);
});

test('a snippet replaces its import, also in braces, and is not a server block', () => {
  const text =
    '(usual) {\n  errors\n  cache 30 {\n    import limits\n  }\n}\n(limits) {\n  success 100\n}\n. {\n  import usual\n}\n';
  assert.deepEqual(shape(text), [{ '.': [['errors'], ['cache', '30', ['success', '100']]] }]);
});

test('files matching a pattern are imported in the order of their names, inside and between blocks', () => {
  const files: Record<string, string> = {
    'a.override': 'errors\n',
    'b.override': 'loop\n',
    'c.server': 'c.test {\n  whoami\n}\n',
  };
  const sources: CorefileSources = {
    ...nothing,
    filesOf: (pattern) =>
      Object.keys(files)
        .filter((name) => name.endsWith(pattern.replace('custom/*', '')))
        .map((file) => ({ file, text: files[file] })),
  };
  assert.deepEqual(shape('. {\n  import custom/*.override\n}\nimport custom/*.server\n', sources), [
    { '.': [['errors'], ['loop']] },
    { 'c.test': [['whoami']] },
  ]);
});

test('a directive from an imported file is reported at its own location', () => {
  const sources: CorefileSources = { ...nothing, filesOf: () => [{ file: 'custom/x.override', text: '\nloop\n' }] };
  const [block] = parse('. {\n  import custom/x.override\n}\n', sources).blocks;
  assert.deepEqual(block.directives[0].at, { file: 'custom/x.override', line: 2 });
});

test('environment variables are filled in, and kept if they are not set', () => {
  const sources: CorefileSources = { ...nothing, environment: (name) => (name === 'PORT' ? '1053' : undefined) };
  assert.deepEqual(shape('.:{$PORT} {\n  forward . {$UPSTREAM} {%PORT%}\n}', sources), [
    { '.:1053': [['forward', '.', '{$UPSTREAM}', '1053']] },
  ]);
});

test('invalid input is reported with its location, and the rest is used', () => {
  assert.deepEqual(problems('. {\n  errors\n'), ['Corefile:1: a "{" is never closed']);
  assert.deepEqual(problems('. {\n  log "x\n}'), [
    'Corefile:2: a quotation mark is never closed',
    'Corefile:1: a "{" is never closed',
  ]);
  assert.deepEqual(problems('. {\n  errors\n}\n}\n'), ['Corefile:4: a "}" without the "{" that it would close']);
  assert.deepEqual(problems('. {\n  import absent\n}\n'), [
    'Corefile:2: imports "absent", which is neither a snippet nor a file',
  ]);
  assert.deepEqual(shape('. {\n  errors\n} x\nb {\n  loop\n}'), [{ '.': [['errors']] }, { b: [['loop']] }]);
});

test('a pattern without matches is not a problem, as in CoreDNS', () => {
  assert.deepEqual(problems('. {\n  import custom/*.override\n}\n'), []);
});

test('circular imports end at the limit with a problem', () => {
  const sources: CorefileSources = { ...nothing, filesOf: () => [{ file: 'a', text: 'import a\nimport a\n' }] };
  assert.match(
    problems('. {\n  import a\n}\n', sources)[0],
    /^a:1: imports are nested deeper than 16 levels: "a" may import itself/,
  );
});

test('a file over the limits is rejected or cut, with a problem', () => {
  assert.match(problems('x'.repeat(COREFILE_LIMITS.bytes + 1))[0], /larger than/);
  assert.match(problems(`. {\n${'a\n'.repeat(COREFILE_LIMITS.tokens)}}`)[0], /more than 200000 words/);
});

test('snippets that multiply beyond the limit are cut with one problem, and white space is no word', () => {
  const levels = Array.from({ length: 8 }, (_, i) => `(s${i}) {\n${`import s${i + 1}\n`.repeat(10)}}\n`).join('');
  assert.deepEqual(problems(`${levels}(s8) {\nerrors\n}\n. {\nimport s0\n}\n`), [
    'Corefile:86: more than 200000 words, with imports: the rest is not read',
  ]);
  assert.deepEqual(problems(`. {\n${'  a  b  \n'.repeat(COREFILE_LIMITS.tokens / 2 - 3)}}`), []);
});

test('an imported file that cannot be read is a problem of the import', () => {
  const filesOf = () => [
    { file: 'custom/a', unreadable: 'ENOENT' },
    { file: 'custom/b', text: 'errors' },
  ];
  assert.deepEqual(problems('. {\nimport custom/*\n}', { ...nothing, filesOf }), [
    'Corefile:2: imports custom/a, which cannot be read: ENOENT',
  ]);
  assert.deepEqual(shape('. {\nimport custom/*\n}', { ...nothing, filesOf }), [{ '.': [['errors']] }]);
});

test('any text is parsed without throwing, and each directive has its line number', () => {
  const word = fc.constantFrom(
    '{',
    '}',
    '"',
    '\\"',
    '#',
    ',',
    '\n',
    ' ',
    'import',
    '(s)',
    's',
    'forward',
    '.',
    '{$X}',
    'é',
    '\r\n',
    '\t',
  );
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 60 }).map((parts) => parts.join('')),
      (text) => {
        const lines = text.split('\n').length;
        const check = ({ at, lines: nested }: Directive): boolean =>
          at.line >= 1 && at.line <= lines && nested.every(check);
        assert.ok(parse(text).blocks.every(({ directives }) => directives.every(check)));
      },
    ),
    { numRuns: 5000 },
  );
});
