// YAML text → plain values, with the place of each key and value. Own walk over the parsed tree, because it must refuse
// what would be costly (aliases that multiply), say where each thing stands, and find duplicate keys in linear time.
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { type Path, show, shown } from './problem.ts';

/** The format needs about 10 levels. */
const MAX_DEPTH = 64;
const TOO_DEEP = `nested too deeply: at most ${MAX_DEPTH} levels are allowed`;
/** Values that aliases may add; a person's file has a few hundred, a "billion laughs" file more. */
const MAX_ALIASED_VALUES = 1_000_000;

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface YamlProblem extends Place {
  readonly message: string;
}

export interface YamlText {
  /** Objects without prototype, arrays, strings, numbers, booleans, null. */
  readonly value: unknown;
  /** Not empty: `value` is not to be used. */
  readonly problems: readonly YamlProblem[];
  /** Where the value at `path` stands, or its key; the nearest place above it where it does not exist. */
  place(path: Path, of: 'key' | 'value'): Place;
}

interface Offsets {
  readonly start: number;
  readonly keys: Map<string | number, { key: number; value: number }>;
}

/** Never throws. Values are given once for an anchor and its aliases, so they must not be changed. */
export function readYaml(text: string): YamlText {
  const lineStarts = startsOfLines(text);
  const problems: YamlProblem[] = [];
  const offsets = new WeakMap<object, Offsets>();
  const placeOf = (offset: number) => placeIn(lineStarts, Math.min(offset, text.length));
  const report = (offset: number, message: string) => void problems.push({ ...placeOf(offset), message });
  let value: unknown;
  try {
    const parsed = parseDocument(text, {
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
    });
    const errors = [...parsed.errors, ...parsed.warnings];
    const exhausted = errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
    for (const error of exhausted ? [exhausted] : errors) report(error.pos[0], reworded(error));
    if (problems.length === 0) value = createWalk(offsets, report)(parsed.contents);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.push({ line: 1, column: 1, message: TOO_DEEP });
  }
  return { value, problems, place: (path, of) => placeOf(offsetAt(value, offsets, path, of)) };
}

