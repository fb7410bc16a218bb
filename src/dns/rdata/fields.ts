// The kinds of fields in rdata. Each converts between text and bytes.
import { formatIp, parseIp } from '../ip.ts';
import { formatName, NameError, nameEnd, parseName, type WireName } from '../name.ts';
import { parseType, typeName } from '../types.ts';
import { escapeBytes, quoteBytes, RdataError, unescapeBytes, type Word } from './text.ts';

export interface Field {
  /** Its name in messages: "preference". */
  readonly label: string;
  /** Fields of kind 'name' are expanded when they come compressed. */
  readonly kind: 'plain' | 'name';
  /** In bytes, where it is always the same. */
  readonly size?: number;
  /** 'rest' takes all words that are left (at least one, unless optional). */
  readonly takes: 'one' | 'rest';
  /** May be left out: then `compose` gets no words. */
  readonly optional?: boolean;
  /** A value that does not begin with a quote is one word, including blanks: people write `v=spf1 -all` in YAML. */
  readonly wholeText?: boolean;
  /** Words → bytes. Throws RdataError whose message continues "LABEL …". */
  compose(words: readonly Word[], origin: WireName | undefined): Uint8Array;
  /** Offset after the field that starts at `at`; past the end when it is cut short. */
  end(rdata: Uint8Array, at: number): number;
  /** The field's bytes → text. */
  format(bytes: Uint8Array): string;
}

const plain = { kind: 'plain', takes: 'one' } as const;

/** An unsigned number of `size` bytes. */
export function uint(label: string, size: 1 | 2 | 4): Field {
  const max = 2 ** (8 * size) - 1;
  return {
    ...plain,
    label,
    size,
    compose: ([word]) => {
      const value = /^\d{1,10}$/.test(word.text) ? Number(word.text) : -1;
      if (value < 0 || value > max) throw new RdataError(`must be a number from 0 to ${max}`);
      return bigEndian(value, size);
    },
    end: (_, at) => at + size,
    format: (bytes) => String(bytes.reduce((value, byte) => value * 256 + byte, 0)),
  };
}

export function name(label: string): Field {
  return {
    label,
    kind: 'name',
    takes: 'one',
    compose: ([word], origin) => {
      try {
        return parseName(word.text, origin);
      } catch (error) {
        if (error instanceof NameError) throw new RdataError(`must be a domain name: ${error.message}`);
        throw error;
      }
    },
    end: (rdata, at) => nameEnd(rdata, at),
    format: (bytes) => formatName(bytes),
  };
}

export function address(label: string, family: 4 | 6): Field {
  const size = family === 4 ? 4 : 16;
  return {
    ...plain,
    label,
    compose: ([word]) => {
      const bytes = parseIp(word.text);
      if (bytes?.length !== size) throw new RdataError(`must be like ${family === 4 ? '192.0.2.1' : '2001:db8::1'}`);
      return bytes;
    },
    end: (_, at) => at + size,
    format: formatIp,
  };
}

/** One character string: a length byte and at most 255 bytes. */
export function string(label: string): Field {
  return {
    ...plain,
    label,
    compose: ([word]) => characterString(unescapeBytes(word.text)),
    end: (rdata, at) => at + 1 + (rdata[at] ?? 0),
    format: (bytes) => quoteBytes(bytes.subarray(1)),
  };
}

/** One or more character strings to the end (TXT). A text without quotes is split where it has over 255 bytes. */
export function strings(label: string): Field {
  return {
    ...plain,
    label,
    takes: 'rest',
    wholeText: true,
    compose: (words) =>
      joined(
        words.flatMap((word) => {
          const bytes = unescapeBytes(word.text);
          return word.quoted || bytes.length <= 255 ? [characterString(bytes)] : pieces(bytes).map(characterString);
        }),
      ),
    end: (rdata, at) => {
      let end = at + 1 + (rdata[at] ?? 0);
      while (end < rdata.length) end += 1 + rdata[end];
      return end;
    },
    format: (bytes) => {
      const texts: string[] = [];
      for (let at = 0; at < bytes.length; at += 1 + bytes[at])
        texts.push(quoteBytes(bytes.subarray(at + 1, at + 1 + bytes[at])));
      return texts.join(' ');
    },
  };
}

