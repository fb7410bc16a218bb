// The labels of the name tree, one after another in one block of bytes: a length byte, then the label.

/** Arrays of names grow by a quarter: on average an eighth of them is not in use yet. */
export const GROWTH = 1.25;

export interface LabelArena {
  /** Stores the label whose length byte is at `at`; returns its offset here. */
  store(source: Uint8Array, at: number): number;
  equals(offset: number, other: Uint8Array, at: number): boolean;
  /** Writes length byte and label to `target` at `end`; returns the offset after it. */
  copy(offset: number, target: Uint8Array, end: number): number;
  /** The place is used again for the next label of that length. */
  release(offset: number): void;
  /** The block itself: offsets point into it. Replaced as it grows, so do not keep it. */
  bytes(): Uint8Array;
}

export function createLabelArena(): LabelArena {
  let bytes = new Uint8Array(1024);
  let end = 0;
  /** Released offsets by label length: churn gives back labels of the lengths that it takes. */
  const released: number[][] = [];

  function place(length: number): number {
    const again = released[length]?.pop();
    if (again !== undefined) return again;
    if (end + length + 1 > bytes.length) {
      const larger = new Uint8Array(Math.ceil((end + length + 1) * GROWTH));
      larger.set(bytes);
      bytes = larger;
    }
    const offset = end;
    end += length + 1;
    return offset;
  }

  return {
    store(source, at) {
      const length = source[at];
      const offset = place(length);
      for (let i = 0; i <= length; i++) bytes[offset + i] = source[at + i];
      return offset;
    },
    equals(offset, other, at) {
      for (let i = 0, length = bytes[offset]; i <= length; i++) if (bytes[offset + i] !== other[at + i]) return false;
      return true;
    },
    copy(offset, target, at) {
      const length = bytes[offset];
      for (let i = 0; i <= length; i++) target[at + i] = bytes[offset + i];
      return at + length + 1;
    },
    release(offset) {
      const length = bytes[offset];
      released[length] ??= [];
      released[length].push(offset);
    },
    bytes: () => bytes,
  };
}
