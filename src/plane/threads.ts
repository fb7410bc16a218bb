// The data plane in worker threads: each has its own table and sockets, and all receive the same changes. A thread that dies
// is replaced and its table refilled, while the others keep answering. New settings need new threads, which are filled and
// then take the sockets over.
import { randomInt, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Random } from '../clock.ts';
import type { Reading } from '../metrics.ts';
import { createChangeQueue } from './change-queue.ts';
import { corednsReadings, serverLabel } from './coredns-readings.ts';
import { counterReadings } from './counter-readings.ts';
import { COUNTER, type Counters, countersOfView, createCounters } from './counters.ts';
import { addTo, type Crew, type CrewDeps, HEALTHY_MS, type Member, startCrew } from './crew.ts';
import type { DataThread } from './data-thread.ts';
import { sumOf } from './distributions.ts';
import { forwardReadings } from './forward-readings.ts';
import type { QueryLogInstead } from './forward-settings.ts';
import type { ForwardStatistics } from './forward-statistics.ts';
import type { PlaneEvents, PlaneObserver, RunningDataPlane } from './plane.ts';
import { createPushCrew } from './push-crew.ts';
import type { Change } from './records.ts';
import type { DataPlaneSettings } from './settings.ts';
import { createSlots, type SharedSlots } from './slots.ts';
import { takeOver } from './take-over.ts';
import { createUpstreamLog } from './upstream-log.ts';
import type { WaitingThread } from './waiting-thread.ts';
import { Watchdog } from './watchdog.ts';

export interface DataPlaneOptions extends PlaneEvents {
  /** The compiled src/thread/thread.ts. */
  readonly threadUrl: URL;
  readonly clock: Clock;
  readonly random: Random;
  /** Started before there were settings. */
  readonly waitingThread?: WaitingThread | undefined;
  /** Number of health slots; the default suffices for 16 million instances. */
  readonly slotCapacity?: number;
}

export interface ThreadedDataPlane extends RunningDataPlane {
  readonly slots: SharedSlots;
  /** Data threads that died and were replaced. */
  restarts(): number;
}

/** Starts the threads; sockets are opened by `listen`. */
export async function startDataPlane(
  settings: DataPlaneSettings,
  options: DataPlaneOptions,
): Promise<ThreadedDataPlane> {
  const { clock, log } = options;
  const slots = createSlots(options.slotCapacity);
  const hashSeed = randomInt(-0x8000_0000, 0x8000_0000);
  const logUpstreams = createUpstreamLog(log);
  const counts = { restarts: 0, badChanges: 0 };
  let queryLog: QueryLogInstead;
  let observer: PlaneObserver | undefined;

  const onBad = (change: Change, error: Error): void => {
    counts.badChanges++;
    log('error', `skipped a change of kind ${change.kind} that cannot be expressed in DNS: ${error.message}`);
  };
  const queue = createChangeQueue<Member>({
    hashSeed,
    receivers: () => [...crews.members(), ...push.members()],
    send: (member, id, bytes) => member.thread.sendChanges(id, bytes),
    onBad,
  });
  const deps: CrewDeps = {
    ...{ ...options, kind: 'data' as const },
    ...{ hashSeed, loopToken: randomUUID(), slots: slots.bytes.buffer as SharedArrayBuffer, onBad },
    acknowledge: queue.acknowledge,
    drop: queue.drop,
    queryLog: () => queryLog,
    observer: () => observer,
    onRestart: () => void counts.restarts++,
    onStatistics: () => logUpstreams(crews.statistics()),
  };
  const crews = new Crews(settings, deps);
  const push = createPushCrew(settings, slots, clock, { ...deps, dataThreadUrl: options.threadUrl });
  const stuck = watchForSilence(() => [...crews.members(), ...push.members()], clock);

  return {
    slots,
    apply: queue.add,
    filesRead: crews.current.filesRead,
    async listen() {
      const listening = await crews.current.listen(settings.listen, isAlwaysShared(settings));
      await push.listen();
      return listening;
    },
    replaceThreads: (next) => push.replaceWith(next, () => crews.replace(next)),
    listening: () => crews.current.listening(),
    pushListening: push.listening,
    isStuck: stuck.is,
    ...readingsOf(crews, push.readings, () => ({
      ...counts,
      ...{ hangs: stuck.hangs(), waitingChanges: queue.waiting(), slotsInUse: slots.inUse() },
    })),
    ...ordersTo(crews),
    observe(next) {
      observer = next;
    },
    setQueryLog(instead) {
      queryLog = instead;
      for (const { thread } of crews.members()) thread.setQueryLog(instead);
    },
    restarts: () => counts.restarts,
    async close() {
      stuck.stop();
      await Promise.all([push.close(), crews.close()]);
      queue.close();
    },
  };
}

/** The crew that serves, and beside it one that is being made ready, or one that still answers what it has received. */
class Crews {
  current: Crew;
  readonly #ended = new EndedCounters();
  readonly #all = new Set<Crew>();
  readonly #deps: CrewDeps;
  #draining: Promise<void> = Promise.resolve();

  constructor(settings: DataPlaneSettings, deps: CrewDeps) {
    this.#deps = deps;
    this.current = startCrew(ownSettings(settings), deps);
    this.#all.add(this.current);
  }

