// Collects static records from zones.yaml or a zone file: appended as read, then sorted into their
// buckets, checked name by name and packed.
import { formatName, parentOf, sameName, type WireName } from '../dns/name.ts';
import { formatRdata } from '../dns/rdata/rdata.ts';
import { TYPE, typeName } from '../dns/types.ts';
import { grown, growth } from '../memory/runs.ts';
import { copyRecord, RECORD_HEAD_BYTES, readRecord, writeRecord } from '../plane/packed-names.ts';
import { bucketOf, bucketsFor, MOST_BUCKETS, NO_STATIC_RECORDS, StaticRecords, staticHash } from './static-records.ts';

/** Of one zone; 100 bytes each are 1 GB. */
const MAX_RECORDS = 10_000_000;
/** Of a record in a zone file, as `web-1 A 192.0.2.1`: most are longer. */
const SHORT_LINE_BYTES = 16;
const MOST_EXPECTED_BYTES = 1024 * 1024 * 1024;
/** Some 2,000 names of a zone of a million. */
const BUCKETS_PER_STEP = 8;

/** Problems between records, reported at a part of the record that was added with `place`. */
export interface RecordReporter {
  problem(place: number, part: RecordPart, message: string): void;
  warning(place: number, part: RecordPart, message: string): void;
}

export type RecordPart = 'name' | 'type' | 'value';

/** NS of the apex, in a zone file, or of a name below it: its server may need glue. */
export interface Delegation {
  readonly cut: WireName;
  readonly server: WireName;
  readonly place: number;
}

interface Added {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: Uint8Array;
  readonly place: number;
}

/** Records in buckets. */
interface Packed {
  readonly bytes: Buffer;
  end: number;
  count: number;
}

export class StaticRecordsDraft {
  private readonly apex: WireName;
  private bytes = Buffer.alloc(1024);
  private end = 0;
  private count = 0;
  private offsets = new Float64Array(16);
  private places = new Float64Array(16);
  private hashes = new Int32Array(16);
  private readonly sizes = new Uint32Array(MOST_BUCKETS);
  /** Of zones.yaml or a zone file, in the order they were added. */
  readonly delegations: Delegation[] = [];
  private readonly dnames = new Set<string>();

  constructor(apex: WireName) {
    this.apex = apex;
  }

  get size(): number {
    return this.count;
  }

  /** Room for what a zone file of that size usually has: memory that is not used is never touched. */
  expect(fileBytes: number): void {
    const records = Math.min(this.count + Math.ceil(fileBytes / SHORT_LINE_BYTES), MAX_RECORDS);
    this.growBytes(Math.min(this.end + 2 * fileBytes, MOST_EXPECTED_BYTES));
    if (records > this.offsets.length) this.growRecords(records);
  }

  /** False: the zone has as many records as fit. */
  add(name: WireName, type: number, ttlSeconds: number, rdata: Uint8Array, place: number): boolean {
    if (this.count === MAX_RECORDS) return false;
    const length = RECORD_HEAD_BYTES + name.length + rdata.length;
    if (this.end + length > this.bytes.length) this.growBytes(2 * (this.end + length));
    if (this.count === this.offsets.length) this.growRecords(growth(2 * this.count));
    this.offsets[this.count] = this.end;
    this.places[this.count] = place;
    const hash = staticHash(name);
    this.hashes[this.count++] = hash;
    this.sizes[bucketOf(hash, MOST_BUCKETS)]++;
    this.end = writeRecord(this.bytes, this.end, name, type, ttlSeconds, rdata);
    if (type === TYPE.DNAME) this.dnames.add(keyOf(name));
    if (type === TYPE.NS) this.delegations.push({ cut: name.slice(), server: rdata.slice(), place });
    return true;
  }

  /**
   * All records, each once, an RRset with one TTL. Yields between steps of some milliseconds. The draft must not be used any
   * more.
   */
  *finish(reporter: RecordReporter): Generator<void, StaticRecords> {
    if (this.count === 0) return NO_STATIC_RECORDS;
    const order = this.byBucket();
    const packed: Packed = { bytes: Buffer.allocUnsafeSlow(this.end), end: 0, count: 0 };
    const starts = new Uint32Array(MOST_BUCKETS + 1);
    const groups = new Groups(this.bytes, this.offsets, this.hashes);
    let next = 0;
    for (let bucket = 0; bucket < MOST_BUCKETS; bucket++) {
      starts[bucket] = packed.end;
      const numbers = order.subarray(next, next + this.sizes[bucket]);
      next += numbers.length;
      groups.group(numbers);
      for (let i = 0; i < numbers.length; i++) if (groups.isFirst(i)) this.pack(packed, numbers, i, groups, reporter);
      if (bucket % BUCKETS_PER_STEP === 0) yield;
    }
    starts[MOST_BUCKETS] = packed.end;
    const joined = MOST_BUCKETS / bucketsFor(packed.count);
    return new StaticRecords(
      packed.count,
      packed.bytes.subarray(0, packed.end),
      starts.filter((_, bucket) => bucket % joined === 0),
    );
  }