/** Own count, since the package's LineCounter misses the lines that it skips after an error. */
function startsOfLines(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function placeIn(lineStarts: readonly number[], offset: number): Place {
  let low = 0;
  let high = lineStarts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (lineStarts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - lineStarts[low] + 1 };
}

function reworded({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS')
    return 'only one YAML document is allowed in the file: remove this `---` and what follows it';
  // The package's composer is recursive, and brackets nested a thousand deep end its stack.
  if (code === 'RESOURCE_EXHAUSTION') return TOO_DEEP;
  const tag = /^Unresolved tag: (.*)$/.exec(message)?.[1];
  return tag === undefined ? message : `unknown tag ${shown(tag)}: remove it, or put the value in quotes`;
}

function createWalk(offsets: WeakMap<object, Offsets>, report: (offset: number, message: string) => void) {
  const anchors = new Map<string, { value: unknown; size: number } | 'open'>();
  let aliased = 0;

  return (contents: Node | null) => nodeValue(contents, 0).value;

  function nodeValue(node: Node | null, depth: number): { value: unknown; size: number } {
    if (isAlias(node)) return aliasOf(node);
    const anchor = node && 'anchor' in node ? (node.anchor as string | undefined) : undefined;
    if (anchor !== undefined) anchors.set(anchor, 'open');
    const result = depth > MAX_DEPTH ? tooDeep(node) : plainValue(node, depth);
    if (anchor !== undefined) anchors.set(anchor, result);
    return result;
  }

  function plainValue(node: Node | null, depth: number): { value: unknown; size: number } {
    if (isMap(node)) return mapOf(node, depth);
    if (!isSeq(node)) return { value: isScalar(node) ? node.value : null, size: 1 };
    const list: unknown[] = [];
    const places: Offsets = { start: startOf(node), keys: new Map() };
    let size = 1;
    for (const item of node.items as (Node | null)[]) {
      const start = item?.range?.[0] ?? places.start;
      places.keys.set(list.length, { key: start, value: start });
      const made = nodeValue(item, depth + 1);
      list.push(made.value);
      size += made.size;
    }
    offsets.set(list, places);
    return { value: list, size };
  }

  function mapOf(node: YAMLMap, depth: number): { value: unknown; size: number } {
    const map: Record<string, unknown> = Object.create(null);
    const places: Offsets = { start: startOf(node), keys: new Map() };
    const merges: { from: unknown; start: number }[] = [];
    let size = 1;
    for (const pair of node.items as Pair<Node | null, Node | null>[]) {
      const key = isScalar(pair.key) ? pair.key.value : undefined;
      const keyStart = pair.key?.range?.[0] ?? places.start;
      const valueStart =
        pair.value?.range && pair.value.range[1] > pair.value.range[0] ? pair.value.range[0] : keyStart;
      const made = nodeValue(pair.value, depth + 1);
      size += made.size;
      if (key === '<<') merges.push({ from: made.value, start: valueStart });
      else if (typeof key !== 'string')
        report(
          keyStart,
          `expected a word as key, got ${isScalar(pair.key) ? `${show(key)}: put it in quotes` : 'a list or mapping'}`,
        );
      else if (places.keys.has(key)) report(keyStart, `duplicate key \`${shown(key)}\`: it is already in this mapping`);
      else {
        places.keys.set(key, { key: keyStart, value: valueStart });
        map[key] = made.value;
      }
    }
    for (const { from, start } of merges) merge(map, places, from, start);
    offsets.set(map, places);
    return { value: map, size };
  }

  /** `<<: *defaults` and `<<: [*a, *b]`: keys of the mapping itself win, then those of earlier sources. */
  function merge(map: Record<string, unknown>, places: Offsets, from: unknown, start: number): void {
    for (const source of Array.isArray(from) ? from : [from]) {
      const known = typeof source === 'object' && source !== null ? offsets.get(source) : undefined;
      if (!known || Array.isArray(source))
        report(start, '`<<` merges mappings: expected an alias such as `<<: *defaults`');
      else
        for (const [key, place] of known.keys) {
          if (places.keys.has(key)) continue;
          places.keys.set(key, place);
          map[key] = (source as Record<string, unknown>)[key];
        }
    }
  }

  function aliasOf(node: Alias): { value: unknown; size: number } {
    const target = anchors.get(node.source);
    const nothing = { value: null, size: 1 };
    if (target === 'open') report(startOf(node), `alias *${shown(node.source)} contains itself`);
    if (target === undefined)
      report(startOf(node), `alias *${shown(node.source)} has no anchor &${shown(node.source)} before it`);
    if (target === undefined || target === 'open') return nothing;
    const before = aliased;
    aliased += target.size;
    if (aliased <= MAX_ALIASED_VALUES) return target;
    if (before <= MAX_ALIASED_VALUES)
      report(startOf(node), `aliases add more than ${MAX_ALIASED_VALUES} values: write fewer`);
    return nothing;
  }

  function tooDeep(node: Node | null): { value: unknown; size: number } {
    report(startOf(node), TOO_DEEP);
    return { value: null, size: 1 };
  }
}

function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

function offsetAt(top: unknown, offsets: WeakMap<object, Offsets>, path: Path, of: 'key' | 'value'): number {
  let at = top;
  let offset = (typeof top === 'object' && top !== null && offsets.get(top)?.start) || 0;
  for (const [i, part] of path.entries()) {
    const place = typeof at === 'object' && at !== null ? offsets.get(at)?.keys.get(part) : undefined;
    if (!place) break;
    offset = of === 'key' && i === path.length - 1 ? place.key : place.value;
    at = (at as Record<string | number, unknown>)[part];
  }
  return offset;
}
