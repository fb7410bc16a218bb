// The data plane in worker threads: each has its own table and sockets, and all receive the same changes. A thread that dies
// is replaced and its table refilled, while the others keep answering.
import { randomInt, randomUUID } from 'node:crypto';
import type { Clock, Random, Timer } from '../clock.ts';
import type { SocketAddress } from '../native/socket-address.ts';
import { createChangeQueue } from './change-queue.ts';
import { counterReadings } from './counter-readings.ts';
import { COUNTER, type Counters, createCounters } from './counters.ts';
import { type DataThread, startDataThread } from './data-thread.ts';
import { forwardReadings } from './forward-readings.ts';
import type { ForwardStatistics } from './forward-statistics.ts';
import { encodeChanges } from './messages.ts';
import type { ListeningAddress, PlaneEvents, RunningDataPlane } from './plane.ts';
import type { Change } from './records.ts';
import type { DataPlaneSettings } from './settings.ts';
import { createSlots, type SharedSlots } from './slots.ts';
import { createUpstreamLog } from './upstream-log.ts';
import { Watchdog, type Watched } from './watchdog.ts';

export interface DataPlaneOptions extends PlaneEvents {
  /** The compiled src/server/thread.ts. */
  readonly threadUrl: URL;
  readonly clock: Clock;
  readonly random: Random;
  /** Number of health slots; the default suffices for 16 million instances. */
  readonly slotCapacity?: number;
}

export interface ThreadedDataPlane extends RunningDataPlane {
  readonly slots: SharedSlots;
  /** Data threads that died and were replaced. */
  restarts(): number;
}

interface Member extends Watched {
  readonly index: number;
  readonly counters: Counters;
  thread: DataThread;
  /** Pending acknowledgements of the filling of a new thread. */
  filling: Map<number, () => void>;
  startedMs: number;
  delayMs: number;
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
/** A thread that lived at least this long is replaced after the first delay again. */
const HEALTHY_MS = 60_000;

/** Starts the threads; sockets are opened by `listen`. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over the threads that run
export async function startDataPlane(
  settings: DataPlaneSettings,
  options: DataPlaneOptions,
): Promise<ThreadedDataPlane> {
  const { clock, log } = options;
  const slots = createSlots(options.slotCapacity);
  const hashSeed = randomInt(-0x8000_0000, 0x8000_0000);
  const loopToken = randomUUID();
  const members: Member[] = [];
  const forwardStatistics = new Map<number, ForwardStatistics>();
  const logUpstreams = createUpstreamLog(log);
  let listening: readonly ListeningAddress[] = [];
  let restarts = 0;
  /** When threads were replaced because they did not respond. */
  const hangs: number[] = [];
  let badChanges = 0;
  let fillId = 0;
  let closed = false;
  const timers = new Set<Timer>();
  /** Threads that have read their files. */
  const withFiles = new Set<number>();
  let noteFiles = () => {};
  const filesRead = new Promise<void>((resolve) => {
    noteFiles = () => {
      if (members.every(({ index }) => withFiles.has(index))) resolve();
    };
  });

  const onBad = (change: Change, error: Error) => {
    badChanges++;
    log('error', `skipped a change of kind ${change.kind} that cannot be expressed in DNS: ${error.message}`);
  };

  const queue = createChangeQueue<Member>({
    hashSeed,
    receivers: () => members,
    send: (member, id, bytes) => member.thread.sendChanges(id, bytes),
    onBad,
  });

  const start = (member: Pick<Member, 'index' | 'counters'>, onDeath: (cause: string) => void): DataThread =>
    startDataThread(
      options.threadUrl,
      {
        settings,
        slots: slots.bytes.buffer as SharedArrayBuffer,
        counters: member.counters.buffer as SharedArrayBuffer,
        hashSeed,
        rotationSeed: Math.floor(options.random() * 0x7fff_ffff) + 1,
        loopToken,
        index: member.index,
      },
      `data-${member.index}`,
      {
        log,
        onDeath,
        onApplied: (id) => onApplied(member.index, id),
        onFilesRead() {
          withFiles.add(member.index);
          noteFiles();
        },
        onForwardStatistics(statistics) {
          forwardStatistics.set(member.index, statistics);
          logUpstreams([...forwardStatistics.values()]);
        },
      },
    );