  private growRecords(length: number): void {
    this.offsets = grown(this.offsets, length);
    this.places = grown(this.places, length);
    this.hashes = grown(this.hashes, length);
  }

  private growBytes(length: number): void {
    if (length <= this.bytes.length) return;
    const bytes = Buffer.allocUnsafe(length);
    this.bytes.copy(bytes, 0, 0, this.end);
    this.bytes = bytes;
  }

  /** Appends the records of the name whose first one is `numbers[first]`. */
  private pack(packed: Packed, numbers: Uint32Array, first: number, groups: Groups, reporter: RecordReporter): void {
    const offset = this.offsets[numbers[first]];
    // The usual case: nothing to check.
    if (groups.next(first) < 0 && this.dnames.size === 0 && this.bytes[offset] !== this.apex.length) {
      packed.end = copyRecord(this.bytes, offset, packed.bytes, packed.end);
      packed.count++;
      return;
    }
    const records: Added[] = [];
    for (let i = first; i >= 0; i = groups.next(i)) {
      const { type, ttlSeconds, rdata } = readRecord(this.bytes, this.offsets[numbers[i]]);
      records.push({ type, ttlSeconds, rdata, place: this.places[numbers[i]] });
    }
    const { name } = readRecord(this.bytes, offset);
    for (const { type, ttlSeconds, rdata } of this.settled(name, records, reporter)) {
      packed.end = writeRecord(packed.bytes, packed.end, name, type, ttlSeconds, rdata);
      packed.count++;
    }
  }

  /** The records' numbers, bucket by bucket, in the order they were added. */
  private byBucket(): Uint32Array {
    const next = new Uint32Array(MOST_BUCKETS);
    for (let bucket = 1; bucket < MOST_BUCKETS; bucket++) next[bucket] = next[bucket - 1] + this.sizes[bucket - 1];
    const order = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) order[next[bucketOf(this.hashes[i], MOST_BUCKETS)]++] = i;
    return order;
  }

  /** A name's records without duplicates, those of a type together and with the lowest of their TTLs. */
  private settled(name: WireName, records: readonly Added[], reporter: RecordReporter): readonly Added[] {
    if (this.dnames.size > 0) this.warnOfOccluded(name, records, reporter);
    const isApex = sameName(name, this.apex);
    if (records.length === 1 && !isApex) return records;
    const byType = new Map<number, Added[]>();
    const seen = new Set<string>();
    for (const record of records) {
      const value = `${record.type} ${keyOf(record.rdata)}`;
      if (seen.has(value)) {
        const message = `duplicate value ${formatRdata(record.type, record.rdata)}: it is answered only once`;
        reporter.warning(record.place, 'value', message);
        continue;
      }
      seen.add(value);
      const rrset = byType.get(record.type);
      if (rrset === undefined) byType.set(record.type, [record]);
      else rrset.push(record);
    }
    reportConflict(formatName(name), byType, isApex, reporter);
    return [...byType.values()].flatMap((rrset) => withOneTtl(name, rrset, reporter));
  }

  /** RFC 6672 section 2.4: nothing below a DNAME is answered. */
  private warnOfOccluded(name: WireName, records: readonly Added[], reporter: RecordReporter): void {
    for (let above = parentOf(name); above !== undefined; above = parentOf(above)) {
      if (above.length < this.apex.length) return;
      if (!this.dnames.has(keyOf(above))) continue;
      for (const { place, type } of records)
        reporter.warning(
          place,
          'name',
          `${formatName(name)} ${typeName(type)} is never answered: the DNAME of ${formatName(above)} redirects all names below it (RFC 6672)`,
        );
      return;
    }
  }
}

