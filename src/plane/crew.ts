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
  /** The first thread, if it was started before there were settings. */
  readonly waitingThread?: WaitingThread | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly hashSeed: number;
  readonly loopToken: string;
  readonly slots: SharedArrayBuffer;
  /** A thread has applied a message of the queue. */
  acknowledge(id: number, member: Member): void;
  /** A thread gets no more messages. */
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

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over the threads of a crew
export function startCrew(settings: DataPlaneSettings, deps: CrewDeps): Crew {
  const { clock, log, hashSeed } = deps;
  const members: Member[] = [];
  const statistics = new Map<number, ForwardStatistics>();
  const timers = new Set<Timer>();
  /** Threads that have read their files. */
  const withFiles = new Set<number>();
  let listening: readonly ListeningAddress[] = [];
  let isShared = false;
  let isLeaving = false;
  let fillId = 0;
  let noteFiles = () => {};
  const filesRead = new Promise<void>((resolve) => {
    noteFiles = () => {
      if (members.every(({ index }) => withFiles.has(index))) resolve();
    };
  });

  let waiting = deps.waitingThread;
  const waitingThread = (index: number): WaitingThread => {
    const early = waiting;
    waiting = undefined;
    return early === undefined || hasEnded(early) ? startWaitingThread(deps.threadUrl, `data-${index}`) : early;
  };

  const start = (member: Pick<Member, 'index' | 'counters'>, onDeath: (cause: string) => void): DataThread =>
    startDataThread(
      waitingThread(member.index),
      {
        ...{ settings, slots: deps.slots, hashSeed, loopToken: deps.loopToken, index: member.index },
        queryLog: deps.queryLog(),
        counters: member.counters.buffer as SharedArrayBuffer,
        rotationSeed: Math.floor(deps.random() * 0x7fff_ffff) + 1,
      },
      {
        log,
        onDeath,
        onQuery: (line) => deps.observer()?.onQuery(line),
        onTally: (bytes) => deps.observer()?.onTally(bytes),
        onApplied: (id) => onApplied(member.index, id),
        onFilesRead() {
          withFiles.add(member.index);
          noteFiles();
        },
        onForwardStatistics(latest) {
          statistics.set(member.index, latest);
          deps.onStatistics();
        },
      },
    );

  /** Ids above 0 are the queue's, below 0 those of a thread being filled. */
  const onApplied = (index: number, id: number): void => {
    const member = members.find((one) => one.index === index);
    if (member === undefined) return;
    if (id > 0) deps.acknowledge(id, member);
    else member.filling.get(id)?.();
  };

  const addMember = (index: number, counters: Counters, delayMs: number): Member => {
    const member: Member = {
      index,
      counters,
      beats: () => counters[COUNTER.BEATS],
      startBeats: counters[COUNTER.BEATS],
      filling: new Map(),
      startedMs: clock.monotonicMs(),
      delayMs,
      thread: start({ index, counters }, (cause) => onDeath(member, cause)),
    };
    members.push(member);
    return member;
  };

  const removeMember = (member: Member): void => {
    const at = members.indexOf(member);
    if (at >= 0) members.splice(at, 1);
    deps.drop(member);
    for (const done of member.filling.values()) done();
  };

  const onDeath = (member: Member, cause: string): void => {
    removeMember(member);
    if (isLeaving) return;
    deps.onRestart();
    forgetGauges(member.counters);
    const lived = clock.monotonicMs() - member.startedMs;
    const delayMs = lived > HEALTHY_MS ? FIRST_DELAY_MS : Math.min(MAX_DELAY_MS, member.delayMs * 2);
    log('error', `data thread ${member.index} died and is replaced in ${delayMs} ms: ${cause}`);
    // The last thread may have been the only thing keeping the process alive.
    const timer = clock.setTimeoutKeepingAlive(() => {
      timers.delete(timer);
      void replace(addMember(member.index, member.counters, delayMs));
    }, delayMs);
    timers.add(timer);
  };

  /** Fills the table of a new thread, one message at a time, interleaved with new changes. */
  const fill = async (member: Member): Promise<void> => {
    const changes = deps.refill()[Symbol.iterator]();
    while (members.includes(member)) {
      const bytes = encodeChanges(changes, hashSeed, deps.onBad);
      if (bytes === undefined) break;
      const id = --fillId;
      await new Promise<void>((resolve) => {
        member.filling.set(id, resolve);
        member.thread.sendChanges(id, bytes);
      });
      member.filling.delete(id);
    }
  };

  const replace = async (member: Member): Promise<void> => {
    await fill(member);
    if (isLeaving || listening.length === 0 || !members.includes(member)) return;
    try {
      await member.thread.listen(addressesOf(listening), isShared);
      log('info', `data thread ${member.index} answers again`);
    } catch (error) {
      log('error', `data thread ${member.index} cannot listen: ${(error as Error).message}`);
    }
  };

  const leave = async (end: (thread: DataThread) => Promise<void>): Promise<void> => {
    isLeaving = true;
    for (const timer of timers) timer.cancel();
    await Promise.all([...members].map(({ thread }) => end(thread)));
    for (const member of [...members]) removeMember(member);
  };

  const rows = Array.from({ length: settings.threads }, () => createCounters(settings.views?.length));
  rows.forEach((counters, index) => {
    addMember(index, counters, FIRST_DELAY_MS);
  });

  return {
    ...{ settings, members, rows, filesRead },
    statistics: () => statistics.values(),
    listening: () => listening,
    async fill() {
      const all = [...members];
      await Promise.all(all.map(fill));
      if (all.some((member) => !members.includes(member))) throw new Error('a new data thread died');
    },
    async listen(addresses, shared) {
      const [first, ...rest] = [...members];
      if (first === undefined) throw new Error('a new data thread died');
      const opened = await first.thread.listen(addresses, shared);
      const plain = opened.addresses.some(({ transport, mode }) => transport === 'udp' && mode === 'plain');
      const alone = plain && rest.length > 0;
      const remarks = [
        ...(opened.fallback === undefined
          ? []
          : [`UDP batches are not available, packets are read one by one: ${opened.fallback}`]),
        ...(alone ? ['plain UDP sockets cannot be shared between threads: one data thread answers'] : []),
      ];
      if (remarks.length > 0) log('warn', remarks.join('; '));
      if (alone) {
        for (const member of rest) removeMember(member);
        noteFiles();
        await Promise.all(rest.map(({ thread }) => thread.close()));
      } else {
        const same = addressesOf(opened.addresses);
        await Promise.all(rest.map(({ thread }) => thread.listen(same, shared)));
      }
      isShared = shared;
      listening = opened.addresses;
      return listening;
    },
    async share(on) {
      const shared = await Promise.all(members.map(({ thread }) => thread.share(on)));
      isShared = on && shared.every((one) => one);
      return isShared;
    },
    async stopListening() {
      await Promise.all(members.map(({ thread }) => thread.stopListening()));
    },
    drain: () => leave((thread) => thread.drain()),
    close: () => leave((thread) => thread.close()),
  };
}

/** Gauges of the dead thread are reset, its counters are kept. */
export function forgetGauges(counters: Counters): void {
  for (const gauge of [COUNTER.TCP_OPEN, COUNTER.NAMES, COUNTER.RECORDS, COUNTER.TABLE_BYTES, COUNTER.ZONES]) {
    counters[gauge] = 0;
  }
}

/** Each address once, with its actual port. */
export function addressesOf(listening: readonly ListeningAddress[]): SocketAddress[] {
  return listening.filter(({ transport }) => transport === 'udp').map(({ address, port }) => ({ address, port }));
}
