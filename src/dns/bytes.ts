// Bytes of names and rdata that live until they are sent.

/** V8 gives each array of more than 64 bytes memory of its own, whose collection was half of compiling a large service. */
const BLOCK_BYTES = 16_384;
let block = new Uint8Array(BLOCK_BYTES);
let used = 0;

/** `length` zero bytes, cut from a larger block, which is held as long as they are: not for what is kept. */
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

/** Writes an ASCII label in lower case, its length byte first. */
export function writeLabel(bytes: Uint8Array, at: number, label: string): void {
  bytes[at] = label.length;
  for (let i = 0; i < label.length; i++) {
    const code = label.charCodeAt(i);
    bytes[at + 1 + i] = code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
  }
}
