// Observes queries and responses: every one for the query log and dnstap, a sample for counting (the most frequent names
// and clients) and for durations. A query that is not observed costs a decrement and a comparison. Responses that come
// later, which cost much more, are all timed and counted.
import type { Random } from '../clock.ts';
import { HEADER_BYTES } from '../dns/limits.ts';
import { COUNTER, countDuration, countQuerySize, countResponse } from '../plane/counters.ts';
import type { QueryLogSettings } from '../plane/forward-settings.ts';
import type { QueryLine } from '../plane/query-line.ts';
import type { Later, QueryHandler } from '../server/answer/query-handler.ts';
import type { Counting } from './counting.ts';
import { createQueryLog, type ObservedQuery, type QueryLog } from './query-log.ts';

export interface Observer {
  /** The handler with everything that it answers observed. `log`: its own query log. */
  observe(handler: QueryHandler, log: QueryLogSettings | undefined): QueryHandler;
  /** Takes the place of all configured query logs: other settings, or 'off'; undefined: as configured. */
  setQueryLog(instead: QueryLogSettings | 'off' | undefined): void;
}

export interface ObserverDeps {
  /** undefined: queries are not counted. */
  readonly counting: Counting | undefined;
  /** Passes each query on; undefined: nowhere. */
  readonly tap: ((observed: ObservedQuery) => void) | undefined;
  readonly logQuery: (line: QueryLine) => void;
  readonly monotonicMs: () => number;
  readonly random: Random;
}

const NO_ADDRESS = new Uint8Array(0);
/** Of so many responses the time is taken, on average. */
const TIMED_EVERY = 64;
/** Of ANSWERED_BY. */
const BY_UPSTREAM = 2;

export function createObserver(deps: ObserverDeps): Observer {
  const watches: Watch[] = [];
  let instead: QueryLogSettings | 'off' | undefined;
  return {
    observe(handler, log) {
      const watch = createWatch(handler, log, deps);
      watch.setQueryLog(instead);
      watches.push(watch);
      return watch.handler;
    },
    setQueryLog(next) {
      instead = next;
      for (const watch of watches) watch.setQueryLog(next);
    },
  };
}

