// Answers names that are not ours: from the cache in the same batch, or from upstream servers. Runs in every data
// thread; nothing here is shared between threads.
import { HEADER_BYTES } from '../dns/limits.ts';
import { lowerCased } from '../dns/name.ts';
import { EDE, RCODE } from '../dns/types.ts';
import type { WireName } from '../plane/records.ts';
import { type Rendering, writeAnswer, writeFailure } from './answer.ts';
import { askedBits } from './asked.ts';
import { type CacheEntry, createCache } from './cache.ts';
import { createForwardCounters } from './counters.ts';
import { openDatagram } from './datagram.ts';
import { createDeadlines } from './deadlines.ts';
import { createDns64 } from './dns64.ts';
import { entryOf, failureEntry } from './entry.ts';
import { findAnswer } from './find.ts';
import { createFreshness } from './freshness.ts';
import type { Forwarder, ForwarderDeps, TargetAnswer } from './interface.ts';
import type { Judged } from './judge.ts';
import { createKeys } from './key.ts';
import { createLocal } from './local.ts';
import { createLoopWatch, isLoopProbe, loopAnswer } from './loop.ts';
import { createOutstanding, type Waiter } from './outstanding.ts';
import { copyOf } from './packed-entry.ts';
import { bitsOf, type ForwardQuestion, plainQuestion, questionBytes, questionOf } from './question.ts';
import { createRebindingFilter } from './rebinding.ts';
import { createRoute, createRouting, type Route } from './route.ts';
import type { ForwardSettings } from './settings.ts';
import { targetOf } from './target.ts';
import { createUnpredictable } from './unpredictable.ts';
import type { Upstream } from './upstream.ts';

export type { CacheListing, FlushScope, Forwarder, ForwarderDeps, TargetAnswer, TargetRecord } from './interface.ts';

const LARGEST_RESPONSE = 65_535 + 64;

