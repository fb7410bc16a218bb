// Lookup by text for hundreds of thousands of entries: an open-addressing table takes 12 bytes per entry (18 with numbers),
// where a Map takes 36 (bench:containers, "TextTable / Map"; bench:memory with it, 493 bytes an instance of a goal of 500).

/** Of the places of a large table, from 60 % to 75 % are filled. A small one grows in fewer steps: each hashes all its texts. */
const FULL = 0.75;
const GROWTH = 1.25;
const GROWTH_WHILE_SMALL = 2;
const LARGE = 65_536;
const SMALLEST = 16;
/** Marks a missing number. */
const NONE = -0x8000_0000;

/** Entries that know their text, each with an optional number. */
export class TextTable<Entry> {
  private readonly textOf: (entry: Entry) => string;
  private places: (Entry | undefined)[] = emptyPlaces(SMALLEST);
  /** Of the places: 32 bits until a number needs more. undefined: no entry has had one. */
  private numbers: Int32Array | Float64Array | undefined = undefined;
  private used = 0;

  constructor(textOf: (entry: Entry) => string) {
    this.textOf = textOf;
  }

  get size(): number {
    return this.used;
  }

  get(text: string): Entry | undefined {
    return this.places[this.placeOf(text)];
  }

  numberOf(text: string): number | undefined {
    const number = this.numbers?.[this.placeOf(text)] ?? NONE;
    return number === NONE ? undefined : number;
  }

  /** Adds the entry, or replaces the one with its text. */
  set(entry: Entry, number?: number): void {
    let place = this.placeOf(this.textOf(entry));
    if (this.places[place] === undefined && ++this.used > this.places.length * FULL) {
      this.grow();
      place = this.placeOf(this.textOf(entry));
    }
    this.places[place] = entry;
    if (number !== undefined || this.numbers !== undefined) this.setNumber(place, number ?? NONE);
  }

  /** Whether it was in the table. */
  delete(text: string): boolean {
    let gap = this.placeOf(text);
    if (this.places[gap] === undefined) return false;
    this.used--;
    // Closes the gap (Knuth 6.4 R), so that probing may stop at the first free position.
    const { length } = this.places;
    for (let place = (gap + 1) % length; ; place = (place + 1) % length) {
      const entry = this.places[place];
      if (entry === undefined) break;
      const home = homeOf(this.textOf(entry), length);
      if ((place - home + length) % length < (place - gap + length) % length) continue;
      this.move(place, gap);
      gap = place;
    }
    this.places[gap] = undefined;
    if (this.numbers !== undefined) this.numbers[gap] = NONE;
    return true;
  }

  clear(): void {
    this.places = emptyPlaces(SMALLEST);
    this.numbers = undefined;
    this.used = 0;
  }

  /** In no particular order. The table must not be changed during the iteration. */
  *values(): IterableIterator<Entry> {
    for (const entry of this.places) if (entry !== undefined) yield entry;
  }

  /** Position of the text, or the free position for it. */
  private placeOf(text: string): number {
    const { places } = this;
    let place = homeOf(text, places.length);
    for (let entry = places[place]; entry !== undefined; entry = places[place]) {
      if (this.textOf(entry) === text) return place;
      place = place + 1 === places.length ? 0 : place + 1;
    }
    return place;
  }

  private setNumber(place: number, number: number): void {
    this.numbers ??= new Int32Array(this.places.length).fill(NONE);
    if (this.numbers instanceof Int32Array && (number | 0) !== number) this.numbers = Float64Array.from(this.numbers);
    this.numbers[place] = number;
  }

  private move(from: number, to: number): void {
    this.places[to] = this.places[from];
    if (this.numbers !== undefined) this.numbers[to] = this.numbers[from];
  }

  private grow(): void {
    const { places, numbers } = this;
    this.places = emptyPlaces(Math.ceil(places.length * (places.length < LARGE ? GROWTH_WHILE_SMALL : GROWTH)));
    if (numbers !== undefined) {
      const { length } = this.places;
      this.numbers = (numbers instanceof Int32Array ? new Int32Array(length) : new Float64Array(length)).fill(NONE);
    }
    places.forEach((entry, place) => {
      if (entry === undefined) return;
      const to = this.placeOf(this.textOf(entry));
      this.places[to] = entry;
      if (numbers !== undefined) this.numbers![to] = numbers[place];
    });
  }
}

function emptyPlaces<Entry>(length: number): (Entry | undefined)[] {
  return new Array<Entry | undefined>(length).fill(undefined);
}

/** Start of the probe sequence. Whoever names pods can make them collide; ordinary names are spread well. */
function homeOf(text: string, length: number): number {
  let hash = SEED;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85eb_ca6b);
  hash ^= hash >>> 13;
  return Math.floor(((hash >>> 0) / 0x1_0000_0000) * length);
}

const SEED = 0x811c_9dc5 | 0;
