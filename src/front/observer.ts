// Sees queries with their responses without being in their way: for the query log and dnstap every one, for counting (who asks
// for what) a sample. A query that is not looked at costs a decrement and a comparison.
import { COUNTER, type Counters } from '../plane/counters.ts';
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
  readonly counters: Counters;
  readonly monotonicMs: () => number;
}

const NO_ADDRESS = new Uint8Array(0);

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
  const { counting, tap, counters } = deps;
  // Constants of the closure, which V8 compiles in.
  const { memory, respondSlot, respond, wantsClient } = inner;
  let log: QueryLog | undefined;
  let seesAll = false;
  /** How many queries later the next one is counted, and looked at: 1 is the next. */
  let toCount = counting === undefined ? Number.POSITIVE_INFINITY : counting.skip();
  let left = toCount;

  const plan = (): void => {
    left = seesAll ? 1 : toCount;
  };

  /** Counts a query if its turn has come. */
  const count = (query: Uint8Array, queryLength: number, response: Uint8Array, length: number, client: Uint8Array) => {
    counting!.count(query, queryLength, response, length, client);
    toCount = counting!.skip();
  };

  const report = (seen: Omit<ObservedQuery, 'milliseconds'>, startMs: number): void => {
    const observed = { ...seen, milliseconds: deps.monotonicMs() - startMs };
    tap?.(observed);
    const line = log?.(observed);
    if (line !== undefined) deps.logQuery(line);
  };

  /** A response that comes later is seen when it comes; until then the query is kept. */
  const later = (response: Later, asked: Asked, startMs: number, isCounted: boolean): Later => {
    const query = asked.query.slice(0, asked.queryLength);
    const client = asked.client.slice();
    if (isCounted) toCount = counting!.skip();
    return {
      resolve: (send, asker) =>
        response.resolve((late) => {
          if (isCounted) counting!.count(query, query.length, late, late.length, client);
          if (seesAll) report({ ...asked, query, client, response: late, from: 'upstream' }, startMs);
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
    if (!seesAll) toCount = 1;
    const isCounted = counting !== undefined && toCount <= 1;
    if (!isCounted) toCount--;
    const { query, queryLength, client } = asked;
    if (typeof response !== 'number') {
      const watched = later(response, asked, startMs, isCounted);
      plan();
      return watched;
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
    get wantsClient() {
      return wantsClient || left <= 1;
    },
    // One call for queries that are looked at and for others: with two, V8 no longer compiles the answer into it, and cache
    // hits took 8 to 15 % longer (bench/RESULTS.md).
    respondSlot(slot, queryLength, to, overTcp, client, port) {
      const startMs = seesAll ? deps.monotonicMs() : 0;
      const forwarded = seesAll ? counters[COUNTER.FORWARDED] : 0;
      const response = respondSlot(slot, queryLength, to, overTcp, client, port);
      if (--left > 0) return response;
      const query = memory.queries[slot];
      const asked = { query, queryLength, overTcp, client: client ?? NO_ADDRESS, port: port ?? 0 };
      return look(response, asked, memory.responses[to], startMs, forwarded);
    },
    respond(query, queryLength, out, overTcp, client, port) {
      const startMs = seesAll ? deps.monotonicMs() : 0;
      const forwarded = seesAll ? counters[COUNTER.FORWARDED] : 0;
      const response = respond(query, queryLength, out, overTcp, client, port);
      if (--left > 0) return response;
      const asked = { query, queryLength, overTcp, client: client ?? NO_ADDRESS, port: port ?? 0 };
      return look(response, asked, out, startMs, forwarded);
    },
  };

  return {
    handler,
    setQueryLog(instead) {
      const settings = instead === 'off' ? undefined : (instead ?? configured);
      if (!seesAll) toCount = left;
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
