// The entry point of the push thread: a table filled like that of a data thread, and sessions that are notified of its changes.
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { createAcl } from '../front/acl.ts';
import { trimFreedMemory } from '../native/libc.ts';
import type { ListenError } from '../native/listen-error.ts';
import { applyEntry } from '../plane/messages.ts';
import type { Replies, Request, ToThread } from '../plane/thread-messages.ts';
import { awaitData } from '../plane/waiting-thread.ts';
import { createAnswerSets } from '../push/answer-set.ts';
import { createKeys } from '../push/keys.ts';
import { createPushServer } from '../push/server.ts';
import { createChangeWatcher } from '../push/watch-changes.ts';
import { beat, createChangeFeed, linkToControlPlane } from './control-link.ts';
import { createEngine, createPacketMemory } from './engine.ts';

const data = awaitData(workerData as Int32Array, parentPort!);
trimFreedMemory();

const { settings } = data;
const link = linkToControlPlane(data.counters);
const { counters, tell, log } = link;

const common = {
  slots: new Uint8Array(data.slots),
  settings: settings.responder,
  hashSeed: data.hashSeed,
  rotationSeed: data.rotationSeed,
  onError: (error: Error) => log('error', `DNS Push: ${error.stack ?? error}`),
};
const engine = createEngine({
  ...common,
  ...{ memory: createPacketMemory(0, 0), counters },
  front: settings.front,
});
const keys = createKeys();
const server = createPushServer({
  settings: settings.push!,
  unreadTotalBytes: settings.tcp.unreadTotalBytes,
  clock: systemClock,
  random: Math.random,
  ...{ counters, hashSeed: data.hashSeed, keys, handler: engine, acl: createAcl(settings.front?.acl ?? []), log },
  sets: createAnswerSets({ ...common, ...engine.own }),
});
const watcher = createChangeWatcher(keys, engine.own.table, data.hashSeed, server.pace.changed);
const feed = createChangeFeed(link, (bytes) => {
  if (keys.size > 0) {
    const words = new Int32Array(bytes);
    for (let at = 0; at < words.length; ) at = applyEntry(words, at, watcher);
  }
  engine.apply(bytes);
});

beat(counters);

async function listen({ addresses }: Extract<Request, { kind: 'listen' }>): Promise<Replies['listen']> {
  try {
    const mode = settings.push!.tls === undefined ? 'push, plain TCP' : 'push, TLS';
    const bound = await server.listen(addresses);
    const listening = bound.map((address) => ({ ...address, transport: 'tcp' as const, mode }));
    return { addresses: listening, fallback: undefined };
  } catch (error) {
    const { message, code } = error as ListenError;
    return { problem: message, code: code ?? 'UNKNOWN' };
  }
}

async function close(): Promise<void> {
  await server.close();
  tell({ kind: 'closed' });
  parentPort?.close();
}

parentPort?.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'changes':
      feed(message);
      break;
    case 'flips':
      for (const slot of message.slots) for (const key of keys.ofSlot(slot)) server.pace.changed(key, false);
      break;
    case 'request':
      void answerTo(message.request).then((reply) => tell({ kind: 'reply', id: message.id, reply }));
      break;
    // It caches nothing.
    case 'hand-cache-over':
      message.port.close();
      break;
    case 'drain':
    case 'close':
      void close();
      break;
  }
});

async function answerTo(request: Request): Promise<Replies[keyof Replies]> {
  switch (request.kind) {
    case 'listen':
      return listen(request);
    case 'share':
      return false;
    case 'stop-listening':
      await server.stopListening();
      return undefined;
    case 'take-cache-in':
      request.port.close();
      return undefined;
    case 'flush-cache':
      return 0;
    case 'list-cache':
      return [];
    case 'explain-query':
      return { rules: [] };
  }
}
