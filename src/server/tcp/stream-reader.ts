// A byte stream → DNS messages, each behind its length in two bytes (RFC 1035 section 4.2.2). Whole messages are read where
// the transport put them; only incomplete messages are copied.

export interface StreamReader {
  /** Bytes that have arrived and are not yet answered: from `start` to `end`. */
  bytes: Uint8Array;
  start: number;
  end: number;
  /** `bytes` is memory of this reader, not the transport's. */
  own: boolean;
}

const MIN_BUFFER_BYTES = 512;
const NOTHING = new Uint8Array(0);

export function createStreamReader(): StreamReader {
  return { bytes: NOTHING, start: 0, end: 0, own: false };
}

/** Adds the first `length` bytes of `chunk`, which stays the transport's: call `keep` before it is written to again. */
export function push(reader: StreamReader, chunk: Uint8Array, length: number): void {
  if (reader.start === reader.end) {
    reader.bytes = chunk;
    reader.start = 0;
    reader.end = length;
    reader.own = false;
    return;
  }
  if (!reader.own || reader.end + length > reader.bytes.length) own(reader, 2 * (buffered(reader) + length));
  reader.bytes.set(chunk.subarray(0, length), reader.end);
  reader.end += length;
}

/** The length of the next message, which begins at `start + 2`; -1 where not all of it has arrived. */
export function nextLength(reader: StreamReader): number {
  const { bytes, start } = reader;
  const held = reader.end - start;
  if (held < 2) return -1;
  const length = (bytes[start] << 8) | bytes[start + 1];
  return held < 2 + length ? -1 : length;
}

/** Continues after the message that `nextLength` reported. */
export function skip(reader: StreamReader, length: number): void {
  reader.start += 2 + length;
}

/** Copies the rest out of the transport's chunk. Nothing is held while idle between messages. */
export function keep(reader: StreamReader): void {
  if (reader.start === reader.end) {
    reader.bytes = NOTHING;
    reader.start = 0;
    reader.end = 0;
    reader.own = false;
  } else if (!reader.own) own(reader, buffered(reader));
}

/** Bytes that have arrived and are not answered. */
export function buffered(reader: StreamReader): number {
  return reader.end - reader.start;
}

function own(reader: StreamReader, bytes: number): void {
  const larger = new Uint8Array(Math.max(MIN_BUFFER_BYTES, bytes));
  larger.set(reader.bytes.subarray(reader.start, reader.end));
  reader.bytes = larger;
  reader.end = buffered(reader);
  reader.start = 0;
  reader.own = true;
}
