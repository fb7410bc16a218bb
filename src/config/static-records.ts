// The static records of a zone in wire form, packed into one array: as objects, a million records would take 600 MB. They
// stand in buckets by the hash of their names, so that a zone is checked, compared and published in small steps.

import { sameName, type WireName } from '../dns/name.ts';
import { hashName } from '../dns/name-hash.ts';
import { type PackedRecord, readRecord } from '../plane/packed-names.ts';

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

/** Few enough for a table of them, and many enough that a bucket of 1,000,000 names has some 250. A power of two. */
export const MOST_BUCKETS = 4096;
const FEWEST_BUCKETS = 16;
const RECORDS_PER_BUCKET = 256;

/** Each costs as much as a service, so a small zone has few. A power of two: a bucket of fewer is some of more, joined. */
export function bucketsFor(records: number): number {
  let buckets = FEWEST_BUCKETS;
  while (buckets < MOST_BUCKETS && buckets * RECORDS_PER_BUCKET < records) buckets *= 2;
  return buckets;
}

export const staticHash = (name: WireName): number => hashName(name, SEED);

/** `buckets`: how many there are, at least two. */
export const bucketOf = (hash: number, buckets: number): number => hash >>> (1 + Math.clz32(buckets));

/** Names of static records are the operator's own, so the seed need not be random; it makes buckets comparable. */
const SEED = 0x2f0b4c47;

/** Format: plane/packed-names.ts. */
export class StaticRecords {
  /** Records, each value of an RRset counted. */
  readonly count: number;
  readonly bytes: Uint8Array;
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

  /**
   * Numbers of the buckets that have names. Those of zones of another size are other numbers: the number of buckets, which is a
   * power of two, is added.
   */
  *buckets(): Generator<number> {
    const { starts } = this;
    if (starts === undefined) return;
    const buckets = starts.length - 1;
    for (let i = 0; i < buckets; i++) if (starts[i] < starts[i + 1]) yield buckets + i;
  }

  /** The bytes of a bucket: equal for equal content if the records were added in the same order. */
  bytesOf(bucket: number): Uint8Array {
    const { bytes, starts } = this;
    const i = starts === undefined ? -1 : bucket - (starts.length - 1);
    const isOwn = starts !== undefined && i >= 0 && i < starts.length - 1;
    return isOwn ? bytes.subarray(starts[i], starts[i + 1]) : bytes.subarray(0, 0);
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
    if (this.starts === undefined) return undefined;
    const buckets = this.starts.length - 1;
    return this.namesIn(buckets + bucketOf(staticHash(name), buckets)).find((found) => sameName(found.name, name));
  }
}

export const hasType = (name: StaticName | undefined, ...types: readonly number[]): boolean =>
  name?.rrsets.some(({ type }) => types.includes(type)) ?? false;

export const NO_STATIC_RECORDS = new StaticRecords(0, new Uint8Array(0), undefined);

function* recordsIn(bytes: Uint8Array): Generator<PackedRecord> {
  for (let at = 0; at < bytes.length; ) {
    const record = readRecord(bytes, at);
    yield record;
    at = record.end;
  }
}
