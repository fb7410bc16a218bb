// How Kubernetes wraps objects in protobuf: four bytes, then what the object is, then the object.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
import type { Fields } from '../kinds/objects.ts';
import { BrokenMessage, type Bytes, readMessage, type Schema, schema } from './message.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

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

/** The object in an envelope, read as a Status where it says that it is one. Throws BrokenMessage. */
export function readEnvelope(bytes: Bytes, object: Schema): Fields {
  const start = bytes.start + MAGIC.length;
  if (start > bytes.end || bytes.buffer.toString('latin1', bytes.start, start) !== MAGIC)
    throw new BrokenMessage('an object does not begin with "k8s"');
  const { typeMeta, raw, contentEncoding, contentType } = readMessage({ ...bytes, start }, ENVELOPE) as Envelope;
  if (raw === undefined) throw new BrokenMessage('an envelope has no object');
  if (contentEncoding || (contentType && !isProtobuf(contentType)))
    throw new BrokenMessage(`an object is written as "${contentType ?? ''}" "${contentEncoding ?? ''}"`);
  return readMessage(raw, typeMeta?.kind === 'Status' ? STATUS : object);
}

interface Envelope {
  readonly typeMeta?: { readonly kind?: string };
  readonly raw?: Bytes;
  readonly contentEncoding?: string;
  readonly contentType?: string;
}

/** A watch event as it would be in JSON. Throws BrokenMessage. */
export function readWatchEvent(bytes: Bytes, object: Schema): { readonly type: unknown; readonly object: Fields } {
  const event = readMessage(bytes, WATCH_EVENT) as { type?: string; object?: { raw?: Bytes } };
  if (event.object?.raw === undefined) throw new BrokenMessage('an event has no object');
  return { type: event.type, object: readEnvelope(event.object.raw, object) };
}

/** What a Status object says in words, as the API server explains its refusals. Throws BrokenMessage. */
export function readStatusMessage(body: Buffer): unknown {
  return readEnvelope({ buffer: body, start: 0, end: body.length }, STATUS).message;
}
