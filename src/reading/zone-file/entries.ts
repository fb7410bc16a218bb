// The entries of a master file (RFC 1035 section 5.1) as tokens: comments dropped, parentheses and quotes resolved. It works
// on bytes and keeps only offsets, since a file may have millions of entries.

import { MAX_LABEL_BYTES, MAX_NAME_BYTES } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';

/** A problem in a file and its position; lines and columns start at 1. */
export class ZoneFileError extends Error {
  override readonly name = 'ZoneFileError';
  readonly line: number;
  readonly column: number;

  constructor(line: number, column: number, message: string) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN = 0x28;
const CLOSE = 0x29;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;

/** Bytes that end a token which does not stand in quotes. */
const ENDS = Uint8Array.from({ length: 256 }, (_, byte) =>
  [TAB, NEWLINE, RETURN, SPACE, OPEN, CLOSE, SEMICOLON].includes(byte) ? 1 : 0,
);

const DOT = 0x2e;

/** The bytes of plain names in lower case; 0 for others. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9_*-]/.test(String.fromCharCode(byte)) ? (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) : 0,
);

/** As `Entries.word`. */
export const wordOf = (text: string): number =>
  [...text].reduce((word, letter) => (word << 8) | letter.charCodeAt(0), 0);

/** A record of a TXT type has at most 65,535 bytes of rdata, so no entry needs more. */
const MAX_TOKENS = 70_000;

/** Where a plain name is put together, and its beginnings by their length. */
class NameRoom {
  readonly scratch = new Uint8Array(MAX_NAME_BYTES + 1);
  readonly names: Uint8Array[] = [];
}

export class Entries {
  /** Of the present entry: the number of its tokens. */
  count = 0;
  /** Whether it begins with a blank: it has the owner of the entry before. */
  startsBlank = false;
  private readonly bytes: Buffer;
  private at = 0;
  private line = 1;
  private lineStart = 0;
  private room = new NameRoom();
  /** Has the name that was returned last. */
  private lastRoom = new NameRoom();
  private readonly address = new Uint8Array(4);
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private readonly lines: number[] = [];
  private readonly lineStarts: number[] = [];

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.at = 3;
  }

  /** Goes to the next entry; false at the end of the file. Throws ZoneFileError; the call after it goes on with the next line. */
  next(): boolean {
    const { bytes } = this;
    let depth = 0;
    let openLine = 0;
    this.startEntry();
    while (this.at < bytes.length) {
      const byte = bytes[this.at];
      if (byte === NEWLINE) {
        this.endLine();
        if (depth > 0) continue;
        if (this.count > 0) return true;
        this.startEntry();
      } else if (byte === SPACE || byte === TAB || byte === RETURN) this.at++;
      else if (byte === SEMICOLON) this.skipLine();
      else if (byte === OPEN) {
        if (depth++ === 0) openLine = this.line;
        this.at++;
      } else if (byte === CLOSE) {
        if (depth-- === 0) throw this.failed('`)` without `(` before it');
        this.at++;
      } else this.takeToken(byte === QUOTE);
    }
    if (depth > 0) throw new ZoneFileError(openLine, 1, 'the entry that begins here has a `(` that is not closed');
    return this.count > 0;
  }

  /** The token as written, without its quotes. */
  text(token: number): string {
    const isQuoted = this.isQuoted(token);
    const start = this.starts[token] + (isQuoted ? 1 : 0);
    return this.bytes.toString('utf8', start, this.ends[token] - (isQuoted ? 1 : 0));
  }

  isQuoted(token: number): boolean {
    return this.bytes[this.starts[token]] === QUOTE;
  }

  /** The four bytes of a token in the usual form of an IPv4 address, until the next call; undefined for any other. */
  ipv4(token: number): Uint8Array | undefined {
    const { bytes, address } = this;
    let part = 0;
    let value = -1;
    for (let at = this.starts[token], end = this.ends[token]; at < end; at++) {
      const digit = bytes[at] - 0x30;
      if (digit >= 0 && digit <= 9) {
        if (value === 0) return undefined; // read as octal by some
        value = value < 0 ? digit : value * 10 + digit;
        if (value > 255) return undefined;
      } else {
        if (bytes[at] !== 0x2e || value < 0 || part === 3) return undefined;
        address[part++] = value;
        value = -1;
      }
    }
    if (part !== 3 || value < 0) return undefined;
    address[3] = value;
    return address;
  }

