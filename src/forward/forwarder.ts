// Answers external names: from the cache in the same batch, or from upstream servers. Each data thread has its own;
// threads share nothing.
import type { Clock } from '../clock.ts';
import type { WireName } from '../dns/name.ts';
import { lowerCased } from '../dns/name.ts';
import { RCODE, TYPE } from '../dns/types.ts';
import { type OpenSocket, openDatagram } from '../native/connected-datagram.ts';
import type { CacheHandover, CacheListing, FlushScope } from '../plane/cache-orders.ts';
import { type ForwardSettings, readsFiles } from '../plane/forward-settings.ts';
import {
  createForwardCounters,
  type ForwardCounters,
  type ForwarderGauges,
  type HostsCounts,
  type RouteCounters,
  type UpstreamCounters,
} from '../plane/forward-statistics.ts';
import type { QueryPath } from '../plane/query-path.ts';
import { createBugReport } from './bug-report.ts';
import { AnswerCache } from './cache/cache.ts';
import type { CacheEntry } from './cache/entry.ts';
import { AGE, createFreshness, type Freshness } from './cache/freshness.ts';
import { createKeys } from './cache/key.ts';
import { copyOf } from './cache/packed-entry.ts';
import { ResponseWriter, writeFailure } from './cache/response.ts';
import { type HandoverParts, handOver, takeIn } from './handover.ts';
import { createDns64, type Dns64 } from './local/dns64.ts';
import { isWildcard } from './local/hosts.ts';
import { createLocal, type Local } from './local/local.ts';
import { createRebindingFilter } from './local/rebinding.ts';
import { Clients, clientOf } from './resolve/clients.ts';
import { createLoopWatch, type LoopWatch } from './resolve/loop.ts';
import { Miss, type MissDeps, Outstanding, type OutstandingDeps } from './resolve/outstanding.ts';
import { Resolver, type ResolverDeps } from './resolve/resolver.ts';
import { createRouting, Route, type Routing } from './resolve/route.ts';
import { emptyTarget, type OurAnswer, type TargetAnswer, targetOf } from './resolve/target.ts';
import { createDeadlines, type Deadlines, deadline } from './upstream/deadlines.ts';
import type { JudgeRules } from './upstream/judge.ts';
import {
  askedBits,
  bitsOf,
  type ForwardQuestion,
  plainQuestion,
  questionBytes,
  questionOf,
} from './upstream/question.ts';
import { createUnpredictable } from './upstream/unpredictable.ts';
import type { Upstream, UpstreamDeps } from './upstream/upstream.ts';

export interface ForwarderDeps {
  readonly clock: Clock;
  /** True for names in our own zones: records of upstreams for them are ignored. */
  isOurs(name: WireName): boolean;
  /** What we answer for such a name where an upstream's CNAME leads to it; never cached. */
  ourAnswer(name: WireName, type: number): OurAnswer;
  log(level: 'info' | 'warn' | 'error', message: string): void;
  /** See JudgeRules. */
  readonly isOthers?: JudgeRules['isOthers'];
  /** See UpstreamDeps. */
  readonly transportTo?: UpstreamDeps['transportTo'];
  /** See OutstandingDeps. */
  readonly mostSeconds?: OutstandingDeps['mostSeconds'];
  /** Opens sockets to upstreams; undefined: by node:dgram. */
  readonly openSocket?: OpenSocket;
  /** The same in all threads of the process and in no other: recognises our own loop probes. */
  readonly loopToken: string;
}

export function createForwarder(settings: ForwardSettings, deps: ForwarderDeps): Forwarder {
  return new Forwarder(settings, deps);
}

export class Forwarder {
  readonly counters: ForwardCounters = createForwardCounters();
  /** False until the files of hosts and upstream servers have been read: the routing of names is unknown before. */
  isReady: boolean;
  readonly ready: Promise<void>;
  private readonly settings: ForwardSettings;
  private readonly clock: Clock;
  private readonly deadlines: Deadlines;
  private readonly freshness: Freshness;
  private readonly cache: AnswerCache;
  private readonly writer: ResponseWriter;
  private readonly local: Local | undefined;
  private readonly loops: LoopWatch;
  private readonly allRoutes: readonly Route[];
  private readonly routing: Routing;
  private readonly routeOf: (name: WireName) => Route | undefined;
  private readonly clients: Clients;
  private readonly outstanding: Outstanding;
  private readonly missDeps: MissDeps;

