// Questions under way to upstreams. Clients that ask the same question wait together: one query is sent for all of them, so
// that repeated questions do not multiply the chances of a forged reply (the birthday attack, VU#457875).
import type { Clock } from '../../clock.ts';
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';
import { sameName } from '../../dns/name.ts';
import { EDE, RCODE } from '../../dns/types.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import type { ForwardCounters, RouteCounters } from '../../plane/forward-statistics.ts';
import type { AnswerCache } from '../cache/cache.ts';
import { type CacheEntry, entryOf } from '../cache/entry.ts';
import type { ResponseWriter } from '../cache/response.ts';
import type { Answer } from '../upstream/answer.ts';
import { type Deadline, type Deadlines, deadline } from '../upstream/deadlines.ts';
import { type ForwardQuestion, questionOf } from '../upstream/question.ts';
import type { Outcome } from './ask-upstreams.ts';
import { type Client, type Clients, clientOf, ERROR } from './clients.ts';
import { isLoopProbe, loopAnswer } from './loop.ts';
import type { Route } from './route.ts';

export interface Waiter {
  readonly client: Client | undefined;
  readonly sinceMs: number;
  /** UDP: the client gets no reply if that would be too late. */
  readonly mayBeDiscarded: boolean;
  discarded(): void;
  answered(entry: CacheEntry, stale: boolean): void;
  /** RFC 8914: the info code, and the text beside it. */
  failed(ede: number, text?: string): void;
}

export interface OutstandingDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly cache: AnswerCache;
  readonly counters: ForwardCounters;
  readonly clients: Clients;
  /** Waiting clients of all questions together. */
  readonly maxWaiting: number;
  /** There are several routes: none may take all places. */
  readonly hasManyRoutes: boolean;
  /** Stale answers are given after this; undefined: never before the upstreams failed. */
  readonly staleAfterMs: number | undefined;
  /** Calls `done` once, perhaps before returning. Returns what stops it. */
  resolve(question: ForwardQuestion, done: (outcome: Outcome) => void): () => void;
  /** The longest that this answer may be cached; undefined: as configured. */
  mostSeconds?(question: ForwardQuestion, answer: Answer): number;
  /** Whether clients are told why a question failed. */
  readonly errorText: boolean;
  /** A bug, while an answer was made ready. */
  bug(error: Error): void;
}

interface Task {
  readonly key: number;
  readonly question: ForwardQuestion;
  readonly route: RouteCounters;
  readonly stale: CacheEntry | undefined;
  /** Of the cache, when the question was asked. */
  readonly flushes: number;
  waiters: Waiter[];
  /** Set while clients wait that a stale answer could serve. */
  patience: Deadline | undefined;
  isOutOfPatience: boolean;
  stop: () => void;
  over: boolean;
  nextOfBucket: Task | undefined;
}

/** Of the hash table of tasks, at most a few thousand. Not a Map: see memory/id-table.ts ("miss, 200 outstanding"). */
const BUCKETS = 4096;
const NO_EDE = -1;
/** Beside EDE 0. */
const TOO_MANY_OF_CLIENT = 'too many queries of this client are waiting';
const TOO_MANY = "too many queries are waiting for this zone's servers";

export class Outstanding {
  private readonly buckets: (Task | undefined)[] = new Array(BUCKETS).fill(undefined);
  private readonly deps: OutstandingDeps;
  private questionCount = 0;
  private waitingCount = 0;

  constructor(deps: OutstandingDeps) {
    this.deps = deps;
  }

  /** Answers `waiter` once the question is answered. `stale` is the answer to give if upstreams fail or are slow. */
  wait(key: number, question: ForwardQuestion, route: RouteCounters, stale: CacheEntry | undefined, waiter: Waiter) {
    const { counters } = this.deps;
    counters.misses++;
    if (!this.hasRoom(route)) {
      route.rejected++;
      if (stale !== undefined) waiter.answered(stale, true);
      else waiter.failed(EDE.OTHER, TOO_MANY);
      return;
    }
    if (!this.deps.clients.enter(waiter.client)) {
      if (stale !== undefined) waiter.answered(stale, true);
      else waiter.failed(EDE.OTHER, TOO_MANY_OF_CLIENT);
      return;
    }
    const running = this.find(key, question);
    if (running === undefined) {
      this.begin(key, question, route, stale, [waiter]);
    } else if (running.isOutOfPatience && running.stale !== undefined) {
      this.deps.clients.leave(waiter.client);
      waiter.answered(running.stale, true);
    } else {
      this.waitingCount++;
      route.waiting++;
      running.waiters.push(waiter);
      counters.coalesced++;
      this.armPatience(running);
    }
  }

