// Regular expressions from a configuration, run on names that anyone may ask for. They are RE2's, as CoreDNS's are: matching
// takes time linear in the name, so no pattern can be made to take long. JavaScript's own engine backtracks.
import { RE2JS, RE2JSException } from 're2js';

const MAX_PATTERN_CHARACTERS = 500;

/** A pattern for whole names: lower case, with the trailing dot. */
export interface Pattern {
  /** The name and what each group matched ('' where it took no part); null: the pattern does not match the whole name. */
  exec(name: string): readonly string[] | null;
}

/** Why `source` is not a pattern, or undefined. */
export function patternProblem(source: string): string | undefined {
  if (source.length > MAX_PATTERN_CHARACTERS) return `a pattern may have at most ${MAX_PATTERN_CHARACTERS} characters`;
  try {
    RE2JS.compile(source);
    return undefined;
  } catch (error) {
    if (error instanceof RE2JSException) return error.message;
    throw error;
  }
}

/** The pattern has been validated. */
export function compilePattern(source: string): Pattern {
  const pattern = RE2JS.compile(source);
  return {
    exec(name) {
      // Most names do not match; testing without groups takes a quarter of the time.
      if (!pattern.matches(name)) return null;
      const matcher = pattern.matcher(name);
      matcher.matches();
      return Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '');
    },
  };
}

/** The first of $1 … $9 in `text` that does not refer to a group of the validated pattern; undefined: none. */
export function unknownGroup(source: string, text: string): string | undefined {
  const groups = RE2JS.compile(source).groupCount();
  return text.match(/\$[1-9]/g)?.find((group) => Number(group[1]) > groups);
}
