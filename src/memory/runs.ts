// Short runs of numbers in one typed array that grows: an array of its own for each run would cost 200 bytes (bench:memory:
// 20 bytes an instance for the names of small services alone). Runs never move.

/** Arrays grow by a quarter: on average an eighth of them is not in use yet. */
const GROWTH = 1.25;

export class Runs<Numbers extends Uint8Array | Int32Array> {
  /** The array. Replaced as it grows, so do not keep it. */
  numbers: Numbers;
  private end = 0;
  /** Runs given up, by length: churn gives back runs of the lengths that it takes. */
  private readonly free: number[][] = [];

  constructor(numbers: Numbers) {
    this.numbers = numbers;
  }

  /** Room for `length` numbers: where it begins. What is there is left over from an earlier run. */
  take(length: number): number {
    const again = this.free[length]?.pop();
    if (again !== undefined) return again;
    const start = this.end;
    this.end += length;
    if (this.end > this.numbers.length) this.numbers = grown(this.numbers, growth(this.end));
    return start;
  }

  giveUp(start: number, length: number): void {
    this.free[length] ??= [];
    this.free[length].push(start);
  }
}

/** The length of an array that has to hold `needed` items, and more soon. */
export function growth(needed: number): number {
  return Math.ceil(needed * GROWTH);
}

export function grown<Numbers extends Uint8Array | Int32Array | Float64Array>(array: Numbers, length: number): Numbers {
  const larger = new (array.constructor as new (length: number) => Numbers)(length);
  larger.set(array);
  return larger;
}