  /** Asks only to refresh the cache. */
  refresh(key: number, question: ForwardQuestion, route: RouteCounters, stale: CacheEntry | undefined): void {
    if (this.hasRoom(route) && this.find(key, question) === undefined) this.begin(key, question, route, stale, []);
  }

  waiting(): number {
    return this.waitingCount;
  }

  questions(): number {
    return this.questionCount;
  }

  close(): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (let task = this.buckets[bucket]; task !== undefined; task = this.buckets[bucket]) {
        task.stop();
        this.forget(task);
        for (const waiter of this.takeWaiters(task)) {
          this.deps.clients.leave(waiter.client);
          waiter.failed(NO_EDE);
        }
      }
    }
  }

  /**
   * A route may take as many places as it leaves free (Choudhury and Hahne's dynamic threshold): half of them if one route is
   * stuck, a third each if two are, and the others always find some.
   */
  private hasRoom(route: RouteCounters): boolean {
    const free = this.deps.maxWaiting - this.waitingCount;
    return free > 0 && route.waiting < route.maxWaiting && (!this.deps.hasManyRoutes || route.waiting < free);
  }

  private find(key: number, question: ForwardQuestion): Task | undefined {
    let task = this.buckets[key % BUCKETS];
    while (task !== undefined && !(task.key === key && isSame(task.question, question))) task = task.nextOfBucket;
    return task;
  }

  private begin(
    key: number,
    question: ForwardQuestion,
    route: RouteCounters,
    stale: CacheEntry | undefined,
    waiters: Waiter[],
  ): void {
    const task: Task = {
      key,
      question,
      route,
      stale,
      flushes: this.deps.cache.flushes,
      waiters,
      patience: undefined,
      isOutOfPatience: false,
      stop: noStop,
      over: false,
      nextOfBucket: this.buckets[key % BUCKETS],
    };
    this.buckets[key % BUCKETS] = task;
    this.questionCount++;
    this.waitingCount += waiters.length;
    route.waiting += waiters.length;
    const stop = this.deps.resolve(question, (outcome) => this.finish(task, outcome));
    if (task.over) return;
    task.stop = stop;
    if (waiters.length > 0) this.armPatience(task);
  }

  /** RFC 8767 section 5, client response timer. */
  private armPatience(task: Task): void {
    const { stale } = task;
    const { deadlines, staleAfterMs } = this.deps;
    if (stale === undefined || staleAfterMs === undefined || task.patience !== undefined) return;
    task.patience = deadline(() => {
      task.isOutOfPatience = true;
      for (const waiter of this.takeWaiters(task)) {
        if (!this.isDiscarded(waiter)) waiter.answered(stale, true);
      }
    });
    deadlines.add(task.patience, staleAfterMs);
  }

  private finish(task: Task, outcome: Outcome): void {
    this.forget(task);
    const { entry, ede, why } = this.keep(task, outcome);
    for (const waiter of this.takeWaiters(task)) {
      if (this.isDiscarded(waiter)) continue;
      if (entry !== undefined) waiter.answered(entry, false);
      else if (task.stale !== undefined) waiter.answered(task.stale, true);
      else waiter.failed(ede, why);
    }
  }

  /** The waiter's place is free then; it gets no reply if that would be too late. */
  private isDiscarded(waiter: Waiter): boolean {
    const { clients, clock } = this.deps;
    const { client, sinceMs, mayBeDiscarded } = waiter;
    const isLate = mayBeDiscarded && clients.isTooLate(client, clock.monotonicMs() - sinceMs);
    clients.leave(client);
    if (isLate) waiter.discarded();
    return isLate;
  }

  /** Never throws: every waiting client gets an answer. */
  private keep({ question, flushes, stale }: Task, outcome: Outcome): { entry?: CacheEntry; ede: number; why: string } {
    const { deps } = this;
    const { cache, clock, counters } = deps;
    try {
      if (outcome.kind === 'answer') {
        const ttlSeconds = deps.mostSeconds?.(question, outcome.answer) ?? Number.POSITIVE_INFINITY;
        const answer = ttlSeconds < outcome.answer.ttlSeconds ? { ...outcome.answer, ttlSeconds } : outcome.answer;
        return { entry: cache.keep(question, answer, clock.monotonicMs(), flushes), ede: NO_EDE, why: '' };
      }
      counters.failed++;
      cache.keepFailure(
        question,
        outcome,
        outcome.maxSeconds ?? Number.POSITIVE_INFINITY,
        flushes === cache.flushes ? stale : undefined,
        clock.monotonicMs(),
      );
      return { ede: outcome.ede, why: deps.errorText ? outcome.why : '' };
    } catch (error) {
      deps.bug(error as Error);
      return { ede: EDE.OTHER, why: '' };
    }
  }

  private forget(task: Task): void {
    if (task.over) return;
    task.over = true;
    this.questionCount--;
    unlink(this.buckets, task);
    if (task.patience !== undefined) this.deps.deadlines.remove(task.patience);
  }

  private takeWaiters(task: Task): readonly Waiter[] {
    const { waiters } = task;
    task.waiters = [];
    this.waitingCount -= waiters.length;
    task.route.waiting -= waiters.length;
    return waiters;
  }
}

