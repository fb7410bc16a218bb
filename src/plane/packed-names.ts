// Names without health as bytes: a zone may have millions of static records, too many for an object each.
//
//   record  | name length | name | type (2) | TTL (4) | rdata length (2) | rdata |
//
// The records of a name stand together, and of them those of a type.
import type { WireName } from '../dns/name.ts';
import { ALWAYS_ANSWERED, type NameRecords, type ResourceRecord, type RRset } from './records.ts';

export interface PackedRecord {
  readonly name: WireName;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: Uint8Array;
}

/** Bytes of a record beside its name and its rdata. */
export const RECORD_HEAD_BYTES = 9;

/** Returns where the next one begins. */
export function writeRecord(
  bytes: Uint8Array,
  at: number,
  name: WireName,
  type: number,
  ttlSeconds: number,
  rdata: Uint8Array,
): number {
  const head = at + 1 + name.length;
  bytes[at] = name.length;
  copyBytes(name, 0, bytes, at + 1, name.length);
  bytes[head] = type >> 8;
  bytes[head + 1] = type;
  bytes[head + 2] = ttlSeconds >>> 24;
  bytes[head + 3] = ttlSeconds >>> 16;
  bytes[head + 4] = ttlSeconds >>> 8;
  bytes[head + 5] = ttlSeconds;
  bytes[head + 6] = rdata.length >> 8;
  bytes[head + 7] = rdata.length;
  copyBytes(rdata, 0, bytes, head + 8, rdata.length);
  return head + 8 + rdata.length;
}

/** Copies the record at `from`; returns where the next one begins in `to`. */
export function copyRecord(source: Uint8Array, from: number, to: Uint8Array, at: number): number {
  const length = recordEnd(source, from) - from;
  copyBytes(source, from, to, at, length);
  return at + length;
}

const LONG = 64;

/** Most are short, and then a loop is faster than `set`. */
function copyBytes(source: Uint8Array, from: number, to: Uint8Array, at: number, length: number): void {
  if (length > LONG) to.set(source.subarray(from, from + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = source[from + i];
}

/** The record at `at`, with `end`, where the next one begins. */
export function readRecord(bytes: Uint8Array, at: number): PackedRecord & { readonly end: number } {
  const head = at + 1 + bytes[at];
  const name = bytes.subarray(at + 1, head);
  const end = recordEnd(bytes, at);
  const ttlSeconds = ttlAt(bytes, at);
  return { name, type: typeAt(bytes, at), ttlSeconds, rdata: bytes.subarray(head + 8, end), end };
}

export function typeAt(bytes: Uint8Array, at: number): number {
  const head = at + 1 + bytes[at];
  return (bytes[head] << 8) | bytes[head + 1];
}

export function ttlAt(bytes: Uint8Array, at: number): number {
  const head = at + 1 + bytes[at];
  return ((bytes[head + 2] << 24) | (bytes[head + 3] << 16) | (bytes[head + 4] << 8) | bytes[head + 5]) >>> 0;
}

export function recordEnd(bytes: Uint8Array, at: number): number {
  const head = at + 1 + bytes[at];
  return head + 8 + ((bytes[head + 6] << 8) | bytes[head + 7]);
}

/** Where the records end of the name that the record at `start` has. */
export function nameEnd(bytes: Uint8Array, start: number): number {
  let end = recordEnd(bytes, start);
  while (end < bytes.length && isSameName(bytes, start, end)) end = recordEnd(bytes, end);
  return end;
}

function isSameName(bytes: Uint8Array, one: number, other: number): boolean {
  for (let i = 0, length = bytes[one]; i <= length; i++) if (bytes[one + i] !== bytes[other + i]) return false;
  return true;
}

/** The one name that has all these records. Its bytes are views of them. */
export function unpackName(bytes: Uint8Array): NameRecords {
  const { name } = readRecord(bytes, 0);
  const rrsets: (RRset & { readonly records: ResourceRecord[] })[] = [];
  for (let at = 0; at < bytes.length; at = recordEnd(bytes, at)) {
    const { type, ttlSeconds, rdata } = readRecord(bytes, at);
    const record = { rdata, slot: ALWAYS_ANSWERED, weight: 1 };
    const rrset = rrsets.at(-1);
    if (rrset?.type === type) rrset.records.push(record);
    else rrsets.push({ type, ttlSeconds, records: [record], ...ALWAYS });
  }
  return { name, rrsets };
}

const ALWAYS = { routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' } as const;

/** All names, each with its records. */
export function* unpackNames(bytes: Uint8Array): Generator<NameRecords> {
  for (let at = 0; at < bytes.length; ) {
    const end = nameEnd(bytes, at);
    yield unpackName(bytes.subarray(at, end));
    at = end;
  }
}

/** 53 bits, above 0, of what the name at `start`, whose records end at `end`, is answered with. */
export function packedHash(bytes: Uint8Array, start: number, end: number): number {
  let low = 0x811c9dc5 | 0;
  let high = 0;
  for (let i = start + 1 + bytes[start]; i < end; i += 4) {
    const rest = end - i;
    const word =
      bytes[i] |
      (rest > 1 ? bytes[i + 1] << 8 : 0) |
      (rest > 2 ? bytes[i + 2] << 16 : 0) |
      (rest > 3 ? bytes[i + 3] << 24 : 0);
    low = Math.imul(low ^ (low >>> 13) ^ word, 0x01000193);
    high = (((high << 7) | (high >>> 25)) + low) | 0;
  }
  return (high & 0x1f_ffff) * 0x1_0000_0000 + (low >>> 0) || 1;
}