/** The records of a bucket by their names, in the order that the names were first seen in. */
class Groups {
  private readonly bytes: Uint8Array;
  private readonly offsets: Float64Array;
  private readonly hashes: Int32Array;
  /** Open addressing: places in the bucket of the first records of names, or -1. */
  private index = new Int32Array(0);
  private firsts = new Uint8Array(0);
  private followers = new Int32Array(0);
  /** Of a first record: the last one of its name. */
  private lasts = new Int32Array(0);

  constructor(bytes: Uint8Array, offsets: Float64Array, hashes: Int32Array) {
    this.bytes = bytes;
    this.offsets = offsets;
    this.hashes = hashes;
  }

  isFirst(i: number): boolean {
    return this.firsts[i] === 1;
  }

  /** The place of the next record of the same name, or -1. */
  next(i: number): number {
    return this.followers[i];
  }

  group(numbers: Uint32Array): void {
    const { length } = numbers;
    if (length > this.firsts.length) this.grow(2 * length);
    const mask = this.index.length - 1;
    this.index.fill(-1);
    this.firsts.fill(0, 0, length);
    this.followers.fill(-1, 0, length);
    for (let i = 0; i < length; i++) {
      let place = this.hashes[numbers[i]] & mask;
      let first = this.index[place];
      while (first >= 0 && !this.isSameName(numbers[first], numbers[i])) {
        place = (place + 1) & mask;
        first = this.index[place];
      }
      if (first < 0) {
        this.index[place] = i;
        this.firsts[i] = 1;
        this.lasts[i] = i;
      } else {
        this.followers[this.lasts[first]] = i;
        this.lasts[first] = i;
      }
    }
  }

  private isSameName(one: number, other: number): boolean {
    if (this.hashes[one] !== this.hashes[other]) return false;
    const { bytes, offsets } = this;
    const at = offsets[one];
    const otherAt = offsets[other];
    for (let i = 0, length = bytes[at]; i <= length; i++) if (bytes[at + i] !== bytes[otherAt + i]) return false;
    return true;
  }

  private grow(length: number): void {
    let size = 16;
    while (size < 2 * length) size *= 2;
    this.index = new Int32Array(size);
    this.firsts = new Uint8Array(length);
    this.followers = new Int32Array(length);
    this.lasts = new Int32Array(length);
  }
}

const keyOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

/** RFC 2181 section 5.2. */
function withOneTtl(name: WireName, rrset: readonly Added[], reporter: RecordReporter): readonly Added[] {
  const [{ ttlSeconds }] = rrset;
  const other = rrset.find((record) => record.ttlSeconds !== ttlSeconds);
  if (other === undefined) return rrset;
  reporter.warning(
    other.place,
    'type',
    `${formatName(name)} ${typeName(other.type)}: records of one name and type share one TTL (RFC 2181 section 5.2): the lowest is used`,
  );
  const lowest = Math.min(...rrset.map((record) => record.ttlSeconds));
  return rrset.map((record) => ({ ...record, ttlSeconds: lowest }));
}

/** Types that must stand alone, or alone of their kind. */
function reportConflict(
  name: string,
  byType: ReadonlyMap<number, readonly Added[]>,
  isApex: boolean,
  reporter: RecordReporter,
): void {
  const of = (type: number) => byType.get(type) ?? [];
  const report = (records: readonly Added[], message: string) =>
    reporter.problem(Math.max(...records.map(({ place }) => place)), 'type', message);
  const [cnames, dnames, soas, cuts] = [of(TYPE.CNAME), of(TYPE.DNAME), of(TYPE.SOA), of(TYPE.NS)];
  const all = [...byType.values()].flat();
  if (soas.length > 1) report(soas, `${name} has more than one SOA (RFC 1035 section 5.2)`);
  if (dnames.length > 1) report(dnames, `${name} has more than one DNAME: only one is allowed (RFC 6672 section 2.4)`);
  else if (dnames.length > 0 && cuts.length > 0 && !isApex)
    report(
      [...dnames, ...cuts],
      `${name} has a DNAME beside NS: names below it are either redirected or delegated (RFC 6672 section 2.3)`,
    );
  if (cnames.length > 0 && isApex)
    report(cnames, "a CNAME cannot stand at the zone's own name, where SOA and NS are (RFC 1034 section 3.6.2)");
  else if (cnames.length > 0 && all.length > 1) {
    const what = cnames.length === all.length ? 'more than one CNAME' : 'a CNAME beside other records';
    report(all, `${name} has ${what}: a CNAME must be the only record of its name (RFC 1034 section 3.6.2)`);
  }
}
