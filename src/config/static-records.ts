// The static records of a zone in wire form, packed into one array: as objects, a million records would take 600 MB. They
// stand in buckets by the hash of their names, so that a zone is checked, compared and published in small steps.

import { sameName, type WireName } from '../dns/name.ts';
import { hashName } from '../dns/name-hash.ts';

export interface StaticRRset {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdatas: readonly Uint8Array[];
}

export interface StaticName {
  readonly name: WireName;
  readonly rrsets: readonly StaticRRset[];
}

interface NameDraft extends StaticName {
  readonly rrsets: (StaticRRset & { readonly rdatas: Uint8Array[] })[];
}

/** Few enough for a table of them, and many enough that a bucket of 1,000,000 names has some 250. */
export const BUCKETS = 4096;

export const staticHash = (name: WireName): number => hashName(name, SEED);

export const bucketOfHash = (hash: number): number => hash >>> 20;

export const bucketOf = (name: WireName): number => bucketOfHash(staticHash(name));

/** Names of static records are the operator's own, so the seed need not be random; it makes buckets comparable. */
const SEED = 0x2f0b4c47;

/**
 * Each record: the length of its name and the name, type (2 bytes), TTL (4), length of rdata (2), rdata. Those of a name stand
 * together, and of them those of a type.
 */
export class StaticRecords {
  /** Records, each value of an RRset counted. */
  readonly count: number;
  private readonly bytes: Uint8Array;
  /** Where each bucket begins, and the last ends; absent without records. */
  private readonly starts: Uint32Array | undefined;

  constructor(count: number, bytes: Uint8Array, starts: Uint32Array | undefined) {
    this.count = count;
    this.bytes = bytes;
    this.starts = starts;
  }

  /** From another thread, whose messages keep no methods. */
  static received({ count, bytes, starts }: StaticRecords): StaticRecords {
    return new StaticRecords(count, bytes, starts);
  }

  /** Numbers of the buckets that have names. */
  *buckets(): Generator<number> {
    for (let bucket = 0; this.starts !== undefined && bucket < BUCKETS; bucket++)
      if (this.starts[bucket] < this.starts[bucket + 1]) yield bucket;
  }

  /** The bytes of a bucket: equal for equal content if the records were added in the same order. */
  bytesOf(bucket: number): Uint8Array {
    return this.starts === undefined
      ? this.bytes.subarray(0, 0)
      : this.bytes.subarray(this.starts[bucket], this.starts[bucket + 1]);
  }

  /** The names of a bucket. Their bytes are views of the packed records. */
  namesIn(bucket: number): StaticName[] {
    const names: NameDraft[] = [];
    for (const { name, type, ttlSeconds, rdata } of recordsIn(this.bytesOf(bucket))) {
      const last = names.at(-1);
      const isSame = last !== undefined && sameName(last.name, name);
      const rrsets = isSame ? last.rrsets : [];
      if (!isSame) names.push({ name, rrsets });
      const rrset = rrsets.at(-1);
      if (rrset?.type === type) rrset.rdatas.push(rdata);
      else rrsets.push({ type, ttlSeconds, rdatas: [rdata] });
    }
    return names;
  }

  find(name: WireName): StaticName | undefined {
    return this.namesIn(bucketOf(name)).find((found) => sameName(found.name, name));
  }
}

export const hasType = (name: StaticName | undefined, ...types: readonly number[]): boolean =>
  name?.rrsets.some(({ type }) => types.includes(type)) ?? false;

export const NO_STATIC_RECORDS = new StaticRecords(0, new Uint8Array(0), undefined);

interface PackedRecord {
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
  const head = from + 1 + source[from];
  const length = head + 8 + ((source[head + 6] << 8) | source[head + 7]) - from;
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
  const type = (bytes[head] << 8) | bytes[head + 1];
  const ttlSeconds =
    ((bytes[head + 2] << 24) | (bytes[head + 3] << 16) | (bytes[head + 4] << 8) | bytes[head + 5]) >>> 0;
  const start = head + 8;
  const end = start + ((bytes[head + 6] << 8) | bytes[head + 7]);
  return { name, type, ttlSeconds, rdata: bytes.subarray(start, end), end };
}

function* recordsIn(bytes: Uint8Array): Generator<PackedRecord> {
  for (let at = 0; at < bytes.length; ) {
    const record = readRecord(bytes, at);
    yield record;
    at = record.end;
  }
}
