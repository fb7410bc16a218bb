// Short-lived bytes of names and rdata, until they are sent.

/**
 * V8 allocates separate memory for each array of more than 64 bytes: creating 100,000 of 70 bytes takes 250 ms, cutting them 100
 * (bench:containers, "cutBytes"), and their collection was half of compiling a large service.
 */
const BLOCK_BYTES = 16_384;
let block = new Uint8Array(BLOCK_BYTES);
let used = 0;

/** `length` zero bytes, cut from a larger block that lives as long as any of them: not for long-lived data. */
export function cutBytes(length: number): Uint8Array {
  if (length > BLOCK_BYTES >> 2) return new Uint8Array(length);
  if (used + length > BLOCK_BYTES) {
    block = new Uint8Array(BLOCK_BYTES);
    used = 0;
  }
  const bytes = new Uint8Array(block.buffer, used, length);
  used += length;
  return bytes;
}
