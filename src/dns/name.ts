// Domain names: presentation text <-> uncompressed wire form (RFC 1035 sections 3.1 and 5.1, RFC 4343 for case).
import { formatIp, parseIp } from './ip.ts';
import { MAX_LABEL_BYTES, MAX_NAME_BYTES } from './limits.ts';

/** A domain name in uncompressed wire form, lower case, with the root's zero byte. */
export type WireName = Uint8Array;

/** The text or the bytes are not a domain name; the message says which and why. */
export class NameError extends Error {
  override readonly name = 'NameError';
}

export const ROOT: WireName = new Uint8Array(1);

/** Each byte with ASCII letters in lower case (RFC 4343). Length bytes, at most 63, are never letters: whole names may go through it. */
export const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte));

/**
 * Presentation text → wire form, lower-cased. Escapes are `\.` and `\DDD`.
 * A name without the trailing dot is absolute, unless `origin` (wire form) is given: then it is relative to it, and `@` is
 * the origin itself. Throws NameError.
 */
export function parseName(text: string, origin?: WireName): WireName {
  const name = parseNameKeepingCase(text, origin);
  for (let i = 0; i < name.length; i++) name[i] = LOWER[name[i]];
  return name;
}

/** Scratch memory: allocating an array of the longest name's size for each name would dominate the cost of parsing. */
const scratch = new Uint8Array(MAX_NAME_BYTES);

/** As `parseName`, with the letters as they were written: for queries, where the reply repeats them (RFC 4343). */
export function parseNameKeepingCase(text: string, origin?: WireName): WireName {
  if (text === '.') return ROOT.slice();
  if (text === '@' && origin) return origin.slice();
  if (text === '') throw new NameError('a name cannot be empty (the root is ".")');
  const wire = scratch;
  let labelStart = 0;
  let end = 1;
  let absolute = origin === undefined;
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i);
    if (code === 0x2e /* . */) {
      closeLabel(text, wire, labelStart, end);
      labelStart = end++;
      if (++i === text.length) absolute = true;
      continue;
    }
    const escaped = code === 0x5c;
    const byte = escaped ? escapedByte(text, i) : plainByte(text, code);
    i += !escaped ? 1 : isDigit(text.charCodeAt(i + 1)) ? 4 : 2;
    if (end >= MAX_NAME_BYTES - 1) throw tooLong(text);
    wire[end++] = byte;
  }
  if (end > labelStart + 1) {
    closeLabel(text, wire, labelStart, end);
    labelStart = end;
  }
  const suffix = absolute || origin === undefined ? ROOT : origin;
  if (labelStart + suffix.length > MAX_NAME_BYTES) throw tooLong(text);
  wire.set(suffix, labelStart);
  return wire.slice(0, labelStart + suffix.length);
}

/** Writes ASCII labels (dots between them) in lower case, each with its length byte first: one byte more than the text. */
export function writeLabels(bytes: Uint8Array, at: number, labels: string): void {
  let lengthAt = at;
  for (let i = 0; i < labels.length; i++) {
    const code = labels.charCodeAt(i);
    if (code === 0x2e /* . */) {
      bytes[lengthAt] = at + i - lengthAt;
      lengthAt = at + 1 + i;
    } else bytes[at + 1 + i] = LOWER[code];
  }
  bytes[lengthAt] = at + labels.length - lengthAt;
}

/** Wire form (from `offset`) → presentation text with the trailing dot; case is kept. Throws NameError. */
export function formatName(wire: Uint8Array, offset = 0): string {
  const end = nameEnd(wire, offset);
  if (end === offset + 1) return '.';
  let text = '';
  for (let at = offset; at < end - 1; ) {
    const labelEnd = at + 1 + wire[at];
    for (at++; at < labelEnd; at++) text += BYTE_TEXT[wire[at]];
    text += '.';
  }
  return text;
}

/** The offset after an uncompressed name. Throws NameError when it runs out of the bytes, is too long or compressed. */
export function nameEnd(wire: Uint8Array, offset = 0): number {
  let at = offset;
  while (at < wire.length) {
    const length = wire[at];
    if (length > MAX_LABEL_BYTES) throw new NameError(`not an uncompressed name: length byte ${length} at ${at}`);
    at += 1 + length;
    if (at - offset > MAX_NAME_BYTES) throw new NameError(`a name may have at most ${MAX_NAME_BYTES} bytes`);
    if (length === 0) return at;
  }
  throw new NameError('the name runs past the end of its bytes');
}

/** The offsets of each label's length byte, the root's left out. */
export function labelOffsets(wire: WireName): number[] {
  const offsets: number[] = [];
  for (let at = 0; wire[at] !== 0 && at < wire.length; at += 1 + wire[at]) offsets.push(at);
  return offsets;
}

