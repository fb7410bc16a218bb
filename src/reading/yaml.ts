// YAML text → plain values, with the location of each key and value.
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { type Path, show, shown } from './problem.ts';

/** The format needs about 10 levels. */
const MAX_DEPTH = 64;
const TOO_DEEP = `nested too deeply: at most ${MAX_DEPTH} levels are allowed`;
const MAX_ANCHORS_AND_ALIASES = 10_000;
/** How often a value may appear through aliases of aliases; a "billion laughs" file needs far more. */
const MAX_ALIAS_COUNT = 1_000;

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface YamlProblem extends Place {
  readonly message: string;
}

export interface YamlText {
  /** Plain objects, arrays, strings, numbers, booleans, null. An anchor and its aliases share one value: do not change it. */
  readonly value: unknown;
  /** If not empty, `value` is not to be used. */
  readonly problems: readonly YamlProblem[];
  /** Location of the value at `path`, or of its key; the nearest parent if it does not exist. */
  place(path: Path, of: 'key' | 'value'): Place;
}

type Report = (offset: number, message: string) => void;

/** Filled by the walk over a document. */
interface Index {
  readonly targets: Map<Alias, Node>;
  readonly pairs: Map<YAMLMap, Map<unknown, Pair>>;
}

/** Never throws. */
export function readYaml(text: string): YamlText {
  const lines = lineCounter(text);
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line, column: col };
  };
  const problems: YamlProblem[] = [];
  const report: Report = (offset, message) => void problems.push({ ...placeOf(offset), message });
  const index: Index = { targets: new Map(), pairs: new Map() };
  try {
    const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false, logLevel: 'error', merge: true });
    const errors = [...document.errors, ...document.warnings];
    const exhausted = errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
    for (const error of exhausted ? [exhausted] : errors) report(error.pos[0], reworded(error));
    if (problems.length === 0) check(document, index, report);
    const value = problems.length === 0 ? document.toJS({ maxAliasCount: MAX_ALIAS_COUNT }) : undefined;
    return { value, problems, place: (path, of) => placeOf(offsetAt(document.contents, index, path, of)) };
  } catch (error) {
    const message = { RangeError: TOO_DEEP, ReferenceError: 'aliases of aliases expand too often: use fewer' };
    const { name } = error as Error;
    if (name !== 'RangeError' && name !== 'ReferenceError') throw error;
    return { value: undefined, problems: [{ ...placeOf(0), message: message[name] }], place: () => placeOf(0) };
  }
}

/** Filled beforehand: the parser does not count the lines that it skips after an error. */
function lineCounter(text: string): LineCounter {
  const lines = new LineCounter();
  for (let at = 0; at !== 0 || lines.lineStarts.length === 0; at = text.indexOf('\n', at) + 1) lines.addNewLine(at);
  return lines;
}

function reworded({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS')
    return 'only one YAML document is allowed in the file: remove this `---` and what follows it';
  // The package's composer is recursive, and a thousand nested brackets exhaust its stack.
  if (code === 'RESOURCE_EXHAUSTION') return TOO_DEEP;
  const tag = /^Unresolved tag: (.*)$/.exec(message)?.[1];
  return tag === undefined ? message : `unknown tag ${shown(tag)}: remove it, or put the value in quotes`;
}

/** Reports problems that the parser leaves to `toJS`, or finds in quadratic time only. */
function check(document: Document, index: Index, report: Report): void {
  const anchors = new Map<string, Node>();
  let named = 0;
  const isOver = (node: Node): boolean => {
    if (++named > MAX_ANCHORS_AND_ALIASES)
      report(startOf(node), `at most ${MAX_ANCHORS_AND_ALIASES} anchors and aliases are allowed`);
    return named > MAX_ANCHORS_AND_ALIASES;
  };
  visit(document, {
    Alias(_, alias, path) {
      const { source } = alias;
      const target = anchors.get(source);
      if (target === undefined)
        report(startOf(alias), `alias *${shown(source)} has no anchor &${shown(source)} before it`);
      else index.targets.set(alias, target);
      if (target !== undefined && path.includes(target))
        report(startOf(alias), `alias *${shown(source)} contains itself`);
      return isOver(alias) ? visit.BREAK : undefined;
    },
    Value(_, node, path) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
      if (isMap(node)) index.pairs.set(node, checkKeys(node, report));
      const isDeep = path.filter((above) => isMap(above) || isSeq(above)).length > MAX_DEPTH;
      if (isDeep) report(startOf(node), TOO_DEEP);
      return isDeep || (node.anchor !== undefined && isOver(node)) ? visit.BREAK : undefined;
    },
  });
  for (const map of index.pairs.keys())
    for (const pair of map.items.filter(isMerge))
      if (!sourcesOf(pair, index).every(isMap))
        report(startOf(pair.value as Node | null), '`<<` merges mappings: expected an alias such as `<<: *defaults`');
}

/** The pairs of a mapping by their keys. */
function checkKeys(map: YAMLMap, report: Report): Map<unknown, Pair> {
  const pairs = new Map<unknown, Pair>();
  for (const pair of map.items.filter((one) => !isMerge(one))) {
    const key = pair.key as Node | null;
    const value = isScalar(key) ? key.value : undefined;
    const start = key?.range?.[0] ?? startOf(map);
    if (typeof value !== 'string') {
      const got = isScalar(key) ? `${show(value)}: put it in quotes` : 'a list or mapping';
      report(start, `expected a word as key, got ${got}`);
    } else if (pairs.has(value)) report(start, `duplicate key \`${shown(value)}\`: it is already in this mapping`);
    else pairs.set(value, pair);
  }
  return pairs;
}

/** With `merge: true` the parser makes a symbol of a plain `<<`. */
const isMerge = ({ key }: Pair): boolean => isScalar(key) && typeof key.value === 'symbol';

/** The mappings of `<<: *one` or `<<: [*one, *other]`. */
function sourcesOf({ value }: Pair, index: Index): (Node | null)[] {
  const source = resolved(value as Node | null, index);
  return (isSeq(source) ? (source.items as Node[]) : [source]).map((one) => resolved(one, index));
}

const resolved = (node: Node | null, { targets }: Index): Node | null =>
  isAlias(node) ? (targets.get(node) ?? null) : node;

const startOf = (node: Node | null): number => node?.range?.[0] ?? 0;

function offsetAt(top: Node | null, index: Index, path: Path, of: 'key' | 'value'): number {
  let node = resolved(top, index);
  let offset = startOf(node);
  for (const [i, part] of path.entries()) {
    const pair = isMap(node) ? pairAt(node, part, index) : undefined;
    const value = isSeq(node) ? (node.items[Number(part)] as Node | null | undefined) : (pair?.value as Node | null);
    if (value === undefined) break;
    const isKeyMeant = pair !== undefined && (isEmpty(value) || (of === 'key' && i === path.length - 1));
    offset = isKeyMeant ? startOf(pair.key as Node) : (value?.range?.[0] ?? offset);
    node = resolved(value, index);
  }
  return offset;
}

/** `key:` without a value. */
const isEmpty = (value: Node | null): boolean => value?.range == null || value.range[0] === value.range[1];

/** A key of the mapping itself, or else of the first mapping merged into it that has the key. */
function pairAt(map: YAMLMap, key: unknown, index: Index): Pair | undefined {
  const own = index.pairs.get(map)?.get(key);
  if (own !== undefined) return own;
  for (const source of map.items.filter(isMerge).flatMap((pair) => sourcesOf(pair, index))) {
    const found = isMap(source) ? pairAt(source, key, index) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
