// The control plane's view of one data thread: starting, feeding and querying it, and noticing its death.
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { ListenError } from '../native/listen-error.ts';
import { closeOrphans, type ReportedDescriptor } from '../native/orphaned-descriptors.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import type { CacheListing, FlushScope } from './cache-orders.ts';
import { COUNTER, COUNTERS, type Counters } from './counters.ts';
import type { QueryLogInstead } from './forward-settings.ts';
import type { ForwardStatistics } from './forward-statistics.ts';
import type { ListeningAddress } from './plane.ts';
import type { QueryLine } from './query-line.ts';
import type { QueryPath, QueryPathRequest } from './query-path.ts';
import type { FromThread, ThreadData, ToThread } from './thread-messages.ts';
import { type WaitingThread, wakeThread } from './waiting-thread.ts';

export interface DataThread {
  sendChanges(id: number, bytes: ArrayBuffer): void;
  /** `shared`: beside the sockets of other threads. */
  listen(
    addresses: readonly SocketAddress[],
    shared: boolean,
  ): Promise<{ addresses: readonly ListeningAddress[]; fallback?: string }>;
  /** Lets others bind the same addresses, or no longer; false: they cannot be shared. */
  share(on: boolean): Promise<boolean>;
  /** Closes the listening sockets, after what they have received has been answered. */
  stopListening(): Promise<void>;
  setQueryLog(instead: QueryLogInstead): void;
  flushCache(scope: FlushScope): Promise<number>;
  listCache(limit: number, below?: Uint8Array): Promise<readonly CacheListing[]>;
  explainQuery(request: QueryPathRequest): Promise<QueryPath>;
  /** Ends it at once; `cause` is that of its death. */
  kill(cause: string): void;
  /** Hands what is cached to another thread; resolves when that has it. */
  handCacheTo(other: DataThread): Promise<void>;
  takeCacheIn(port: MessagePort): Promise<void>;
  /** Shuts it down when no client waits any more, or forcibly after a timeout. */
  drain(): Promise<void>;
  /** Shuts it down gracefully, or forcibly after a timeout. */
  close(): Promise<void>;
}

export interface DataThreadEvents {
  onApplied(id: number): void;
  /** The files of hosts and upstreams have been read. */
  onFilesRead(): void;
  /** About once a second while they change. */
  onForwardStatistics(statistics: ForwardStatistics): void;
  /** A line of the query log. */
  onQuery(line: QueryLine): void;
  /** What it has counted (tally.ts). */
  onTally(bytes: ArrayBuffer): void;
  /** It ended unexpectedly. */
  onDeath(cause: string): void;
  log(level: 'info' | 'warn' | 'error', message: string): void;
}

/** Counted by `mayPost`. */
const OPTIONAL: ReadonlySet<FromThread['kind']> = new Set(['forward', 'log', 'query', 'tally']);

