// The data threads that run with one set of settings: filled before they listen, each replaced when it dies, and drained when
// a reload has started others in their place.
import type { Clock, Random, Timer } from '../clock.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import { COUNTER, type Counters, createCounters } from './counters.ts';
import { type DataThread, startDataThread } from './data-thread.ts';
import type { QueryLogInstead } from './forward-settings.ts';
import type { ForwardStatistics } from './forward-statistics.ts';
import { encodeChanges } from './messages.ts';
import type { ListeningAddress, PlaneEvents, PlaneObserver } from './plane.ts';
import type { Change } from './records.ts';
import type { DataPlaneSettings } from './settings.ts';
import type { ThreadData } from './thread-messages.ts';
import { hasEnded, startWaitingThread, type WaitingThread } from './waiting-thread.ts';
import type { Watched } from './watchdog.ts';

export interface Member extends Watched {
  readonly index: number;
  readonly counters: Counters;
  thread: DataThread;
  /** Pending acknowledgements of the filling of a new thread. */
  filling: Map<number, () => void>;
  startedMs: number;
  delayMs: number;
}

export interface Crew {
  readonly settings: DataPlaneSettings;
  readonly members: readonly Member[];
  /** One for each thread, kept when a thread dies, because counters must not decrease. */
  readonly rows: readonly Counters[];
  /** The last ones of each thread. */
  statistics(): Iterable<ForwardStatistics>;
  /** Resolves when every thread has read its files, or failed to. */
  readonly filesRead: Promise<void>;
  /** Fills every table. Rejects if a thread has died. */
  fill(): Promise<void>;
  /** Opens the sockets of every thread; `shared`: beside those of other threads. From then on, a thread that dies is replaced. */
  listen(addresses: readonly SocketAddress[], shared: boolean): Promise<readonly ListeningAddress[]>;
  /** Empty before `listen`. */
  listening(): readonly ListeningAddress[];
  /** Lets others bind the same addresses, or no longer; false: their sockets cannot be shared. */
  share(on: boolean): Promise<boolean>;
  /** Closes the listening sockets; what was received is answered. */
  stopListening(): Promise<void>;
  /** Stops listening, waits for the answers that clients wait for, and ends the threads. */
  drain(): Promise<void>;
  /** Ends the threads. */
  close(): Promise<void>;
}

export interface CrewDeps extends PlaneEvents {
  readonly threadUrl: URL;
  /** Of its threads, for people: "data" in "data thread 0". */
  readonly kind: 'data' | 'push';
  /** The first thread, if it was started before there were settings. */
  readonly waitingThread?: WaitingThread | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly hashSeed: number;
  readonly loopToken: string;
  readonly slots: SharedArrayBuffer;
  /** A thread has applied a message of the queue. */
  acknowledge(id: number, member: Member): void;
  /** No more messages are sent to the thread. */
  drop(member: Member): void;
  onBad(change: Change, error: Error): void;
  /** In place of the configured query logs. */
  queryLog(): QueryLogInstead;
  observer(): PlaneObserver | undefined;
  onRestart(): void;
  onStatistics(): void;
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
/** A thread that lived at least this long is replaced after the first delay again. */
export const HEALTHY_MS = 60_000;

export function startCrew(settings: DataPlaneSettings, deps: CrewDeps): Crew {
  return new RunningCrew(settings, deps);
}

class RunningCrew implements Crew {
  readonly settings: DataPlaneSettings;
  readonly members: Member[] = [];
  readonly rows: readonly Counters[];
  readonly filesRead: Promise<void>;
  readonly #deps: CrewDeps;
  readonly #statistics = new Map<number, ForwardStatistics>();
  readonly #replacements = new Set<Timer>();
  /** Threads that have read their files. */
  readonly #withFiles = new Set<number>();
  #noteFiles = () => {};
  #waitingThread: WaitingThread | undefined;
  #listening: readonly ListeningAddress[] = [];
  #isShared = false;
  #isLeaving = false;
  #fillId = 0;

