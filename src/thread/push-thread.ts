// The entry point of the push thread: a table filled like that of a data thread, and sessions that are notified of its changes.
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { createAcl } from '../front/acl.ts';
import { trimFreedMemory } from '../native/libc.ts';
import type { ListenError } from '../native/listen-error.ts';
import { COUNTER, COUNTERS, type Counters, mayPost } from '../plane/counters.ts';
import { applyEntry } from '../plane/messages.ts';
import type { FromThread, Replies, Request, ToThread } from '../plane/thread-messages.ts';
import { awaitData } from '../plane/waiting-thread.ts';
import { createAnswerSets } from '../push/answer-set.ts';
import { createKeys } from '../push/keys.ts';
import { createPushServer } from '../push/server.ts';
import { createChangeWatcher } from '../push/watch-changes.ts';
import { createEngine, createPacketMemory } from './engine.ts';

const BEAT_MS = 250;

const data = awaitData(workerData as Int32Array, parentPort!);
trimFreedMemory();

const { settings } = data;
const tell = (message: FromThread) => parentPort?.postMessage(message);
const counters: Counters = new Float64Array(data.counters, 0, COUNTERS);
const log = (level: 'info' | 'warn' | 'error', message: string) => {
  if (mayPost(counters)) tell({ kind: 'log', level, message });
  else counters[COUNTER.LOG_DROPPED]++;
};

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
const changes: { id: number; bytes: ArrayBuffer }[] = [];

beat();

/** For the watchdog of the control plane. */
function beat(): void {
  counters[COUNTER.BEATS]++;
  systemClock.setTimeout(beat, BEAT_MS);
}

/** One message per turn of the event loop. */
function applyNext(): void {
  const next = changes.shift();
  if (next === undefined) return;
  if (keys.size > 0) {
    const words = new Int32Array(next.bytes);
    for (let at = 0; at < words.length; ) at = applyEntry(words, at, watcher);
  }
  engine.apply(next.bytes);
  tell({ kind: 'applied', id: next.id });
  if (changes.length > 0) setImmediate(applyNext);
}

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
      changes.push(message);
      if (changes.length === 1) setImmediate(applyNext);
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
