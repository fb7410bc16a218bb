// Regular expressions from a configuration, run on names that anyone may ask for. JavaScript's engine backtracks: a bad pattern
// takes exponential time, so such patterns are refused when the configuration is read.

/** Matching time is at most about 255^3 steps with three. Repetitions that a separator ends for certain do not count. */
const MAX_UNBOUNDED = 3;
/** What letters-and-digits classes and escaped dots become in the simplified pattern. */
const NARROW = '0';
const DOT = ':';
const MAX_PATTERN_CHARACTERS = 500;

/** What is wrong with a pattern, or undefined. */
export function patternProblem(source: string): string | undefined {
  if (source.length > MAX_PATTERN_CHARACTERS) return `a pattern may have at most ${MAX_PATTERN_CHARACTERS} characters`;
  try {
    new RegExp(source);
  } catch (error) {
    return (error as Error).message;
  }
  const bare = source
    .replace(/\\d|\[(?:a-z|0-9|a-f|A-Z|\\d)+\]/g, NARROW)
    .replace(/\\\./g, DOT)
    .replace(/\\[^1-9k]/g, 'x')
    .replace(/\[(?:[^\]])*\]/g, 'x');
  if (/\\[1-9k]/.test(bare)) return 'back references are not allowed: they take exponential time';
  if (/\(\?<?[=!]/.test(bare)) return 'lookaround is not allowed';
  return repetitionProblem(bare);
}

/** `bare` has neither escapes nor classes: what is left is groups, alternatives and repetitions. */
function repetitionProblem(bare: string): string | undefined {
  const groups: { repeats: boolean; alternatives: boolean }[] = [{ repeats: false, alternatives: false }];
  let unbounded = 0;
  for (let i = 0; i < bare.length; i++) {
    const character = bare[i];
    const inner = groups[groups.length - 1];
    if (character === '(') groups.push({ repeats: false, alternatives: false });
    else if (character === '|') inner.alternatives = true;
    const closes = character === ')';
    if (closes) groups.pop();
    const repetition = /^(?:[*+]|\{\d+,\d*\}|\{\d+\})/.exec(bare.slice(i + 1))?.[0];
    if (repetition === undefined) {
      if (closes && inner.repeats) groups[groups.length - 1].repeats = true;
      continue;
    }
    if (closes && (inner.repeats || inner.alternatives)) {
      return `a repeated group with a repetition or alternatives in it, ")${repetition}", can take exponential time`;
    }
    if (closes || character !== '(') groups[groups.length - 1].repeats = true;
    const after = bare.slice(i + 1 + repetition.length).replace(/^\)+/, '');
    const endsForCertain = character === NARROW && (after === '' || after[0] === '-' || after[0] === DOT);
    if (/[*+]|,\}/.test(repetition) && !endsForCertain) unbounded++;
  }
  return unbounded > MAX_UNBOUNDED ? `at most ${MAX_UNBOUNDED} of *, + and {n,} may be in one pattern` : undefined;
}

/** Matches whole names, lower case with the trailing dot. The pattern was found to have no problem. */
export function compilePattern(source: string): RegExp {
  return new RegExp(`^(?:${source})$`);
}

/** The first of $1 … $9 in `text` that stands for no group of the pattern, which has no problem; undefined: none. */
export function unknownGroup(source: string, text: string): string | undefined {
  const groups = new RegExp(`${source}|`).exec('')!.length - 1;
  return text.match(/\$[1-9]/g)?.find((group) => Number(group[1]) > groups);
}