  constructor(settings: DataPlaneSettings, deps: CrewDeps) {
    this.settings = settings;
    this.#deps = deps;
    this.#waitingThread = deps.waitingThread;
    this.filesRead = new Promise<void>((resolve) => {
      this.#noteFiles = () => {
        if (this.members.every(({ index }) => this.#withFiles.has(index))) resolve();
      };
    });
    this.rows = Array.from({ length: settings.threads }, () => createCounters(settings.views?.length));
    this.rows.forEach((counters, index) => {
      this.#addMember(index, counters, FIRST_DELAY_MS);
    });
  }

  statistics(): Iterable<ForwardStatistics> {
    return this.#statistics.values();
  }

  listening(): readonly ListeningAddress[] {
    return this.#listening;
  }

  async fill(): Promise<void> {
    const all = [...this.members];
    await Promise.all(all.map((member) => this.#fill(member)));
    if (all.some((member) => !this.members.includes(member))) throw new Error(`a new ${this.#deps.kind} thread died`);
  }

  async listen(addresses: readonly SocketAddress[], shared: boolean): Promise<readonly ListeningAddress[]> {
    const [first, ...rest] = [...this.members];
    if (first === undefined) throw new Error(`a new ${this.#deps.kind} thread died`);
    const opened = await first.thread.listen(addresses, shared);
    const plain = opened.addresses.some(({ transport, mode }) => transport === 'udp' && mode === 'plain');
    const alone = plain && rest.length > 0;
    const remarks = [
      ...(opened.fallback === undefined
        ? []
        : [`UDP batches are not available, packets are read one by one: ${opened.fallback}`]),
      ...(alone ? ['plain UDP sockets cannot be shared between threads: one data thread answers'] : []),
    ];
    if (remarks.length > 0) this.#deps.log('warn', remarks.join('; '));
    if (alone) {
      for (const member of rest) this.#removeMember(member);
      this.#noteFiles();
      await Promise.all(rest.map(({ thread }) => thread.close()));
    } else {
      const same = addressesOf(opened.addresses);
      await Promise.all(rest.map(({ thread }) => thread.listen(same, shared)));
    }
    this.#isShared = shared;
    this.#listening = opened.addresses;
    return this.#listening;
  }

  async share(on: boolean): Promise<boolean> {
    const shared = await Promise.all(this.members.map(({ thread }) => thread.share(on)));
    this.#isShared = on && shared.every((one) => one);
    return this.#isShared;
  }

  async stopListening(): Promise<void> {
    await Promise.all(this.members.map(({ thread }) => thread.stopListening()));
  }

  drain(): Promise<void> {
    return this.#leave((thread) => thread.drain());
  }

  close(): Promise<void> {
    return this.#leave((thread) => thread.close());
  }

  #addMember(index: number, counters: Counters, delayMs: number): Member {
    const member: Member = {
      index,
      counters,
      beats: () => counters[COUNTER.BEATS],
      startBeats: counters[COUNTER.BEATS],
      filling: new Map(),
      startedMs: this.#deps.clock.monotonicMs(),
      delayMs,
      thread: this.#start(index, counters, (cause) => this.#onDeath(member, cause)),
    };
    this.members.push(member);
    return member;
  }

  #removeMember(member: Member): void {
    const at = this.members.indexOf(member);
    if (at >= 0) this.members.splice(at, 1);
    this.#deps.drop(member);
    for (const done of member.filling.values()) done();
  }

  #start(index: number, counters: Counters, onDeath: (cause: string) => void): DataThread {
    const { slots, hashSeed, loopToken, log, random, queryLog, observer, onStatistics } = this.#deps;
    const data: ThreadData = {
      ...{ settings: this.settings, slots, hashSeed, loopToken, index, queryLog: queryLog() },
      counters: counters.buffer as SharedArrayBuffer,
      rotationSeed: Math.floor(random() * 0x7fff_ffff) + 1,
    };
    return startDataThread(this.#takeWaitingThread(index), data, {
      log,
      onDeath,
      onQuery: (line) => observer()?.onQuery(line),
      onTally: (bytes) => observer()?.onTally(bytes),
      onApplied: (id) => this.#onApplied(index, id),
      onFilesRead: () => {
        this.#withFiles.add(index);
        this.#noteFiles();
      },
      onForwardStatistics: (latest) => {
        this.#statistics.set(index, latest);
        onStatistics();
      },
    });
  }

