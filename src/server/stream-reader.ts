// A byte stream → DNS messages, each behind its length in two bytes (RFC 1035 section 4.2.2).

export interface StreamReader {
  push(chunk: Uint8Array): void;
  /** The next whole message, valid until `push`; undefined while there is none. */
  next(): Uint8Array | undefined;
  /** Bytes held. */
  buffered(): number;
}

const MIN_BUFFER_BYTES = 512;

/** Holds at most one incomplete message and one chunk: at most 128 KiB, and nothing while idle between messages. */
export function createStreamReader(): StreamReader {
  let bytes: Uint8Array = NOTHING;
  let start = 0;
  let end = 0;

  return {
    push(chunk) {
      if (start === end) {
        // Usual: whole messages in one chunk, read where they are.
        bytes = chunk;
        start = 0;
        end = chunk.length;
        return;
      }
      const held = end - start;
      if (end + chunk.length > bytes.length || !isOwn(bytes)) {
        const size = Math.max(MIN_BUFFER_BYTES, 2 * (held + chunk.length));
        const larger = new Uint8Array(size);
        larger.set(bytes.subarray(start, end));
        bytes = larger;
        start = 0;
        end = held;
      }
      bytes.set(chunk, end);
      end += chunk.length;
    },
    next() {
      if (end - start < 2) return undefined;
      const length = (bytes[start] << 8) | bytes[start + 1];
      if (end - start < 2 + length) return undefined;
      const message = bytes.subarray(start + 2, start + 2 + length);
      start += 2 + length;
      if (start === end) {
        bytes = NOTHING;
        start = 0;
        end = 0;
      }
      return message;
    },
    buffered: () => end - start,
  };
}

const NOTHING = new Uint8Array(0);

/** Chunks of the network come as Buffers; those are not ours to write to. */
function isOwn(bytes: Uint8Array): boolean {
  return !(bytes instanceof Buffer);
}
