// Reads the wire format. Every read is checked against the end; no length, count or pointer from the wire is trusted.
import { HEADER_BYTES, MAX_LABEL_BYTES, MAX_NAME_BYTES, MAX_POINTER_HOPS } from './limits.ts';
import type { WireName } from './name.ts';

/** The bytes are not a DNS message. Parsing throws no other error, whatever the bytes are. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
}

/** A position in a message. `end` limits what may be read now: the end of the message, or of the rdata. */
export class WireReader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
    this.end = bytes.length;
  }

  uint16(): number {
    const at = this.skip(2);
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  uint32(): number {
    return this.uint16() * 0x1_0000 + this.uint16();
  }

  /** A copy of the next bytes. */
  take(length: number): Uint8Array {
    const at = this.skip(length);
    // Not slice(): on a Buffer that would share memory with the packet, which the caller may reuse.
    return new Uint8Array(this.bytes.subarray(at, this.at));
  }

  /** Returns the offset of the bytes skipped. */
  skip(length: number): number {
    const { at, end } = this;
    if (at + length > end) throw new MessageError(`${length} bytes at ${at} run past the end at ${end}`);
    this.at = at + length;
    return at;
  }

  /** A name with its pointers followed (RFC 1035 section 4.1.4) and its case kept. */
  name(): WireName {
    return scratch.slice(0, this.nameInto(scratch, 0));
  }

  /**
   * Writes the name to `target` from `start` and returns where it ends there. A pointer must point before the labels that
   * led to it, so no chain can loop. The first run of labels must lie before `end`.
   */
  nameInto(target: Uint8Array, start: number): number {
    const { bytes } = this;
    const most = start + MAX_NAME_BYTES;
    let { at, end } = this;
    let runStart = at;
    let to = start;
    for (let hops = 0; ; ) {
      if (at >= end) throw new MessageError(`the name at ${this.at} runs past the end`);
      const length = bytes[at];
      if (length >= 0xc0) {
        if (at + 2 > end) throw new MessageError(`the pointer at ${at} runs past the end`);
        const pointed = ((length & 0x3f) << 8) | bytes[at + 1];
        if (pointed >= runStart || pointed < HEADER_BYTES)
          throw new MessageError(`the pointer at ${at} does not point back`);
        if (++hops > MAX_POINTER_HOPS) throw new MessageError(`the name that ends at ${at} has too many pointers`);
        if (hops === 1) this.at = at + 2;
        end = runStart;
        runStart = pointed;
        at = pointed;
        continue;
      }
      if (length > MAX_LABEL_BYTES) throw new MessageError(`unknown label type 0x${length.toString(16)} at ${at}`);
      const next = at + 1 + length;
      if (next > end) throw new MessageError(`the label at ${at} runs past the end`);
      if (to + 1 + length > most) throw new MessageError(`the name is longer than ${MAX_NAME_BYTES} bytes`);
      while (at < next) target[to++] = bytes[at++];
      if (length > 0) continue;
      if (hops === 0) this.at = at;
      return to;
    }
  }
}

const scratch = new Uint8Array(MAX_NAME_BYTES);