  /** The one that was started early is used once. */
  #takeWaitingThread(index: number): WaitingThread {
    const early = this.#waitingThread;
    this.#waitingThread = undefined;
    const { threadUrl, kind } = this.#deps;
    return early === undefined || hasEnded(early) ? startWaitingThread(threadUrl, `${kind}-${index}`) : early;
  }

  /** Ids above 0 are the queue's, below 0 those of a thread being filled. */
  #onApplied(index: number, id: number): void {
    const member = this.members.find((one) => one.index === index);
    if (member === undefined) return;
    if (id > 0) this.#deps.acknowledge(id, member);
    else member.filling.get(id)?.();
  }

  #onDeath(member: Member, cause: string): void {
    const { clock, log, kind, onRestart } = this.#deps;
    this.#removeMember(member);
    if (this.#isLeaving) return;
    onRestart();
    forgetGauges(member.counters);
    const lived = clock.monotonicMs() - member.startedMs;
    const delayMs = lived > HEALTHY_MS ? FIRST_DELAY_MS : Math.min(MAX_DELAY_MS, member.delayMs * 2);
    log('error', `${kind} thread ${member.index} died and is replaced in ${delayMs} ms: ${cause}`);
    // The last thread may have been the only thing keeping the process alive.
    const timer = clock.setTimeoutKeepingAlive(() => {
      this.#replacements.delete(timer);
      void this.#replace(this.#addMember(member.index, member.counters, delayMs));
    }, delayMs);
    this.#replacements.add(timer);
  }

  async #replace(member: Member): Promise<void> {
    const { log, kind } = this.#deps;
    await this.#fill(member);
    if (this.#isLeaving || this.#listening.length === 0 || !this.members.includes(member)) return;
    try {
      await member.thread.listen(addressesOf(this.#listening), this.#isShared);
      log('info', `${kind} thread ${member.index} answers again`);
    } catch (error) {
      log('error', `${kind} thread ${member.index} cannot listen: ${(error as Error).message}`);
    }
  }

  /** Fills the table of a new thread, one message at a time, interleaved with new changes. */
  async #fill(member: Member): Promise<void> {
    const { refill, hashSeed, onBad } = this.#deps;
    const changes = refill()[Symbol.iterator]();
    while (this.members.includes(member)) {
      const bytes = encodeChanges(changes, hashSeed, onBad);
      if (bytes === undefined) break;
      const id = --this.#fillId;
      await new Promise<void>((resolve) => {
        member.filling.set(id, resolve);
        member.thread.sendChanges(id, bytes);
      });
      member.filling.delete(id);
    }
  }

  async #leave(end: (thread: DataThread) => Promise<void>): Promise<void> {
    this.#isLeaving = true;
    for (const timer of this.#replacements) timer.cancel();
    await Promise.all([...this.members].map(({ thread }) => end(thread)));
    for (const member of [...this.members]) this.#removeMember(member);
  }
}

const GAUGES = [
  ...[COUNTER.TCP_OPEN, COUNTER.NAMES, COUNTER.RECORDS, COUNTER.TABLE_BYTES, COUNTER.ZONES],
  ...[COUNTER.PUSH_SESSIONS, COUNTER.PUSH_SUBSCRIPTIONS, COUNTER.PUSH_KEYS, COUNTER.PUSH_WAITING],
  COUNTER.PUSH_UNREAD_BYTES,
];

/** Gauges of the dead thread are reset, its counters are kept. */
export function forgetGauges(counters: Counters): void {
  for (const gauge of GAUGES) counters[gauge] = 0;
}

/** Adds the counters of a thread that has ended. */
export function addTo(sums: Counters, row: Counters): void {
  forgetGauges(row);
  row.forEach((value, i) => {
    sums[i] += value;
  });
}

/** Each address once, with its actual port: one of TCP has one of UDP beside it, except in the push thread. */
export function addressesOf(listening: readonly ListeningAddress[]): SocketAddress[] {
  const hasUdp = listening.some(({ transport }) => transport === 'udp');
  return listening
    .filter(({ transport }) => transport === 'udp' || !hasUdp)
    .map(({ address, port }) => ({ address, port }));
}
