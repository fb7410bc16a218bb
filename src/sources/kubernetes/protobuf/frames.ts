// Splits a byte stream into frames, each after its length in four bytes, big-endian: a watch in protobuf. With a limit on
// the length of a frame.
import { MAX_LINE_BYTES } from '../watch/json-lines.ts';
import type { Bytes } from './message.ts';

export interface FramesHandler {
  /** The bytes are valid only until it returns. */
  readonly frame: (bytes: Bytes) => void;
  /** A frame that is too long was left out. */
  readonly tooLong: (reason: string) => void;
}

const LENGTH_BYTES = 4;

export function createFrames(
  { frame, tooLong }: FramesHandler,
  maxFrameBytes = MAX_LINE_BYTES,
): { push(chunk: Buffer): void } {
  /** What came of a frame that is not complete. */
  let parts: Buffer[] = [];
  let bytes = 0;
  /** What is still to come of one that is too long. */
  let toSkip = 0;

  /** Hands over all complete frames; returns where the rest begins. */
  function readFrames(buffer: Buffer): number {
    let start = 0;
    while (buffer.length - start >= LENGTH_BYTES) {
      const length = buffer.readUInt32BE(start);
      const end = start + LENGTH_BYTES + length;
      if (length > maxFrameBytes) {
        tooLong(`a frame of ${length} bytes, at most ${maxFrameBytes} are read`);
        toSkip = Math.max(0, end - buffer.length);
      } else if (end > buffer.length) return start;
      else frame({ buffer, start: start + LENGTH_BYTES, end });
      start = Math.min(end, buffer.length);
    }
    return start;
  }

  /** Bytes of the frame that has begun, with its length; undefined: not known yet. */
  function wanted(): number {
    if (bytes < LENGTH_BYTES) return LENGTH_BYTES;
    if (parts[0].length < LENGTH_BYTES) parts = [Buffer.concat(parts, bytes)];
    const length = parts[0].readUInt32BE(0);
    return length > maxFrameBytes ? LENGTH_BYTES : LENGTH_BYTES + length;
  }

  return {
    push(chunk) {
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      bytes += chunk.length - skipped;
      parts.push(skipped === 0 ? chunk : chunk.subarray(skipped));
      if (bytes < wanted()) return; // joined only once it is complete: in time proportional to its length
      const buffer = parts.length === 1 ? parts[0] : Buffer.concat(parts, bytes);
      const rest = readFrames(buffer);
      parts = rest === buffer.length ? [] : [buffer.subarray(rest)];
      bytes = buffer.length - rest;
    },
  };
}
