// Messages of Protocol Buffers (https://protobuf.dev/programming-guides/encoding/) as objects like those that JSON.parse
// makes. Fields that a schema does not name are skipped by their length, which is why this is cheaper than JSON: of a pod
// nine bytes in ten are never looked at.

/** The bytes are not a message of this schema. */
export class BrokenMessage extends Error {
  override readonly name = 'BrokenMessage';
}

/** A message as JSON.parse would return it. */
export type Message = Readonly<Record<string, unknown>>;

/** Fields by their numbers. */
export type Schema = readonly (Field | undefined)[];

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly repeated: boolean;
}

/**
 * `text`: a string. `word`: one of few, so that equal ones are one string. `texts`: a map of strings. `integer`: int32.
 * `time`: Kubernetes' Time, as milliseconds since the epoch.
 */
export type FieldType = 'text' | 'word' | 'texts' | 'integer' | 'boolean' | 'time' | 'bytes' | Schema;

/** A place in a larger message. */
export interface Bytes {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
}

interface Cursor {
  readonly buffer: Buffer;
  at: number;
}

const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;

/** Names each field and its type: `schema({ 1: ['name', 'text'], 2: ['ports', PORT, 'repeated'] })`. */
export function schema(fields: Readonly<Record<number, readonly [string, FieldType, 'repeated'?]>>): Schema {
  const all: (Field | undefined)[] = [];
  for (const [number, [name, type, repeated]] of Object.entries(fields)) {
    while (all.length <= Number(number)) all.push(undefined);
    all[Number(number)] = { name, type, repeated: repeated !== undefined };
  }
  return all;
}

/**
 * The fields of a message that its schema names; a field that comes twice counts as it came last. Throws BrokenMessage. Never
 * looks beyond `end`, and takes time in proportion to the length at most.
 */
export function readMessage({ buffer, start, end }: Bytes, message: Schema): Message {
  return readFields({ buffer, at: start }, end, message);
}

function readFields(cursor: Cursor, end: number, message: Schema): Message {
  const object: Record<string, unknown> = {};
  while (cursor.at < end) {
    const tag = readUint32(cursor, end);
    const number = tag >>> 3;
    if (number === 0) throw new BrokenMessage('a field has the number 0');
    const field = number < message.length ? message[number] : undefined;
    if (field === undefined) skip(cursor, end, tag & 7);
    else readField(cursor, end, tag & 7, field, object);
  }
  return object;
}

function readField(cursor: Cursor, end: number, wireType: number, field: Field, object: Record<string, unknown>): void {
  const { name, type, repeated } = field;
  const isVarint = type === 'integer' || type === 'boolean';
  if (wireType !== (isVarint ? VARINT : DELIMITED))
    throw new BrokenMessage(`${name} is written as wire type ${wireType}`);
  const value = isVarint ? readVarint(cursor, end, type) : readDelimited(cursor, end, type, object[name]);
  if (!repeated) object[name] = value;
  else if (object[name] === undefined) object[name] = [value];
  else (object[name] as unknown[]).push(value);
}

function readVarint(cursor: Cursor, end: number, type: 'integer' | 'boolean'): number | boolean {
  const value = readInt64(cursor, end);
  return type === 'boolean' ? value !== 0 : value | 0;
}

function readDelimited(
  cursor: Cursor,
  outerEnd: number,
  type: Exclude<FieldType, 'integer' | 'boolean'>,
  known: unknown,
): unknown {
  const end = readLength(cursor, outerEnd);
  const { buffer, at: start } = cursor;
  if (typeof type !== 'string') return readFields(cursor, end, type);
  switch (type) {
    case 'texts':
      return readEntry(cursor, end, (known ?? {}) as Record<string, string>);
    case 'time':
      return readTime(cursor, end);
  }
  cursor.at = end;
  if (type === 'bytes') return { buffer, start, end } satisfies Bytes;
  return type === 'text' ? textOf(buffer, start, end) : wordOf(buffer, start, end);
}