const CLOSE_MS = 2000;
/** Longer than DRAIN_MS of thread.ts. */
const DRAIN_MS = 8000;

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over the state of one worker thread
export function startDataThread(waiting: WaitingThread, data: ThreadData, events: DataThreadEvents): DataThread {
  const worker = wakeThread(waiting, data);
  const cacheReplies = new Map<number, (reply: Extract<FromThread, { kind: 'cache' }>) => void>();
  const pathReplies = new Map<number, (path: QueryPath) => void>();
  let onListen: ((reply: FromThread) => void) | undefined;
  let onShared: ((done: boolean) => void) | undefined;
  let onStopped: (() => void) | undefined;
  let onTakenIn: (() => void) | undefined;
  let hasExited = false;
  let lastId = 0;
  let closing = false;
  /** It has closed its sockets itself. */
  let ended = false;
  let cause = 'it ended';
  const descriptors: ReportedDescriptor[] = [];
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));

  const tell = (message: ToThread, transfer: readonly (ArrayBuffer | MessagePort)[] = []) =>
    worker.postMessage(message, transfer);

  const failAll = (): void => {
    hasExited = true;
    onListen?.({ kind: 'listen-failed', message: `data thread: ${cause}`, code: 'EDIED' });
    onShared?.(false);
    onStopped?.();
    onTakenIn?.();
    for (const [id, reply] of cacheReplies) reply({ kind: 'cache', id, flushed: 0, listing: [] });
    cacheReplies.clear();
    for (const reply of pathReplies.values()) reply({ rules: [] });
    pathReplies.clear();
  };

  const counters: Counters = new Float64Array(data.counters, 0, COUNTERS);
  worker.on('message', (message: FromThread) => {
    if (OPTIONAL.has(message.kind)) counters[COUNTER.TAKEN]++;
    switch (message.kind) {
      case 'applied':
        events.onApplied(message.id);
        break;
      case 'files-read':
        events.onFilesRead();
        break;
      case 'opened':
        descriptors.push(message.descriptor);
        break;
      case 'listening':
      case 'listen-failed':
        onListen?.(message);
        break;
      case 'shared':
        onShared?.(message.done);
        break;
      case 'stopped-listening':
        onStopped?.();
        break;
      case 'cache-taken-in':
        onTakenIn?.();
        break;
      case 'cache':
        cacheReplies.get(message.id)?.(message);
        cacheReplies.delete(message.id);
        break;
      case 'query-path':
        pathReplies.get(message.id)?.(message.path);
        pathReplies.delete(message.id);
        break;
      case 'forward':
        events.onForwardStatistics(message.statistics);
        break;
      case 'log':
        events.log(message.level, message.message);
        break;
      case 'query':
        events.onQuery(message.line);
        break;
      case 'tally':
        events.onTally(message.bytes);
        break;
      case 'closed':
        ended = true;
        break;
    }
  });
  worker.on('error', (error) => {
    cause = error.message;
  });
  worker.once('exit', () => {
    failAll();
    counters[COUNTER.TAKEN] = counters[COUNTER.POSTED];
    if (!ended) closeOrphans(descriptors);
    if (!closing) events.onDeath(cause);
  });

  const askCache = (message: (id: number) => ToThread) =>
    new Promise<Extract<FromThread, { kind: 'cache' }>>((resolve) => {
      const id = ++lastId;
      cacheReplies.set(id, resolve);
      tell(message(id));
      if (hasExited) failAll();
    });

  const end = async (kind: 'drain' | 'close', timeoutMs: number): Promise<void> => {
    closing = true;
    tell({ kind });
    const force = setTimeout(() => void worker.terminate(), timeoutMs);
    await exited;
    clearTimeout(force);
  };

  return {
    sendChanges: (id, bytes) => tell({ kind: 'changes', id, bytes }, [bytes]),
    listen: (addresses, shared) =>
      new Promise((resolve, reject) => {
        onListen = (reply) => {
          onListen = undefined;
          if (reply.kind === 'listening') resolve({ addresses: reply.addresses, fallback: reply.fallback });
          else if (reply.kind === 'listen-failed') reject(new ListenError(reply.message, reply.code));
        };
        tell({ kind: 'listen', addresses, shared });
        if (hasExited) failAll();
      }),
    share: (on) =>
      new Promise((resolve) => {
        onShared = resolve;
        tell({ kind: 'share', on });
        if (hasExited) failAll();
      }),
    stopListening: () =>
      new Promise((resolve) => {
        onStopped = resolve;
        tell({ kind: 'stop-listening' });
        if (hasExited) failAll();
      }),
    setQueryLog: (instead) => tell({ kind: 'query-log', instead }),
    async flushCache(scope) {
      return (await askCache((id) => ({ kind: 'flush-cache', id, scope }))).flushed;
    },
    async listCache(limit, below) {
      return (await askCache((id) => ({ kind: 'list-cache', id, limit, below }))).listing;
    },
    explainQuery: (request) =>
      new Promise((resolve) => {
        const id = ++lastId;
        pathReplies.set(id, resolve);
        tell({ kind: 'explain-query', id, request });
        if (hasExited) failAll();
      }),
    kill(reason) {
      cause = reason;
      void worker.terminate();
    },
    handCacheTo(other) {
      const { port1, port2 } = new MessageChannel();
      tell({ kind: 'hand-cache-over', port: port1 }, [port1]);
      return other.takeCacheIn(port2);
    },
    takeCacheIn: (port) =>
      new Promise((resolve) => {
        onTakenIn = resolve;
        tell({ kind: 'take-cache-in', port }, [port]);
        if (hasExited) failAll();
      }),
    drain: () => end('drain', DRAIN_MS),
    close: () => end('close', CLOSE_MS),
  };
}
