import assert from 'node:assert/strict';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../../src/clock.ts';
import type { ApiServer } from '../../../src/sources/kubernetes/api/api-server.ts';
import { BrokenStream, readEvents } from '../../../src/sources/kubernetes/watch/event-stream.ts';

/** The events that are handed over of a response in these chunks, which come at once; and how it ended. */
async function read(chunks: readonly string[]): Promise<{ types: string[]; ended: unknown }> {
  const server = createServer((_request, response) => {
    for (const chunk of chunks) response.write(chunk);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const api = {
    get: () => new Promise<IncomingMessage>((resolve) => get(`http://127.0.0.1:${port}`, resolve)),
  } as unknown as ApiServer;
  const types: string[] = [];
  const stream = {
    ...{ path: '/', allowMs: 10_000, againMs: 60_000, contact() {}, malformed() {} },
    event: (type: string) => void types.push(type),
  };
  try {
    const ended = await readEvents(api, systemClock, new AbortController().signal, stream).catch((error) => error);
    await new Promise((resolve) => setImmediate(resolve));
    return { types, ended };
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const event = (type: string) => `${JSON.stringify({ type, object: {} })}\n`;

test('all events of a watch are delivered, and so is its end', async () => {
  const { types, ended } = await read([event('ADDED'), event('MODIFIED'), event('DELETED')]);
  assert.deepEqual(types, ['ADDED', 'MODIFIED', 'DELETED']);
  assert.equal(ended, undefined);
});

test('nothing is read after an unreadable event, even if it has already arrived', async () => {
  const { types, ended } = await read([event('ADDED'), 'not JSON\n', event('MODIFIED'), event('DELETED')]);
  assert.deepEqual(types, ['ADDED']);
  assert.ok(ended instanceof BrokenStream);
});
