// Answers names that are not ours: from the cache in the same batch, or from upstream servers. Runs in every data
// thread; nothing here is shared between threads.
import { HEADER_BYTES } from '../dns/limits.ts';
import type { WireName } from '../dns/name.ts';
import { lowerCased } from '../dns/name.ts';
import { EDE, RCODE } from '../dns/types.ts';
import type { ForwardSettings } from '../plane/forward-settings.ts';
import { createForwardCounters } from '../plane/forward-statistics.ts';
import { createBugReport } from './bug-report.ts';
import { type Rendering, writeAnswer, writeFailure } from './cache/answer.ts';
import { type CacheEntry, createCache } from './cache/cache.ts';
import { entryOf } from './cache/entry.ts';
import { createFreshness } from './cache/freshness.ts';
import { createKeeper } from './cache/keeper.ts';
import { createKeys } from './cache/key.ts';
import { copyOf } from './cache/packed-entry.ts';
import type { Forwarder, ForwarderDeps, TargetAnswer } from './interface.ts';
import { createDns64 } from './local/dns64.ts';
import { createLocal } from './local/local.ts';
import { createRebindingFilter } from './local/rebinding.ts';
import { askedBits } from './resolve/asked.ts';
import { findAnswer } from './resolve/find.ts';
import type { Outcome } from './resolve/lookup.ts';
import { createLoopWatch, isLoopProbe, loopAnswer } from './resolve/loop.ts';
import { createOutstanding, type Found, type Waiter } from './resolve/outstanding.ts';
import { bitsOf, type ForwardQuestion, plainQuestion, questionBytes, questionOf } from './resolve/question.ts';
import { createRoute, createRouting, type Route } from './resolve/route.ts';
import { targetOf } from './resolve/target.ts';
import { openDatagram } from './upstream/datagram.ts';
import { createDeadlines, deadline } from './upstream/deadlines.ts';
import { createUnpredictable } from './upstream/unpredictable.ts';
import type { Upstream } from './upstream/upstream.ts';

export type { Forwarder, ForwarderDeps, TargetAnswer, TargetRecord } from './interface.ts';

/** Beside EDE 0. */
const TOO_MANY = "too many queries wait for this zone's servers";
const LARGEST_RESPONSE = 65_535 + 64;