  /** Ids above 0 are the queue's, below 0 those of a thread being filled. */
  const onApplied = (index: number, id: number): void => {
    const member = members.find((one) => one.index === index);
    if (member === undefined) return;
    if (id > 0) queue.acknowledge(id, member);
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

  const onDeath = (member: Member, cause: string): void => {
    members.splice(members.indexOf(member), 1);
    queue.drop(member);
    for (const done of member.filling.values()) done();
    if (closed) return;
    restarts++;
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

  /** Fills the table of a new thread, one message at a time, interleaved with new changes. Then it listens. */
  const replace = async (member: Member): Promise<void> => {
    const changes = options.refill()[Symbol.iterator]();
    while (members.includes(member)) {
      const bytes = encodeChanges(changes, hashSeed, onBad);
      if (bytes === undefined) break;
      const id = --fillId;
      await new Promise<void>((resolve) => {
        member.filling.set(id, resolve);
        member.thread.sendChanges(id, bytes);
      });
      member.filling.delete(id);
    }
    if (closed || listening.length === 0 || !members.includes(member)) return;
    try {
      await member.thread.listen(addressesOf(listening));
      log('info', `data thread ${member.index} answers again`);
    } catch (error) {
      log('error', `data thread ${member.index} cannot listen: ${(error as Error).message}`);
    }
  };

  const watchdog = new Watchdog<Member>(
    clock,
    () => members,
    (member) => {
      hangs.push(clock.monotonicMs());
      member.thread.kill('it did not respond');
    },
  );

  /** Kept when a thread dies, because counters must not decrease. */
  const rows = Array.from({ length: settings.threads }, createCounters);
  rows.forEach((counters, index) => {
    addMember(index, counters, FIRST_DELAY_MS);
  });

  return {
    slots,
    apply: queue.add,
    filesRead,
    async listen() {
      const [first, ...rest] = [...members];
      const opened = await first.thread.listen(settings.listen);
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
        await Promise.all(rest.map((member) => dismiss(member)));
      } else {
        const same = addressesOf(opened.addresses);
        await Promise.all(rest.map(({ thread }) => thread.listen(same)));
      }
      listening = opened.addresses;
      return listening;
    },
    listening: () => listening,
    isStuck: () => watchdog.isSilent() || clock.monotonicMs() - (hangs.at(-2) ?? Number.NEGATIVE_INFINITY) < HEALTHY_MS,
    counters: () => [
      ...counterReadings(rows, {
        threads: members.length,
        restarts,
        hangs: hangs.length,
        badChanges,
        waitingChanges: queue.waiting(),
        slotsInUse: slots.inUse(),
      }),
      ...forwardReadings([...forwardStatistics.values()]),
    ],
    async flushCache(scope) {
      const flushed = await Promise.all(members.map(({ thread }) => thread.flushCache(scope)));
      return flushed.reduce((sum, count) => sum + count, 0);
    },
    async listCache(limit, below) {
      return (await Promise.all(members.map(({ thread }) => thread.listCache(limit, below)))).flat();
    },
    restarts: () => restarts,
    async close() {
      closed = true;
      watchdog.stop();
      for (const timer of timers) timer.cancel();
      await Promise.all([...members].map(({ thread }) => thread.close()));
      queue.close();
    },
  };

  async function dismiss(member: Member): Promise<void> {
    members.splice(members.indexOf(member), 1);
    queue.drop(member);
    noteFiles();
    await member.thread.close();
  }
}

/** Gauges of the dead thread are reset, its counters are kept. */
function forgetGauges(counters: Counters): void {
  for (const gauge of [COUNTER.TCP_OPEN, COUNTER.NAMES, COUNTER.RECORDS, COUNTER.TABLE_BYTES, COUNTER.ZONES]) {
    counters[gauge] = 0;
  }
}

/** Each address once, with its actual port. */
function addressesOf(listening: readonly ListeningAddress[]): SocketAddress[] {
  return listening.filter(({ transport }) => transport === 'udp').map(({ address, port }) => ({ address, port }));
}
