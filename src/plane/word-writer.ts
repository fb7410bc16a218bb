/** A list of 32-bit words that grows; bytes are padded to a word. */
export interface WordWriter {
  /** The words so far; replaced when it grows, so do not keep it. */
  readonly words: Int32Array;
  readonly length: number;
  put(...values: number[]): void;
  putBytes(bytes: Uint8Array): void;
  /** Takes back what was written after `length`. */
  truncate(length: number): void;
  /** A copy of exactly what was written. */
  finish(): ArrayBuffer;
}

export function createWordWriter(capacityWords = 16_384): WordWriter {
  let words = new Int32Array(capacityWords);
  let length = 0;

  const reserve = (more: number) => {
    if (length + more <= words.length) return;
    const larger = new Int32Array(Math.max(words.length * 2, length + more));
    larger.set(words.subarray(0, length));
    words = larger;
  };

  return {
    get words() {
      return words;
    },
    get length() {
      return length;
    },
    put(...values) {
      reserve(values.length);
      for (const value of values) words[length++] = value;
    },
    putBytes(bytes) {
      const count = (bytes.length + 3) >> 2;
      reserve(count);
      words.fill(0, length, length + count);
      new Uint8Array(words.buffer, length * 4, bytes.length).set(bytes);
      length += count;
    },
    truncate(to) {
      length = to;
    },
    finish: () => words.buffer.slice(0, length * 4) as ArrayBuffer,
  };
}