  constructor(settings: ForwardSettings, deps: ForwarderDeps) {
    const { counters } = this;
    const { clock, log, loopToken } = deps;
    const bug = createBugReport(counters, clock, log);
    const unpredictable = createUnpredictable();
    const seed = () => unpredictable.id() * 65_536 + unpredictable.id();
    const dns64 = settings.dns64 && createDns64(settings.dns64);
    this.settings = settings;
    this.isReady = !readsFiles(settings);
    this.clock = clock;
    this.deadlines = createDeadlines(clock, undefined, bug);
    this.freshness = createFreshness(settings.cache);
    this.cache = new AnswerCache(settings.cache, this.freshness, createKeys(seed(), seed()), (negative) => {
      counters.evictions++;
      if (negative) counters.negativeEvictions++;
    });
    this.writer = new ResponseWriter(settings.cache, settings.loadbalance, counters);
    this.local = createLocal(settings, dns64, { ...deps, onChange: (names) => this.forget(names) });
    this.loops = createLoopWatch(loopToken, this.deadlines, () => void counters.loops++);
    const { deadlines, cache } = this;
    const onUpstream = (route: Route, upstream: Upstream) => this.watchForLoop(route, upstream);
    const { openSocket = openDatagram, transportTo } = deps;
    this.allRoutes = settings.routes.map(
      (route) => new Route(route, { clock, deadlines, unpredictable, openSocket, transportTo, bug, log, onUpstream }),
    );
    this.routing = createRouting(this.allRoutes);
    this.routeOf = this.routing.routeOf;
    this.ready = Promise.all([this.local?.loaded, ...this.allRoutes.map(({ loaded }) => loaded)]).then(() => {
      this.isReady = true;
    });
    const resolver = new Resolver(this.resolverDeps(deps, dns64));
    this.clients = new Clients(settings.clients, counters);
    this.outstanding = new Outstanding({
      clock,
      deadlines,
      cache,
      counters,
      clients: this.clients,
      maxWaiting: settings.maxConcurrent,
      hasManyRoutes: this.allRoutes.length > 1,
      staleAfterMs: settings.cache.serveStale?.clientTimeoutMs,
      resolve: (question, done) => resolver.resolve(question, done),
      mostSeconds: deps.mostSeconds,
      errorText: settings.errorText,
      bug,
    });
    const { writer, routeOf, outstanding, clients } = this;
    this.missDeps = { clock, cache, cacheSettings: settings.cache, outstanding, clients, writer, loopToken, routeOf };
  }

  /**
   * Answers a checked query (QDCOUNT 1, class IN, opcode QUERY, one OPT at most). `query` begins at its header; `questionEnd`
   * is the offset just after QCLASS. If the answer is in the cache, hosts or a template, writes the whole response (with
   * the query's ID, RD, CD and spelling; with an OPT if the query has one; TC if longer than `maxBytes`) into `out` at
   * `start` and returns its length, without allocating. Otherwise returns the miss, which asks upstreams.
   */
  answer(
    query: Uint8Array,
    queryLength: number,
    questionEnd: number,
    out: Uint8Array,
    start: number,
    maxBytes: number,
  ): number | Miss {
    const asked = askedBits(query, queryLength, questionEnd);
    const nowMs = this.clock.monotonicMs();
    const kept = this.cache.findInCache(query, questionEnd, asked);
    const age = kept === undefined ? AGE.OVER : this.freshness.ageOf(kept, nowMs);
    if (kept !== undefined && age === AGE.FRESH) {
      this.noteHit(kept, nowMs, query, questionEnd, asked);
      if (kept.rcode === RCODE.SERVFAIL)
        return this.knownFailure(kept, nowMs, query, questionEnd, asked, maxBytes, out, start);
      return this.writer.write(kept, false, nowMs, query, asked, maxBytes, out, start);
    }
    const stated = this.local && this.stated(questionOf(query, questionEnd, asked), nowMs);
    if (stated !== undefined) return this.writer.write(stated, false, nowMs, query, asked, maxBytes, out, start);
    if (kept !== undefined && age === AGE.STALE_AT_ONCE) {
      this.noteStaleHit(kept, nowMs, query, questionEnd, asked);
      return this.writer.write(kept, true, nowMs, query, asked, maxBytes, out, start);
    }
    if (kept !== undefined && age === AGE.OVER) this.cache.drop();
    const stale =
      kept !== undefined && age === AGE.STALE ? copyOf(kept) : this.cache.findStandIn(query, questionEnd, asked, nowMs);
    return new Miss(this.missDeps, query.slice(0, questionEnd), asked, maxBytes, stale, undefined);
  }