export interface MissDeps {
  readonly clock: Clock;
  readonly cache: AnswerCache;
  readonly cacheSettings: CacheSettings;
  readonly outstanding: Outstanding;
  readonly clients: Clients;
  readonly writer: ResponseWriter;
  readonly loopToken: string;
  routeOf(name: WireName): Route | undefined;
}

/** A client's query that the cache could not answer, until its response. */
export class Miss implements Waiter {
  client: Client | undefined;
  sinceMs = 0;
  readonly mayBeDiscarded: boolean;
  private readonly deps: MissDeps;
  /** Header and question. */
  private readonly query: Uint8Array;
  private readonly asked: number;
  private readonly maxBytes: number;
  private readonly stale: CacheEntry | undefined;
  /** A cached failure that is given as soon as the client's address is known, since errors are limited by client. */
  private readonly failure: CacheEntry | undefined;
  private reply: (response: Uint8Array) => void = () => {};

  constructor(
    deps: MissDeps,
    query: Uint8Array,
    asked: number,
    maxBytes: number,
    stale: CacheEntry | undefined,
    failure: CacheEntry | undefined,
  ) {
    this.deps = deps;
    this.failure = failure;
    this.query = query;
    this.asked = asked;
    this.maxBytes = maxBytes;
    this.mayBeDiscarded = maxBytes < MAX_MESSAGE_BYTES;
    this.stale = stale;
  }

  /** Whether there are servers to ask for this name. */
  get hasRoute(): boolean {
    return this.deps.routeOf(questionOf(this.query, this.query.length, this.asked).name) !== undefined;
  }

  /**
   * Asks upstreams. Calls `reply` exactly once, within the deadline, perhaps before returning; the response is valid until
   * `reply` returns, and empty if there is to be none. `address` is the client's, 4 or 16 bytes.
   */
  resolve(reply: (response: Uint8Array) => void, address?: Uint8Array): void {
    const { query, asked, deps } = this;
    this.reply = reply;
    this.client = clientOf(address);
    this.sinceMs = deps.clock.monotonicMs();
    if (this.failure !== undefined) {
      this.answered(this.failure, false);
      return;
    }
    const question = questionOf(query, query.length, asked);
    if (isLoopProbe(query, HEADER_BYTES, question.type, deps.loopToken)) {
      this.answered(entryOf(question, loopAnswer(question, deps.loopToken), deps.cacheSettings, this.sinceMs), false);
      return;
    }
    const route = deps.routeOf(question.name);
    if (route === undefined) this.fail(RCODE.REFUSED, EDE.NOT_AUTHORITATIVE);
    else {
      const key = deps.cache.keyOf(query, query.length, asked);
      deps.outstanding.wait(key, question, route.counters, this.stale, this);
    }
  }

  answered(entry: CacheEntry, stale: boolean): void {
    const { writer, clock } = this.deps;
    if (isError(entry.rcode) && !this.mayFail()) return;
    this.reply(writer.compose(entry, stale, clock.monotonicMs(), this.query, this.asked, this.maxBytes));
  }

  failed(ede: number, text?: string): void {
    this.fail(RCODE.SERVFAIL, ede, text);
  }

  discarded(): void {
    this.reply(NOTHING);
  }

  private fail(rcode: number, ede: number, text?: string): void {
    const { query, asked, deps } = this;
    if (this.mayFail()) this.reply(deps.writer.composeFailure(query, query.length, asked, rcode, ede, text));
  }

  /** False: the client is over its error limit, and the response was dropped or truncated. */
  private mayFail(): boolean {
    const { query, asked, deps } = this;
    if (!this.mayBeDiscarded) return true;
    const verdict = deps.clients.takeError(this.client, deps.clock.monotonicMs());
    if (verdict === ERROR.DROP) this.reply(NOTHING);
    if (verdict === ERROR.TRUNCATE) this.reply(deps.writer.composeTruncated(query, query.length, asked));
    return verdict === ERROR.SEND;
  }
}

const NOTHING = new Uint8Array(0);

function isError(rcode: number): boolean {
  return rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN && rcode !== RCODE.YXDOMAIN;
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
