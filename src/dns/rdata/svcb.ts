// The parameters of SVCB and HTTPS records (RFC 9460 sections 2.1, 2.2 and 7, appendix A).
import { formatIp, parseIp } from '../ip.ts';
import { bigEndian, characterString, type Field, joined, parseBase64 } from './fields.ts';
import { escapeBytes, RdataError, unescapeBytes, type Word } from './text.ts';

const KEYS = [
  'mandatory',
  'alpn',
  'no-default-alpn',
  'port',
  'ipv4hint',
  'ech',
  'ipv6hint',
  'dohpath',
  'ohttp',
] as const;

export function serviceParameters(label: string): Field {
  return {
    label,
    kind: 'plain',
    takes: 'rest',
    optional: true,
    compose: composeParameters,
    end: parametersEnd,
    format: (bytes) =>
      parametersOf(bytes)
        .map(({ key, value }) => formatParameter(key, value))
        .join(' '),
  };
}

function composeParameters(words: readonly Word[]): Uint8Array {
  const values = new Map<number, Uint8Array>();
  for (let i = 0; i < words.length; i++) {
    const [, keyText, hasValue, rest] = /^([a-z0-9-]+)(=?)(.*)$/s.exec(words[i].text) ?? [];
    const key = keyText === undefined ? undefined : keyNumber(keyText);
    if (key === undefined) throw new RdataError(`contain "${words[i].text}", which is not key=value`);
    if (values.has(key)) throw new RdataError(`contain ${keyText} twice`);
    values.set(key, composeValue(key, hasValue ? unquoted(rest) : undefined));
  }
  const parts = [...values].sort(([a], [b]) => a - b);
  const bytes = joined(parts.flatMap(([key, value]) => [bigEndian(key, 2), bigEndian(value.length, 2), value]));
  if (!mandatoryIsSound(parts.map(([key, value]) => ({ key, value })))) {
    throw new RdataError('list a missing key, or "mandatory" itself, as mandatory');
  }
  return bytes;
}

/** `key="a b"` is one word: the quote is inside it. */
function unquoted(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function composeValue(key: number, text: string | undefined): Uint8Array {
  const list = () => (text ?? '').split(',');
  switch (KEYS[key]) {
    case 'mandatory':
      return joined(
        [...new Set(list().map((word) => keyNumber(word) ?? 0))]
          .sort((a, b) => a - b)
          .map((number) => bigEndian(number, 2)),
      );
    case 'alpn':
      return joined(splitAtCommas(unescapeBytes(text ?? '')).map((id) => nonEmptyString(id)));
    case 'no-default-alpn':
    case 'ohttp':
      if (text !== undefined) throw new RdataError(`contain a value for ${KEYS[key]}, which takes none`);
      return new Uint8Array();
    case 'port':
      if (!/^\d{1,5}$/.test(text ?? '') || Number(text) > 65_535)
        throw new RdataError('contain a port that is not from 0 to 65535');
      return bigEndian(Number(text), 2);
    case 'ipv4hint':
      return joined(list().map((ip) => hint(ip, 4)));
    case 'ipv6hint':
      return joined(list().map((ip) => hint(ip, 16)));
    case 'ech':
      return parseBase64(text ?? '');
    default:
      return unescapeBytes(text ?? '');
  }
}

/** alpn ids are split at commas after one round of unescaping; `\,` and `\\` are then literal (appendix A.1). */
function splitAtCommas(bytes: Uint8Array): Uint8Array[] {
  const items: number[][] = [[]];
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 0x2c) items.push([]);
    else items[items.length - 1].push(bytes[i] === 0x5c && i + 1 < bytes.length ? bytes[++i] : bytes[i]);
  }
  return items.map((item) => Uint8Array.from(item));
}

function nonEmptyString(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) throw new RdataError('contain an empty ALPN ID');
  return characterString(bytes);
}

function hint(text: string, size: 4 | 16): Uint8Array {
  const bytes = parseIp(text);
  if (bytes?.length !== size)
    throw new RdataError(`contain "${text}", which is not an IPv${size === 4 ? 4 : 6} address`);
  return bytes;
}

function formatParameter(key: number, value: Uint8Array): string {
  const name = KEYS[key] ?? `key${key}`;
  if (value.length === 0) return name;
  return `${name}=${formatValue(key, value)}`;
}