interface Watch extends Pick<Observer, 'setQueryLog'> {
  readonly handler: QueryHandler;
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over one countdown, on the path of every answer
function createWatch(inner: QueryHandler, configured: QueryLogSettings | undefined, deps: ObserverDeps): Watch {
  const { counting, tap, monotonicMs, random } = deps;
  // Constants of the closure, which V8 compiles in.
  const { memory, counters, respondSlot, respond } = inner;
  let log: QueryLog | undefined;
  let seesAll = false;
  /** How many queries later the next one is counted, timed, and looked at for any reason: 1 is the next. */
  let toCount = counting === undefined ? Number.MAX_SAFE_INTEGER : counting.skip();
  let toTime = 1;
  let left = 1;
  /** `left` when it was planned. */
  let planned = 1;
  /** The next one that is looked at needs the time before it is answered. */
  let isTimed = true;
  /** Queries that the next duration stands for: those since the last one. */
  let weight = 1;

  const plan = (): void => {
    left = seesAll ? 1 : Math.min(toCount, toTime);
    planned = left;
    isTimed = seesAll || toTime === left;
  };

  /** Skips are random, or of traffic with a period (A and AAAA in turn) some would never be timed. */
  const timeNext = (): void => {
    toTime = 1 + Math.floor(random() * (2 * TIMED_EVERY - 1));
    weight = toTime;
  };

  /** Counts a query if its turn has come. */
  const count = (query: Uint8Array, queryLength: number, response: Uint8Array, length: number, client: Uint8Array) => {
    counting!.count(query, queryLength, response, length, client);
    toCount = counting!.skip();
  };

  const report = (seen: Omit<ObservedQuery, 'milliseconds'>, startMs: number): void => {
    const observed = { ...seen, milliseconds: monotonicMs() - startMs };
    tap?.(observed);
    const line = log?.(observed);
    if (line !== undefined) deps.logQuery(line);
  };

  /** A response that comes later is seen when it comes; until then the query is kept. */
  const later = (response: Later, asked: Asked, startMs: number, isCounted: boolean): Later => {
    const { overTcp } = asked;
    const isSeen = seesAll || isCounted;
    const query = isSeen ? asked.query.slice(0, asked.queryLength) : asked.query;
    const client = isSeen ? asked.client.slice() : asked.client;
    if (isCounted) toCount = counting!.skip();
    return {
      resolve: (send, asker) =>
        response.resolve((late) => {
          countDuration(counters, monotonicMs() - startMs, 1);
          if (late.length >= HEADER_BYTES) countResponse(counters, BY_UPSTREAM, late[3] & 15, late.length, overTcp);
          if (isCounted) counting!.count(query, query.length, late, late.length, client);
          if (isSeen && seesAll) report({ ...asked, query, client, response: late, from: 'upstream' }, startMs);
          send(late);
        }, asker),
    };
  };

  /** Looks at a query that was answered: `out` has the response. `startMs` and `forwarded` (the counter) are from before. */
  const look = (
    response: number | Later,
    asked: Asked,
    out: Uint8Array,
    startMs: number,
    forwarded: number,
  ): number | Later => {
    const passed = planned - left;
    toCount -= passed;
    toTime -= passed;
    const isCounted = toCount <= 0;
    const { query, queryLength, client } = asked;
    if (typeof response !== 'number') {
      // It is timed by itself, so the sample does not stand for it.
      toTime++;
      countQuerySize(counters, queryLength, asked.overTcp, 1);
      const watched = later(response, asked, startMs === 0 ? monotonicMs() : startMs, isCounted);
      plan();
      return watched;
    }
    if (toTime <= 0) {
      countDuration(counters, monotonicMs() - startMs, weight);
      countQuerySize(counters, queryLength, asked.overTcp, weight);
      timeNext();
    }
    if (isCounted) count(query, queryLength, out, response, client);
    if (seesAll) {
      const bytes = { query: query.subarray(0, queryLength), response: out.subarray(0, response) };
      report({ ...asked, ...bytes, from: counters[COUNTER.FORWARDED] === forwarded ? 'own' : 'cache' }, startMs);
    }
    plan();
    return response;
  };

  const handler: QueryHandler = {
    ...inner,
    // One call for queries that are looked at and for others: with two, V8 no longer compiles the answer into it, and cache
    // hits took 8 to 15 % longer (bench/RESULTS.md).
    respondSlot(slot, queryLength, to, overTcp, client, port) {
      const startMs = left <= 1 && isTimed ? monotonicMs() : 0;
      const forwarded = seesAll ? counters[COUNTER.FORWARDED] : 0;
      const response = respondSlot(slot, queryLength, to, overTcp, client, port);
      if (--left > 0 && typeof response === 'number') return response;
      const query = memory.queries[slot];
      const asked = { query, queryLength, overTcp, client: client ?? NO_ADDRESS, port: port ?? 0 };
      return look(response, asked, memory.responses[to], startMs, forwarded);
    },
    respond(query, queryLength, out, overTcp, client, port) {
      const startMs = left <= 1 && isTimed ? monotonicMs() : 0;
      const forwarded = seesAll ? counters[COUNTER.FORWARDED] : 0;
      const response = respond(query, queryLength, out, overTcp, client, port);
      if (--left > 0 && typeof response === 'number') return response;
      const asked = { query, queryLength, overTcp, client: client ?? NO_ADDRESS, port: port ?? 0 };
      return look(response, asked, out, startMs, forwarded);
    },
  };

  return {
    handler,
    setQueryLog(instead) {
      const settings = instead === 'off' ? undefined : (instead ?? configured);
      toCount -= planned - left;
      toTime -= planned - left;
      log = settings && createQueryLog(settings);
      seesAll = log !== undefined || tap !== undefined;
      plan();
    },
  };
}

interface Asked extends Pick<ObservedQuery, 'client' | 'port' | 'overTcp'> {
  readonly query: Uint8Array;
  readonly queryLength: number;
}
