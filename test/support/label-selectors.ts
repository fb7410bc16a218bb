// Label selectors, right and wrong, for our parser and for the API server's.
import fc from 'fast-check';

const LONGEST_NAME = 'a'.repeat(63);

export const RIGHT_SELECTORS: readonly string[] = [
  'app',
  '!app',
  'app=web',
  'app==web',
  'app = web , tier != test',
  'app=',
  'app!=,tier',
  'team in (a)',
  'team in (a, b),app notin (c)',
  'team in ()',
  'team in (,,)',
  'team in (a,,)',
  'team in (,a)',
  'team in (a,,b)',
  'team in (in, notin)',
  'in in (in),notin notin (notin)',
  'in,notin=in',
  '\tteam\r\nin\n(a)',
  'generation>5,generation < 9223372036854775807',
  'generation>007',
  'example.com/app=web',
  `a.b-c.d/${LONGEST_NAME}=${LONGEST_NAME}`,
  `${'a.'.repeat(126)}a/x`,
  `${'a'.repeat(100)}/x`,
  'A_b.c-d=E_f.g-h',
];

/** With what is said of each. */
export const WRONG_SELECTORS: readonly (readonly [string, string])[] = [
  ['team in (a', 'expected , or ), got nothing'],
  ['team in (', 'expected a value, got nothing'],
  ['team in (=)', 'expected a value, got "="'],
  ['team in (a,', 'expected a value, got nothing'],
  ['team in (a b)', 'expected , or ), got "b"'],
  ['team in (a))', 'expected a comma or the end, got ")"'],
  ['team in a', 'expected ( after in, got "a"'],
  ['team notin', 'expected ( after notin, got nothing'],
  ['team of (a)', 'expected =, !=, in, notin, < or >, got "of"'],
  ['app=web tier=x', 'expected a comma or the end, got "tier"'],
  ['app=web,', 'expected a label after the comma, got nothing'],
  [',app', 'expected a label, got ","'],
  ['=web', 'expected a label, got "="'],
  ['!', 'expected a label, got nothing'],
  ['!=app', 'expected a label, got "!="'],
  ['!!app', 'expected a label, got "!"'],
  ['!app=web', 'expected a comma or the end, got "="'],
  ['app===web', 'expected a value, got "="'],
  ['app=!web', 'expected a value, got "!"'],
  ['app=-web', '"-web" cannot be a label\'s value'],
  ['app=we:b', '"we:b" cannot be a label\'s value'],
  ['app=a/b', '"a/b" cannot be a label\'s value'],
  [`app=${LONGEST_NAME}a`, `"${LONGEST_NAME.slice(0, 57)}..." cannot be a label's value`],
  ['app_=x', '"app_" cannot be a label'],
  ['a/b/c', '"a/b/c" cannot be a label'],
  ['/app', '"/app" cannot be a label'],
  ['app/', '"app/" cannot be a label'],
  ['Example.com/app', '"Example.com/app" cannot be a label'],
  ['a..b/app', '"a..b/app" cannot be a label'],
  [`${'a.'.repeat(127)}a/x`, `"${'a.'.repeat(28)}a..." cannot be a label`],
  ['app\u00a0=web', '"app\u00a0" cannot be a label'],
  ['größe', '"größe" cannot be a label'],
  ['generation>x', 'expected a whole number after >, got "x"'],
  ['generation>', 'expected a whole number after >, got nothing'],
  ['generation<-5', '"-5" cannot be a label\'s value'],
  ['generation<5.5', 'expected a whole number after <, got "5.5"'],
  ['generation>9223372036854775808', 'expected a whole number after >, got "9223372036854775808"'],
];

const word = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,6}[A-Za-z0-9])?$/);
const key = fc.oneof(
  word,
  fc
    .tuple(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,4}[a-z0-9])?(\.[a-z]{1,3})?$/), word)
    .map((parts) => parts.join('/')),
);
const value = fc.oneof(word, fc.constant(''));
const space = fc.stringMatching(/^[ \t\r\n]{0,2}$/);
const gap = fc.stringMatching(/^[ \t\r\n]{1,2}$/);
const requirement = fc.oneof(
  key,
  fc.tuple(fc.constant('!'), space, key),
  fc.tuple(key, space, fc.constantFrom('=', '==', '!='), space, value),
  fc.tuple(key, space, fc.constantFrom('<', '>'), space, fc.nat().map(String)),
  fc.tuple(
    ...[key, gap, fc.constantFrom('in', 'notin'), space, fc.constant('('), space],
    fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join(' ,')),
    ...[space, fc.constant(')')],
  ),
);

/** Right ones. */
export const selectorText = fc
  .array(
    fc.tuple(space, requirement, space).map((parts) => parts.flat().join('')),
    { minLength: 1, maxLength: 4 },
  )
  .map((requirements) => requirements.join(','));

/** The same words in any order: some are right. */
export const selectorSoup = fc
  .tuple(
    fc.constantFrom('', '', 'a in (', 'a = b,'),
    fc.array(fc.constantFrom(...'a b/c 5 in notin ( ) ) , , = == ! != < > _ -d /'.split(' '), ' ', '\t'), {
      maxLength: 8,
    }),
  )
  .map(([beginning, words]) => beginning + words.join(''));
