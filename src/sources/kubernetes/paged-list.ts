// A complete list in pages: for servers without streaming lists, and to confirm a list that lost most objects.
import type { IncomingMessage } from 'node:http';
import type { ApiServer } from './api-server.ts';
import { fields, list, text } from './objects.ts';
import { pathOf, type WatchedKind } from './watched-kind.ts';

const PAGE_OBJECTS = 500;
/** 500 objects of the largest size that etcd takes would be more; real pages are a few megabytes. */
const MAX_PAGE_BYTES = 256 * 1024 * 1024;

/**
 * Reads all pages of a consistent list and hands over each object.
 *
 * @returns the list's resourceVersion, from which to watch
 */
export async function readPagedList(
  server: ApiServer,
  kind: WatchedKind,
  stop: AbortSignal,
  item: (object: unknown) => void,
  contact: () => void,
): Promise<string> {
  let parameters: Record<string, string> = { limit: String(PAGE_OBJECTS) };
  for (;;) {
    const response = await server.get(pathOf(kind, parameters), stop);
    const page = fields(JSON.parse((await readBody(response, contact)).toString('utf8')), 'the list');
    for (const object of list(page.items, 'items')) item(object);
    const meta = fields(page.metadata, 'metadata of the list');
    if (typeof meta.continue !== 'string' || meta.continue === '') {
      return text(meta.resourceVersion, 'metadata.resourceVersion of the list');
    }
    parameters = { limit: String(PAGE_OBJECTS), continue: meta.continue };
  }
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
