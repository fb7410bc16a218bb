// A Corefile as CoreDNS reads it: the Caddyfile grammar (https://coredns.io/2017/07/23/corefile-explained/). Blocks of keys and
// directives come out in the order of the file, with snippets and imports already in their place.

/** Where a token stands, for reports: lines count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
}

/** A directive of a server block, or a line inside another directive's braces. */
export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly at: Position;
  /** The lines between its braces; empty without braces. */
  readonly lines: readonly Directive[];
}

export interface ServerBlock {
  /** "example.org:53", "tls://.", "10.0.0.0/24" as written, in order. */
  readonly keys: readonly string[];
  readonly at: Position;
  readonly directives: readonly Directive[];
}

export interface CorefileProblem {
  readonly at: Position;
  readonly text: string;
}

/** Its text, or why it cannot be read. */
export type ImportedFile = { readonly file: string } & ({ readonly text: string } | { readonly unreadable: string });

export interface CorefileSources {
  /**
   * The files that an import pattern matches, in the order of their names, relative to the file that imports; empty where
   * none does. An import without a match is an error for a path and none for a pattern, as in CoreDNS.
   */
  filesOf(pattern: string, importingFile: string): readonly ImportedFile[];
  /** The value for {$NAME} and {%NAME%}; undefined: the placeholder stays. */
  environment(name: string): string | undefined;
}

export const COREFILE_LIMITS = { bytes: 4 * 1024 * 1024, tokens: 200_000, importDepth: 16, nesting: 32 } as const;

/**
 * Parses `text`. What cannot be read is left out and listed among `problems` with its place; everything else is returned.
 * Never throws.
 */
export function parseCorefile(
  text: string,
  file: string,
  sources: CorefileSources,
): { readonly blocks: readonly ServerBlock[]; readonly problems: readonly CorefileProblem[] } {
  const reading: Reading = { sources, problems: [], snippets: new Map(), tokens: 0, isOverLimit: false, depth: 0 };
  const blocks = readBlocks(lineTokens(text, file, reading), reading);
  return { blocks, problems: reading.problems };
}

interface Token {
  readonly text: string;
  readonly at: Position;
  /** Written in quotes: never a brace. */
  readonly quoted: boolean;
}

type Line = readonly Token[];

interface Reading {
  readonly sources: CorefileSources;
  readonly problems: CorefileProblem[];
  readonly snippets: Map<string, readonly Line[]>;
  tokens: number;
  isOverLimit: boolean;
  depth: number;
}

/** The server blocks among `lines`; snippets are noted, imports between blocks are read in place. */
function readBlocks(lines: readonly Line[], reading: Reading): ServerBlock[] {
  const blocks: ServerBlock[] = [];
  for (let index = 0; index < lines.length; ) {
    const first = lines[index][0];
    if (first.text === 'import' && !first.quoted) {
      blocks.push(...readBlocks(importedLines(lines[index], reading), reading));
      index++;
      continue;
    }
    const { keys, opened, next } = readKeys(lines, index, reading);
    const body = opened
      ? linesUntilClosed(lines, next, first.at, reading)
      : { inside: lines.slice(next), next: lines.length };
    index = body.next;
    const snippet = /^\((.+)\)$/.exec(keys[0]?.text ?? '');
    if (snippet !== null && keys.length === 1) reading.snippets.set(snippet[1], body.inside);
    else if (keys.length > 0)
      blocks.push({
        keys: keys.map((key) => key.text),
        at: first.at,
        directives: readDirectives(body.inside, reading, 0),
      });
  }
  return blocks;
}

/** Keys run to the opening brace, over several lines where a line ends with a comma. Without a brace the block is the rest of the file. */
function readKeys(
  lines: readonly Line[],
  start: number,
  reading: Reading,
): { keys: Token[]; opened: boolean; next: number } {
  const keys: Token[] = [];
  for (let index = start; index < lines.length; index++) {
    const line = lines[index];
    let continues = false;
    for (const token of line) {
      if (isBrace(token, '{')) {
        if (keys.length === 0) report(reading, token.at, 'a server block has no zone in front of its "{"');
        if (token !== line.at(-1)) report(reading, token.at, 'nothing may follow "{" on its line');
        return { keys, opened: true, next: index + 1 };
      }
      if (isBrace(token, '}')) {
        report(reading, token.at, 'a "}" without the "{" that it would close');
        continue;
      }
      continues = token.text.endsWith(',');
      const texts = token.text.split(',').filter((text) => text !== '');
      keys.push(...texts.map((text) => ({ ...token, text })));
    }
    if (!continues) return { keys, opened: false, next: index + 1 };
  }
  return { keys, opened: false, next: lines.length };
}

/** The lines up to the brace that closes the one at `openedAt`, nested braces included. */
function linesUntilClosed(
  lines: readonly Line[],
  start: number,
  openedAt: Position,
  reading: Reading,
): { inside: Line[]; next: number } {
  const inside: Line[] = [];
  let open = 1;
  for (let index = start; index < lines.length; index++) {
    const line = lines[index];
    for (let i = 0; i < line.length; i++) {
      if (isBrace(line[i], '{')) open++;
      if (!isBrace(line[i], '}') || --open > 0) continue;
      if (i > 0) inside.push(line.slice(0, i));
      const rest = line.slice(i + 1);
      if (rest.length > 0)
        report(reading, rest[0].at, `"${rest[0].text}" follows "}": a new block begins on a line of its own`);
      return { inside, next: index + 1 };
    }
    inside.push(line);
  }
  report(reading, openedAt, 'a "{" is never closed');
  return { inside, next: lines.length };
}

