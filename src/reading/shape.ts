// The vocabulary of the sections' schemas: valibot schemas that report every problem at once, with what was expected. The
// JSON Schema for editors is made from the same schemas.
import * as v from 'valibot';
import { MAX_TTL_SECONDS } from '../dns/limits.ts';
import { show, shown } from './problem.ts';
import { nearest } from './suggest.ts';

/** A message "expected X, got Y"; `expected` is used alone where the key is missing. */
export interface Expectation {
  (issue: v.BaseIssue<unknown>): string;
  readonly expected: string;
}

/** `accepts`: valid texts; a number or boolean whose text is valid lacks quotes. */
export function expecting(expected: string, accepts: (text: string) => boolean = () => false): Expectation {
  const message = ({ input }: v.BaseIssue<unknown>) =>
    `expected ${expected}, got ${show(input)}${hint(expected, input, accepts)}`;
  return Object.assign(message, { expected });
}

function hint(expected: string, input: unknown, accepts: (text: string) => boolean): string {
  if (typeof input === 'string' && /number/.test(expected) && input.trim() !== '' && Number.isFinite(Number(input)))
    return ' in quotes: remove the quotes';
  if ((typeof input === 'number' || typeof input === 'boolean') && accepts(String(input)))
    return `: put it in quotes, "${input}"`;
  return '';
}

/** Text. `check` returns the problem with a text, or undefined. */
export function text(expected: string, description: string, check?: (text: string) => string | undefined) {
  return v.pipe(
    v.string(expecting(expected, (value) => check?.(value) === undefined)),
    v.check(
      (value) => check?.(value) === undefined,
      (issue) => check?.(issue.input) ?? '',
    ),
    v.description(description),
  );
}

/** One of a few words; similar words are suggested. */
export function choice<const Words extends readonly [string, ...string[]]>(words: Words, description: string) {
  const message = expecting(words.length > 1 ? `one of ${words.join(', ')}` : words[0]);
  const withSuggestion = Object.assign(
    (issue: v.BaseIssue<unknown>) => {
      const near = typeof issue.input === 'string' ? nearest(issue.input, words) : undefined;
      return message(issue) + (near ? `, did you mean ${near}?` : '');
    },
    { expected: message.expected },
  );
  return v.pipe(v.picklist(words, withSuggestion), v.description(description));
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number, description: string) {
  const message = expecting(`a whole number from ${min} to ${max}`);
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(max, message),
    v.description(description),
  );
}

export function ttlSeconds(description: string) {
  return integer(0, MAX_TTL_SECONDS, description);
}

/** A number of seconds, fractions allowed, from `min` to `max`. */
export function seconds(min: number, max: number, description: string) {
  const message = expecting(`a number of seconds from ${min} to ${max}`);
  return v.pipe(v.number(message), v.minValue(min, message), v.maxValue(max, message), v.description(description));
}

export function flag(description: string) {
  return v.pipe(v.boolean(expecting('true or false')), v.description(description));
}

/** A list; a key without a value (all items commented out) is an empty list. */
export function list<const Item extends v.GenericSchema>(item: Item, description: string) {
  const array = v.array(item, expecting('a list'));
  const empty = v.pipe(
    v.null(),
    v.transform(() => []),
  );
  return v.pipe(
    v.lazy((input) => (input === null ? (empty as unknown as typeof array) : array)),
    v.description(description),
  );
}

/** A mapping whose keys are any words. */
export function words(description: string) {
  const message = expecting('a mapping of words to texts');
  const record = v.record(v.string(), text('text', ''), message);
  const refused = v.custom<Record<string, string>>(() => false, message) as unknown as typeof record;
  return v.pipe(
    v.lazy((input) => (Array.isArray(input) ? refused : record)),
    v.description(description),
  );
}

/** One item, or a list of them. */
export function oneOrMany<const Item extends v.GenericSchema>(item: Item, description: string) {
  return v.pipe(whichever(Array.isArray, v.array(item), item), v.description(description));
}

/** `first` for values that `isFirst` accepts, else `second`: unlike with a union, all problems inside are reported. */
export function whichever<const First extends v.GenericSchema, const Second extends v.GenericSchema>(
  isFirst: (input: unknown) => boolean,
  first: First,
  second: Second,
) {
  const both = v.union([first, second]);
  // undefined: the JSON Schema is being made.
  return v.lazy((input) =>
    input === undefined ? both : ((isFirst(input) ? first : second) as unknown as typeof both),
  );
}

/** A mapping with known keys. Every unknown key is reported, with the most similar known one. */
export function mapping<const Entries extends v.ObjectEntries>(entries: Entries, description: string) {
  const strict = v.strictObject(entries);
  const example = Object.keys(entries).slice(0, 3).join(', ');
  const refused = v.custom(
    () => false,
    ({ input }) =>
      input === null
        ? 'is empty: remove it, or write {} for the defaults'
        : `expected a mapping with keys such as ${example}, got ${show(input)}`,
  );
  const schemaFor = (input: unknown): v.GenericSchema => {
    if (input === undefined) return strict; // the JSON Schema is being made
    if (input === null || typeof input !== 'object' || Array.isArray(input)) return refused;
    return withUnknownKeys(entries, input);
  };
  return v.pipe(v.lazy(schemaFor as () => typeof strict), v.description(description));
}

function withUnknownKeys(entries: v.ObjectEntries, input: object): v.GenericSchema {
  const known = Object.keys(entries);
  const unknown = Object.keys(input)
    .filter((key) => !Object.hasOwn(entries, key))
    .map((key) => ({ key, near: nearest(key, known) }));
  // A misspelled key is one problem, not an unknown key and a missing one: the latter is not reported.
  const isMisspelt = (key: string) => unknown.some(({ near }) => near === key);
  const object = v.object(entries, (issue) => {
    const key = String(issue.path?.at(-1)?.key);
    return isMisspelt(key) ? '' : `\`${key}\` is missing: expected ${expectedBy(entries[key])}`;
  });
  return v.pipe(
    object,
    v.rawCheck(({ addIssue }) => {
      for (const { key, near } of unknown) {
        const hint = near === undefined ? `; known here: ${known.join(', ')}` : `, did you mean \`${near}\`?`;
        const item = { type: 'object', origin: 'key', input, key, value: undefined } as unknown as v.ObjectPathItem;
        addIssue({ message: `unknown key \`${shown(key)}\`${hint}`, input: key, path: [item] });
      }
    }),
  );
}

/** Whether an issue is about a key itself, so that its message names it and stands at the key or its mapping. */
export function isAboutKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.path?.at(-1)?.origin === 'key';
}

function expectedBy(entry: object): string {
  return (entry as { message?: Partial<Expectation> }).message?.expected ?? 'a value';
}
