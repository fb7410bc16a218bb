// A packed name (packed-names.ts) → the block that data threads keep. Most have one record and no name in it: their blocks are
// written without an object.
import { type HashSeed, hashName } from '../dns/name-hash.ts';
import { TYPE } from '../dns/types.ts';
import type { WordWriter } from '../memory/word-writer.ts';
import { compileName } from './compile.ts';
import { BLOCK, BLOCK_FLAG, compressibleNames, RECORD, RRSET, targetOffset } from './layout.ts';
import { recordEnd, ttlAt, typeAt, unpackName } from './packed-names.ts';
import { ALWAYS_ANSWERED } from './records.ts';

/** Appends the block of the name whose records are from `start` to `end`. */
export function compilePackedName(
  writer: WordWriter,
  packed: Uint8Array,
  start: number,
  end: number,
  seed: HashSeed,
): void {
  const type = typeAt(packed, start);
  const isPlain = type !== TYPE.DNAME && targetOffset(type) < 0 && compressibleNames(type) === 0;
  if (isPlain && recordEnd(packed, start) === end) compilePlain(writer, packed, start, end, seed);
  else compileName(writer, unpackName(packed.subarray(start, end)), seed);
}

/** As `compileName` does it for one RRset of one record. */
function compilePlain(writer: WordWriter, packed: Uint8Array, start: number, end: number, seed: HashSeed): void {
  const name = start + 1;
  const head = name + packed[start];
  const rdata = head + 8;
  const nameWords = (packed[start] + 3) >> 2;
  const recordWords = RECORD.WORDS + ((end - rdata + 3) >> 2);
  const first = BLOCK.NAME_BYTES + nameWords + RRSET.WORDS;
  let labels = 0;
  for (let at = name; packed[at] !== 0; at += 1 + packed[at]) labels++;
  const flags = packed[name] === 1 && packed[name + 1] === 0x2a ? BLOCK_FLAG.WILDCARD : 0;
  writer.putWord(first + recordWords);
  writer.putWord(hashName(packed, seed, name, head));
  writer.putWord(packed[start] | (labels << 8) | (flags << 16));
  writer.putWord(1); // RRsets
  writer.putWord(0); // no pod addresses
  writer.putSlice(packed, name, head);
  writer.putWord(typeAt(packed, start));
  writer.putWord(ttlAt(packed, start));
  writer.putWord(1); // records
  writer.putWord(0); // all may be answered
  writer.putWord(first);
  writer.putWord(recordWords);
  writer.putWord(ALWAYS_ANSWERED);
  writer.putWord((end - rdata) | (1 << 16));
  writer.putSlice(packed, rdata, end);
}
