// zones.yaml with the files that it includes: one value, and for each path of it the file that it comes from.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { type Path, show, shown } from '../../reading/problem.ts';
import { readTextFile } from '../../reading/text-file.ts';
import { readYaml, type YamlText } from '../../reading/yaml.ts';
import { type Environment, withEnvironment } from './environment.ts';

const MAX_FILES = 100;
/** What Go's and the shell's patterns have in common. */
const WILDCARD = /[*?[]/;

/** The file, or one that it includes. */
interface Part {
  readonly file: string;
  readonly yaml: YamlText;
  readonly text: string;
}

export interface IncludeProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface WholeFile {
  readonly value: unknown;
  /** Of all files. */
  readonly text: string;
  readonly problems: readonly IncludeProblem[];
  /** What `include` names: absolute paths, and patterns of them. */
  readonly include: readonly string[];
  /** Where the value at a path stands, or its key. */
  place(path: Path, of: 'key' | 'value'): { readonly file: string; readonly line: number; readonly column: number };
}

/** Reads what `text`, the content of `file`, includes. Lists are joined, mappings merged; all else may be set only once. */
export async function readWithIncludes(text: string, file: string, environment: Environment): Promise<WholeFile> {
  const main: Part = { file, yaml: readYaml(text), text };
  const problems: IncludeProblem[] = main.yaml.problems.map((problem) => ({ ...problem, file }));
  const parts = [main];
  if (problems.length === 0)
    for (const path of includedPaths(main, problems)) {
      const part = await readPart(path, problems);
      if (part !== undefined) parts.push(part);
    }
  return { ...merged(parts, environment, problems), include: patternsOf(main) };
}

/** Absolute. The schema reports what is not a text. */
function patternsOf({ file, yaml }: Part): string[] {
  const include = isMapping(yaml.value) ? yaml.value.include : undefined;
  const folder = dirname(resolve(file));
  return [include ?? []].flat().map((pattern) => (typeof pattern === 'string' ? resolve(folder, pattern) : ''));
}

/** The files of these names and patterns at this moment; patterns match in the order of names, and may match nothing. */
export function filesMatching(patterns: readonly string[]): string[] {
  return patterns.flatMap((pattern) =>
    WILDCARD.test(pattern) ? matchingPaths(pattern) : pattern === '' ? [] : [pattern],
  );
}

/** The paths that `include` names, in order. */
function includedPaths(main: Part, problems: IncludeProblem[]): string[] {
  const { file, yaml } = main;
  const paths = patternsOf(main).flatMap((pattern, i) =>
    filesMatching([pattern])
      .filter((path) => path !== resolve(file))
      .map((path) => ({ path, i })),
  );
  if (paths.length > MAX_FILES) {
    const at = yaml.place(['include', paths[MAX_FILES].i], 'value');
    problems.push({ file, ...at, message: `\`include\` matches ${paths.length} files, at most ${MAX_FILES} are read` });
  }
  return [...new Set(paths.slice(0, MAX_FILES).map(({ path }) => display(path, file)))];
}

/** Relative if the user gave a relative path to the including file. */
function display(path: string, file: string): string {
  if (isAbsolute(file)) return path;
  const folder = resolve(dirname(file));
  return path.startsWith(`${folder}/`) ? join(dirname(file), path.slice(folder.length + 1)) : path;
}

async function readPart(file: string, problems: IncludeProblem[]): Promise<Part | undefined> {
  const start = { file, line: 1, column: 1 };
  const read = await readTextFile(file);
  if ('problem' in read) {
    problems.push({ ...start, message: read.problem });
    return undefined;
  }
  const yaml = readYaml(read.text);
  problems.push(...yaml.problems.map((problem) => ({ ...problem, file })));
  // Nothing but comments.
  if (yaml.problems.length > 0 || yaml.value === null) return undefined;
  if (!isMapping(yaml.value)) {
    problems.push({ ...start, message: `expected a mapping with keys such as zones, got ${show(yaml.value)}` });
    return undefined;
  }
  if ('include' in yaml.value) {
    const place = yaml.place(['include'], 'key');
    problems.push({ file, ...place, message: '`include` is possible in the first file only' });
    return undefined;
  }
  return { file, yaml, text: read.text };
}

/** Where the elements of a list or the keys of a mapping come from. */
type Origins = Map<string | number, { readonly part: Part; readonly key: string | number }>;

function merged(
  parts: readonly Part[],
  environment: Environment,
  problems: IncludeProblem[],
): Omit<WholeFile, 'include'> {
  const [main, ...included] = parts;
  const values = parts.map(({ file, yaml, text }) =>
    text.includes('${')
      ? withEnvironment(yaml.value, environment, (path, message) =>
          problems.push({ file, ...yaml.place(path, 'value'), message }),
        )
      : yaml.value,
  );
  const owners = new Map<string, Part>();
  const origins = new Map<string, Origins>();
  let value: unknown = values[0];
  if (included.length > 0 && isMapping(value)) {
    const whole: Record<string, unknown> = {};
    for (const [i, part] of parts.entries())
      for (const [key, own] of Object.entries(values[i] as Record<string, unknown>)) {
        const clash = add(whole, key, own, part, owners, origins);
        if (clash === undefined) continue;
        const place = part.yaml.place(clash.path, 'key');
        problems.push({ file: part.file, ...place, message: clash.message });
      }
    value = whole;
  }
  return {
    value,
    text: parts.map(({ text }) => text).join('\n'),
    problems,
    place([first, second, ...rest], of) {
      if (first === undefined) return { file: main.file, ...main.yaml.place([], of) };
      const origin = second === undefined ? undefined : origins.get(String(first))?.get(second);
      const part = origin?.part ?? owners.get(String(first)) ?? main;
      const path = second === undefined ? [first] : [first, origin?.key ?? second, ...rest];
      return { file: part.file, ...part.yaml.place(path, of) };
    },
  };
}

/** Adds the value of a key; returns the problem with it, if any. */
function add(
  whole: Record<string, unknown>,
  key: string,
  own: unknown,
  part: Part,
  owners: Map<string, Part>,
  origins: Map<string, Origins>,
): { readonly path: Path; readonly message: string } | undefined {
  const before = whole[key];
  const from = origins.get(key) ?? (new Map() as Origins);
  origins.set(key, from);
  if (before === undefined) {
    owners.set(key, part);
    // A copy: what an anchor names is shared.
    whole[key] = Array.isArray(own) ? [...own] : isMapping(own) ? { ...own } : own;
    return undefined;
  }
  if (Array.isArray(before) && Array.isArray(own)) {
    for (const [i, item] of own.entries()) {
      from.set(before.length, { part, key: i });
      before.push(item);
    }
    return undefined;
  }
  if (isMapping(before) && isMapping(own)) {
    for (const [name, item] of Object.entries(own)) {
      if (name in before)
        return { path: [key, name], message: `\`${shown(key)}.${shown(name)}\` is also set in another file` };
      from.set(name, { part, key: name });
      before[name] = item;
    }
    return undefined;
  }
  return {
    path: [key],
    message: `\`${shown(key)}\` is also set in ${owners.get(key)!.file}: only lists are joined and mappings merged`,
  };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What matches and is no folder, segment by segment, in the order of their names. */
function matchingPaths(pattern: string): string[] {
  const segments = pattern.split('/').filter((segment) => segment !== '');
  const paths = segments.reduce<string[]>(
    (found, segment) =>
      WILDCARD.test(segment)
        ? found.flatMap((path) => namesIn(path, segment).map((name) => join(path, name)))
        : found.map((path) => join(path, segment)).filter((path) => existsSync(path)),
    ['/'],
  );
  return paths.filter((path) => !isFolder(path));
}

/** For an unreadable folder, the pattern itself stands for its file, so that reading it reports a problem. */
function namesIn(path: string, glob: string): string[] {
  if (!isFolder(path)) return [];
  try {
    return readdirSync(path).sort().filter(matcherOf(glob));
  } catch {
    return [glob];
  }
}

/** A dangling symbolic link is included: reading it reports the problem. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** One segment of a pattern: *, ? and [classes]. Names with a leading dot are matched only by one. */
function matcherOf(glob: string): (name: string) => boolean {
  const source = glob.replaceAll(/\[[^\]/]+\]|[\s\S]/g, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length > 1) return `[${part.slice(1, -1).replaceAll(/[\\[]/g, '\\$&').replace(/^!/, '^')}]`;
    return part.replace(/[.+^${}()|\\[\]]/, '\\$&');
  });
  try {
    const pattern = new RegExp(`^${source}$`);
    return (name) => pattern.test(name) && (name[0] !== '.' || glob[0] === '.');
  } catch {
    // A class such as [z-a] matches nothing.
    return () => false;
  }
}
