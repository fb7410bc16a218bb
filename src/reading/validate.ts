// Validates a value against its schema: the problems of its shape, and which parts are sound enough for further checks.
import * as v from 'valibot';
import { formatPath, type Path, subjectOf } from './problem.ts';
import { isAboutKey } from './shape.ts';

export interface ShapeProblem {
  readonly path: Path;
  readonly message: string;
  /** The most helpful location: an unknown key itself, or the mapping of a missing key. */
  readonly at: { readonly path: Path; readonly of: 'key' | 'value' };
}

/** Which parts of a value have the shape that their schema requires, so that further checks can rely on it. */
export interface Soundness {
  /** There is no problem at `path` or below it; `except`: a key below it that may have problems. */
  isSound(path: Path, except?: string): boolean;
  /** The value at `path` is a mapping or list as expected; its content may be wrong. */
  isContainer(path: Path): boolean;
}

export interface Validated<Output> extends Soundness {
  /** Has the schema's type only where it is valid. */
  readonly output: Output;
  readonly problems: readonly ShapeProblem[];
}

export function validate<Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
): Validated<v.InferOutput<Schema>> {
  const result = v.safeParse(schema, input);
  const problems = (result.issues ?? []).map(problemOf);
  const soundness = createSoundness(problems.map(({ path }) => path));
  // -0.5 is neither whole nor positive, which is one problem.
  const once = new Map(problems.map((problem) => [`${formatPath(problem.path)} ${problem.message}`, problem]));
  const told = [...once.values()].filter(({ message }) => message !== '');
  return { output: result.output as v.InferOutput<Schema>, problems: told, ...soundness };
}

function problemOf(issue: v.BaseIssue<unknown>): ShapeProblem {
  const path = (issue.path ?? []).map(({ key }) => key as string | number);
  if (!isAboutKey(issue)) return { path, message: `${subjectOf(path)}: ${issue.message}`, at: { path, of: 'value' } };
  const missing = issue.input === undefined;
  return {
    path,
    message: issue.message,
    at: { path: missing ? path.slice(0, -1) : path, of: missing ? 'value' : 'key' },
  };
}

/** A tree of the paths with problems. */
function createSoundness(paths: readonly Path[]): Soundness {
  const top: Branch = { wrong: false, below: new Map() };
  for (const path of paths) {
    let branch = top;
    for (const part of path) {
      const next: Branch = branch.below.get(part) ?? { wrong: false, below: new Map() };
      branch.below.set(part, next);
      branch = next;
    }
    branch.wrong = true;
  }
  return {
    isSound(path, except) {
      const branch = branchAt(top, path);
      return branch !== 'wrong' && [...(branch?.below.keys() ?? [])].every((key) => key === except);
    },
    isContainer: (path) => branchAt(top, path) !== 'wrong',
  };
}

interface Branch {
  wrong: boolean;
  readonly below: Map<string | number, Branch>;
}

/** undefined: nothing is wrong there; 'wrong': the value or one that contains it is. */
function branchAt(top: Branch, path: Path): Branch | 'wrong' | undefined {
  let branch: Branch | undefined = top;
  for (const part of path) {
    if (branch?.wrong) return 'wrong';
    branch = branch?.below.get(part);
  }
  return branch?.wrong ? 'wrong' : branch;
}

/** The items of a list whose shape is right, with their paths. */
export function soundItems<Item>(
  items: readonly Item[],
  path: Path,
  soundness: Soundness,
): { readonly item: Item; readonly path: Path }[] {
  if (!soundness.isContainer(path)) return [];
  return items.map((item, i) => ({ item, path: [...path, i] })).filter((each) => soundness.isSound(each.path));
}
