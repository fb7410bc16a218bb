// zones.yaml → Config, or all its problems.
import { dirname, resolve } from 'node:path';
import type * as v from 'valibot';
import { formatPath, formatProblem, type Path, type Problem, type Reporter } from '../../reading/problem.ts';
import { readTextFile } from '../../reading/text-file.ts';
import { validate } from '../../reading/validate.ts';
import type { Config } from '../config.ts';
import { hashOf } from '../in-force.ts';
import type { Environment } from './environment.ts';
import { buildConfig, checkFile, fileSchema } from './file.ts';
import { readWithIncludes, type WholeFile } from './include.ts';

/** A generated file may have a million problems; a person needs the first ones. */
const MAX_PROBLEMS = 1000;

export type LoadResult = (
  | { readonly ok: true; readonly config: Config }
  | {
      readonly ok: false;
      /** undefined: the file could not be read. */
      readonly hash?: string;
      readonly problems: readonly Problem[];
    }
) & {
  readonly warnings: readonly Problem[];
  /** Absolute paths of the zone files that were read, those that are missing included. */
  readonly zoneFiles: readonly string[];
  /** What `include` names: absolute paths, and patterns of them. */
  readonly include: readonly string[];
};

type Outcome =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] };
type Checked = Outcome & Pick<LoadResult, 'warnings' | 'zoneFiles'>;

/**
 * Reads and checks a file. Never throws for the content of the file or the disk: these are problems with a place. What is read
 * only once may be a pipe.
 */
export async function loadConfig(path: string, takesPipes = true): Promise<LoadResult> {
  const read = await readTextFile(path, { advice: ': split it over several servers', takesPipes });
  if ('text' in read) {
    const result = await parseConfig(read.text, path);
    return result.ok ? result : { ...result, hash: hashOf(read.text) };
  }
  return {
    ok: false,
    problems: [{ file: path, line: 1, column: 1, path: '', message: read.problem }],
    warnings: [],
    zoneFiles: [],
    include: [],
  };
}

/** As `loadConfig` for a text that was read already. `path` names it in problems, and relative paths are relative to it. */
export async function parseConfig(
  text: string,
  path: string,
  environment: Environment = (name) => process.env[name],
): Promise<LoadResult> {
  const whole = await readWithIncludes(text, path, environment);
  return { ...(await checkWhole(whole, path)), include: whole.include };
}

async function checkWhole(whole: WholeFile, path: string): Promise<Checked> {
  if (whole.problems.length > 0)
    return failed(
      whole.problems.map((problem) => ({ path: '', ...problem })),
      [],
    );
  if (whole.value === null) {
    const message = 'the file is empty: expected `zones` (see zones.example.yaml)';
    return failed([{ file: path, line: 1, column: 1, path: '', message }], []);
  }
  const { problems, warnings, reporter, ...shape } = readShape(fileSchema, whole);
  const { output, soundness } = shape;
  const folder = dirname(resolve(path));
  if (!soundness.isContainer([])) return failed(problems, warnings);
  const records = await checkFile(output, folder, soundness, reporter);
  const zoneFiles = [...records.values()].flatMap(({ files }) => files);
  if (problems.length > 0) return failed(problems, warnings, zoneFiles);
  const config = buildConfig(output, records, { file: resolve(path), hash: hashOf(whole.text) }, folder, reporter);
  return { ok: true, config, warnings: sorted(warnings), zoneFiles };
}

/** The file's parsed content and problems, and the reporter of further problems. */
export function readShape<const Schema extends v.GenericSchema>(schema: Schema, whole: WholeFile) {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const at = (of: Path, message: string, place = whole.place(of, 'value')): Problem => ({
    ...place,
    path: formatPath(of),
    message,
  });
  const reporter: Reporter = {
    problem: (of, message) => void problems.push(at(of, message)),
    warning: (of, message) => void warnings.push(at(of, message)),
    problemAt: (place, message) => void problems.push({ ...place, path: '', message }),
    warningAt: (place, message) => void warnings.push({ ...place, path: '', message }),
  };
  const { output, problems: shapeProblems, ...soundness } = validate(schema, whole.value);
  for (const problem of shapeProblems)
    problems.push(at(problem.path, problem.message, whole.place(problem.at.path, problem.at.of)));
  return { output, soundness, problems, warnings, reporter };
}

function failed(
  problems: readonly Problem[],
  warnings: readonly Problem[],
  zoneFiles: readonly string[] = [],
): Checked {
  const all = sorted(problems);
  if (all.length <= MAX_PROBLEMS) return { ok: false, problems: all, warnings: sorted(warnings), zoneFiles };
  const shown = all.slice(0, MAX_PROBLEMS);
  const message = `${all.length - MAX_PROBLEMS} more problems are not shown`;
  const first = [...shown, { ...shown[MAX_PROBLEMS - 1], message }];
  return { ok: false, problems: first, warnings: sorted(warnings), zoneFiles };
}

/** Without duplicates: the parser reports each bracket that is not closed with the same words at the end of the file. */
export function sorted(problems: readonly Problem[]): Problem[] {
  const once = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  const byFile = (a: Problem, b: Problem) => (a.file === b.file ? 0 : a.file < b.file ? -1 : 1);
  return [...once.values()].sort((a, b) => byFile(a, b) || a.line - b.line || a.column - b.column);
}