  /**
   * A name of letters, digits, `-`, `_` and `*`, as most are, until another one is returned; undefined for any other, which takes longer. An
   * array for each of a million names would be most of what reading them costs.
   */
  plainName(token: number, origin: WireName): WireName | undefined {
    const { bytes } = this;
    const { scratch, names } = this.room;
    const start = this.starts[token];
    const end = this.ends[token];
    if (end - start > MAX_NAME_BYTES - 2) return undefined;
    let label = 0;
    let length = 1;
    for (let at = start; at < end; at++) {
      const byte = PLAIN[bytes[at]];
      if (byte > 0) scratch[length++] = byte;
      else {
        const labelLength = length - label - 1;
        if (bytes[at] !== DOT || labelLength === 0 || labelLength > MAX_LABEL_BYTES) return undefined;
        scratch[label] = labelLength;
        label = length++;
      }
    }
    const lastLength = length - label - 1;
    if (lastLength > MAX_LABEL_BYTES) return undefined;
    scratch[label] = lastLength;
    // After a dot at the end comes the root.
    const suffix = lastLength === 0 ? 0 : origin.length;
    if (length + suffix > MAX_NAME_BYTES) return undefined;
    for (let i = 0; i < suffix; i++) scratch[length + i] = origin[i];
    names[length + suffix] ??= scratch.subarray(0, length + suffix);
    [this.room, this.lastRoom] = [this.lastRoom, this.room];
    return names[length + suffix];
  }

  /** A token of up to four letters as one number, in upper case: see `wordOf`. 0 for any other. */
  word(token: number): number {
    const start = this.starts[token];
    const end = this.ends[token];
    if (end - start > 4) return 0;
    let word = 0;
    for (let at = start; at < end; at++) {
      const letter = this.bytes[at] & 0xdf;
      if (letter < 0x41 || letter > 0x5a) return 0;
      word = (word << 8) | letter;
    }
    return word;
  }

  startsWith(token: number, byte: number): boolean {
    return this.bytes[this.starts[token]] === byte;
  }

  /** The line of a token. */
  lineOf(token: number): number {
    return this.lines[token];
  }

  errorAt(token: number, message: string): ZoneFileError {
    return new ZoneFileError(this.lines[token], this.columnOf(token), message);
  }

  columnOf(token: number): number {
    return 1 + this.bytes.toString('utf8', this.lineStarts[token], this.starts[token]).length;
  }

  private startEntry(): void {
    this.count = 0;
    const byte = this.bytes[this.at];
    this.startsBlank = byte === SPACE || byte === TAB;
  }

  private endLine(): void {
    this.at++;
    this.line++;
    this.lineStart = this.at;
  }

  private skipLine(): void {
    const end = this.bytes.indexOf(NEWLINE, this.at);
    this.at = end < 0 ? this.bytes.length : end;
  }

  private takeToken(isQuoted: boolean): void {
    const { at, count } = this;
    if (count === MAX_TOKENS) throw this.failed(`the entry has more than ${MAX_TOKENS} parts`);
    this.starts[count] = at;
    this.lines[count] = this.line;
    this.lineStarts[count] = this.lineStart;
    const end = isQuoted ? this.quoteEnd(at) : this.plainEnd(at);
    this.ends[count] = end;
    this.count++;
    this.at = end;
  }

  /** A quote inside (`alpn="h2,h3"`) belongs to the token. */
  private plainEnd(start: number): number {
    const { bytes } = this;
    let at = start;
    while (at < bytes.length && ENDS[bytes[at]] === 0) {
      if (bytes[at] === QUOTE) at = this.quoteEnd(at);
      else at += bytes[at] === BACKSLASH && bytes[at + 1] !== NEWLINE ? 2 : 1;
    }
    return Math.min(at, bytes.length);
  }

  private quoteEnd(start: number): number {
    const { bytes } = this;
    for (let at = start + 1; at < bytes.length && bytes[at] !== NEWLINE; at++) {
      if (bytes[at] === QUOTE) return at + 1;
      if (bytes[at] === BACKSLASH && bytes[at + 1] !== NEWLINE) at++;
    }
    this.at = start;
    throw this.failed('the quote is not closed on this line');
  }

  /** An error here; reading goes on behind the line. */
  private failed(message: string): ZoneFileError {
    const column = 1 + this.bytes.toString('utf8', this.lineStart, this.at).length;
    const error = new ZoneFileError(this.line, column, message);
    this.skipLine();
    return error;
  }
}