function formatValue(key: number, value: Uint8Array): string {
  switch (KEYS[key]) {
    case 'mandatory':
      return chunks(value, 2).map(keyName).join(',');
    case 'alpn':
      return quoted(commaJoined(stringsOf(value)));
    case 'port':
      return String(value[0] * 256 + value[1]);
    case 'ipv4hint':
      return chunks(value, 4).map(formatIp).join(',');
    case 'ipv6hint':
      return chunks(value, 16).map(formatIp).join(',');
    case 'ech':
      return Buffer.from(value).toString('base64');
    default:
      return quoted(value);
  }
}

function quoted(bytes: Uint8Array): string {
  return `"${escapeBytes(bytes)}"`;
}

function commaJoined(ids: readonly Uint8Array[]): Uint8Array {
  const escaped = ids.map((id) => [...id].flatMap((byte) => (byte === 0x2c || byte === 0x5c ? [0x5c, byte] : [byte])));
  return Uint8Array.from(escaped.flatMap((id, i) => (i === 0 ? id : [0x2c, ...id])));
}

interface Parameter {
  readonly key: number;
  readonly value: Uint8Array;
}

/** Past the end when keys are out of order or a value is not what its key takes: then the generic form is used. */
function parametersEnd(rdata: Uint8Array, start: number): number {
  const parameters = parametersOf(rdata.subarray(start));
  let at = start;
  let last = -1;
  for (const { key, value } of parameters) {
    if (key <= last || !valueIsSound(key, value)) return Number.POSITIVE_INFINITY;
    last = key;
    at += 4 + value.length;
  }
  return at === rdata.length && mandatoryIsSound(parameters) ? at : Number.POSITIVE_INFINITY;
}

/** Reads parameters until the bytes end or do not make one. */
function parametersOf(bytes: Uint8Array): Parameter[] {
  const parameters: Parameter[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes[at + 2] * 256 + bytes[at + 3];
    if (end > bytes.length) break;
    parameters.push({ key: bytes[at] * 256 + bytes[at + 1], value: bytes.subarray(at + 4, end) });
    at = end;
  }
  return parameters;
}

function valueIsSound(key: number, value: Uint8Array): boolean {
  switch (KEYS[key]) {
    case 'mandatory':
      return (
        value.length > 0 && value.length % 2 === 0 && ascending(chunks(value, 2).map((pair) => pair[0] * 256 + pair[1]))
      );
    case 'alpn': {
      const ids = stringsOf(value);
      return (
        ids.length > 0 &&
        ids.every((id) => id.length > 0) &&
        ids.reduce((sum, id) => sum + 1 + id.length, 0) === value.length
      );
    }
    case 'no-default-alpn':
    case 'ohttp':
      return value.length === 0;
    case 'port':
      return value.length === 2;
    case 'ipv4hint':
      return value.length > 0 && value.length % 4 === 0;
    case 'ipv6hint':
      return value.length > 0 && value.length % 16 === 0;
    default:
      return true;
  }
}

/** RFC 9460 section 8: every mandatory key is there, and "mandatory" is not one of them. */
function mandatoryIsSound(parameters: readonly Parameter[]): boolean {
  const mandatory = parameters.find(({ key }) => key === 0);
  if (!mandatory) return true;
  const keys = chunks(mandatory.value, 2).map((pair) => pair[0] * 256 + pair[1]);
  return keys.every((key) => key !== 0 && parameters.some((parameter) => parameter.key === key));
}

function ascending(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number > numbers[i - 1]);
}

function stringsOf(bytes: Uint8Array): Uint8Array[] {
  const strings: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 1 + bytes[at]) strings.push(bytes.subarray(at + 1, at + 1 + bytes[at]));
  return strings;
}

function chunks(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

function keyNumber(text: string): number | undefined {
  const index = (KEYS as readonly string[]).indexOf(text);
  if (index >= 0) return index;
  const digits = /^key(0|[1-9]\d{0,4})$/.exec(text)?.[1];
  return digits !== undefined && Number(digits) <= 65_534 ? Number(digits) : undefined;
}

function keyName(pair: Uint8Array): string {
  const key = pair[0] * 256 + pair[1];
  return KEYS[key] ?? `key${key}`;
}