/** Labels without the root: "a.b." has 2, "." none. */
export function labelCount(wire: WireName): number {
  let count = 0;
  for (let at = 0; wire[at] !== 0 && at < wire.length; at += 1 + wire[at]) count++;
  return count;
}

/** The name without its first label; undefined for the root. Shares the bytes of `wire`. */
export function parentOf(wire: WireName): WireName | undefined {
  return wire[0] === 0 ? undefined : wire.subarray(1 + wire[0]);
}

/** Whether `name` is `zone` or below it, letters compared without case. */
export function isSubdomain(name: WireName, zone: WireName): boolean {
  const start = name.length - zone.length;
  if (start < 0 || !equalIgnoringCase(name, start, zone)) return false;
  // The suffix must begin at a label, not inside one.
  let at = 0;
  while (at < start) at += 1 + name[at];
  return at === start;
}

/** Whether two names are the same, letters compared without case (RFC 4343). */
export function sameName(a: WireName, b: WireName): boolean {
  return a.length === b.length && equalIgnoringCase(a, 0, b);
}

/** A copy in lower case. */
export function lowerCased(wire: WireName): WireName {
  const lower = wire.slice();
  for (let i = 0; i < lower.length; i++) lower[i] = LOWER[lower[i]];
  return lower;
}

/** Internal form of a name's text: absolute, lower case, trailing dot, canonical escapes. Throws NameError. */
export function canonicalName(text: string): string {
  return formatName(parseName(text));
}

/** The name of an address's PTR records: RFC 1035 section 3.5 for IPv4, RFC 3596 section 2.5 for IPv6. Throws NameError. */
export function reverseName(ip: string): string {
  const bytes = parseIp(ip);
  if (!bytes) throw new NameError(`"${ip}" is not an IPv4 or IPv6 address`);
  if (bytes.length === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa.`;
  const nibbles = [...bytes].flatMap((byte) => [byte >> 4, byte & 15]).reverse();
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa.`;
}

/** The address of a complete reverse name, in canonical text; undefined for every other name. */
export function addressOfReverseName(name: string): string | undefined {
  const labels = name.toLowerCase().replace(/\.$/, '').split('.');
  const suffix = labels.splice(-2).join('.');
  labels.reverse();
  if (suffix === 'in-addr.arpa' && labels.length === 4) {
    const bytes = parseIp(labels.join('.'));
    return bytes && formatIp(bytes);
  }
  if (suffix !== 'ip6.arpa' || labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label)))
    return undefined;
  return formatIp(Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(labels[2 * i] + labels[2 * i + 1], 16)));
}

/** Each byte as it stands in a name's text; `.`, `\` and characters with a meaning in zone files are escaped as dig does. */
const BYTE_TEXT: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte <= 0x20 || byte >= 0x7f) return `\\${String(byte).padStart(3, '0')}`;
  const character = String.fromCharCode(byte);
  return '.\\"();@$'.includes(character) ? `\\${character}` : character;
});

function equalIgnoringCase(name: Uint8Array, start: number, suffix: Uint8Array): boolean {
  for (let i = 0; i < suffix.length; i++) if (LOWER[name[start + i]] !== LOWER[suffix[i]]) return false;
  return true;
}

function closeLabel(text: string, wire: Uint8Array, labelStart: number, end: number): void {
  const length = end - labelStart - 1;
  if (length === 0) throw new NameError(`name "${shown(text)}" has an empty label`);
  if (length > MAX_LABEL_BYTES) {
    throw new NameError(`name "${shown(text)}" has a label of ${length} bytes, at most ${MAX_LABEL_BYTES} are allowed`);
  }
  wire[labelStart] = length;
}

function plainByte(text: string, code: number): number {
  if (code > 0x20 && code < 0x7f) return code;
  const what = code > 0x7f ? 'a character outside ASCII (write it in punycode, xn--…)' : 'a space or control character';
  throw new NameError(`name "${shown(text)}" has ${what}`);
}

function escapedByte(text: string, backslash: number): number {
  const next = text.charCodeAt(backslash + 1);
  if (!isDigit(next)) {
    if (next >= 0x20 && next < 0x7f) return next;
    throw new NameError(`name "${shown(text)}" ends in, or has, a bad escape: expected \\. or \\DDD`);
  }
  const digits = text.slice(backslash + 1, backslash + 4);
  const byte = /^\d{3}$/.test(digits) ? Number(digits) : 256;
  if (byte > 255) throw new NameError(`name "${shown(text)}" has a bad escape \\${digits}: expected \\000 to \\255`);
  return byte;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function tooLong(text: string): NameError {
  return new NameError(`name "${shown(text)}" is too long: at most ${MAX_NAME_BYTES} bytes in wire form`);
}

/** Keeps long or binary input from flooding a log line. */
function shown(text: string): string {
  const start = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return start.replace(/[\0-\x1f\x7f]/g, '?');
}
