// Runs jobs periodically: each at its own interval, spread over time, with limited concurrency and fair turns.
import { type Clock, type Random, setDeadline, type Timer } from '../../clock.ts';
import { createFairQueue } from './fair-queue.ts';

export interface Job {
  /** Owners take turns when more is due than may run. */
  readonly owner: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  /** Never rejects. When `signal` aborts (timeout, removal, stop), it releases all resources and then resolves. */
  run(signal: AbortSignal, timedOut: () => boolean): Promise<void>;
}

export interface Scheduler {
  /** Runs soon, but not all at once; then once per interval, give or take a tenth. Returns the function that removes it. */
  add(job: Job): () => void;
  /** How many may run at a time. */
  limit(concurrent: number): void;
  counts(): { readonly jobs: number; readonly running: number; readonly waiting: number; readonly late: number };
  /** Aborts running jobs and resolves when all have ended. */
  stop(): Promise<void>;
}

interface Entry {
  readonly job: Job;
  timer: Timer | undefined;
  abort: AbortController | undefined;
  /** Monotonic milliseconds at which it fell due. */
  dueMs: number;
  removed: boolean;
}

const LATE_MS = 1000;
const FIRST_MS = 1000;

export function createScheduler(clock: Clock, random: Random, concurrentJobs: number): Scheduler {
  const entries = new Set<Entry>();
  const queue = createFairQueue<Entry>();
  const runs = new Set<Promise<void>>();
  let concurrent = concurrentJobs;
  let late = 0;
  let stopped = false;

  function wait(entry: Entry, delayMs: number): void {
    entry.timer = clock.setTimeout(() => {
      entry.timer = undefined;
      entry.dueMs = clock.monotonicMs();
      queue.push(entry.job.owner, entry);
      runDue();
    }, delayMs);
  }

  function runDue(): void {
    while (!stopped && runs.size < concurrent) {
      const entry = queue.take();
      if (entry === undefined) return;
      const run = runOnce(entry).finally(() => {
        runs.delete(run);
        runDue();
      });
      runs.add(run);
    }
  }

  async function runOnce(entry: Entry): Promise<void> {
    const { job } = entry;
    const beganMs = clock.monotonicMs();
    if (beganMs - entry.dueMs > LATE_MS) late++;
    const abort = new AbortController();
    entry.abort = abort;
    let timedOut = false;
    const giveUp = () => {
      timedOut = true;
      abort.abort();
    };
    const timer = setDeadline(clock, giveUp, job.timeoutSeconds * 1000);
    await job.run(abort.signal, () => timedOut);
    timer.cancel();
    entry.abort = undefined;
    if (entry.removed) return;
    // Jobs that started together drift apart.
    const nextMs = beganMs + job.intervalSeconds * 1000 * (0.9 + 0.2 * random());
    wait(entry, Math.max(0, nextMs - clock.monotonicMs()));
  }

  function remove(entry: Entry): void {
    entry.removed = true;
    entry.timer?.cancel();
    queue.remove(entry.job.owner, entry);
    entry.abort?.abort();
    entries.delete(entry);
  }

  return {
    add(job) {
      const entry: Entry = { job, timer: undefined, abort: undefined, dueMs: 0, removed: false };
      entries.add(entry);
      wait(entry, random() * Math.min(FIRST_MS, job.intervalSeconds * 1000));
      return () => remove(entry);
    },
    limit(most) {
      concurrent = most;
      runDue();
    },
    counts: () => ({ jobs: entries.size, running: runs.size, waiting: queue.size(), late }),
    async stop() {
      stopped = true;
      for (const entry of entries) remove(entry);
      await Promise.all(runs);
    },
  };
}