/** An entry of a map. */
function readEntry(cursor: Cursor, end: number, texts: Record<string, string>): Record<string, string> {
  const { key = '', value = '' } = readFields(cursor, end, ENTRY) as { key?: string; value?: string };
  texts[key] = value;
  return texts;
}

const ENTRY = schema({ 1: ['key', 'word'], 2: ['value', 'word'] });

/** undefined: no time. Kubernetes uses whole seconds and ignores nanoseconds, as in its JSON. */
function readTime(cursor: Cursor, end: number): number | undefined {
  let seconds = 0;
  while (cursor.at < end) {
    const tag = readUint32(cursor, end);
    if (tag === 8)
      seconds = readInt64(cursor, end); // field 1, a varint
    else skip(cursor, end, tag & 7);
  }
  return seconds === 0 ? undefined : seconds * 1000;
}

function skip(cursor: Cursor, end: number, wireType: number): void {
  if (wireType === DELIMITED) cursor.at = readLength(cursor, end);
  else if (wireType === VARINT) readInt64(cursor, end);
  else if (wireType === FIXED_64) skipBytes(cursor, end, 8);
  else if (wireType === FIXED_32) skipBytes(cursor, end, 4);
  else throw new BrokenMessage(`a field has the wire type ${wireType}`);
}

function skipBytes(cursor: Cursor, end: number, count: number): void {
  cursor.at += count;
  if (cursor.at > end) throw new BrokenMessage('a field ends beyond its message');
}

/** The end of a length-delimited field. */
function readLength(cursor: Cursor, end: number): number {
  const length = readUint32(cursor, end);
  if (length > end - cursor.at) throw new BrokenMessage('a field ends beyond its message');
  return cursor.at + length;
}

/** Tags and lengths. */
function readUint32(cursor: Cursor, end: number): number {
  const first = cursor.at < end ? cursor.buffer[cursor.at] : 0x80;
  if (first < 0x80) {
    cursor.at++;
    return first;
  }
  const value = readInt64(cursor, end);
  if (value < 0 || value > 0xffff_ffff) throw new BrokenMessage('a tag or a length is too large');
  return value;
}

/** Exact up to 2⁵³. */
function readInt64(cursor: Cursor, end: number): number {
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (cursor.at >= end) throw new BrokenMessage('a number ends beyond its message');
    const byte = cursor.buffer[cursor.at++];
    const bits = byte & 0x7f;
    if (shift < 32) low |= bits << shift;
    if (shift > 25) high |= shift < 32 ? bits >>> (32 - shift) : bits << (shift - 32);
    if (byte < 0x80) return high * 0x1_0000_0000 + (low >>> 0);
  }
  throw new BrokenMessage('a number is longer than ten bytes');
}

// Recurring words (namespaces, nodes, "Ready") are created once: finding a known word is cheaper than creating it, and a
// hundred thousand pods share it (bench/RESULTS.md, memory per instance).

/** Known words by their hash; one takes another's place. */
const words: string[] = new Array(4096).fill('');
const MAX_WORD_BYTES = 64;

/** Invalid UTF-8 becomes U+FFFD, as in JSON. */
const textOf = (buffer: Buffer, start: number, end: number): string => buffer.toString('utf8', start, end);

/** As `textOf`; equal ones are one string as long as it is remembered. */
function wordOf(buffer: Buffer, start: number, end: number): string {
  if (end - start > MAX_WORD_BYTES) return textOf(buffer, start, end);
  let hash = 0x811c_9dc5;
  let allBits = 0;
  for (let at = start; at < end; at++) {
    allBits |= buffer[at];
    hash = Math.imul(hash ^ buffer[at], 0x0100_0193);
  }
  if (allBits > 0x7f) return textOf(buffer, start, end);
  const place = (hash ^ (hash >>> 15)) & (words.length - 1);
  if (!isWord(words[place], buffer, start, end)) words[place] = textOf(buffer, start, end);
  return words[place];
}

function isWord(word: string, buffer: Buffer, start: number, end: number): boolean {
  if (word.length !== end - start) return false;
  for (let i = 0; i < word.length; i++) if (word.charCodeAt(i) !== buffer[start + i]) return false;
  return true;
}