export function createForwarder(settings: ForwardSettings, deps: ForwarderDeps): Forwarder {
  const { clock } = deps;
  const counters = createForwardCounters();
  const deadlines = createDeadlines(clock);
  const unpredictable = createUnpredictable();
  const keys = createKeys(
    unpredictable.id() * 65_536 + unpredictable.id(),
    unpredictable.id() * 65_536 + unpredictable.id(),
  );
  const cache = createCache(settings.cache, keys, () => void counters.evictions++);
  const freshness = createFreshness(settings.cache);
  const isForbidden = settings.rebinding && createRebindingFilter(settings.rebinding.allow);
  const scratch = new Uint8Array(LARGEST_RESPONSE);
  let flushes = 0;

  const loops = createLoopWatch(deps.loopToken, deadlines, deps.log, () => void counters.loops++);
  const onUpstream = (route: Route, upstream: Upstream) => {
    if (settings.loopDetection) clock.setTimeout(() => loops.watch(route, upstream), 0);
  };
  const openSocket = deps.openSocket ?? openDatagram;
  const routes = settings.routes.map((route) =>
    createRoute(route, { clock, deadlines, unpredictable, openSocket, log: deps.log, onUpstream }),
  );
  const routeOf = createRouting(routes);
  const dns64 = settings.dns64 && createDns64(settings.dns64);
  const local = createLocal(settings, dns64, { ...deps, onChange: forget });

  /** Each flush of a name looks at every entry: for many names, one that forgets all is quicker. */
  function forget(names: readonly WireName[]): void {
    if (names.length > 16) cache.flush({ kind: 'all' });
    else for (const name of names) cache.flush({ kind: 'name', name });
  }

  const findDeps = {
    clock,
    deadlines,
    routeOf,
    rules: {
      isOurs: deps.isOurs,
      isForbidden:
        isForbidden &&
        ((name: Uint8Array, type: number, rdata: Uint8Array) => {
          const forbidden = isForbidden(name, type, rdata);
          if (forbidden) counters.rebindingDropped++;
          return forbidden;
        }),
    },
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
    staleAfterMs: settings.cache.serveStale?.clientTimeoutMs,
    coalesced: () => void counters.coalesced++,
    find(question, done) {
      const flushesBefore = flushes;
      return findAnswer(question, findDeps, (outcome) => {
        const now = clock.monotonicMs();
        if (outcome.kind === 'answer') {
          // What was asked before a flush may be what the flush was for.
          if (flushes === flushesBefore) return done({ entry: keep(question, outcome.judged) });
          return done({ entry: entryOf(question, outcome.judged, settings.cache, now) });
        }
        counters.failed++;
        noteFailure(question, outcome.ede, now);
        done({ ede: outcome.ede });
      });
    },
  });

  function cachedFor(question: ForwardQuestion): CacheEntry | undefined {
    const query = questionBytes(question);
    return cache.find(query, query.length, bitsOf(question));
  }

  function noteFailure(question: ForwardQuestion, ede: number, now: number): void {
    const kept = cachedFor(question);
    if (kept !== undefined && freshness.mayBeStale(kept, now)) {
      freshness.noteFailedRefresh(kept, now);
      cache.saveState();
    } else if ((kept === undefined || now >= kept.expiresMs) && freshness.mayStoreFailure(question.name)) {
      // Not in the place of an answer that is still good (a prefetch failed).
      cache.store(failureEntry(question, ede, settings.cache.servfailTtlSeconds, now));
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
    clock.setTimeout(() => outstanding.refresh(key, question, entry), 0);
  }

  /** The response from the cache; 0 if an upstream has to be asked first. */
  function answerNow(
    entry: CacheEntry,
    query: Uint8Array,
    questionEnd: number,
    out: Uint8Array,
    start: number,
  ): number {
    const now = clock.monotonicMs();
    const fresh = now < entry.expiresMs;
    if (!fresh && !freshness.isStaleAtOnce(entry, now)) return 0;
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
    const length = entry === undefined ? 0 : answerNow(entry, query, questionEnd, out, start);
    if (length > 0 || local === undefined) return length;
    const stated = localEntry(questionOf(query, questionEnd, how.asked));
    return stated === undefined ? 0 : render(stated, false, clock.monotonicMs(), query, out, start);
  }

  function localEntry(question: ForwardQuestion): CacheEntry | undefined {
    const judged = local?.find(question);
    return judged && keep(question, judged);
  }

  function keep(question: ForwardQuestion, judged: Judged): CacheEntry {
    const entry = entryOf(question, judged, settings.cache, clock.monotonicMs());
    if (freshness.mayStore(entry, question.name)) cache.store(entry);
    return entry;
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
    const fail = (rcode: number, ede: number) =>
      reply(scratch.subarray(0, writeFailure(query, questionEnd, asked, rcode, ede, scratch, 0)));
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
    if (routeOf(question.name) === undefined) {
      fail(RCODE.REFUSED, EDE.NOT_AUTHORITATIVE);
      return;
    }
    ask(question, cache.keyOf(query, questionEnd, asked), cache.find(query, questionEnd, asked), {
      answered,
      failed: (ede) => fail(RCODE.SERVFAIL, ede),
    });
  }

  /** Waits for upstreams with all others that ask the same. `kept` is what the cache has, too old to be given at once. */
  function ask(question: ForwardQuestion, key: number, kept: CacheEntry | undefined, waiter: Waiter): void {
    counters.misses++;
    const stale = kept !== undefined && freshness.mayBeStale(kept, clock.monotonicMs()) ? copyOf(kept) : undefined;
    if (outstanding.join(key, question, stale, waiter)) return;
    counters.rejected++;
    if (stale !== undefined) waiter.answered(stale, true);
    else waiter.failed(EDE.OTHER);
  }

  function resolveTarget(
    name: Uint8Array,
    type: number,
    dnssecOk: boolean,
    callback: (target: TargetAnswer) => void,
  ): void {
    const question = { ...plainQuestion(lowerCased(name), type), dnssecOk };
    const kept = cachedFor(question);
    const now = clock.monotonicMs();
    const ready = kept !== undefined && now < kept.expiresMs ? kept : localEntry(question);
    if (ready !== undefined) {
      counters.hits++;
      callback(targetOf(ready, now, -1));
    } else if (routeOf(question.name) === undefined) {
      callback({ rcode: RCODE.REFUSED, records: [], stale: false });
    } else {
      const query = questionBytes(question);
      ask(question, cache.keyOf(query, query.length, bitsOf(question)), kept, {
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
    list: (limit, below) => cache.list(limit, clock.monotonicMs(), below),
    counters,
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
