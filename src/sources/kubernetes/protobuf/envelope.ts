// How Kubernetes wraps objects in protobuf: four bytes, the object's type, the object. Lists are one such object; a watch is
// a sequence of frames, each an event with such an object after its length in four bytes.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
import {
  BrokenMessage,
  type Bytes,
  type Message,
  readMessage,
  type Schema,
  schema,
} from '../../../reading/protobuf.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** An object in etcd is at most about 1.5 MB; written as JSON it may grow. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;

const MAGIC = 'k8s\0';

/** runtime.Unknown */
const ENVELOPE = schema({
  1: ['typeMeta', schema({ 2: ['kind', 'word'] })],
  2: ['raw', 'bytes'],
  3: ['contentEncoding', 'word'],
  4: ['contentType', 'word'],
});
/** metav1.Status */
const STATUS = schema({ 3: ['message', 'text'], 6: ['code', 'integer'] });
/** metav1.WatchEvent and the runtime.RawExtension in it. */
const WATCH_EVENT = schema({ 1: ['type', 'word'], 2: ['object', schema({ 1: ['raw', 'bytes'] })] });
/** metav1.ListMeta */
const LIST_METADATA = schema({ 2: ['resourceVersion', 'text'], 3: ['continue', 'text'] });

/** The schema of a list of such objects. */
export const listOf = (item: Schema): Schema =>
  schema({ 1: ['metadata', LIST_METADATA], 2: ['items', item, 'repeated'] });

/** Whether a response is in protobuf. */
export const isProtobuf = (contentType: string | undefined): boolean => contentType?.startsWith(PROTOBUF) === true;

/** The object in an envelope, decoded as a Status if it is one. Throws BrokenMessage. */
export function readEnvelope(bytes: Bytes, object: Schema): Message {
  const start = bytes.start + MAGIC.length;
  if (start > bytes.end || bytes.buffer.toString('latin1', bytes.start, start) !== MAGIC)
    throw new BrokenMessage('an object does not begin with "k8s"');
  const { typeMeta, raw, contentEncoding, contentType } = readMessage({ ...bytes, start }, ENVELOPE) as Envelope;
  if (raw === undefined) throw new BrokenMessage('an envelope has no object');
  if (contentEncoding || (contentType && !isProtobuf(contentType)))
    throw new BrokenMessage(`an object is encoded as "${contentType ?? ''}" "${contentEncoding ?? ''}"`);
  return readMessage(raw, typeMeta?.kind === 'Status' ? STATUS : object);
}

interface Envelope {
  readonly typeMeta?: { readonly kind?: string };
  readonly raw?: Bytes;
  readonly contentEncoding?: string;
  readonly contentType?: string;
}

/** A watch event in the form of its JSON. Throws BrokenMessage. */
export function readWatchEvent(bytes: Bytes, object: Schema): { readonly type: unknown; readonly object: Message } {
  const event = readMessage(bytes, WATCH_EVENT) as { type?: string; object?: { raw?: Bytes } };
  if (event.object?.raw === undefined) throw new BrokenMessage('an event has no object');
  return { type: event.type, object: readEnvelope(event.object.raw, object) };
}

/** The message of a Status object, with which the API server explains errors. Throws BrokenMessage. */
export function readStatusMessage(body: Buffer): unknown {
  return readEnvelope({ buffer: body, start: 0, end: body.length }, STATUS).message;
}

export interface FramesHandler {
  /** The bytes are valid only until the callback returns. */
  readonly frame: (bytes: Bytes) => void;
  /** A frame that is too long was skipped. */
  readonly tooLong: (reason: string) => void;
}

const LENGTH_BYTES = 4;

export function createFrames(
  { frame, tooLong }: FramesHandler,
  maxFrameBytes = MAX_FRAME_BYTES,
): { push(chunk: Buffer): void } {
  /** The beginning of an incomplete frame. */
  let parts: Buffer[] = [];
  let bytes = 0;
  /** Remaining bytes of a frame that is too long. */
  let toSkip = 0;

  /** Delivers all complete frames; returns the offset of the rest. */
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
