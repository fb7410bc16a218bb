// rdata: presentation text <-> uncompressed wire form, for every type (RFC 1035 section 5.1, RFC 3597 section 5).
import { MAX_RDATA_BYTES } from '../limits.ts';
import type { WireName } from '../name.ts';
import { typeName } from '../types.ts';
import { type Field, formatHex, joined, parseHex } from './fields.ts';
import { type Layout, layoutOf } from './layouts.ts';
import { RdataError, splitWords, type Word } from './text.ts';

export { RdataError } from './text.ts';

/**
 * Presentation text → uncompressed rdata; names in it come out lower case. `\# length hex` works for every type, and is
 * the only form of types that have none of their own. A TXT value without quotes is one string. Names without a trailing dot are absolute, unless `origin` is given.
 * Throws RdataError, which names what was expected: "MX value must be `preference exchange`, got …".
 */
export function composeRdata(type: number, text: string, origin?: WireName): Uint8Array {
  try {
    const words = wordsOf(type, text);
    const rdata = isGeneric(words) ? composeGeneric(type, words) : composeFields(type, words, origin);
    if (rdata.length > MAX_RDATA_BYTES)
      throw new RdataError(`has ${rdata.length} bytes, at most ${MAX_RDATA_BYTES} fit`);
    return rdata;
  } catch (error) {
    if (!(error instanceof RdataError)) throw error;
    throw new RdataError(
      `${typeName(type)} value must be ${expected(layoutOf(type))}, got ${shown(text)}: ${error.message}`,
    );
  }
}

/** Uncompressed rdata → presentation text. rdata that do not fit their type come out in the generic form; never throws. */
export function formatRdata(type: number, rdata: Uint8Array): string {
  const parts = splitRdata(type, rdata);
  if (!parts) return formatGeneric(rdata);
  return parts
    .map(({ field, bytes }) => field.format(bytes))
    .filter((text) => text !== '')
    .join(' ');
}

/** RFC 3597 section 5: `\# 4 7F000001`. */
export function formatGeneric(rdata: Uint8Array): string {
  return rdata.length === 0 ? '\\# 0' : `\\# ${rdata.length} ${formatHex(rdata)}`;
}

/** Whether rdata are a well-formed value of the type. Types without a layout accept any bytes. */
export function isWellFormed(type: number, rdata: Uint8Array): boolean {
  const layout = layoutOf(type);
  if (layout === undefined) return true;
  let at = 0;
  for (const field of layout.fields) {
    at = fieldEnd(field, rdata, at);
    if (at > rdata.length) return false;
  }
  return at === rdata.length;
}

/** The bytes of each field; undefined when the type has no layout or the rdata do not fit it exactly. */
export function splitRdata(type: number, rdata: Uint8Array): { field: Field; bytes: Uint8Array }[] | undefined {
  const layout = layoutOf(type);
  if (!layout) return undefined;
  const parts: { field: Field; bytes: Uint8Array }[] = [];
  let at = 0;
  for (const field of layout.fields) {
    const end = fieldEnd(field, rdata, at);
    if (end > rdata.length) return undefined;
    parts.push({ field, bytes: rdata.subarray(at, end) });
    at = end;
  }
  return at === rdata.length ? parts : undefined;
}

/** Where the field ends; Infinity when its bytes are not what they must be. */
function fieldEnd(field: Field, rdata: Uint8Array, at: number): number {
  try {
    return field.end(rdata, at);
  } catch {
    return Number.POSITIVE_INFINITY; // not a name: the caller falls back to the generic form
  }
}

function composeFields(type: number, words: readonly Word[], origin: WireName | undefined): Uint8Array {
  const layout = layoutOf(type);
  if (!layout) throw new RdataError('this type has no text form of its own');
  const parts: Uint8Array[] = [];
  let next = 0;
  for (const field of layout.fields) {
    const taken = field.takes === 'rest' ? words.slice(next) : words.slice(next, next + 1);
    if (taken.length === 0 && !field.optional) throw new RdataError(`${field.label} is missing`);
    parts.push(composeField(field, taken, origin));
    next += taken.length;
  }
  if (next < words.length) throw new RdataError(`unexpected "${words[next].text}"`);
  return joined(parts);
}

function composeField(field: Field, words: readonly Word[], origin: WireName | undefined): Uint8Array {
  try {
    return field.compose(words, origin);
  } catch (error) {
    if (error instanceof RdataError) throw new RdataError(`${field.label} ${error.message}`);
    throw error;
  }
}

function wordsOf(type: number, text: string): Word[] {
  const value = text.trim();
  const isOneWord = layoutOf(type)?.fields[0].wholeText && value !== '' && !/^("|\\#\s)/.test(value);
  return isOneWord ? [{ text: value, quoted: false }] : splitWords(value);
}

function isGeneric(words: readonly Word[]): boolean {
  return words.length > 0 && words[0].text === '\\#' && !words[0].quoted;
}

function composeGeneric(type: number, [, length, ...hex]: readonly Word[]): Uint8Array {
  const rdata = parseHex(hex.map((word) => word.text).join(''));
  if (length === undefined || !/^\d{1,5}$/.test(length.text) || Number(length.text) !== rdata.length) {
    throw new RdataError(`the length after \\# must be the number of bytes that follow (${rdata.length})`);
  }
  // RFC 3597 section 5 allows this form for known types; what is in it must still be one of their values.
  if (!isWellFormed(type, rdata)) throw new RdataError('the bytes are not a value of this type');
  return rdata;
}

function expected(layout: Layout | undefined): string {
  return layout ? `\`${layout.fields.map((field) => field.label).join(' ')}\`` : '`\\# length hex`';
}

function shown(text: string): string {
  const start = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return `"${start.replace(/[\0-\x1f\x7f]/g, '?')}"`;
}
