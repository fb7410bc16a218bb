// Questions that are being asked of upstreams. Clients that ask the same wait together: one query goes out, however many
// ask, so that nobody multiplies the chances of a forged reply by asking often (the birthday attack, VU#457875).
import { sameName } from '../../dns/name.ts';
import type { CacheEntry } from '../cache/cache.ts';
import { type Deadline, type Deadlines, deadline } from '../upstream/deadlines.ts';
import type { ForwardQuestion } from './question.ts';

export interface Waiter {
  answered(entry: CacheEntry, stale: boolean): void;
  /** RFC 8914: the info code, and the text beside it. */
  failed(ede: number, text?: string): void;
}

export type Found = { readonly entry: CacheEntry } | { readonly ede: number };

/** The waiting clients of one route, so that a dead one leaves room for the others. */
export interface Share {
  waiting: number;
  readonly maxWaiting: number;
}

export interface OutstandingDeps {
  readonly deadlines: Deadlines;
  /** Waiting clients of all questions together. */
  readonly maxWaiting: number;
  /** There are other shares: one may have no more than what it leaves free. */
  readonly shared: boolean;
  /** Stale answers are given after this; undefined: never before the upstreams failed. */
  readonly staleAfterMs: number | undefined;
  /** Finds the answer; calls back once, perhaps before returning. Returns what stops it. */
  find(question: ForwardQuestion, done: (found: Found) => void): () => void;
  coalesced(): void;
}

export interface Outstanding {
  /** False: too many wait already, and `waiter` will not be called. `stale` is what may be said if need be. */
  join(key: number, question: ForwardQuestion, share: Share, stale: CacheEntry | undefined, waiter: Waiter): boolean;
  /** Asks for the sake of the cache alone. */
  refresh(key: number, question: ForwardQuestion, share: Share, stale: CacheEntry | undefined): void;
  waiting(): number;
  questions(): number;
  close(): void;
}

interface Task {
  readonly key: number;
  readonly question: ForwardQuestion;
  readonly share: Share;
  readonly stale: CacheEntry | undefined;
  waiters: Waiter[];
  /** Set while clients wait that a stale answer could serve. */
  patience: Deadline | undefined;
  outOfPatience: boolean;
  stop: () => void;
  over: boolean;
  nextOfBucket: Task | undefined;
}

/** Of the hash table of tasks; a few thousand wait at most. id-table.ts says why it is not a Map. */
const BUCKETS = 4096;
const NO_EDE = -1;

export function createOutstanding(deps: OutstandingDeps): Outstanding {
  const buckets: (Task | undefined)[] = new Array(BUCKETS).fill(undefined);
  let questions = 0;
  let waiting = 0;

  function running(key: number, question: ForwardQuestion): Task | undefined {
    let task = buckets[key % BUCKETS];
    while (task !== undefined && !(task.key === key && isSame(task.question, question))) task = task.nextOfBucket;
    return task;
  }

  /**
   * A share may have as many as it leaves free (Choudhury and Hahne's dynamic threshold): half of all places if one is stuck, a
   * third each if two are, and others always find some.
   */
  function hasRoom(share: Share): boolean {
    const free = deps.maxWaiting - waiting;
    return free > 0 && share.waiting < share.maxWaiting && (!deps.shared || share.waiting < free);
  }

  function begin(
    key: number,
    question: ForwardQuestion,
    share: Share,
    stale: CacheEntry | undefined,
    first: Waiter[],
  ): Task {
    const task: Task = {
      key,
      question,
      share,
      stale,
      waiters: first,
      patience: undefined,
      outOfPatience: false,
      stop: noStop,
      over: false,
      nextOfBucket: buckets[key % BUCKETS],
    };
    buckets[key % BUCKETS] = task;
    questions++;
    waiting += first.length;
    share.waiting += first.length;
    const stop = deps.find(question, (found) => {
      forget(task);
      settle(task, found);
    });
    if (!task.over) task.stop = stop;
    return task;
  }

  function forget(task: Task): void {
    if (task.over) return;
    task.over = true;
    questions--;
    unlink(buckets, task);
    if (task.patience !== undefined) deps.deadlines.remove(task.patience);
  }

  function takeWaiters(task: Task): readonly Waiter[] {
    const waiters = task.waiters;
    task.waiters = [];
    waiting -= waiters.length;
    task.share.waiting -= waiters.length;
    return waiters;
  }

  function settle(task: Task, found: Found): void {
    for (const waiter of takeWaiters(task)) {
      if ('entry' in found) waiter.answered(found.entry, false);
      else if (task.stale !== undefined) waiter.answered(task.stale, true);
      else waiter.failed(found.ede);
    }
  }

  /** RFC 8767 section 5, client response timer. */
  function armPatience(task: Task): void {
    const { stale } = task;
    if (stale === undefined || deps.staleAfterMs === undefined || task.patience !== undefined) return;
    task.patience = deadline(() => {
      task.outOfPatience = true;
      for (const waiter of takeWaiters(task)) waiter.answered(stale, true);
    });
    deps.deadlines.add(task.patience, deps.staleAfterMs);
  }

  return {
    join(key, question, share, stale, waiter) {
      if (!hasRoom(share)) return false;
      let task = running(key, question);
      if (task === undefined) {
        task = begin(key, question, share, stale, [waiter]);
      } else if (task.outOfPatience && task.stale !== undefined) {
        waiter.answered(task.stale, true);
      } else {
        waiting++;
        share.waiting++;
        task.waiters.push(waiter);
        deps.coalesced();
      }
      if (task.waiters.length > 0) armPatience(task);
      return true;
    },
    refresh(key, question, share, stale) {
      if (hasRoom(share) && running(key, question) === undefined) begin(key, question, share, stale, []);
    },
    waiting: () => waiting,
    questions: () => questions,
    close() {
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        for (let task = buckets[bucket]; task !== undefined; task = buckets[bucket]) {
          task.stop();
          forget(task);
          for (const waiter of takeWaiters(task)) waiter.failed(NO_EDE);
        }
      }
    },
  };
}

const noStop = () => {};

function unlink(buckets: (Task | undefined)[], task: Task): void {
  const bucket = task.key % BUCKETS;
  if (buckets[bucket] === task) buckets[bucket] = task.nextOfBucket;
  else {
    let before = buckets[bucket];
    while (before !== undefined && before.nextOfBucket !== task) before = before.nextOfBucket;
    if (before !== undefined) before.nextOfBucket = task.nextOfBucket;
  }
  task.nextOfBucket = undefined;
}

function isSame(a: ForwardQuestion, b: ForwardQuestion): boolean {
  return (
    a.type === b.type &&
    a.dnssecOk === b.dnssecOk &&
    a.checkingDisabled === b.checkingDisabled &&
    a.recursionDesired === b.recursionDesired &&
    sameName(a.name, b.name)
  );
}