function readDirectives(lines: readonly Line[], reading: Reading, nesting: number): Directive[] {
  const directives: Directive[] = [];
  for (let index = 0; index < lines.length; ) {
    const line = lines[index++];
    const [first] = line;
    if (isBrace(first, '{') || isBrace(first, '}')) {
      report(reading, first.at, `a "${first.text}" is not allowed where a directive is expected`);
      continue;
    }
    if (first.text === 'import' && !first.quoted) {
      directives.push(...readDirectives(importedLines(line, reading), reading, nesting));
      continue;
    }
    const open = line.findIndex((token) => isBrace(token, '{'));
    const args = line.slice(1, open < 0 ? undefined : open).map((token) => token.text);
    let nested: Directive[] = [];
    if (open >= 0) {
      // A body on the directive's own line is not CoreDNS's grammar, but is read as it is meant.
      const rest = line.slice(open + 1);
      const body = linesUntilClosed(
        rest.length > 0 ? [rest, ...lines.slice(index)] : lines.slice(index),
        0,
        line[open].at,
        reading,
      );
      index += body.next - (rest.length > 0 ? 1 : 0);
      if (nesting === COREFILE_LIMITS.nesting)
        report(reading, first.at, `braces are nested deeper than ${nesting} levels`);
      else nested = readDirectives(body.inside, reading, nesting + 1);
    }
    directives.push({ name: first.text, args, at: first.at, lines: nested });
  }
  return directives;
}

/** The lines of the snippet or the files that an import names. */
function importedLines(line: Line, reading: Reading): readonly Line[] {
  const [{ at }, what, ...more] = line;
  if (what === undefined || more.length > 0) {
    report(reading, at, 'import takes one argument: a snippet, a file or a pattern');
    return [];
  }
  const snippet = reading.snippets.get(what.text);
  if (reading.depth === COREFILE_LIMITS.importDepth) {
    report(reading, at, `imports are nested deeper than ${reading.depth} levels: "${what.text}" may import itself`);
    return [];
  }
  reading.depth++;
  try {
    if (snippet !== undefined) return expanded(snippet, reading);
    const files = reading.sources.filesOf(what.text, at.file);
    if (files.length === 0 && !/[*?[]/.test(what.text))
      report(reading, at, `imports "${what.text}", which is neither a snippet nor a file`);
    return files.flatMap((imported) => {
      if ('text' in imported) return expanded(lineTokens(imported.text, imported.file, reading), reading);
      report(reading, at, `imports ${imported.file}, which cannot be read: ${imported.unreadable}`);
      return [];
    });
  } finally {
    reading.depth--;
  }
}

/** Imports inside imported lines are resolved here, where the depth is known. */
function expanded(lines: readonly Line[], reading: Reading): readonly Line[] {
  if (lines.length === 0) return [];
  reading.tokens += lines.length;
  if (isOverLimit(reading, lines[0][0].at)) return [];
  return lines.flatMap((line) =>
    line[0].text === 'import' && !line[0].quoted ? importedLines(line, reading) : [line],
  );
}

/** Tokens by lines: white space separates, "…" joins (over lines, with \" inside), # begins a comment at a token's start. */
function lineTokens(text: string, file: string, reading: Reading): Line[] {
  if (text.length > COREFILE_LIMITS.bytes) {
    report(reading, { file, line: 1 }, `the file is larger than ${COREFILE_LIMITS.bytes} bytes`);
    return [];
  }
  const lines: Token[][] = [];
  let current: Token[] = [];
  let line = 1;
  const endLine = () => {
    if (current.length > 0) lines.push(current);
    current = [];
  };
  for (const match of text.matchAll(/\r?\n|[^\S\n]+|#[^\n]*|"((?:\\"|[^"])*)("|$)|\S+/g)) {
    const [found, inQuotes, closing] = match;
    const at = { file, line };
    if (found.endsWith('\n') && found.trim() === '') {
      endLine();
      line++;
    } else if (inQuotes !== undefined) {
      if (closing === '') report(reading, at, 'a quotation mark is never closed');
      current.push({ text: withEnvironment(inQuotes.replaceAll('\\"', '"'), reading), at, quoted: true });
      line += found.split('\n').length - 1;
    } else if (found.trim() !== '' && !found.startsWith('#')) {
      current.push({ text: withEnvironment(found, reading), at, quoted: false });
    }
    if (current.length > 0 && found.trim() !== '') reading.tokens++;
    if (isOverLimit(reading, at)) break;
  }
  endLine();
  return lines;
}

/** Words of imported lines count with each import. Reported once, where reading ended. */
function isOverLimit(reading: Reading, at: Position): boolean {
  if (reading.tokens <= COREFILE_LIMITS.tokens) return false;
  if (!reading.isOverLimit)
    report(reading, at, `more than ${COREFILE_LIMITS.tokens} words, with imports: the rest is not read`);
  reading.isOverLimit = true;
  return true;
}

function withEnvironment(text: string, reading: Reading): string {
  return text.replaceAll(
    /\{\$(\w+)\}|\{%(\w+)%\}/g,
    (placeholder, unix, windows) => reading.sources.environment(unix ?? windows) ?? placeholder,
  );
}

function isBrace(token: Token, brace: '{' | '}'): boolean {
  return token.text === brace && !token.quoted;
}

function report(reading: Reading, at: Position, text: string): void {
  reading.problems.push({ at, text });
}
