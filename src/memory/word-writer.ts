// The bytes of a message to the data threads as they are written.

/** A list of 32-bit words that grows; bytes are padded to a word. */
export interface WordWriter {
  /** The words so far; replaced when it grows, so do not keep it. */
  readonly words: Int32Array;
  readonly length: number;
  put(...values: number[]): void;
  putWord(value: number): void;
  putZeros(count: number): void;
  putBytes(bytes: Uint8Array): void;
  /** As putBytes of a part. */
  putSlice(bytes: Uint8Array, start: number, end: number): void;
  /** Discards everything written after `length`. */
  truncate(length: number): void;
  /** A copy of the written bytes. */
  finish(): ArrayBuffer;
}

const LONG = 64;

export function createWordWriter(capacityWords = 16_384): WordWriter {
  let words = new Int32Array(capacityWords);
  let bytes = new Uint8Array(words.buffer);
  let length = 0;

  const reserve = (more: number) => {
    if (length + more <= words.length) return;
    const larger = new Int32Array(Math.max(words.length * 2, length + more));
    larger.set(words.subarray(0, length));
    words = larger;
    bytes = new Uint8Array(words.buffer);
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
    putWord(value) {
      reserve(1);
      words[length++] = value;
    },
    putZeros(count) {
      reserve(count);
      for (let i = 0; i < count; i++) words[length++] = 0;
    },
    putBytes(source) {
      const count = (source.length + 3) >> 2;
      reserve(count);
      if (count > 0) words[length + count - 1] = 0;
      // Most are short, and then a loop is faster than `set`.
      if (source.length > LONG) bytes.set(source, length * 4);
      else for (let i = 0, at = length * 4; i < source.length; i++, at++) bytes[at] = source[i];
      length += count;
    },
    putSlice(source, start, end) {
      const count = (end - start + 3) >> 2;
      reserve(count);
      if (count > 0) words[length + count - 1] = 0;
      for (let i = start, at = length * 4; i < end; i++, at++) bytes[at] = source[i];
      length += count;
    },
    truncate(to) {
      length = to;
    },
    finish: () => words.buffer.slice(0, length * 4) as ArrayBuffer,
  };
}
