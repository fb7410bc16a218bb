// The control plane's view of one data thread: starting, feeding and querying it, and noticing its death.
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
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
import type { FromThread, Replies, Request, ThreadData, ToThread } from './thread-messages.ts';
import { type WaitingThread, wakeThread } from './waiting-thread.ts';

export interface DataThread {
  sendChanges(id: number, bytes: ArrayBuffer): void;
  /** Slots whose bytes have changed. */
  sendFlips(slots: Int32Array): void;
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
  /** Shuts it down when no client is waiting, or forcibly after a timeout. */
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
  /** Its tally (tally.ts). */
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

export function startDataThread(waiting: WaitingThread, data: ThreadData, events: DataThreadEvents): DataThread {
  const worker = wakeThread(waiting, data);
  const tell = (message: ToThread, transfer: readonly (ArrayBuffer | MessagePort)[] = []) =>
    worker.postMessage(message, transfer);
  const requests = createRequests(tell);
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  let closing = false;
  let cause = 'it ended';

  followThread(worker, new Float64Array(data.counters, 0, COUNTERS), { ...events, onReply: requests.settle });
  worker.on('error', (error) => {
    cause = error.message;
  });
  worker.once('exit', () => {
    requests.fail();
    if (!closing) events.onDeath(cause);
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
    sendFlips: (slots) => tell({ kind: 'flips', slots }),
    async listen(addresses, shared) {
      const reply = await requests.ask({ kind: 'listen', addresses, shared });
      if (reply === undefined) throw new ListenError(`data thread: ${cause}`, 'EDIED');
      if ('problem' in reply) throw new ListenError(reply.problem, reply.code);
      return reply;
    },
    share: async (on) => (await requests.ask({ kind: 'share', on })) ?? false,
    stopListening: () => requests.ask({ kind: 'stop-listening' }),
    setQueryLog: (instead) => tell({ kind: 'query-log', instead }),
    flushCache: async (scope) => (await requests.ask({ kind: 'flush-cache', scope })) ?? 0,
    listCache: async (limit, below) => (await requests.ask({ kind: 'list-cache', limit, below })) ?? [],
    explainQuery: async (request) => (await requests.ask({ kind: 'explain-query', request })) ?? { rules: [] },
    kill(reason) {
      cause = reason;
      void worker.terminate();
    },
    handCacheTo(other) {
      const { port1, port2 } = new MessageChannel();
      tell({ kind: 'hand-cache-over', port: port1 }, [port1]);
      return other.takeCacheIn(port2);
    },
    takeCacheIn: (port) => requests.ask({ kind: 'take-cache-in', port }, [port]),
    drain: () => end('drain', DRAIN_MS),
    close: () => end('close', CLOSE_MS),
  };
}

interface Requests {
  /** Undefined: the thread has ended without a reply. */
  ask<Kind extends Request['kind']>(
    request: Extract<Request, { kind: Kind }>,
    transfer?: readonly MessagePort[],
  ): Promise<Replies[Kind] | undefined>;
  settle(id: number, reply: Replies[keyof Replies]): void;
  /** There will be no further replies. */
  fail(): void;
}

function createRequests(tell: (message: ToThread, transfer?: readonly MessagePort[]) => void): Requests {
  const waiting = new Map<number, (reply: Replies[keyof Replies] | undefined) => void>();
  let lastId = 0;
  let hasEnded = false;
  return {
    ask<Kind extends Request['kind']>(request: Extract<Request, { kind: Kind }>, transfer?: readonly MessagePort[]) {
      if (hasEnded) return Promise.resolve(undefined);
      const id = ++lastId;
      return new Promise<Replies[Kind] | undefined>((resolve) => {
        waiting.set(id, (reply) => resolve(reply as Replies[Kind] | undefined));
        tell({ kind: 'request', id, request }, transfer);
      });
    },
    settle(id, reply) {
      waiting.get(id)?.(reply);
      waiting.delete(id);
    },
    fail() {
      hasEnded = true;
      for (const settle of waiting.values()) settle(undefined);
      waiting.clear();
    },
  };
}

interface Followed extends DataThreadEvents {
  onReply(id: number, reply: Replies[keyof Replies]): void;
}

/** Forwards its messages, and closes its sockets if it died with them open. */
function followThread(worker: Worker, counters: Counters, events: Followed): void {
  const descriptors: ReportedDescriptor[] = [];
  /** It has closed its sockets itself. */
  let ended = false;
  worker.on('message', (message: FromThread) => {
    if (OPTIONAL.has(message.kind)) counters[COUNTER.TAKEN]++;
    switch (message.kind) {
      case 'applied':
        return events.onApplied(message.id);
      case 'reply':
        return events.onReply(message.id, message.reply);
      case 'files-read':
        return events.onFilesRead();
      case 'opened':
        descriptors.push(message.descriptor);
        return;
      case 'forward':
        return events.onForwardStatistics(message.statistics);
      case 'log':
        return events.log(message.level, message.message);
      case 'query':
        return events.onQuery(message.line);
      case 'tally':
        return events.onTally(message.bytes);
      case 'closed':
        ended = true;
    }
  });
  worker.once('exit', () => {
    counters[COUNTER.TAKEN] = counters[COUNTER.POSTED];
    if (!ended) closeOrphans(descriptors);
  });
}
