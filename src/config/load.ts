// zones.yaml → Config, or everything that is wrong with it.
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Config } from './config.ts';
import { buildConfig, checkFile, fileSchema } from './file.ts';
import { formatPath, formatProblem, type Path, type Problem, type Reporter } from './problem.ts';
import { validate } from './validate.ts';
import { readYaml } from './yaml.ts';

const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** A machine-made file may be wrong a million times; a person needs to see the first ones. */
const MAX_PROBLEMS = 1000;

export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

/** Reads and checks a file. Never throws for what is in the file or on the disk: that is a problem with a place. */
export async function loadConfig(path: string): Promise<LoadResult> {
  const text = await readText(path);
  if (typeof text === 'string') return parseConfig(text, path);
  return { ok: false, problems: [{ file: path, line: 1, column: 1, path: '', message: text.problem }], warnings: [] };
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
  };
  const { output, problems: shapeProblems, ...soundness } = validate(fileSchema, yaml.value);
  for (const problem of shapeProblems)
    problems.push(at(problem.path, problem.message, yaml.place(problem.at.path, problem.at.of)));
  const folder = dirname(resolve(path));
  if (soundness.isContainer([])) await checkFile(output, folder, soundness, reporter);
  if (problems.length > 0) return failed(problems, warnings);
  return { ok: true, config: buildConfig(output, resolve(path), folder, reporter), warnings: sorted(warnings) };
}

function failed(problems: readonly Problem[], warnings: readonly Problem[]): LoadResult {
  const all = sorted(problems);
  if (all.length <= MAX_PROBLEMS) return { ok: false, problems: all, warnings: sorted(warnings) };
  const shown = all.slice(0, MAX_PROBLEMS);
  const message = `${all.length - MAX_PROBLEMS} more problems are not shown`;
  return { ok: false, problems: [...shown, { ...shown[MAX_PROBLEMS - 1], message }], warnings: sorted(warnings) };
}

/** Each once: of brackets that are not closed the parser says the same, at the end of the file, for each. */
function sorted(problems: readonly Problem[]): Problem[] {
  const once = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  return [...once.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

async function readText(path: string): Promise<string | { problem: string }> {
  let handle: Awaited<ReturnType<typeof open>> | undefined;
  try {
    handle = await open(path);
    const { size } = await handle.stat();
    if (size > MAX_FILE_BYTES) return tooLarge(`${size} bytes`);
    // A pipe or a device has no size, and perhaps no end: one byte more than allowed is enough.
    const bytes = await buffer(handle.createReadStream({ end: MAX_FILE_BYTES, autoClose: false }));
    if (bytes.length > MAX_FILE_BYTES) return tooLarge(`more than ${MAX_FILE_BYTES} bytes`);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return { problem: 'the file is not UTF-8 text' };
    return { problem: `cannot read the file: ${reason(error)}` };
  } finally {
    await handle?.close();
  }
}

function tooLarge(size: string): { problem: string } {
  return { problem: `the file has ${size}, at most ${MAX_FILE_BYTES} are read: split it over several servers` };
}

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a folder';
  return error instanceof Error ? error.message : String(error);
}
