// Master files (RFC 1035 section 5) → records in wire form, with $ORIGIN, $INCLUDE, $TTL (RFC 2308 section 4) and $GENERATE.
// One pass from bytes to wire form; all problems are reported, each with its line and column.
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { MAX_TTL_SECONDS } from '../../dns/limits.ts';
import { NameError, parseName, type WireName } from '../../dns/name.ts';
import { composeRdata, RdataError } from '../../dns/rdata/rdata.ts';
import { parseType, TYPE } from '../../dns/types.ts';
import { shown } from '../problem.ts';
import { Entries, wordOf, ZoneFileError } from './entries.ts';
import { expand, parseRange } from './generate.ts';

const MAX_FILE_BYTES = 1024 * 1024 * 1024;
const MAX_FILES = 1000;
const MAX_DEPTH = 10;
/** Entries between two turns of the event loop: a few milliseconds. */
const ENTRIES_PER_TURN = 4000;

/** `file`: how many files were opened before it. */
export interface Place {
  readonly file: number;
  readonly line: number;
  readonly column: number;
}

export interface ZoneFileTarget {
  /** A file of that many bytes is read from now on; its absolute path. */
  opened(path: string, size: number): void;
  /** A record as it was read; names in rdata are absolute and in lower case. Name and rdata are those of the next one later. */
  record(name: WireName, type: number, ttlSeconds: number, rdata: Uint8Array, place: Place): void;
  /** False: enough problems, stop reading. */
  problem(place: Place, message: string): boolean;
}

export interface ZoneFileSettings {
  /** Names without a trailing dot are relative to it, until $ORIGIN. */
  readonly origin: WireName;
  /** For records before any TTL, $TTL or SOA. */
  readonly ttlSeconds: number;
  /** A turn of the event loop. */
  readonly pause: () => Promise<void>;
}

/**
 * Reads `path` (absolute) and the files that it includes. Resolves to the reason why it cannot be opened, or undefined. Never
 * throws for content or disk: these are problems.
 */
export async function readZoneFile(
  path: string,
  settings: ZoneFileSettings,
  target: ZoneFileTarget,
): Promise<string | undefined> {
  return new ZoneFileReader(settings, target).read(path, settings.origin, []);
}

class ZoneFileReader {
  private files = 0;
  private readonly settings: ZoneFileSettings;
  private readonly target: ZoneFileTarget;
  private isStopped = false;
  /** Of $TTL; and the TTL of the record before (RFC 1035 section 5.1), which a SOA's MINIMUM is too. */
  private defaultTtlSeconds: number | undefined;
  private lastTtlSeconds: number;
  private entriesLeft = ENTRIES_PER_TURN;

  constructor(settings: ZoneFileSettings, target: ZoneFileTarget) {
    this.settings = settings;
    this.target = target;
    this.lastTtlSeconds = settings.ttlSeconds;
  }

  /** `above`: the files that it is included by. Resolves to the reason why it cannot be opened. */
  async read(path: string, origin: WireName, above: readonly string[]): Promise<string | undefined> {
    const problem = this.includeProblem(path, above) ?? (await sizeProblem(path));
    if (problem !== undefined) return problem;
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (error) {
      return `cannot read ${path}: ${(error as Error).message}`;
    }
    this.target.opened(path, bytes.length);
    await this.readEntries(new FileState(this, this.files++, dirname(path), bytes, origin), [...above, path]);
    return undefined;
  }

  private async readEntries(state: FileState, files: readonly string[]): Promise<void> {
    while (!this.isStopped) {
      try {
        if (!state.entries.next()) return;
        const more = state.entry();
        if (more === undefined) {
          const pause = this.turn();
          if (pause !== undefined) await pause;
        } else if ('path' in more) {
          const problem = await this.read(more.path, more.origin, files);
          if (problem !== undefined) this.report(more.from, problem);
        } else for (const _record of more) await this.turn();
      } catch (error) {
        if (!(error instanceof ZoneFileError)) throw error;
        this.report({ file: state.file, line: error.line, column: error.column }, error.message);
      }
    }
  }

  /** After a record: others have their turn now and then. */
  private turn(): Promise<void> | undefined {
    if (--this.entriesLeft > 0) return undefined;
    this.entriesLeft = ENTRIES_PER_TURN;
    return this.settings.pause();
  }

  private includeProblem(path: string, above: readonly string[]): string | undefined {
    if (above.includes(path)) return `${path} includes itself`;
    if (above.length >= MAX_DEPTH) return `files are included more than ${MAX_DEPTH} deep`;
    return this.files >= MAX_FILES ? `more than ${MAX_FILES} files are included` : undefined;
  }

  private report(place: Place, message: string): void {
    if (!this.target.problem(place, message)) this.isStopped = true;
  }

