// A cache entry as bytes in a slab's slot, and back. Only this file knows the layout. Entries as objects would take several
// times the memory (bench/RESULTS.md, MiB resident after 100,000 names more).
//
//   words    0 length, text bytes   1 TTLs      2 questionEnd, type   3 rcode, bits, flags   4 ede + 1, rotateFrom   5 rotateCount, hits
//   doubles  4 storedMs 5 expiresMs 6 windowStartMs       7 staleUntilMs
//   bytes    64 … the message, 16 bits for each TTL, the text
import { TYPE } from '../../dns/types.ts';
import type { Chunk } from '../../memory/slab.ts';
import { type CacheEntry, type EntryView, makeEntry } from './entry.ts';

const HEAD_BYTES = 64;
const HAS_DATA = 1 << 24;
const AUTHENTIC = 1 << 25;
const REFRESHING = 1 << 26;

export function packedBytes(entry: CacheEntry): number {
  return HEAD_BYTES + entry.length + 2 * entry.ttlCount + entry.textBytes;
}

export function pack(entry: CacheEntry, chunk: Chunk, offset: number): void {
  const { bytes, words, doubles } = chunk;
  const word = offset >> 2;
  words[word] = (entry.textBytes << 16) | entry.length;
  words[word + 1] = entry.ttlCount;
  words[word + 2] = (entry.questionEnd << 16) | entry.type;
  words[word + 4] = ((entry.ede + 1) << 16) | entry.rotateFrom;
  doubles[(offset >> 3) + 4] = entry.storedMs;
  doubles[(offset >> 3) + 5] = entry.expiresMs;
  packState(entry, chunk, offset);
  // Byte by byte: a view of the entry's small array would make V8 move it out of its heap, at the price of the whole entry.
  const { bytes: from, start } = entry;
  const to = offset + HEAD_BYTES;
  const length = entry.length + 2 * entry.ttlCount + entry.textBytes;
  for (let i = 0; i < length; i++) bytes[to + i] = from[start + i];
}

/** The mutable fields of an entry: its hits, and the result of refreshing it. */
export function packState(entry: CacheEntry, { words, doubles }: Chunk, offset: number): void {
  const word = offset >> 2;
  const flags =
    (entry.hasData ? HAS_DATA : 0) | (entry.authentic ? AUTHENTIC : 0) | (entry.refreshing ? REFRESHING : 0);
  words[word + 3] = entry.rcode | (entry.bits << 16) | flags;
  words[word + 5] = (entry.rotateCount << 16) | Math.min(entry.hits, 0xffff);
  doubles[(offset >> 3) + 6] = entry.windowStartMs;
  doubles[(offset >> 3) + 7] = entry.staleUntilMs;
}

/** Whether the packed entry is a negative answer or a failure. */
export const isNegative = ({ words }: Chunk, offset: number): boolean => (words[(offset >> 2) + 3] & HAS_DATA) === 0;

export function unpack(view: EntryView, { bytes, words, doubles }: Chunk, offset: number): void {
  const word = offset >> 2;
  const double = (offset >> 3) + 4;
  const flags = words[word + 3];
  view.bytes = bytes;
  view.start = offset + HEAD_BYTES;
  view.length = words[word] & 0xffff;
  view.textBytes = words[word] >>> 16;
  view.ttlCount = words[word + 1];
  view.questionEnd = words[word + 2] >>> 16;
  view.type = words[word + 2] & 0xffff;
  view.addressBytes = view.type === TYPE.A ? 4 : 16;
  view.rcode = flags & 0xfff;
  view.bits = (flags >> 16) & 0xff;
  view.hasData = (flags & HAS_DATA) !== 0;
  view.authentic = (flags & AUTHENTIC) !== 0;
  view.refreshing = (flags & REFRESHING) !== 0;
  view.ede = (words[word + 4] >>> 16) - 1;
  view.rotateFrom = words[word + 4] & 0xffff;
  view.rotateCount = words[word + 5] >>> 16;
  view.hits = words[word + 5] & 0xffff;
  view.storedMs = doubles[double];
  view.expiresMs = doubles[double + 1];
  view.windowStartMs = doubles[double + 2];
  view.staleUntilMs = doubles[double + 3];
}

/** A separate entry, which outlives the next lookup in the cache. */
export function copyOf(view: CacheEntry): CacheEntry {
  const bytes = view.bytes.slice(view.start, view.start + view.length + 2 * view.ttlCount + view.textBytes);
  return makeEntry(view, { bytes, start: 0 });
}
