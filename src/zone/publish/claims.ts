// What was last sent of each owner: three numbers a name. Those of most owners are few and lie in one array, since a typed
// array of its own costs each of 10,000 services 200 bytes.
import type { Owner } from './owner.ts';

/** A node and 64 bits of fingerprint. */
export const NUMBERS_PER_CLAIM = 3;

export interface Claims {
  /** Not to be kept: it may be replaced by any `replace`. What is written into it is kept until then. */
  of(owner: Owner): Int32Array;
  /** Keeps a copy, or `numbers` themselves. */
  replace(owner: Owner, numbers: Int32Array): void;
  bytes(): number;
}

/** Longer ones have arrays of their own: a place that is given up is only used again for one of its length. */
const MOST_TOGETHER = 64 * NUMBERS_PER_CLAIM;
const GROWTH = 1.25;
const NONE = new Int32Array(0);

export function createClaims(): Claims {
  let together = new Int32Array(1024);
  let end = 0;
  /** By the owner's number: where its claims begin in `together`, and how many numbers they are. */
  const starts: number[] = [];
  const lengths: number[] = [];
  const alone = new Map<number, Int32Array>();
  /** Places given up, by their length. */
  const free: number[][] = [];

  function giveUp({ number }: Owner): void {
    alone.delete(number);
    const length = lengths[number] ?? 0;
    if (length > 0) {
      free[length] ??= [];
      free[length].push(starts[number]);
    }
    lengths[number] = 0;
  }

  function takePlace(length: number): number {
    const again = free[length]?.pop();
    if (again !== undefined) return again;
    if (end + length > together.length) {
      const larger = new Int32Array(Math.ceil((end + length) * GROWTH));
      larger.set(together);
      together = larger;
    }
    end += length;
    return end - length;
  }

  return {
    of({ number }) {
      const length = lengths[number] ?? 0;
      if (length === 0) return alone.get(number) ?? NONE;
      return together.subarray(starts[number], starts[number] + length);
    },
    replace(owner, numbers) {
      giveUp(owner);
      const { length } = numbers;
      if (length > MOST_TOGETHER) alone.set(owner.number, numbers);
      else if (length > 0) {
        starts[owner.number] = takePlace(length);
        lengths[owner.number] = length;
        together.set(numbers, starts[owner.number]);
      }
    },
    bytes() {
      let bytes = together.byteLength + (starts.length + lengths.length) * 8;
      for (const { byteLength } of alone.values()) bytes += byteLength;
      return bytes;
    },
  };
}
