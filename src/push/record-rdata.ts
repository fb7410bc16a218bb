// The rdata of a record in a block, as it was before it was compiled (plane/compile.ts).
import { compressibleNames, nameOffset, RECORD, RRSET, RRSET_FLAG, SHARE } from '../plane/layout.ts';

/** `rrset` and `record` are words in the same chunk. */
export function rdataOf(words: Int32Array, rrset: number, record: number): Uint8Array {
  const type = words[rrset + RRSET.TYPE] & 0xffff;
  const flags = words[rrset + RRSET.TYPE] >>> 16;
  const rdata = new Uint8Array(words[record + RECORD.LENGTH] & 0xffff);
  let from = record + RECORD.WORDS + ((flags & RRSET_FLAG.HAS_TARGETS) !== 0 ? 1 : 0);
  let at = 0;
  const take = (length: number): void => {
    rdata.set(new Uint8Array(words.buffer, words.byteOffset + from * 4, length), at);
    from += (length + 3) >> 2;
    at += length;
  };
  if ((flags & RRSET_FLAG.COMPRESSIBLE) !== 0) {
    const shares = from;
    const names = compressibleNames(type);
    from += names;
    if (nameOffset(type) > 0) take(nameOffset(type));
    for (let i = shares; i < shares + names; i++) take((words[i] >>> SHARE.LENGTH_SHIFT) & 0xff);
  }
  take(rdata.length - at);
  return rdata;
}
