// zones.yaml → Config, or all its problems.
import { dirname, resolve } from 'node:path';
import { formatPath, formatProblem, type Path, type Problem, type Reporter } from '../../reading/problem.ts';
import { readTextFile } from '../../reading/text-file.ts';
import { validate } from '../../reading/validate.ts';
import { readYaml } from '../../reading/yaml.ts';
import type { Config } from '../config.ts';
import { hashOf } from '../in-force.ts';
import { buildConfig, checkFile, fileSchema } from './file.ts';

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
};

/** Reads and checks a file. Never throws for the content of the file or the disk: these are problems with a place. */
export async function loadConfig(path: string): Promise<LoadResult> {
  const read = await readTextFile(path, ': split it over several servers');
  if ('text' in read) {
    const result = await parseConfig(read.text, path);
    return result.ok ? result : { ...result, hash: hashOf(read.text) };
  }
  return {
    ok: false,
    problems: [{ file: path, line: 1, column: 1, path: '', message: read.problem }],
    warnings: [],
    zoneFiles: [],
  };
}

/** As `loadConfig` for a text that was read already. `path` names it in problems, and relative paths are relative to it. */
export async function parseConfig(text: string, path: string): Promise<LoadResult> {
  const yaml = readYaml(text);
  if (yaml.problems.length > 0)
    return failed(
      yaml.problems.map((problem) => ({ file: path, path: '', ...problem })),
      [],
    );
  if (yaml.value === null) {
    const message = 'the file is empty: expected `zones` (see zones.example.yaml)';
    return failed([{ file: path, line: 1, column: 1, path: '', message }], []);
  }
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const at = (of: Path, message: string, place = yaml.place(of, 'value')): Problem => ({
    file: path,
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
  const { output, problems: shapeProblems, ...soundness } = validate(fileSchema, yaml.value);
  for (const problem of shapeProblems)
    problems.push(at(problem.path, problem.message, yaml.place(problem.at.path, problem.at.of)));
  const folder = dirname(resolve(path));
  if (!soundness.isContainer([])) return failed(problems, warnings);
  const records = await checkFile(output, folder, soundness, reporter);
  const zoneFiles = [...records.values()].flatMap(({ files }) => files);
  if (problems.length > 0) return failed(problems, warnings, zoneFiles);
  const config = buildConfig(output, records, { file: resolve(path), hash: hashOf(text) }, folder, reporter);
  return { ok: true, config, warnings: sorted(warnings), zoneFiles };
}

function failed(
  problems: readonly Problem[],
  warnings: readonly Problem[],
  zoneFiles: readonly string[] = [],
): LoadResult {
  const all = sorted(problems);
  if (all.length <= MAX_PROBLEMS) return { ok: false, problems: all, warnings: sorted(warnings), zoneFiles };
  const shown = all.slice(0, MAX_PROBLEMS);
  const message = `${all.length - MAX_PROBLEMS} more problems are not shown`;
  const first = [...shown, { ...shown[MAX_PROBLEMS - 1], message }];
  return { ok: false, problems: first, warnings: sorted(warnings), zoneFiles };
}

/** Without duplicates: the parser reports each bracket that is not closed with the same words at the end of the file. */
function sorted(problems: readonly Problem[]): Problem[] {
  const once = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  const byFile = (a: Problem, b: Problem) => (a.file === b.file ? 0 : a.file < b.file ? -1 : 1);
  return [...once.values()].sort((a, b) => byFile(a, b) || a.line - b.line || a.column - b.column);
}
