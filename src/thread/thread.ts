// The entry point of a data thread: a table filled by messages, and sockets that answer from it.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { UDP_BYTES_WITHOUT_EDNS } from '../dns/limits.ts';
import { createForwarder } from '../forward/forwarder.ts';
import { type Counting, createCounting } from '../front/counting.ts';
import { startDnstap } from '../front/dnstap.ts';
import { createObserver } from '../front/observer.ts';
import { NativeDatagrams, type OpenSocket, openDatagram } from '../native/connected-datagram.ts';
import { loadLibc, trimFreedMemory } from '../native/libc.ts';
import type { ListenError } from '../native/listen-error.ts';
import { reportDescriptor } from '../native/orphaned-descriptors.ts';
import { createPacketMemory } from '../native/packet-memory.ts';
import { COUNTER, countersOfView, mayPost } from '../plane/counters.ts';
import type { ForwardSettings } from '../plane/forward-settings.ts';
import { sumOfStatistics } from '../plane/forward-statistics.ts';
import type { Replies, Request, ToThread } from '../plane/thread-messages.ts';
import { awaitData } from '../plane/waiting-thread.ts';
import { type Listeners, openListeners } from '../server/listeners.ts';
import { beat, createChangeFeed, linkToControlPlane } from './control-link.ts';
import { createEngine, type EngineDeps } from './engine.ts';

const REPORT_MS = 1000;
const TALLY_MS = 5_000;
/** The longest time until an upstream's answer or SERVFAIL is below this. */
const DRAIN_MS = 5_000;
const DRAIN_POLL_MS = 20;
/** Packets per batch. */
const BATCH = 64;

// While the control plane reads the configuration.
trimFreedMemory();
const available = loadLibc();
const data = awaitData(workerData as Int32Array, parentPort!);

const { settings } = data;
const link = linkToControlPlane(data.counters);
const { counters, tell, log } = link;

const libc = settings.udp === 'plain' ? 'switched off' : available;
const forwards = [settings, ...(settings.views ?? [])].some(({ forward }) => forward !== undefined);
const datagrams = !forwards || typeof libc === 'string' ? undefined : new NativeDatagrams(libc);
/** Only the receive loop reads native sockets. */
let loopRuns = false;
const openSocket: OpenSocket = (...socket) =>
  datagrams !== undefined && loopRuns ? datagrams.open(...socket) : openDatagram(...socket);

/** All threads read the same files; only one logs problems. */
const logForwarding: typeof log = (level, message) => {
  if (data.index === 0 || level === 'error') log(level, message);
};

const forwarderOf = (forward: ForwardSettings): EngineDeps['createForwarder'] => {
  const common = { clock: systemClock, log: logForwarding, loopToken: data.loopToken, openSocket };
  return (ours) => createForwarder(forward, { ...ours, ...common });
};

const counting = settings.topQueries
  ? createCounting({ monotonicMs: systemClock.monotonicMs, random: Math.random })
  : undefined;
const dnstap = settings.dnstap && startDnstap(settings.dnstap, { clock: systemClock, counters, log: logForwarding });
const observer = createObserver({
  ...{ counting, tap: dnstap?.send, monotonicMs: systemClock.monotonicMs, random: Math.random },
  logQuery(line) {
    if (mayPost(counters)) tell({ kind: 'query', line });
    else counters[COUNTER.LOG_DROPPED]++;
  },
});
observer.setQueryLog(data.queryLog);

const allocate = typeof libc === 'string' ? undefined : libc.allocate;

const engine = createEngine({
  memory: createPacketMemory(BATCH, Math.max(UDP_BYTES_WITHOUT_EDNS, settings.responder.udpPayloadBytes), allocate),
  slots: new Uint8Array(data.slots),
  counters,
  settings: settings.responder,
  hashSeed: data.hashSeed,
  rotationSeed: data.rotationSeed,
  createForwarder: settings.forward && forwarderOf(settings.forward),
  front: settings.front,
  observer,
  views: settings.views?.map(({ forward, ...view }, index) => ({
    ...view,
    counters: countersOfView(counters, index),
    createForwarder: forward && forwarderOf(forward),
  })),
  onError: oncePerKind((error) => log('error', `a query could not be answered: ${error.stack ?? error}`)),
});

const { forwarders } = engine;
if (forwarders.length > 0) {
  reportForwarding('');
  void Promise.all(forwarders.map(({ ready }) => ready)).then(() => tell({ kind: 'files-read' }));
}

if (counting !== undefined) reportTally(counting);

beat(counters);

let listeners: Listeners | undefined;
const feed = createChangeFeed(link, engine.apply);

async function listen({ addresses, shared }: Extract<Request, { kind: 'listen' }>): Promise<Replies['listen']> {
  try {
    await listeners?.close();
    listeners = await openListeners(engine, settings, addresses, {
      clock: systemClock,
      shared,
      libc,
      alsoReadable: datagrams && [datagrams],
      nextDeadlineMs: nextDeadlineMs(),
      handlerAt: settings.views && engine.handlerAt,
      onDescriptor(fd, marker) {
        const descriptor = reportDescriptor(fd, marker);
        if (descriptor !== undefined) tell({ kind: 'opened', descriptor });
      },
    });
    loopRuns = listeners.addresses.some(({ mode }) => mode === 'batched');
    return { addresses: listeners.addresses, fallback: listeners.fallback };
  } catch (error) {
    const { message, code } = error as ListenError;
    return { problem: message, code: code ?? 'UNKNOWN' };
  }
}

