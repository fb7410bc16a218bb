// The most frequent keys of a stream, in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi: "Efficient Computation of
// Frequent and Top-k Elements in Data Streams", 2005). A key that is not known takes the place of the rarest one and inherits
// its count as a possible error. Every key that makes up more than 1/capacity of the stream is kept, and no count is too small.
//
// Counters are in a binary heap with the rarest at the top, and found by chains of entries with the same hash bits. All is
// typed arrays: nothing is allocated after construction.

/** Keys are a power of two apart. */
const KEY_SHIFT = 8;
const NONE = -1;

export interface Heavy {
  readonly key: Uint8Array;
  /** At most this; at least `count - error`. */
  readonly count: number;
  readonly error: number;
}

export class SpaceSaving {
  readonly capacity: number;
  private readonly keys: Uint8Array;
  private readonly lengths: Uint8Array;
  private readonly hashes: Int32Array;
  private readonly counts: Float64Array;
  private readonly errors: Float64Array;
  /** Entries, the rarest first; and the place of each entry there. */
  private readonly heap: Int32Array;
  private readonly places: Int32Array;
  /** The first entry with these hash bits, and the next one of each entry. */
  private readonly heads: Int32Array;
  private readonly nexts: Int32Array;
  private used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.keys = new Uint8Array(capacity << KEY_SHIFT);
    this.lengths = new Uint8Array(capacity);
    this.hashes = new Int32Array(capacity);
    this.counts = new Float64Array(capacity);
    this.errors = new Float64Array(capacity);
    this.heap = new Int32Array(capacity);
    this.places = new Int32Array(capacity);
    this.heads = new Int32Array(2 ** Math.ceil(Math.log2(2 * capacity))).fill(NONE);
    this.nexts = new Int32Array(capacity);
  }

  get size(): number {
    return this.used;
  }

  /** Counts the first `length` bytes (at most 255) of `key` as `weight` occurrences. */
  add(key: Uint8Array, length: number, hash: number, weight: number): void {
    const known = this.find(key, length, hash);
    if (known !== NONE) {
      this.counts[known] += weight;
      this.sink(this.places[known]);
    } else if (this.used < this.capacity) {
      const entry = this.used++;
      this.take(entry, key, length, hash);
      this.counts[entry] = weight;
      this.errors[entry] = 0;
      this.rise(entry, this.used - 1);
    } else {
      const entry = this.heap[0];
      this.unlink(entry);
      this.take(entry, key, length, hash);
      this.errors[entry] = this.counts[entry];
      this.counts[entry] += weight;
      this.sink(0);
    }
  }

  /** In no particular order. */
  *entries(): Generator<Heavy> {
    for (let entry = 0; entry < this.used; entry++) {
      const start = entry << KEY_SHIFT;
      const key = this.keys.subarray(start, start + this.lengths[entry]);
      yield { key, count: this.counts[entry], error: this.errors[entry] };
    }
  }

  clear(): void {
    this.used = 0;
    this.heads.fill(NONE);
  }

  private find(key: Uint8Array, length: number, hash: number): number {
    const { heads, nexts, hashes, lengths } = this;
    let entry = heads[hash & (heads.length - 1)];
    while (entry !== NONE) {
      if (hashes[entry] === hash && lengths[entry] === length && this.holds(entry, key, length)) return entry;
      entry = nexts[entry];
    }
    return NONE;
  }

  private holds(entry: number, key: Uint8Array, length: number): boolean {
    const { keys } = this;
    const start = entry << KEY_SHIFT;
    for (let i = 0; i < length; i++) if (keys[start + i] !== key[i]) return false;
    return true;
  }

  private take(entry: number, key: Uint8Array, length: number, hash: number): void {
    const { keys, heads } = this;
    const start = entry << KEY_SHIFT;
    for (let i = 0; i < length; i++) keys[start + i] = key[i];
    this.lengths[entry] = length;
    this.hashes[entry] = hash;
    const bucket = hash & (heads.length - 1);
    this.nexts[entry] = heads[bucket];
    heads[bucket] = entry;
  }

  private unlink(entry: number): void {
    const { heads, nexts } = this;
    const bucket = this.hashes[entry] & (heads.length - 1);
    if (heads[bucket] === entry) {
      heads[bucket] = nexts[entry];
      return;
    }
    let before = heads[bucket];
    while (nexts[before] !== entry) before = nexts[before];
    nexts[before] = nexts[entry];
  }

  /** The entry at `place` has become more frequent. */
  private sink(place: number): void {
    const { heap, places, counts, used } = this;
    const entry = heap[place];
    const count = counts[entry];
    let at = place;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= used) break;
      if (child + 1 < used && counts[heap[child + 1]] < counts[heap[child]]) child++;
      if (counts[heap[child]] >= count) break;
      heap[at] = heap[child];
      places[heap[at]] = at;
      at = child;
    }
    heap[at] = entry;
    places[entry] = at;
  }

  /** Puts a new entry at the end of the heap, and where it belongs. */
  private rise(entry: number, place: number): void {
    const { heap, places, counts } = this;
    const count = counts[entry];
    let at = place;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (counts[heap[parent]] <= count) break;
      heap[at] = heap[parent];
      places[heap[at]] = at;
      at = parent;
    }
    heap[at] = entry;
    places[entry] = at;
  }
}