  private knownFailure(
    kept: CacheEntry,
    nowMs: number,
    query: Uint8Array,
    questionEnd: number,
    asked: number,
    maxBytes: number,
    out: Uint8Array,
    start: number,
  ): number | Miss {
    if (this.clients.areErrorsMany(nowMs))
      return new Miss(this.missDeps, query.slice(0, questionEnd), asked, maxBytes, undefined, copyOf(kept));
    const why = this.settings.errorText && kept.ede >= 0 ? this.cache.whyFailed(query, questionEnd, asked) : '';
    if (why === '') return this.writer.write(kept, false, nowMs, query, asked, maxBytes, out, start);
    return writeFailure(query, questionEnd, asked, kept.rcode, kept.ede, out, start, why);
  }

  /**
   * Resolves the target of a CNAME that leaves our zones (ExternalName), for the client of this address. Calls back once,
   * perhaps before returning.
   */
  resolveTarget(
    name: WireName,
    type: number,
    dnssecOk: boolean,
    client: Uint8Array | undefined,
    callback: (target: TargetAnswer) => void,
  ): void {
    if (!this.isReady) {
      callback(emptyTarget(RCODE.SERVFAIL));
      return;
    }
    const question = { ...plainQuestion(lowerCased(name), type), dnssecOk };
    const query = questionBytes(question);
    const asked = bitsOf(question);
    const nowMs = this.clock.monotonicMs();
    const kept = this.cache.findInCache(query, query.length, asked);
    const age = kept === undefined ? AGE.OVER : this.freshness.ageOf(kept, nowMs);
    const stale =
      kept !== undefined && age !== AGE.OVER ? copyOf(kept) : this.cache.findStandIn(query, query.length, asked, nowMs);
    const ready = age === AGE.FRESH ? kept : this.stated(question, nowMs);
    const route = this.routeOf(question.name);
    const staleTtlSeconds = this.settings.cache.serveStale?.ttlSeconds ?? 0;
    if (ready !== undefined) {
      this.counters.hits++;
      const failed = ready.rcode === RCODE.SERVFAIL && ready.ede >= 0;
      const why = failed && this.settings.errorText ? this.cache.whyFailed(query, query.length, asked) : '';
      callback(failed ? { ...targetOf(ready, nowMs, -1), ede: ready.ede, why } : targetOf(ready, nowMs, -1));
    } else if (stale !== undefined && age === AGE.STALE_AT_ONCE) {
      this.noteStaleHit(stale, nowMs, query, query.length, asked);
      callback(targetOf(stale, nowMs, staleTtlSeconds));
    } else if (route === undefined) {
      // The name is not forwarded: the client gets the chain up to it, as without forwarding.
      callback(emptyTarget(RCODE.NOERROR));
    } else {
      this.outstanding.wait(this.cache.keyOf(query, query.length, asked), question, route.counters, stale, {
        client: clientOf(client),
        sinceMs: nowMs,
        mayBeDiscarded: false,
        discarded() {},
        answered: (entry, isStale) =>
          callback(targetOf(entry, this.clock.monotonicMs(), isStale ? staleTtlSeconds : -1)),
        failed: (ede, why = '') => callback({ ...emptyTarget(RCODE.SERVFAIL), ede, why }),
      });
    }
  }

  /** The rules and the route that apply to a question, for explanations. */
  explain(name: WireName, type: number): Pick<QueryPath, 'rules' | 'route'> {
    const question = plainQuestion(name, type);
    const source = this.local?.sourceOf(question) ?? this.local?.sourceOf({ ...question, type: TYPE.AAAA });
    const route = this.routeOf(name);
    return {
      rules: [
        ...(source === undefined ? [] : [`answered from ${source}`]),
        ...(this.settings.dns64 === undefined
          ? []
          : [`dns64 ${this.settings.dns64.prefix}: AAAA where there is only A`]),
      ],
      ...(route && { route: { zone: route.settings.zone, upstreams: route.upstreams().map(({ label }) => label) } }),
    };
  }

  /** Cache orders from the control plane. */
  flush(scope: FlushScope): number {
    return this.cache.flush(scope);
  }

  /** The cached entries, for the thread that takes over. */
  handOver(): Generator<CacheHandover> {
    return handOver(this.handoverParts(), this.clock.monotonicMs);
  }

  /** The cached entries of the retiring thread. */
  takeIn(handed: CacheHandover): void {
    takeIn(handed, this.handoverParts(), this.clock.monotonicMs());
  }

  /** At most `limit` entries that may still be given, the most recently used first; of names at or below `below`. */
  list(limit: number, below?: WireName): CacheListing[] {
    return this.cache.list(limit, this.clock.monotonicMs(), below);
  }

  /** Milliseconds until the next deadline; infinite if there is none. The event loop must have a turn by then. */
  nextDeadlineMs(): number {
    return this.deadlines.nextMs();
  }