/** One batch in each turn of the event loop. Views are told apart by their position: what does not fit is not taken. */
async function handCacheOver(port: MessagePort): Promise<void> {
  for (const [forwarder, one] of forwarders.entries())
    for (const handed of one.handOver()) {
      port.postMessage({ forwarder, handed });
      await new Promise((resolve) => setImmediate(resolve));
    }
  port.close();
}

/** Resolves when all that came through the port is in the cache. */
function takeCacheIn(port: MessagePort): Promise<undefined> {
  port.on('message', ({ forwarder, handed }) => forwarders[forwarder]?.takeIn(handed));
  return new Promise((resolve) => port.on('close', () => resolve(undefined)));
}

/** Clients that wait for upstreams get their answers, and TCP connections end when they are idle. */
async function drain(): Promise<void> {
  await listeners?.stop();
  const endMs = systemClock.monotonicMs() + DRAIN_MS;
  const isBusy = () =>
    forwarders.some((forwarder) => forwarder.gauges().waiting > 0) || (listeners?.connections() ?? 0) > 0;
  while (isBusy() && systemClock.monotonicMs() < endMs)
    await new Promise<void>((resolve) => void systemClock.setTimeout(resolve, DRAIN_POLL_MS));
  await close();
}

async function close(): Promise<void> {
  await listeners?.close();
  for (const forwarder of forwarders) forwarder.close();
  datagrams?.close();
  await dnstap?.close();
  sendTally(counting);
  tell({ kind: 'closed' });
  parentPort?.close();
}

parentPort?.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'changes':
      feed(message);
      break;
    case 'request':
      reply(message.id, message.request);
      break;
    case 'hand-cache-over':
      void handCacheOver(message.port);
      break;
    case 'drain':
      void drain();
      break;
    case 'query-log':
      observer.setQueryLog(message.instead);
      break;
    case 'close':
      void close();
      break;
  }
});

/** Synchronous if the request does not have to wait. */
function reply(id: number, request: Request): void {
  const answered = answerTo(request);
  if (answered instanceof Promise) void answered.then((later) => tell({ kind: 'reply', id, reply: later }));
  else tell({ kind: 'reply', id, reply: answered });
}

function answerTo(request: Request): Replies[keyof Replies] | Promise<Replies[keyof Replies]> {
  switch (request.kind) {
    case 'listen':
      return listen(request);
    case 'share':
      return listeners?.share(request.on) ?? false;
    case 'stop-listening':
      return listeners?.stop().then(() => undefined);
    case 'take-cache-in':
      return takeCacheIn(request.port);
    case 'flush-cache':
      return forwarders.reduce((sum, forwarder) => sum + forwarder.flush(request.scope), 0);
    case 'list-cache':
      return forwarders.flatMap((forwarder) => forwarder.list(request.limit, request.below));
    case 'explain-query':
      return engine.explainQuery(request.request);
  }
}

/** A bug in the answer path may occur with every query; each is reported once. */
function oncePerKind(report: (error: Error) => void): (error: Error) => void {
  const told = new Set<string>();
  return (error) => {
    if (told.has(error.message) || told.size > 100) return;
    told.add(error.message);
    report(error);
  };
}

/**
 * A tally that the control plane cannot receive in time is dropped. It is copied: the first buffer that a thread transfers makes V8 check
 * every access to a typed array from then on, in case its buffer is gone (bench/RESULTS.md, "What helps": nothing detached).
 */
function reportTally(counted: Counting): void {
  sendTally(counted);
  systemClock.setTimeout(() => reportTally(counted), TALLY_MS);
}

function sendTally(counted: Counting | undefined): void {
  const bytes = counted?.take();
  if (bytes !== undefined && mayPost(counters)) tell({ kind: 'tally', bytes });
}

/** Of all forwarders; the receive loop asks after each batch, so the usual case is one call. */
function nextDeadlineMs(): (() => number) | undefined {
  if (forwarders.length === 0) return undefined;
  const [only, ...more] = forwarders;
  if (more.length === 0) return () => only.nextDeadlineMs();
  return () => Math.min(...forwarders.map((forwarder) => forwarder.nextDeadlineMs()));
}

/** Statistics with names of upstream servers do not fit into the shared counters, so they are sent when they change. */
function reportForwarding(before: string): void {
  const statistics = sumOfStatistics(
    forwarders.map((forwarder) => ({
      counters: forwarder.counters,
      gauges: forwarder.gauges(),
      upstreams: forwarder.upstreams(),
      routes: forwarder.routes(),
      hosts: [forwarder.hosts()].flatMap((hosts) => hosts ?? []),
    })),
  );
  const now = JSON.stringify(statistics);
  const isDue = now !== before && mayPost(counters);
  if (isDue) tell({ kind: 'forward', statistics });
  systemClock.setTimeout(() => reportForwarding(isDue ? now : before), REPORT_MS);
}
