// The words of a record's presentation text (RFC 1035 section 5.1): plain or quoted, with \X and \DDD escapes.

/** The text is not a value of that record type; the message contains the expected and the actual text. */
export class RdataError extends Error {
  override readonly name = 'RdataError';
}

export interface Word {
  /** As written, escapes and all, without the quotes. */
  readonly text: string;
  readonly quoted: boolean;
}

/** Splits a value into words at blanks outside quotes; a quote inside a word (`alpn="h2,h3"`) stays in its text. */
export function splitWords(value: string): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < value.length; ) {
    if (isBlank(value[at])) {
      at++;
      continue;
    }
    const quoted = value[at] === '"';
    const end = quoted ? quoteEnd(value, at) : plainEnd(value, at);
    words.push({ text: quoted ? value.slice(at + 1, end - 1) : value.slice(at, end), quoted });
    at = end;
  }
  return words;
}

/** The offset after the quote that closes the one at `at`. Throws RdataError. */
function quoteEnd(value: string, at: number): number {
  for (let end = at + 1; end < value.length; end++) {
    if (value[end] === '"') return end + 1;
    if (value[end] === '\\') end++;
  }
  throw new RdataError('unclosed quote');
}

function plainEnd(value: string, at: number): number {
  let end = at;
  while (end < value.length && !isBlank(value[end])) {
    if (value[end] === '"') end = quoteEnd(value, end);
    else end += value[end] === '\\' ? 2 : 1;
  }
  if (end > value.length) throw new RdataError('ends in a lone backslash');
  return end;
}

/** The bytes of a character string: escapes are resolved, other characters are UTF-8. Throws RdataError. */
export function unescapeBytes(text: string): Uint8Array {
  if (!text.includes('\\')) return UTF8.encode(text);
  const bytes: number[] = [];
  for (let at = 0; at < text.length; ) {
    const point = text.codePointAt(at)!;
    if (point !== 0x5c) {
      const character = String.fromCodePoint(point);
      bytes.push(...UTF8.encode(character));
      at += character.length;
    } else if (/^\d/.test(text.slice(at + 1))) {
      const digits = text.slice(at + 1, at + 4);
      if (!/^\d{3}$/.test(digits) || Number(digits) > 255)
        throw new RdataError(`bad escape \\${digits}, expected \\000 to \\255`);
      bytes.push(Number(digits));
      at += 4;
    } else {
      const escaped = String.fromCodePoint(text.codePointAt(at + 1) ?? 0x5c);
      bytes.push(...UTF8.encode(escaped));
      at += 1 + escaped.length;
    }
  }
  return Uint8Array.from(bytes);
}

/** Bytes → text of a character string without quotes, `"`, `\` and what is not printable ASCII escaped. */
export function escapeBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += BYTE_TEXT[byte];
  return text;
}

/** `"text"`. */
export function quoteBytes(bytes: Uint8Array): string {
  return `"${escapeBytes(bytes)}"`;
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\n' || character === '\r';
}

const UTF8 = new TextEncoder();

const BYTE_TEXT: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte < 0x20 || byte >= 0x7f) return `\\${String(byte).padStart(3, '0')}`;
  const character = String.fromCharCode(byte);
  return character === '"' || character === '\\' ? `\\${character}` : character;
});
