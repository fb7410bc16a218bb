// A client's query that the cache could not answer, from then until its response.
import type { Clock } from '../../clock.ts';
import { HEADER_BYTES } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';
import { EDE, RCODE } from '../../dns/types.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import type { AnswerCache } from '../cache/cache.ts';
import { type CacheEntry, entryOf } from '../cache/entry.ts';
import type { ResponseWriter } from '../cache/response-writer.ts';
import { isLoopProbe, loopAnswer } from './loop.ts';
import type { Outstanding, Waiter } from './outstanding.ts';
import { questionOf } from './question.ts';
import type { Route } from './route.ts';

export interface MissDeps {
  readonly clock: Clock;
  readonly cache: AnswerCache;
  readonly cacheSettings: CacheSettings;
  readonly outstanding: Outstanding;
  readonly writer: ResponseWriter;
  readonly loopToken: string;
  routeOf(name: WireName): Route | undefined;
}

export class Miss implements Waiter {
  private readonly deps: MissDeps;
  /** Header and question. */
  private readonly query: Uint8Array;
  private readonly asked: number;
  private readonly maxBytes: number;
  private readonly stale: CacheEntry | undefined;
  private reply: (response: Uint8Array) => void = () => {};

  constructor(deps: MissDeps, query: Uint8Array, asked: number, maxBytes: number, stale: CacheEntry | undefined) {
    this.deps = deps;
    this.query = query;
    this.asked = asked;
    this.maxBytes = maxBytes;
    this.stale = stale;
  }

  /**
   * Asks upstreams. Calls `reply` exactly once, within the deadline, perhaps before returning; the response is valid until
   * `reply` returns.
   */
  resolve(reply: (response: Uint8Array) => void): void {
    this.reply = reply;
    const { query, asked, deps } = this;
    const question = questionOf(query, query.length, asked);
    if (isLoopProbe(query, HEADER_BYTES, question.type, deps.loopToken)) {
      const answer = loopAnswer(question, deps.loopToken);
      this.answered(entryOf(question, answer, deps.cacheSettings, deps.clock.monotonicMs()), false);
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
    this.reply(writer.compose(entry, stale, clock.monotonicMs(), this.query, this.asked, this.maxBytes));
  }

  failed(ede: number, text?: string): void {
    this.fail(RCODE.SERVFAIL, ede, text);
  }

  private fail(rcode: number, ede: number, text?: string): void {
    const { query, asked, deps } = this;
    this.reply(deps.writer.composeFailure(query, query.length, asked, rcode, ede, text));
  }
}
