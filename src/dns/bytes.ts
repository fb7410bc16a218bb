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

const DOT = 0x2e;

/** Writes ASCII labels (dots between them) in lower case, each with its length byte first: one byte more than the text. */
export function writeLabels(bytes: Uint8Array, at: number, labels: string): void {
  let lengthAt = at;
  for (let i = 0; i < labels.length; i++) {
    const code = labels.charCodeAt(i);
    if (code === DOT) {
      bytes[lengthAt] = at + i - lengthAt;
      lengthAt = at + 1 + i;
    } else bytes[at + 1 + i] = code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
  }
  bytes[lengthAt] = at + labels.length - lengthAt;
}
