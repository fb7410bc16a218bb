// TCP segments of many connections → the DNS messages in them (RFC 1035 section 4.2.2: each after its length).
import type { Segment } from './packet.ts';

/** Unprocessed bytes of one direction of a connection. */
interface Stream {
  /** Sequence number of the next byte. */
  next: number;
  unread: Buffer;
  /** Segments that came too early. */
  early: { readonly sequence: number; readonly payload: Buffer }[];
}

export interface TcpStreams {
  /** The messages that the segment completes; or why its connection is given up. */
  push(segment: Segment): readonly Buffer[] | string;
}

const MAX_STREAMS = 4_096;
const MAX_EARLY_SEGMENTS = 16;
const MIN_MESSAGE_BYTES = 17; // A header, and the root with its type and class.
const NONE = Buffer.alloc(0);

export function createTcpStreams(): TcpStreams {
  /** The longest unused first. */
  const streams = new Map<string, Stream>();

  function streamOf({ flow, sequence, isSyn, payload }: Segment): Stream | undefined {
    const known = streams.get(flow);
    streams.delete(flow);
    if (isSyn) return { next: (sequence + 1) >>> 0, unread: NONE, early: [] };
    if (known !== undefined) return known;
    // The capture began after the connection: it is followed from a segment that begins like a message on.
    const isBeginning = payload.length >= 2 + MIN_MESSAGE_BYTES && payload.readUInt16BE(0) === payload.length - 2;
    return isBeginning ? { next: sequence, unread: NONE, early: [] } : undefined;
  }

  return {
    push(segment) {
      const stream = streamOf(segment);
      if (stream === undefined) return segment.payload.length > 0 ? 'TCP connection older than the capture' : [];
      if (segment.payload.length > 0) add(stream, segment);
      if (stream.early.length > MAX_EARLY_SEGMENTS) return 'TCP connection with lost segments';
      if (segment.isEnd) return takeMessages(stream);
      streams.set(segment.flow, stream);
      if (streams.size > MAX_STREAMS) streams.delete(streams.keys().next().value!);
      return takeMessages(stream);
    },
  };
}

/** The payload is copied: it is only valid until the next packet is read. */
function add(stream: Stream, { sequence, payload, isSyn }: Segment): void {
  stream.early.push({ sequence: isSyn ? (sequence + 1) >>> 0 : sequence, payload: Buffer.from(payload) });
  for (let found = true; found; ) {
    found = false;
    for (const [index, segment] of stream.early.entries()) {
      /** Bytes that are known already; sequence numbers wrap around. */
      const known = (stream.next - segment.sequence) | 0;
      if (known < 0) continue;
      stream.early.splice(index, 1);
      if (known < segment.payload.length) {
        stream.unread = Buffer.concat([stream.unread, segment.payload.subarray(known)]);
        stream.next = (stream.next + segment.payload.length - known) >>> 0;
      }
      found = true;
      break;
    }
  }
}

function takeMessages(stream: Stream): Buffer[] {
  const messages: Buffer[] = [];
  while (stream.unread.length >= 2 && stream.unread.length >= 2 + stream.unread.readUInt16BE(0)) {
    const end = 2 + stream.unread.readUInt16BE(0);
    messages.push(stream.unread.subarray(2, end));
    stream.unread = stream.unread.subarray(end);
  }
  return messages;
}
