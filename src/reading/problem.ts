// Problems of a configuration file. People read them, so each names the thing, the place and what to do.

export interface Problem {
  /** The file as the user named it. */
  readonly file: string;
  /** Both start at 1. */
  readonly line: number;
  readonly column: number;
  /** "zones[0].services[1].healthCheck.interval"; '' for the file itself. */
  readonly path: string;
  readonly message: string;
}

/** Keys and list positions from the top of the file. */
export type Path = readonly (string | number)[];

/** Collects problems and warnings of well-formed values, at their path, or at a place in another file. */
export interface Reporter {
  problem(path: Path, message: string): void;
  warning(path: Path, message: string): void;
  problemAt(place: FilePlace, message: string): void;
  warningAt(place: FilePlace, message: string): void;
}

export type FilePlace = Pick<Problem, 'file' | 'line' | 'column'>;

/** "file:line:column: message", as printed by compilers, so that editors can jump there. */
export function formatProblem(problem: Problem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`;
}

/** ["zones", 0, "name"] → "zones[0].name". */
export function formatPath(path: Path): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}

/** The key that a message concerns, with its list position: "`listen[1]`"; "the file" at the top. */
export function subjectOf(path: Path): string {
  let first = path.length - 1;
  while (first > 0 && typeof path[first] === 'number') first--;
  return path.length === 0 ? 'the file' : `\`${shown(formatPath(path.slice(first)))}\``;
}

/** A value as a message shows it: on one line, short, without control characters. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'string' ? `"${shown(value)}"` : String(value);
}

/** Text from the file, made safe for a terminal: at most 60 characters, others than printable ones escaped. */
export function shown(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return short.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}
