// The words in which each section's shape is written: valibot schemas whose messages say what was expected, and which
// report everything that is wrong at once. The JSON Schema for editors is made from the same schemas.
import * as v from 'valibot';
import { show, shown } from './problem.ts';
import { nearest } from './suggest.ts';

/** A message "expected X, got Y"; `expected` is kept for when the key is missing. */
export interface Expectation {
  (issue: v.BaseIssue<unknown>): string;
  readonly expected: string;
}

export function expecting(expected: string): Expectation {
  const message = ({ input }: v.BaseIssue<unknown>) =>
    `expected ${expected}, got ${show(input)}${hint(expected, input)}`;
  return Object.assign(message, { expected });
}

function hint(expected: string, input: unknown): string {
  if (typeof input === 'string' && /number/.test(expected) && input.trim() !== '' && Number.isFinite(Number(input)))
    return ' in quotes: remove the quotes';
  if ((typeof input === 'number' || typeof input === 'boolean') && !/number|true/.test(expected))
    return `: put it in quotes, "${input}"`;
  return '';
}

/** Text in general. `check` gives what is wrong with a text, or undefined. */
export function text(expected: string, description: string, check?: (text: string) => string | undefined) {
  return v.pipe(
    v.string(expecting(expected)),
    v.check(
      (value) => check?.(value) === undefined,
      (issue) => check?.(issue.input) ?? '',
    ),
    v.description(description),
  );
}

/** One of a few words; near misses are suggested. */
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

/** A number of seconds, fractions allowed, from `min` to `max`. */
export function seconds(min: number, max: number, description: string) {
  const message = expecting(`a number of seconds from ${min} to ${max}`);
  return v.pipe(v.number(message), v.minValue(min, message), v.maxValue(max, message), v.description(description));
}

export function flag(description: string) {
  return v.pipe(v.boolean(expecting('true or false')), v.description(description));
}

/** A list; a key with nothing behind it (all items commented out) is an empty one. */
export function list<const Item extends v.GenericSchema>(item: Item, description: string) {
  const schema = v.array(item, expecting('a list'));
  const orNothing: typeof schema = {
    ...schema,
    '~run': (dataset, config) => schema['~run'](dataset.value === null ? { typed: false, value: [] } : dataset, config),
  };
  return v.pipe(orNothing, v.description(description));
}

/** A mapping whose keys are any words. */
export function words(description: string) {
  const schema = v.record(v.string(), text('text', ''), expecting('a mapping of words to texts'));
  const notList: typeof schema = {
    ...schema,
    '~run': (dataset, config) => {
      if (!Array.isArray(dataset.value)) return schema['~run'](dataset, config);
      v._addIssue(schema, 'type', dataset, config);
      return dataset as unknown as v.OutputDataset<Record<string, string>, v.RecordIssue | v.StringIssue>;
    },
  };
  return v.pipe(notList, v.description(description));
}

/** One item, or a list of them. */
export function oneOrMany<const Item extends v.GenericSchema>(item: Item, description: string) {
  return v.pipe(whichever(Array.isArray, v.array(item), item), v.description(description));
}

/** `first` for what `isFirst` accepts, else `second`: unlike a union, the problems inside are all reported. */
export function whichever<const First extends v.GenericSchema, const Second extends v.GenericSchema>(
  isFirst: (input: unknown) => boolean,
  first: First,
  second: Second,
): v.UnionSchema<[First, Second], undefined> {
  const union = v.union([first, second]);
  const run = (dataset: v.UnknownDataset, config: v.Config<v.BaseIssue<unknown>>) =>
    (isFirst(dataset.value) ? first : second)['~run'](dataset, config);
  return { ...union, '~run': run } as v.UnionSchema<[First, Second], undefined>;
}

/** A mapping with known keys. Every unknown key is reported, with the known one it is nearest to. */
export function mapping<const Entries extends v.ObjectEntries>(entries: Entries, description: string) {
  const known = Object.keys(entries);
  const object = v.object(entries, (issue: v.BaseIssue<unknown>) => mappingMessage(entries, issue));
  const run = (dataset: v.UnknownDataset, config: v.Config<v.BaseIssue<unknown>>) => {
    const input = dataset.value;
    if (input === null || typeof input !== 'object' || Array.isArray(input)) {
      v._addIssue(object, 'type', dataset, config);
      return dataset;
    }
    const unknown = Object.keys(input).filter((key) => !Object.hasOwn(entries, key));
    const result = object['~run'](dataset, config);
    // A misspelt key is one mistake, not an unknown key and a missing one: the latter stays without a message.
    const meant = new Set(unknown.map((key) => nearest(key, known)));
    const issues: { message: string }[] = (result.issues ?? []).filter(
      (issue) => isMissingKey(issue) && meant.has(lastKey(issue)),
    );
    for (const issue of issues) issue.message = '';
    for (const key of unknown) addUnknownKey(object, key, known, input, result, config);
    return result;
  };
  const schema = { ...object, type: 'strict_object', '~run': run };
  return v.pipe(schema as unknown as v.StrictObjectSchema<Entries, undefined>, v.description(description));
}

function addUnknownKey(
  object: Parameters<typeof v._addIssue>[0],
  key: string,
  known: readonly string[],
  input: object,
  dataset: Parameters<typeof v._addIssue>[2],
  config: v.Config<v.BaseIssue<unknown>>,
): void {
  const near = nearest(key, known);
  const message = `unknown key \`${shown(key)}\`${near ? `, did you mean \`${near}\`?` : `; known here: ${known.join(', ')}`}`;
  const item = { type: 'object', origin: 'key', input, key, value: undefined } as unknown as v.ObjectPathItem;
  v._addIssue({ ...object, message }, 'key', dataset, config, { input: key, path: [item] });
}

/** Whether an issue is about a key itself, so that its message names it and stands at the key or its mapping. */
export function isAboutKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.path?.at(-1)?.origin === 'key';
}

function isMissingKey(issue: v.BaseIssue<unknown>): boolean {
  return isAboutKey(issue) && issue.input === undefined && issue.path?.length === 1;
}

function lastKey(issue: v.BaseIssue<unknown>): string {
  return String(issue.path?.at(-1)?.key);
}

function mappingMessage(entries: v.ObjectEntries, issue: v.BaseIssue<unknown>): string {
  if (isMissingKey(issue)) {
    const entry = entries[lastKey(issue)] as { message?: Partial<Expectation> };
    return `\`${lastKey(issue)}\` is missing: expected ${entry.message?.expected ?? 'a value'}`;
  }
  if (issue.input === null) return 'has nothing in it: remove it, or write {} for the defaults';
  const example = Object.keys(entries).slice(0, 3);
  return `expected a mapping with keys such as ${example.join(', ')}, got ${show(issue.input)}`;
}
