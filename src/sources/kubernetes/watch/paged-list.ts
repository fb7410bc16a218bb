// A complete list in pages: for servers without streaming lists, and to confirm a list that lost most objects.
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../../clock.ts';
import type { ApiServer } from '../api/api-server.ts';
import { type Fields, fields, list, text } from '../api/objects.ts';
import { isProtobuf, listOf, readEnvelope } from '../protobuf/envelope.ts';
import { acceptOf, askAgain, type Encoding, unbroken } from './event-stream.ts';
import { type Watchdog, withWatchdog } from './watchdog.ts';
import { pathOf, type WatchedKind } from './watched-kind.ts';

const PAGE_OBJECTS = 500;
/** 500 objects of the largest size that etcd takes would be more; real pages are a few megabytes. */
const MAX_PAGE_BYTES = 256 * 1024 * 1024;

export interface PagedList {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly kind: WatchedKind;
  readonly encoding: Encoding;
  readonly stop: AbortSignal;
  /** See EventStream. */
  readonly againMs: number;
  /** Bytes arrived. */
  readonly contact: (watchdog: Watchdog) => void;
}

/**
 * Reads all pages of a consistent list (the newest, because no resourceVersion is given) and delivers each object.
 * Rejects with ApiError, SilentConnection, BrokenStream or the system's error.
 *
 * @returns the list's resourceVersion, from which to watch
 */
export async function readPagedList(paged: PagedList, item: (object: unknown) => void): Promise<string> {
  let parameters: Record<string, string> = { limit: String(PAGE_OBJECTS) };
  for (;;) {
    const page = await readPage(paged, parameters);
    for (const object of list(page.items, 'items')) item(object);
    const { next, resourceVersion } = metadataOf(page);
    if (next === undefined) return resourceVersion;
    parameters = { limit: String(PAGE_OBJECTS), continue: next };
  }
}

/** The current resourceVersion of the server, from a list of one object. Rejects like `readPagedList`. */
export async function readPlace(paged: PagedList): Promise<string> {
  return metadataOf(await readPage(paged, { limit: '1' })).resourceVersion;
}

async function readPage(
  { server, clock, kind, encoding, stop, againMs, contact }: PagedList,
  parameters: Readonly<Record<string, string>>,
): Promise<Fields> {
  const page = await withWatchdog(clock, stop, async (signal, watchdog) => {
    const ask = (each: AbortSignal) => server.get(pathOf(kind, parameters), each, acceptOf(encoding));
    const response = await askAgain(ask, againMs, clock, signal);
    contact(watchdog);
    const body = await readBody(response, () => contact(watchdog));
    return isProtobuf(response.headers['content-type']) ? readProtobuf(body, encoding) : JSON.parse(body.toString());
  });
  return fields(page, 'the list');
}

function readProtobuf(buffer: Buffer, { protobuf = [] }: Encoding): Fields {
  return unbroken(() => readEnvelope({ buffer, start: 0, end: buffer.length }, listOf(protobuf)));
}

function metadataOf(page: Fields): { readonly resourceVersion: string; readonly next: string | undefined } {
  const meta = fields(page.metadata, 'metadata of the list');
  return {
    resourceVersion: text(meta.resourceVersion, 'metadata.resourceVersion of the list'),
    next: typeof meta.continue === 'string' && meta.continue !== '' ? meta.continue : undefined,
  };
}

async function readBody(response: IncomingMessage, contact: () => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    contact();
    bytes += chunk.length;
    if (bytes > MAX_PAGE_BYTES) throw new Error(`a page of the list is longer than ${MAX_PAGE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
