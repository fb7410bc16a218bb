// The hash table: from 32-bit hashes to numbers (handles, places in an array) that the caller compares. Pairs of hash and
// value + 1 are stored in one typed array with linear probing. The table grows and shrinks by moving some pairs to a new array at each
// change, so no change waits for a rebuild; until all are moved, a lookup searches both.

const EMPTY = 0;
const GONE = -1;
/** Buckets moved at each change. With growth at 70 % the old array is empty long before the new one is full. */
const MOVED_AT_ONCE = 64;
const NO_PAIRS = new Int32Array(2);

export class HashIndex {
  private readonly fewest: number;
  private pairs: Int32Array;
  private mask: number;
  private old: Int32Array = NO_PAIRS;
  private oldMask = 0;
  private moved = 0;
  /** Buckets of `pairs` that are not EMPTY. */
  private occupied = 0;
  private values = 0;
  /** Position at which the last search ended. */
  private bucket = 0;
  private inOld = false;

  /** Never smaller than `fewest` buckets, a power of two. */
  constructor(fewest: number) {
    this.fewest = fewest;
    this.pairs = new Int32Array(2 * fewest);
    this.mask = fewest - 1;
  }

  get size(): number {
    return this.values;
  }

  get bytes(): number {
    return this.pairs.byteLength + this.old.byteLength;
  }

  /** A value with that hash; -1: none. Another one may follow: see `next`. */
  first(hash: number): number {
    const { pairs, mask } = this;
    for (let bucket = hash & mask; ; bucket = (bucket + 1) & mask) {
      const held = pairs[2 * bucket + 1];
      if (held === EMPTY) return this.old === NO_PAIRS ? -1 : this.searchOld(hash, hash & this.oldMask);
      if (pairs[2 * bucket] !== hash || held === GONE) continue;
      this.bucket = bucket;
      this.inOld = false;
      return held - 1;
    }
  }

  /** The value of the same hash after the one that the last `first` or `next` returned; -1: there is no other. */
  next(hash: number): number {
    if (this.inOld) return this.searchOld(hash, (this.bucket + 1) & this.oldMask);
    const { pairs, mask } = this;
    for (let bucket = (this.bucket + 1) & mask; ; bucket = (bucket + 1) & mask) {
      const held = pairs[2 * bucket + 1];
      if (held === EMPTY) return this.old === NO_PAIRS ? -1 : this.searchOld(hash, hash & this.oldMask);
      if (pairs[2 * bucket] !== hash || held === GONE) continue;
      this.bucket = bucket;
      return held - 1;
    }
  }

  private searchOld(hash: number, from: number): number {
    const { old, oldMask } = this;
    for (let bucket = from; ; bucket = (bucket + 1) & oldMask) {
      const held = old[2 * bucket + 1];
      if (held === EMPTY) return -1;
      if (old[2 * bucket] !== hash || held === GONE) continue;
      this.bucket = bucket;
      this.inOld = true;
      return held - 1;
    }
  }

  /** For a pair that is not in the table. */
  add(hash: number, value: number): void {
    this.resizeIfNeeded();
    this.insert(hash, value);
    this.values++;
  }

  /** For a pair that is in the table. */
  replace(hash: number, from: number, to: number): void {
    this.find(hash, from);
    (this.inOld ? this.old : this.pairs)[2 * this.bucket + 1] = to + 1;
  }

  /** For a pair that is in the table. */
  remove(hash: number, value: number): void {
    this.find(hash, value);
    (this.inOld ? this.old : this.pairs)[2 * this.bucket + 1] = GONE;
    this.values--;
    this.resizeIfNeeded();
  }

  /**
   * Reads the buckets where these hashes would be, only to have them in the processor's caches: reads that do not depend on
   * one another wait together. Replaces each by the value there, or a negative number.
   */
  touch(hashes: Int32Array, count: number): void {
    const { pairs, mask } = this;
    for (let i = 0; i < count; i++) hashes[i] = pairs[2 * (hashes[i] & mask) + 1] - 1;
  }

  private find(hash: number, value: number): void {
    for (let found = this.first(hash); found !== value; found = this.next(hash)) {
      if (found < 0) throw new RangeError(`no value ${value} of the hash ${hash}`);
    }
  }

  private insert(hash: number, value: number): void {
    const { pairs, mask } = this;
    let bucket = hash & mask;
    while (pairs[2 * bucket + 1] > EMPTY) bucket = (bucket + 1) & mask;
    if (pairs[2 * bucket + 1] === EMPTY) this.occupied++;
    pairs[2 * bucket] = hash;
    pairs[2 * bucket + 1] = value + 1;
  }

  /** Starts a new array if this one is too full (of values or deleted pairs) or far too empty. */
  private resizeIfNeeded(): void {
    if (this.old !== NO_PAIRS) {
      this.moveSome();
      return;
    }
    const buckets = this.mask + 1;
    const isFull = this.occupied > buckets * 0.7;
    const isSparse = buckets > this.fewest && this.values < buckets >> 3;
    if (!isFull && !isSparse) return;
    let wanted = this.fewest;
    while (wanted < this.values * 2) wanted *= 2;
    this.old = this.pairs;
    this.oldMask = this.mask;
    this.moved = 0;
    this.pairs = new Int32Array(2 * wanted);
    this.mask = wanted - 1;
    this.occupied = 0;
  }

  private moveSome(): void {
    const { old, oldMask } = this;
    const stop = Math.min(oldMask + 1, this.moved + MOVED_AT_ONCE);
    for (; this.moved < stop; this.moved++) {
      const held = old[2 * this.moved + 1];
      if (held <= EMPTY) continue;
      this.insert(old[2 * this.moved], held - 1);
      old[2 * this.moved + 1] = GONE;
    }
    if (this.moved > oldMask) this.old = NO_PAIRS;
  }
}