export function createForwarder(settings: ForwardSettings, deps: ForwarderDeps): Forwarder {
  const { clock } = deps;
  const counters = createForwardCounters();
  const bug = createBugReport(counters, clock, deps.log);
  const deadlines = createDeadlines(clock, undefined, bug);
  const unpredictable = createUnpredictable();
  const keys = createKeys(
    unpredictable.id() * 65_536 + unpredictable.id(),
    unpredictable.id() * 65_536 + unpredictable.id(),
  );
  const cache = createCache(settings.cache, keys, () => void counters.evictions++);
  const freshness = createFreshness(settings.cache);
  const isForbidden =
    settings.rebinding && createRebindingFilter(settings.rebinding.allow, () => void counters.rebindingDropped++);
  const scratch = new Uint8Array(LARGEST_RESPONSE);
  let flushes = 0;

  const loops = createLoopWatch(deps.loopToken, deadlines, () => void counters.loops++);
  const onUpstream = (route: Route, upstream: Upstream) => {
    if (settings.loopDetection) clock.setTimeout(() => loops.watch(route, upstream), 0);
  };
  const openSocket = deps.openSocket ?? openDatagram;
  const routes = settings.routes.map((route) =>
    createRoute(route, { clock, deadlines, unpredictable, openSocket, bug, log: deps.log, onUpstream }),
  );
  const routeOf = createRouting(routes);
  const dns64 = settings.dns64 && createDns64(settings.dns64);
  const local = createLocal(settings, dns64, { ...deps, onChange: forget });
  const keeper = createKeeper(cache, freshness, settings.cache, clock, local);

  /** Each flush of a name looks at every entry: for many names, one that forgets all is quicker. */
  function forget(names: readonly WireName[]): void {
    if (names.length > 16) cache.flush({ kind: 'all' });
    else for (const name of names) cache.flush({ kind: 'name', name });
  }

  const findDeps = {
    clock,
    deadlines,
    routeOf,
    rules: { isOurs: deps.isOurs, isForbidden },
    ourRecords: deps.ourRecords ?? (() => []),
    dns64,
    local: (question: ForwardQuestion) => local?.find(question),
    malformed(bug: Error | undefined) {
      counters.malformed++;
      if (bug !== undefined) deps.log('error', `a reply could not be judged: ${bug.stack ?? bug}`);
    },
  };

  const outstanding = createOutstanding({
    deadlines,
    maxWaiting: settings.maxConcurrent,
    shared: routes.length > 1,
    staleAfterMs: settings.cache.serveStale?.clientTimeoutMs,
    coalesced: () => void counters.coalesced++,
    find(question, done) {
      const flushesBefore = flushes;
      // What was asked before a flush may be what the flush was for.
      return findAnswer(question, findDeps, (outcome) => done(found(question, outcome, flushes === flushesBefore)));
    },
  });

  /** Never throws: whoever waits has an answer. */
  function found(question: ForwardQuestion, outcome: Outcome, mayKeep: boolean): Found {
    try {
      if (outcome.kind === 'answer') {
        if (mayKeep) return { entry: keeper.keep(question, outcome.judged) };
        return { entry: entryOf(question, outcome.judged, settings.cache, clock.monotonicMs()) };
      }
      counters.failed++;
      keeper.keepFailure(question, outcome.ede);
      return { ede: outcome.ede };
    } catch (error) {
      bug(error as Error);
      return { ede: EDE.OTHER };
    }
  }

  // One object for all responses: a cache hit allocates nothing.
  const how: Rendering = { asked: 0, ageSeconds: 0, fixedTtlSeconds: -1, ede: -1, rotation: 0, maxBytes: 0 };
  function render(entry: CacheEntry, stale: boolean, nowMs: number, query: Uint8Array, out: Uint8Array, start: number) {
    how.ageSeconds = Math.floor((nowMs - entry.storedMs) / 1000);
    how.fixedTtlSeconds = stale ? freshness.staleTtlSeconds() : -1;
    how.ede = stale ? staleEde(entry) : entry.ede;
    how.rotation = settings.loadbalance ? (how.rotation + 1) & 0xffff : 0;
    if (stale) counters.servedStale++;
    return writeAnswer(entry, query, how, out, start);
  }

  /** Not now: sending may fail others that wait, and their responses use the same object and bytes. */
  function refreshLater(question: ForwardQuestion, entry: CacheEntry): void {
    const query = questionBytes(question);
    const key = cache.keyOf(query, query.length, bitsOf(question));
    const refresh = deadline(() => {
      const route = routeOf(question.name);
      // What is stated by hand is not asked of anybody, however long ago it was put into the cache.
      if (keeper.stated(question) === undefined && route !== undefined)
        outstanding.refresh(key, question, route.counters, entry);
    });
    deadlines.add(refresh, 0);
  }

  /** The response from the cache. */
  function answerNow(
    entry: CacheEntry,
    fresh: boolean,
    now: number,
    query: Uint8Array,
    questionEnd: number,
    out: Uint8Array,
    start: number,
  ): number {
    counters.hits++;
    if (!entry.hasData) counters.negativeHits++;
    const wantsFetch = fresh ? freshness.wantsPrefetch(entry, now) : freshness.wantsRefresh(entry, now);
    if (settings.cache.prefetch !== undefined) cache.saveState();
    if (wantsFetch) {
      if (fresh) counters.prefetches++;
      refreshLater(questionOf(query, questionEnd, how.asked), copyOf(entry));
    }
    return render(entry, !fresh, now, query, out, start);
  }

  function fromCache(
    query: Uint8Array,
    queryLength: number,
    questionEnd: number,
    out: Uint8Array,
    start: number,
    maxBytes: number,
  ): number {
    how.asked = askedBits(query, queryLength, questionEnd);
    how.maxBytes = maxBytes;
    const entry = cache.find(query, questionEnd, how.asked);
    const now = clock.monotonicMs();
    if (entry !== undefined && now < entry.expiresMs)
      return answerNow(entry, true, now, query, questionEnd, out, start);
    const stated = local && keeper.stated(questionOf(query, questionEnd, how.asked));
    if (stated !== undefined) return render(stated, false, stated.storedMs, query, out, start);
    if (entry === undefined) return 0;
    if (freshness.isStaleAtOnce(entry, now)) return answerNow(entry, false, now, query, questionEnd, out, start);
    if (!freshness.isOfUse(entry, now)) cache.drop();
    return 0;
  }

  function resolve(
    query: Uint8Array,
    questionEnd: number,
    maxBytes: number,
    reply: (response: Uint8Array) => void,
  ): void {
    const length = fromCache(query, query.length, questionEnd, scratch, 0, maxBytes);
    if (length > 0) {
      reply(scratch.subarray(0, length));
      return;
    }
    const { asked } = how;
    const fail = (rcode: number, ede: number, text?: string) =>
      reply(scratch.subarray(0, writeFailure(query, questionEnd, asked, rcode, ede, scratch, 0, text)));
    const answered = (entry: CacheEntry, stale: boolean) => {
      how.asked = asked;
      how.maxBytes = maxBytes;
      reply(scratch.subarray(0, render(entry, stale, clock.monotonicMs(), query, scratch, 0)));
    };
    const question = questionOf(query, questionEnd, asked);
    if (isLoopProbe(query, HEADER_BYTES, question.type, deps.loopToken)) {
      answered(entryOf(question, loopAnswer(question, deps.loopToken), settings.cache, clock.monotonicMs()), false);
      return;
    }
    const route = routeOf(question.name);
    if (route === undefined) {
      fail(RCODE.REFUSED, EDE.NOT_AUTHORITATIVE);
      return;
    }
    ask(question, route, cache.keyOf(query, questionEnd, asked), cache.find(query, questionEnd, asked), {
      answered,
      failed: (ede, text) => fail(RCODE.SERVFAIL, ede, text),
    });
  }

  /** Waits for upstreams with all others that ask the same. `kept` is what the cache has, too old to be given at once. */
  function ask(
    question: ForwardQuestion,
    { counters: share }: Route,
    key: number,
    kept: CacheEntry | undefined,
    waiter: Waiter,
  ): void {
    counters.misses++;
    const stale = kept !== undefined && freshness.mayBeStale(kept, clock.monotonicMs()) ? copyOf(kept) : undefined;
    if (outstanding.join(key, question, share, stale, waiter)) return;
    share.rejected++;
    if (stale !== undefined) waiter.answered(stale, true);
    else waiter.failed(EDE.OTHER, TOO_MANY);
  }

  function resolveTarget(
    name: Uint8Array,
    type: number,
    dnssecOk: boolean,
    callback: (target: TargetAnswer) => void,
  ): void {
    const question = { ...plainQuestion(lowerCased(name), type), dnssecOk };
    const kept = keeper.cached(question);
    const now = clock.monotonicMs();
    const ready = kept !== undefined && now < kept.expiresMs ? kept : keeper.stated(question);
    const route = routeOf(question.name);
    if (ready !== undefined) {
      counters.hits++;
      callback(targetOf(ready, now, -1));
    } else if (route === undefined) {
      callback({ rcode: RCODE.REFUSED, records: [], stale: false });
    } else {
      const query = questionBytes(question);
      ask(question, route, cache.keyOf(query, query.length, bitsOf(question)), kept, {
        answered: (entry, stale) =>
          callback(targetOf(entry, clock.monotonicMs(), stale ? freshness.staleTtlSeconds() : -1)),
        failed: () => callback({ rcode: RCODE.SERVFAIL, records: [], stale: false }),
      });
    }
  }

  return {
    fromCache,
    resolve,
    resolveTarget,
    flush(scope) {
      flushes++;
      return cache.flush(scope);
    },
    list(limit, below) {
      const now = clock.monotonicMs();
      return cache.list(limit, now, (entry) => freshness.isOfUse(entry, now), below);
    },
    counters,
    nextDeadlineMs: deadlines.nextMs,
    routes: () => routes.map((route) => route.counters),
    upstreams: () => routes.flatMap((route) => route.upstreams().map((upstream) => upstream.counters)),
    gauges: () => ({
      entries: cache.entries(),
      bytes: cache.bytes(),
      waiting: outstanding.waiting(),
      questions: outstanding.questions(),
      sockets: routes.flatMap((route) => route.upstreams()).reduce((sum, upstream) => sum + upstream.sockets(), 0),
      deadlines: deadlines.pending(),
    }),
    close() {
      outstanding.close();
      loops.close();
      local?.stop();
      for (const route of routes) route.close();
      deadlines.close();
    },
  };
}

function staleEde(entry: CacheEntry): number {
  return entry.rcode === RCODE.NXDOMAIN ? EDE.STALE_NXDOMAIN_ANSWER : EDE.STALE_ANSWER;
}
