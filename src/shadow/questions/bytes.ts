// A stream of bytes, read piece by piece: memory depends on the largest piece, not on the length of the stream.

/** The stream ends in the middle of a piece. */
export class CutShort extends Error {
  override readonly name = 'CutShort';
}

export interface Bytes {
  /** Of the next byte. */
  readonly offset: number;
  /** The next bytes, valid until the next call; undefined at the end of the stream. Rejects with CutShort. */
  take(count: number): Promise<Buffer | undefined>;
  /** As `take`, without moving on; as many as there are. */
  peek(count: number): Promise<Buffer>;
  /** Skips bytes without holding them. Rejects with CutShort. */
  skip(count: number): Promise<void>;
  /** Whatever has arrived, at least one byte; undefined at the end of the stream. */
  some(): Promise<Buffer | undefined>;
}

const NONE = Buffer.alloc(0);

export function createBytes(chunks: AsyncIterable<Buffer>): Bytes {
  const iterator = chunks[Symbol.asyncIterator]();
  let unread: Buffer = NONE;
  let offset = 0;

  /** Whether another chunk was there. */
  async function more(): Promise<boolean> {
    const { done, value } = await iterator.next();
    if (done === true) return false;
    unread = unread.length === 0 ? value : Buffer.concat([unread, value]);
    return true;
  }

  function advance(count: number): Buffer {
    const bytes = unread.subarray(0, count);
    unread = unread.subarray(count);
    offset += count;
    return bytes;
  }

  const cut = (count: number) =>
    new CutShort(`byte ${offset}: ${count} bytes expected, but the input ends after ${unread.length}`);

  return {
    get offset() {
      return offset;
    },
    async take(count) {
      while (unread.length < count) {
        if (await more()) continue;
        if (unread.length === 0) return undefined;
        throw cut(count);
      }
      return advance(count);
    },
    async peek(count) {
      while (unread.length < count && (await more()));
      return unread.subarray(0, count);
    },
    async skip(count) {
      for (let left = count; left > 0; ) {
        if (unread.length === 0 && !(await more())) throw cut(left);
        left -= advance(Math.min(left, unread.length)).length;
      }
    },
    async some() {
      while (unread.length === 0) if (!(await more())) return undefined;
      return advance(unread.length);
    },
  };
}