  /** The TTL of a record that states `stated`. */
  ttlOf(stated: number | undefined, type: number, rdata: Uint8Array): number {
    if (stated !== undefined) this.lastTtlSeconds = stated;
    // Before RFC 2308 a SOA's MINIMUM was the default TTL; BIND still takes it where no $TTL is given.
    else if (type === TYPE.SOA && this.defaultTtlSeconds === undefined)
      this.lastTtlSeconds = Math.min(MAX_TTL_SECONDS, Buffer.from(rdata.subarray(-4)).readUInt32BE());
    return stated ?? this.defaultTtlSeconds ?? this.lastTtlSeconds;
  }

  setDefaultTtl(seconds: number): void {
    this.defaultTtlSeconds = seconds;
  }

  record(name: WireName, type: number, ttlSeconds: number, rdata: Uint8Array, place: Place): void {
    this.target.record(name, type, ttlSeconds, rdata, place);
  }
}

async function sizeProblem(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile()) return `${path} is not a file`;
    return found.size > MAX_FILE_BYTES
      ? `${path} has ${found.size} bytes, at most ${MAX_FILE_BYTES} are read`
      : undefined;
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return isAbsent ? `there is no file ${path}` : `cannot read ${path}: ${(error as Error).message}`;
  }
}

interface Include {
  readonly path: string;
  readonly origin: WireName;
  readonly from: Place;
}

/** The fields of an entry before its rdata, which begin at token `next`. */
interface Head {
  readonly ttlSeconds: number | undefined;
  readonly type: number;
  readonly next: number;
}

/** One file while it is read: $ORIGIN and the last owner belong to it (RFC 1035 section 5.1). */
class FileState {
  readonly entries: Entries;
  readonly file: number;
  private readonly reader: ZoneFileReader;
  private readonly folder: string;
  private origin: WireName;
  private owner: WireName | undefined;

  constructor(reader: ZoneFileReader, file: number, folder: string, bytes: Buffer, origin: WireName) {
    this.reader = reader;
    this.file = file;
    this.folder = folder;
    this.entries = new Entries(bytes);
    this.origin = origin;
  }

  /** Handles the present entry. Left to the caller: an $INCLUDE, or the records of a $GENERATE one by one. Throws ZoneFileError. */
  entry(): Include | Generator<void> | undefined {
    const { entries } = this;
    if (!entries.startsBlank && entries.startsWith(0, DOLLAR)) return this.directive(entries.text(0).toUpperCase());
    let next = 0;
    if (!entries.startsBlank) this.owner = entries.plainName(next, this.origin) ?? this.nameAt(next);
    if (!entries.startsBlank) next++;
    if (this.owner === undefined)
      throw entries.errorAt(0, 'the first record has no owner name: begin the line with it');
    const head = this.head(next);
    const rdata = this.rdata(head);
    this.emit(this.owner, head, rdata);
    return undefined;
  }

  private emit(owner: WireName, { ttlSeconds, type }: Head, rdata: Uint8Array): void {
    const place = { file: this.file, line: this.entries.lineOf(0), column: 1 };
    this.reader.record(owner, type, this.reader.ttlOf(ttlSeconds, type, rdata), rdata, place);
  }

  /** TTL and class, in either order, then the type. */
  private head(start: number): Head {
    const { entries } = this;
    let ttlSeconds: number | undefined;
    let hasClass = false;
    for (let token = start; token < entries.count; token++) {
      const word = entries.word(token);
      const known = TYPE_OF_WORD.get(word);
      if (known !== undefined) return { ttlSeconds, type: known, next: token + 1 };
      const text = entries.text(token);
      const isClass = !hasClass && (text === 'IN' || /^(IN|CLASS1)$/i.test(text));
      const type = isClass ? undefined : (TYPES.get(text) ?? typeOf(text));
      if (type !== undefined) return { ttlSeconds, type, next: token + 1 };
      if (isClass) hasClass = true;
      else if (/^\d/.test(text) && ttlSeconds === undefined) ttlSeconds = this.ttlAt(token);
      else if (/^(CH|HS|CS|CLASS\d+)$/i.test(text)) throw entries.errorAt(token, `class ${text}: only IN is served`);
      else throw entries.errorAt(token, `"${shown(text)}" is not a TTL, a class or a record type`);
    }
    throw entries.errorAt(entries.count - 1, 'the entry ends before its record type');
  }

  private rdata({ type, next }: Head): Uint8Array {
    const { entries } = this;
    if (type === TYPE.A && entries.count === next + 1) {
      const address = entries.ipv4(next);
      if (address !== undefined) return address;
    }
    return this.compose(type, this.rdataText(type, next), next);
  }

  private compose(type: number, text: string, token: number): Uint8Array {
    try {
      return composeRdata(type, text, this.origin);
    } catch (error) {
      if (!(error instanceof RdataError)) throw error;
      throw this.entries.errorAt(Math.min(token, this.entries.count - 1), error.message);
    }
  }