function pieces(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / 255) }, (_, i) => bytes.subarray(255 * i, 255 * (i + 1)));
}

/** A length byte and letters and digits (CAA's tag). */
export function tag(label: string): Field {
  return {
    ...plain,
    label,
    compose: ([word]) => {
      if (!/^[0-9a-z]{1,255}$/i.test(word.text))
        throw new RdataError('must be letters and digits ("issue", "issuewild", "iodef")');
      return characterString(unescapeBytes(word.text));
    },
    end: (rdata, at) => {
      const end = at + 1 + rdata[at];
      return /^[0-9a-z]+$/i.test(escapeBytes(rdata.subarray(at + 1, end))) ? end : Number.POSITIVE_INFINITY;
    },
    format: (bytes) => escapeBytes(bytes.subarray(1)),
  };
}

/** Text without a length, to the end (CAA's value, URI's target). */
export function textToEnd(label: string): Field {
  return {
    ...plain,
    label,
    compose: ([word]) => unescapeBytes(word.text),
    end: (rdata, at) => Math.max(at, rdata.length),
    format: quoteBytes,
  };
}

export function hexToEnd(label: string): Field {
  return {
    ...plain,
    label,
    takes: 'rest',
    compose: (words) => notEmpty(parseHex(words.map((word) => word.text).join(''))),
    end: (rdata, at) => Math.max(at + 1, rdata.length),
    format: (bytes) => formatHex(bytes),
  };
}

export function base64ToEnd(label: string): Field {
  return {
    ...plain,
    label,
    takes: 'rest',
    compose: (words) => notEmpty(parseBase64(words.map((word) => word.text).join(''))),
    end: (rdata, at) => Math.max(at + 1, rdata.length),
    format: (bytes) => Buffer.from(bytes).toString('base64'),
  };
}

/** `""` is a word without bytes. */
function notEmpty(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) throw new RdataError('must not be empty');
  return bytes;
}

/** A record type by its mnemonic (RRSIG's type covered). */
export function recordType(label: string): Field {
  return {
    ...plain,
    label,
    compose: ([word]) => {
      const type = parseType(word.text);
      if (type === undefined) throw new RdataError('must be a record type such as A or TYPE65280');
      return bigEndian(type, 2);
    },
    end: (_, at) => at + 2,
    format: (bytes) => typeName((bytes[0] << 8) | bytes[1]),
  };
}

/** Seconds since 1970 written YYYYMMDDHHmmSS, UTC (RFC 4034 section 3.2). */
export function timestamp(label: string): Field {
  return {
    ...plain,
    label,
    compose: ([word]) => {
      const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(word.text);
      const seconds = parts
        ? Date.parse(`${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z`) / 1000
        : Number.NaN;
      if (!(seconds >= 0 && seconds <= 0xffffffff)) throw new RdataError('must be a time as YYYYMMDDHHmmSS');
      return bigEndian(seconds, 4);
    },
    end: (_, at) => at + 4,
    format: (bytes) => {
      const seconds = bytes.reduce((value, byte) => value * 256 + byte, 0);
      return new Date(seconds * 1000).toISOString().replace(/[-T:]|\.\d+Z/g, '');
    },
  };
}

export function bigEndian(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = size - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return bytes;
}

/** A length byte, then the bytes. Throws RdataError over 255. */
export function characterString(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 255)
    throw new RdataError(`must have at most 255 bytes a string, got ${bytes.length} (split it: "…" "…")`);
  return joined([Uint8Array.of(bytes.length), bytes]);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function parseHex(text: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(text)) throw new RdataError('must be an even number of hexadecimal digits');
  return new Uint8Array(Buffer.from(text, 'hex'));
}

export function formatHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

export function parseBase64(text: string): Uint8Array {
  if (!/^([0-9a-z+/]{4})*([0-9a-z+/]{2}==|[0-9a-z+/]{3}=)?$/i.test(text)) throw new RdataError('must be base64');
  return new Uint8Array(Buffer.from(text, 'base64'));
}