  members(): Member[] {
    return [...this.#all].flatMap((crew) => crew.members);
  }

  statistics(): ForwardStatistics[] {
    return [...this.current.statistics()];
  }

  rowsByView(): Map<string, Counters[]> {
    return this.#ended.withRowsOf(this.#all);
  }

  async replace(settings: DataPlaneSettings): Promise<void> {
    const next = ownSettings(settings);
    if (isDeepStrictEqual(next, this.current.settings)) return;
    await this.#draining;
    const fresh = startCrew(next, { ...this.#deps, waitingThread: undefined });
    this.#all.add(fresh);
    try {
      await fresh.fill();
      await takeOver(this.current, fresh, isAlwaysShared(next), this.#deps.clock);
    } catch (error) {
      await fresh.close();
      this.#forget(fresh);
      throw error;
    }
    const leaving = this.current;
    this.current = fresh;
    this.#draining = leaving.drain().then(() => this.#forget(leaving));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((crew) => crew.close()));
  }

  #forget(crew: Crew): void {
    this.#all.delete(crew);
    this.#ended.add(crew);
  }
}

/** Ends threads that do not respond. Stuck: one does not respond, or that happened twice in a short time. */
function watchForSilence(members: () => readonly Member[], clock: Clock) {
  const hangsMs: number[] = [];
  const watchdog = new Watchdog<Member>(clock, members, (member) => {
    hangsMs.push(clock.monotonicMs());
    member.thread.kill('it did not respond');
  });
  return {
    is: () => watchdog.isSilent() || clock.monotonicMs() - (hangsMs.at(-2) ?? Number.NEGATIVE_INFINITY) < HEALTHY_MS,
    hangs: () => hangsMs.length,
    stop: () => watchdog.stop(),
  };
}

function readingsOf(
  crews: Crews,
  ofPush: () => Reading[],
  counts: () => Omit<Parameters<typeof counterReadings>[1], 'threads'>,
): Pick<RunningDataPlane, 'counters' | 'corednsCounters'> {
  return {
    counters: () => [
      ...counterReadings([...crews.rowsByView().values()].flat(), {
        threads: crews.current.members.length,
        ...counts(),
      }),
      ...forwardReadings(crews.statistics()),
      ...ofPush(),
    ],
    corednsCounters(ownPlugin) {
      const [views, statistics] = [crews.rowsByView(), crews.statistics()];
      // Bugs: queries answered SERVFAIL, replies not handled, threads that died.
      const errors = sumOf([...views.values()].flat(), COUNTER.ERRORS) + counts().restarts;
      const panics = statistics.reduce((sum, { counters }) => sum + counters.bugs, errors);
      return [
        ...corednsReadings({ server: serverLabel(crews.current.listening()), ownPlugin, views, statistics }),
        { name: 'coredns_panics_total', value: panics },
      ];
    },
  };
}

/** What each thread has of its own: its cache, and its view of upstream servers. */
function ordersTo(crews: Crews): Pick<RunningDataPlane, 'flushCache' | 'listCache' | 'explainQuery' | 'upstreams'> {
  const each = <T>(ask: (thread: DataThread) => Promise<T>): Promise<T[]> =>
    Promise.all(crews.current.members.map(({ thread }) => ask(thread)));
  return {
    async flushCache(scope) {
      const flushed = await each((thread) => thread.flushCache(scope));
      return flushed.reduce((sum, count) => sum + count, 0);
    },
    listCache: async (limit, below) => (await each((thread) => thread.listCache(limit, below))).flat(),
    async explainQuery(request) {
      const at = { at: crews.current.settings.listen[0] };
      return (await crews.current.members[0]?.thread.explainQuery({ ...at, ...request })) ?? { rules: [] };
    },
    upstreams: () => crews.statistics().flatMap(({ upstreams }) => upstreams),
  };
}

/** Sums of the threads that a reload has ended: counters must not decrease. */
class EndedCounters {
  readonly #outside = createCounters();
  readonly #byView = new Map<string, Counters>();

  add(crew: Crew): void {
    for (const row of crew.rows) addTo(this.#outside, row);
    for (const [view, rows] of viewRows(crew)) {
      const sums = this.#byView.get(view) ?? createCounters();
      this.#byView.set(view, sums);
      for (const row of rows) addTo(sums, row);
    }
  }

  /** The counters of each view, past and present; those outside of any view are at ''. */
  withRowsOf(crews: Iterable<Crew>): Map<string, Counters[]> {
    const byView = new Map<string, Counters[]>([['', [this.#outside]]]);
    const add = (view: string, rows: readonly Counters[]) => byView.set(view, [...(byView.get(view) ?? []), ...rows]);
    for (const [view, row] of this.#byView) add(view, [row]);
    for (const crew of crews) {
      add('', crew.rows);
      for (const [view, rows] of viewRows(crew)) add(view, rows);
    }
    return byView;
  }
}

/** The counters of each view in each thread. */
const viewRows = ({ settings: { views = [] }, rows }: Crew) =>
  views.map(({ name }, index) => [name, rows.map((row) => countersOfView(row, index))] as const);

/** Those of the data threads. */
const ownSettings = ({ push: _push, ...own }: DataPlaneSettings): DataPlaneSettings => own;

/** Several threads bind the same addresses all the time. */
const isAlwaysShared = ({ threads, reusePort }: DataPlaneSettings): boolean => threads > 1 || reusePort === true;