  /** Strings of a TXT are quoted, since without quotes the rest of the line would be one string, as in zones.yaml. */
  private rdataText(type: number, start: number): string {
    const { entries } = this;
    const isText =
      (type === TYPE.TXT || type === TYPE.SPF) && !(entries.count > start && entries.text(start) === '\\#');
    const words: string[] = [];
    for (let token = start; token < entries.count; token++) {
      const text = entries.text(token);
      if (type === TYPE.SOA && token >= start + FIRST_TIMER) words.push(String(parseTtl(text) ?? text));
      else words.push(entries.isQuoted(token) || (isText && !text.includes('"')) ? `"${text}"` : text);
    }
    return words.join(' ');
  }

  private nameAt(token: number): WireName {
    try {
      return parseName(this.entries.text(token), this.origin);
    } catch (error) {
      if (!(error instanceof NameError)) throw error;
      throw this.entries.errorAt(token, error.message);
    }
  }

  private ttlAt(token: number): number {
    const seconds = parseTtl(this.entries.text(token));
    if (seconds === undefined)
      throw this.entries.errorAt(
        token,
        `"${shown(this.entries.text(token))}" is not a TTL: expected seconds up to ${MAX_TTL_SECONDS}, or units such as 1h30m`,
      );
    return seconds;
  }

  private directive(name: string): Include | Generator<void> | undefined {
    const { entries } = this;
    const expectParts = (least: number, most: number, usage: string) => {
      if (entries.count <= least || entries.count > most + 1) throw entries.errorAt(0, `expected \`${usage}\``);
    };
    if (name === '$ORIGIN') {
      expectParts(1, 1, '$ORIGIN name');
      this.origin = this.nameAt(1);
    } else if (name === '$TTL') {
      expectParts(1, 1, '$TTL seconds');
      this.reader.setDefaultTtl(this.ttlAt(1));
    } else if (name === '$INCLUDE') {
      expectParts(1, 2, '$INCLUDE file [origin]');
      const from = { file: this.file, line: entries.lineOf(1), column: entries.columnOf(1) };
      const origin = entries.count > 2 ? this.nameAt(2) : this.origin;
      return { path: resolve(this.folder, entries.text(1)), origin, from };
    } else if (name === '$GENERATE') {
      expectParts(4, Number.POSITIVE_INFINITY, '$GENERATE range owner [ttl] [class] type rdata');
      return this.generate();
    } else {
      throw entries.errorAt(0, `unknown directive ${shown(name)}: known are $ORIGIN, $TTL, $INCLUDE and $GENERATE`);
    }
    return undefined;
  }

  private *generate(): Generator<void> {
    const { entries } = this;
    const range = parseRange(entries.text(1));
    if (typeof range === 'string') throw entries.errorAt(1, range);
    const head = this.head(3);
    if (head.next >= entries.count) throw entries.errorAt(entries.count - 1, 'the rdata to generate is missing');
    // BIND takes the rdata as one quoted string as well.
    const isQuoted = entries.count === head.next + 1 && entries.isQuoted(head.next) && head.type !== TYPE.TXT;
    const template = isQuoted ? entries.text(head.next) : this.rdataText(head.type, head.next);
    for (let value = range.start; value <= range.stop; value += range.step) {
      const owner = this.generatedName(entries.text(2), value);
      this.emit(owner, head, this.compose(head.type, this.expanded(template, value, head.next), head.next));
      yield;
    }
  }

  private generatedName(template: string, value: number): WireName {
    const text = this.expanded(template, value, 2);
    try {
      return parseName(text, this.origin);
    } catch (error) {
      if (!(error instanceof NameError)) throw error;
      throw this.entries.errorAt(2, `${shown(text)}: ${error.message}`);
    }
  }

  private expanded(template: string, value: number, token: number): string {
    try {
      return expand(template, value);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw this.entries.errorAt(token, error.message);
    }
  }
}

const DOLLAR = 0x24;

/** Types of up to four letters, by their letters as a number. */
const TYPE_OF_WORD: ReadonlyMap<number, number> = new Map(
  Object.entries(TYPE).flatMap(([mnemonic, type]) => (/^[A-Z]{1,4}$/.test(mnemonic) ? [[wordOf(mnemonic), type]] : [])),
);

/** The mnemonics of types, as most files write them. */
const TYPES: ReadonlyMap<string, number> = new Map(Object.entries(TYPE));

/** Mnemonics in any case, and TYPEn (RFC 3597). */
function typeOf(text: string): number | undefined {
  return /^[a-z]/i.test(text) && text.length < 12 ? parseType(text.toUpperCase()) : undefined;
}

/** The fields of a SOA from REFRESH on are times, and may have units, too. */
const FIRST_TIMER = 3;

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** "3600" or "1h30m". */
function parseTtl(text: string): number | undefined {
  if (!/^(\d{1,10}|(\d{1,10}[smhdw])+)$/i.test(text)) return undefined;
  let seconds = 0;
  for (const [, count, unit] of text.toLowerCase().matchAll(/(\d+)([smhdw]?)/g))
    seconds += Number(count) * (UNIT_SECONDS[unit] ?? 1);
  return seconds <= MAX_TTL_SECONDS ? seconds : undefined;
}
