// Short runs of numbers in one growing typed array: a separate array for each run would cost 200 bytes (bench:memory: 20
// bytes per instance for the names of small services alone). Runs never move.

/** Arrays grow by a quarter: on average an eighth of them is not in use yet. */
const GROWTH = 1.25;

export class Runs<Numbers extends Uint8Array | Int32Array> {
  /** The array. Replaced as it grows, so do not keep it. */
  numbers: Numbers;
  private end = 0;
  /** Freed runs, by length: churn frees runs of the lengths that it allocates. */
  private readonly free: number[][] = [];

  constructor(numbers: Numbers) {
    this.numbers = numbers;
  }

  /** Allocates `length` numbers and returns the offset. They contain data of an earlier run. */
  take(length: number): number {
    const again = this.free[length]?.pop();
    if (again !== undefined) return again;
    const start = this.end;
    this.end += length;
    if (this.end > this.numbers.length) this.numbers = grown(this.numbers, growth(this.end));
    return start;
  }

  /** Room for that many more numbers. */
  reserve(length: number): void {
    if (this.end + length > this.numbers.length) this.numbers = grown(this.numbers, this.end + length);
  }

  giveUp(start: number, length: number): void {
    this.free[length] ??= [];
    this.free[length].push(start);
  }
}

/** The length of an array for `needed` items, with room to grow. */
export function growth(needed: number): number {
  return Math.ceil(needed * GROWTH);
}

export function grown<Numbers extends Uint8Array | Int32Array | Float64Array>(array: Numbers, length: number): Numbers {
  const larger = new (array.constructor as new (length: number) => Numbers)(length);
  larger.set(array);
  return larger;
}
