// A question as one number: no string is made to find a cache entry. Equal numbers may be different questions (once in
// 2^53), so the cache compares the name as well.
import { LOWER } from '../../dns/name.ts';

export interface Keys {
  /** `wire` holds an uncompressed name of any case from `start` to `end` (the root's zero byte included). */
  keyOf(wire: Uint8Array, start: number, end: number, type: number, bits: number): number;
}

/** The seeds are 32-bit random numbers, so that colliding names cannot be prepared. */
export function createKeys(seedA: number, seedB: number): Keys {
  return {
    keyOf(wire, start, end, type, bits) {
      let a = seedA | 0;
      let b = seedB | 0;
      for (let i = start; i < end; i++) {
        const byte = LOWER[wire[i]];
        a = Math.imul(a ^ byte, 0x01000193);
        b = Math.imul(b ^ byte, 0x5bd1e995);
        b ^= b >>> 15;
      }
      a = Math.imul(a ^ type, 0x01000193);
      b = Math.imul(b ^ type ^ (bits << 16), 0x5bd1e995);
      a = Math.imul(a ^ bits ^ (a >>> 16), 0x85ebca6b);
      a ^= a >>> 13;
      b ^= b >>> 13;
      return (a >>> 0) * 0x20_0000 + (b >>> 11);
    },
  };
}