  routes(): readonly RouteCounters[] {
    return this.allRoutes.map((route) => route.counters);
  }

  /** Of the upstreams in use now. */
  upstreams(): readonly UpstreamCounters[] {
    return this.allUpstreams().map((upstream) => upstream.counters);
  }

  /** undefined: there are none. */
  hosts(): HostsCounts | undefined {
    return this.local?.hosts();
  }

  /** Cache entries, their bytes, clients that wait, open sockets, deadlines. */
  gauges(): ForwarderGauges {
    return {
      entries: this.cache.entries(),
      negativeEntries: this.cache.negativeEntries(),
      bytes: this.cache.bytes(),
      waiting: this.outstanding.waiting(),
      questions: this.outstanding.questions(),
      sockets: this.allUpstreams().reduce((sum, upstream) => sum + upstream.sockets(), 0),
      deadlines: this.deadlines.pending(),
    };
  }

  /** Drops every socket and timer; clients that wait get SERVFAIL. */
  close(): void {
    this.outstanding.close();
    this.loops.close();
    this.local?.stop();
    for (const route of this.allRoutes) route.close();
    this.deadlines.close();
  }

  private handoverParts(): HandoverParts {
    const { settings, cache, local, allRoutes: routes, routeOf } = this;
    return { settings, cache, local, routes, routeOf };
  }

  private resolverDeps(deps: ForwarderDeps, dns64: Dns64 | undefined): ResolverDeps {
    const { counters, clock, deadlines, routeOf, settings } = this;
    return {
      clock,
      deadlines,
      routeOf,
      routeAfter: this.routing.routeAfter,
      rules: {
        isOurs: deps.isOurs,
        isOthers: deps.isOthers,
        isForbidden: rebindingFilter(settings, counters),
        errorText: settings.errorText,
      },
      ourAnswer: deps.ourAnswer,
      dns64,
      localAnswer: (question) => this.local?.answerTo(question),
      malformed(error) {
        counters.malformed++;
        if (error !== undefined) deps.log('error', `failed to judge a reply: ${error.stack ?? error}`);
      },
    };
  }

  private allUpstreams(): Upstream[] {
    return this.allRoutes.flatMap((route) => route.upstreams());
  }

  /** From hosts and templates, kept in the cache; undefined: upstreams have to be asked. */
  private stated(question: ForwardQuestion, nowMs: number): CacheEntry | undefined {
    const answer = this.local?.answerTo(question);
    return answer && this.cache.keep(question, answer, nowMs, this.cache.flushes);
  }

  private noteHit(entry: CacheEntry, nowMs: number, query: Uint8Array, questionEnd: number, asked: number): void {
    this.counters.hits++;
    if (!entry.hasData) this.counters.negativeHits++;
    if (this.settings.cache.prefetch === undefined) return;
    const needsPrefetch = this.freshness.needsPrefetch(entry, nowMs);
    this.cache.saveState();
    if (!needsPrefetch) return;
    this.counters.prefetches++;
    this.refreshLater(questionOf(query, questionEnd, asked), copyOf(entry));
  }

  private noteStaleHit(entry: CacheEntry, nowMs: number, query: Uint8Array, questionEnd: number, asked: number): void {
    this.counters.hits++;
    if (!entry.hasData) this.counters.negativeHits++;
    if (this.freshness.needsRefresh(entry, nowMs))
      this.refreshLater(questionOf(query, questionEnd, asked), copyOf(entry));
  }

  /** In a later turn: sending may fail others that wait, and their responses use the same memory. */
  private refreshLater(question: ForwardQuestion, entry: CacheEntry): void {
    const query = questionBytes(question);
    const key = this.cache.keyOf(query, query.length, bitsOf(question));
    const refresh = deadline(() => {
      const route = this.routeOf(question.name);
      // Names of hosts and templates are never asked upstream, however long ago their answer was cached.
      if (this.stated(question, this.clock.monotonicMs()) === undefined && route !== undefined)
        this.outstanding.refresh(key, question, route.counters, entry);
    });
    this.deadlines.add(refresh, 0);
  }

  /** A wildcard's answers are those of many names. */
  private forget(names: readonly WireName[]): void {
    if (names.some(isWildcard)) this.cache.flush({ kind: 'all' });
    else this.cache.forgetNames(names);
  }

  private watchForLoop(route: Route, upstream: Upstream): void {
    if (this.settings.loopDetection) this.clock.setTimeout(() => this.loops.watch(route, upstream), 0);
  }
}

function rebindingFilter({ rebinding }: ForwardSettings, counters: ForwardCounters) {
  return rebinding && createRebindingFilter(rebinding.allow, () => void counters.rebindingDropped++);
}
