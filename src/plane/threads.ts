// The data plane in worker threads: each has its own table and sockets, and all receive the same changes. A thread that dies
// is replaced and its table refilled, while the others keep answering. New settings need new threads, which are filled and
// then take the sockets over.
import { randomInt, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Random } from '../clock.ts';
import { createChangeQueue } from './change-queue.ts';
import { corednsReadings, serverLabel } from './coredns-readings.ts';
import { counterReadings } from './counter-readings.ts';
import { COUNTER, type Counters, countersOfView, createCounters } from './counters.ts';
import { type Crew, type CrewDeps, forgetGauges, HEALTHY_MS, type Member, startCrew } from './crew.ts';
import { sumOf } from './distributions.ts';
import { forwardReadings } from './forward-readings.ts';
import type { QueryLogInstead } from './forward-settings.ts';
import type { PlaneEvents, PlaneObserver, RunningDataPlane } from './plane.ts';
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
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over the threads that run
export async function startDataPlane(
  settings: DataPlaneSettings,
  options: DataPlaneOptions,
): Promise<ThreadedDataPlane> {
  const { clock, log } = options;
  const slots = createSlots(options.slotCapacity);
  const hashSeed = randomInt(-0x8000_0000, 0x8000_0000);
  const logUpstreams = createUpstreamLog(log);
  /** Sums of the threads that a reload has ended: counters must not decrease. */
  const ended = createCounters();
  const endedViews = new Map<string, Counters>();
  let restarts = 0;
  /** When threads were replaced because they did not respond. */
  const hangs: number[] = [];
  let badChanges = 0;
  let queryLog: QueryLogInstead;
  let observer: PlaneObserver | undefined;

  /** The one that serves; beside it one that is being made ready, or one that still answers what it has received. */
  const crews = new Set<Crew>();
  const members = (): Member[] => [...crews].flatMap((crew) => crew.members);

  const queue = createChangeQueue<Member>({
    hashSeed,
    receivers: members,
    send: (member, id, bytes) => member.thread.sendChanges(id, bytes),
    onBad,
  });
  const crewDeps: CrewDeps = {
    ...options,
    ...{ hashSeed, loopToken: randomUUID(), slots: slots.bytes.buffer as SharedArrayBuffer, onBad },
    acknowledge: queue.acknowledge,
    drop: queue.drop,
    queryLog: () => queryLog,
    observer: () => observer,
    onRestart: () => void restarts++,
    onStatistics: () => logUpstreams([...current.statistics()]),
  };
  let current = startCrew(settings, crewDeps);
  crews.add(current);
  let draining = Promise.resolve();

  const watchdog = new Watchdog<Member>(clock, members, (member) => {
    hangs.push(clock.monotonicMs());
    member.thread.kill('it did not respond');
  });

  function onBad(change: Change, error: Error): void {
    badChanges++;
    log('error', `skipped a change of kind ${change.kind} that cannot be expressed in DNS: ${error.message}`);
  }

  function forget(crew: Crew): void {
    crews.delete(crew);
    for (const row of crew.rows) addTo(ended, row);
    for (const [view, rows] of viewRows(crew)) {
      const sums = endedViews.get(view) ?? createCounters();
      endedViews.set(view, sums);
      for (const row of rows) addTo(sums, row);
    }
  }

  /** Bugs: queries answered SERVFAIL, replies not handled, threads that died. */
  function panics(): number {
    const errors = sumOf([...rowsByView().values()].flat(), COUNTER.ERRORS);
    return [...current.statistics()].reduce((sum, { counters }) => sum + counters.bugs, errors + restarts);
  }

  /** The counters of each view, past and present; those outside of any view are at ''. */
  function rowsByView(): Map<string, Counters[]> {
    const byView = new Map<string, Counters[]>([['', [ended]]]);
    const add = (view: string, rows: readonly Counters[]) => byView.set(view, [...(byView.get(view) ?? []), ...rows]);
    for (const [view, row] of endedViews) add(view, [row]);
    for (const crew of crews) {
      add('', crew.rows);
      for (const [view, rows] of viewRows(crew)) add(view, rows);
    }
    return byView;
  }

  return {
    slots,
    apply: queue.add,
    filesRead: current.filesRead,
    listen: () => current.listen(settings.listen, isAlwaysShared(settings)),
    async replaceThreads(next) {
      if (isDeepStrictEqual(next, current.settings)) return;
      await draining;
      const fresh = startCrew(next, { ...crewDeps, waitingThread: undefined });
      crews.add(fresh);
      try {
        await fresh.fill();
        await takeOver(current, fresh, isAlwaysShared(next), clock);
      } catch (error) {
        await fresh.close();
        forget(fresh);
        throw error;
      }
      const leaving = current;
      current = fresh;
      draining = leaving.drain().then(() => forget(leaving));
    },
    listening: () => current.listening(),
    isStuck: () => watchdog.isSilent() || clock.monotonicMs() - (hangs.at(-2) ?? Number.NEGATIVE_INFINITY) < HEALTHY_MS,
    counters: () => [
      ...counterReadings([...rowsByView().values()].flat(), {
        threads: current.members.length,
        restarts,
        hangs: hangs.length,
        badChanges,
        waitingChanges: queue.waiting(),
        slotsInUse: slots.inUse(),
      }),
      ...forwardReadings([...current.statistics()]),
    ],
    corednsCounters: (ownPlugin) => [
      ...corednsReadings({
        ...{ server: serverLabel(current.listening()), ownPlugin },
        views: rowsByView(),
        statistics: [...current.statistics()],
      }),
      { name: 'coredns_panics_total', value: panics() },
    ],
    observe(next) {
      observer = next;
    },
    setQueryLog(instead) {
      queryLog = instead;
      for (const { thread } of members()) thread.setQueryLog(instead);
    },
    async flushCache(scope) {
      const flushed = await Promise.all(current.members.map(({ thread }) => thread.flushCache(scope)));
      return flushed.reduce((sum, count) => sum + count, 0);
    },
    async listCache(limit, below) {
      return (await Promise.all(current.members.map(({ thread }) => thread.listCache(limit, below)))).flat();
    },
    explainQuery: async (request) => {
      const at = { at: current.settings.listen[0] };
      return (await current.members[0]?.thread.explainQuery({ ...at, ...request })) ?? { rules: [] };
    },
    upstreams: () => [...current.statistics()].flatMap(({ upstreams }) => upstreams),
    restarts: () => restarts,
    async close() {
      watchdog.stop();
      await Promise.all([...crews].map((crew) => crew.close()));
      queue.close();
    },
  };
}

/** The counters of each view in each thread. */
const viewRows = ({ settings: { views = [] }, rows }: Crew) =>
  views.map(({ name }, index) => [name, rows.map((row) => countersOfView(row, index))] as const);

/** Several threads bind the same addresses all the time. */
const isAlwaysShared = ({ threads, reusePort }: DataPlaneSettings): boolean => threads > 1 || reusePort === true;

function addTo(sums: Counters, row: Counters): void {
  forgetGauges(row);
  row.forEach((value, i) => {
    sums[i] += value;
  });
}
