// The records of a held RRset as one string of Latin-1: 10,000 RRsets are 10,000 strings and not as many arrays of objects of
// arrays. Each record is | rdlength | weight | rdata |, two characters for a number.

export interface HeldRecord {
  /** Uncompressed, Latin-1. */
  readonly rdata: string;
  readonly weight: number;
}

export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

const number = (value: number): string => String.fromCharCode(value >> 8, value & 0xff);
const numberAt = (text: string, at: number): number => (text.charCodeAt(at) << 8) | text.charCodeAt(at + 1);

export function unpackRecords(packed: string): HeldRecord[] {
  const records: HeldRecord[] = [];
  for (let at = 0; at < packed.length; ) {
    const end = at + 4 + numberAt(packed, at);
    records.push({ rdata: packed.slice(at + 4, end), weight: numberAt(packed, at + 2) });
    at = end;
  }
  return records;
}

export function packRecords(records: readonly HeldRecord[]): string {
  let packed = '';
  for (const { rdata, weight } of records) packed += number(rdata.length) + number(weight) + rdata;
  return packed;
}

/** A record of the same rdata is replaced where it stands; others are added in their order. */
export function withRecords(packed: string, added: readonly HeldRecord[]): string {
  const all = new Map(unpackRecords(packed).map((record) => [record.rdata, record]));
  for (const record of added) all.set(record.rdata, record);
  return packRecords([...all.values()]);
}

export function withoutRecords(packed: string, removed: readonly string[]): string {
  const gone = new Set(removed);
  return packRecords(unpackRecords(packed).filter(({ rdata }) => !gone.has(rdata)));
}
