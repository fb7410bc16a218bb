// Answers kept until their TTL is over, and for a while longer (RFC 8767). Each data thread has its own cache.
import { LRUCache } from 'lru-cache';
import { HEADER_BYTES } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';
import { formatName, isSubdomain, sameName } from '../../dns/name.ts';
import { RCODE, typeName } from '../../dns/types.ts';
import { createSlab } from '../../memory/slab.ts';
import type { CacheListing, FlushScope } from '../../plane/cache-orders.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import type { Answer } from '../upstream/answer.ts';
import {
  ASKED_CHECKING_DISABLED,
  ASKED_DNSSEC,
  ASKED_OF_KEY,
  ASKED_RECURSION,
  bitsOf,
  type ForwardQuestion,
  questionBytes,
  sameQuestionName,
} from '../upstream/question.ts';
import { type CacheEntry, entryOf, failureEntry, makeEntry, standIn } from './entry.ts';
import { AGE, type Freshness } from './freshness.ts';
import type { Keys } from './key.ts';
import { copyOf, isNegative, pack, packedBytes, packState, unpack } from './packed-entry.ts';

/** Cost of an entry beyond its slot: its places in the map and in the list. */
const ENTRY_OVERHEAD_BYTES = 96;

/** Failures whose reason is remembered. */
const MAX_WHYS = 1_000;

export class AnswerCache {
  /** Number of flushes: replies to queries sent before a flush may contain the data to be removed. */
  flushes = 0;
  private readonly settings: CacheSettings;
  private readonly freshness: Freshness;
  private readonly keys: Keys;
  private readonly slab = createSlab();
  private readonly lru: LRUCache<number, number>;
  /** Filled by each look-up, so that a hit allocates nothing. */
  private readonly view = makeEntry();
  private viewed = -1;
  private negatives = 0;
  private viewedKey = -1;
  /** By key, of failures. */
  private readonly whys = new Map<number, string>();

  constructor(settings: CacheSettings, freshness: Freshness, keys: Keys, onEvict: (negative: boolean) => void) {
    this.settings = settings;
    this.freshness = freshness;
    this.keys = keys;
    this.lru = new LRUCache({
      max: settings.maxEntries,
      maxSize: settings.maxBytes,
      dispose: (handle, _key, reason) => {
        const negative = isNegative(this.slab.chunkOf(handle), this.slab.offsetOf(handle));
        if (negative) this.negatives--;
        this.slab.free(handle);
        if (reason === 'evict') onEvict(negative);
      },
    });
  }

  /** `query` begins with a header and the question; `asked` are its ASKED bits. */
  keyOf(query: Uint8Array, questionEnd: number, asked: number): number {
    const type = (query[questionEnd - 4] << 8) | query[questionEnd - 3];
    return this.keys.keyOf(query, HEADER_BYTES, questionEnd - 4, type, asked & ASKED_OF_KEY);
  }

  /**
   * The entry for the question at the start of `query`, of any age. Marks it as the most recently used. It is valid until
   * the next call of any method of the cache; `copyOf` makes a lasting one.
   */
  findInCache(query: Uint8Array, questionEnd: number, asked: number): CacheEntry | undefined {
    const { view } = this;
    this.viewedKey = this.keyOf(query, questionEnd, asked);
    const handle = this.lru.get(this.viewedKey);
    if (handle === undefined) return undefined;
    this.show(handle);
    if (view.questionEnd !== questionEnd || view.bits !== (asked & ASKED_OF_KEY)) return undefined;
    const type = (query[questionEnd - 4] << 8) | query[questionEnd - 3];
    const nameAt = view.start + HEADER_BYTES;
    const same = sameQuestionName(view.bytes, nameAt, query, HEADER_BYTES, questionEnd - 4 - HEADER_BYTES);
    return same && view.type === type ? view : undefined;
  }

  /** Saves the changed state of the entry that `findInCache` returned last. */
  saveState(): void {
    packState(this.view, this.slab.chunkOf(this.viewed), this.slab.offsetOf(this.viewed));
  }

  /** Drops the entry that `findInCache` returned last. */
  drop(): void {
    this.lru.delete(this.viewedKey);
  }

  /**
   * The answer as an entry, which is stored if the settings and its TTL permit, unless the cache was flushed since it had
   * been flushed `flushes` times, when the question was asked. An answer that is not stored still replaces older data: nothing
   * older is served any more (RFC 8767 section 4).
   */
  keep(question: ForwardQuestion, answer: Answer, nowMs: number, flushes: number): CacheEntry {
    const entry = entryOf(question, answer, this.settings, nowMs);
    if (flushes === this.flushes) this.endOlder(question);
    if (flushes === this.flushes && this.freshness.mayStore(entry, question.name)) this.store(entry);
    else if (this.findEntry(question) !== undefined) this.drop();
    return entry;
  }

  /** Answers to the same question with other DO or CD bits, for which this one could stand in, are not served stale any more. */
  private endOlder(question: ForwardQuestion): void {
    if (this.settings.serveStale === undefined || !question.recursionDesired) return;
    const query = questionBytes(question);
    const bits = bitsOf(question);
    const others = [bits ^ ASKED_DNSSEC];
    if ((bits & ASKED_CHECKING_DISABLED) === 0)
      others.push(bits ^ ASKED_CHECKING_DISABLED, bits ^ (ASKED_DNSSEC | ASKED_CHECKING_DISABLED));
    for (const other of others) {
      const older = this.findInCache(query, query.length, other);
      if (older === undefined) continue;
      this.freshness.noteNewer(older);
      this.saveState();
    }
  }

  /** A stale answer to the same question with other DO or CD bits, as a last resort. Answers to CD queries are not used for others. */
  findStandIn(query: Uint8Array, questionEnd: number, asked: number, nowMs: number): CacheEntry | undefined {
    if (this.settings.serveStale === undefined || (asked & ASKED_RECURSION) === 0) return undefined;
    const bits = asked & ASKED_OF_KEY;
    const others = [bits ^ ASKED_DNSSEC];
    if (bits & ASKED_CHECKING_DISABLED)
      others.push(bits ^ ASKED_CHECKING_DISABLED, bits ^ (ASKED_DNSSEC | ASKED_CHECKING_DISABLED));
    for (const other of others) {
      const found = this.findInCache(query, questionEnd, other);
      if (found === undefined || found.rcode === RCODE.SERVFAIL || this.freshness.ageOf(found, nowMs) === AGE.OVER)
        continue;
      return standIn(copyOf(found), bits);
    }
    return undefined;
  }

  /**
   * Stores a failure for at most `maxSeconds`. It never replaces an answer that is still of use, fresh (a prefetch failed) or
   * stale; nor `stale`, which was given in place of one.
   */
  keepFailure(
    question: ForwardQuestion,
    { ede, why }: { readonly ede: number; readonly why: string },
    maxSeconds: number,
    stale: CacheEntry | undefined,
    nowMs: number,
  ): void {
    const kept = this.findEntry(question);
    const age = kept === undefined ? AGE.OVER : this.freshness.ageOf(kept, nowMs);
    if (kept !== undefined && (age === AGE.STALE || age === AGE.STALE_AT_ONCE)) {
      this.freshness.noteFailedRefresh(kept, nowMs);
      this.saveState();
    } else if (kept === undefined && stale !== undefined) {
      this.freshness.noteFailedRefresh(stale, nowMs);
      this.store(makeEntry(stale, { expiresMs: Math.min(stale.expiresMs, nowMs) }));
    } else if (age === AGE.OVER && maxSeconds > 0 && this.freshness.mayStoreFailure(question.name)) {
      this.keepWhy(question, why);
      this.store(failureEntry(question, ede, Math.min(maxSeconds, this.settings.servfailTtlSeconds), nowMs));
    }
  }

  /** Why the failure that is cached for this question happened; '' if that is no longer known. */
  whyFailed(query: Uint8Array, questionEnd: number, asked: number): string {
    return this.whys.get(this.keyOf(query, questionEnd, asked)) ?? '';
  }

  private keepWhy(question: ForwardQuestion, why: string): void {
    const query = questionBytes(question);
    const key = this.keyOf(query, query.length, bitsOf(question));
    this.whys.delete(key);
    this.whys.set(key, why);
    if (this.whys.size > MAX_WHYS) this.whys.delete(this.whys.keys().next().value!);
  }

  flush(scope: FlushScope): number {
    const before = this.lru.size;
    this.flushes++;
    if (scope.kind === 'all') {
      this.lru.clear();
      return before;
    }
    for (const [key, handle] of [...this.lru.entries()]) {
      this.show(handle);
      if (isIn(scope, nameOf(this.view))) this.lru.delete(key);
    }
    return before - this.lru.size;
  }

  /** Flushing one name scans all entries: for many names it is faster to drop everything. */
  forgetNames(names: readonly WireName[]): void {
    if (names.length > 16) this.flush({ kind: 'all' });
    else for (const name of names) this.flush({ kind: 'name', name });
  }

  /** Entries that may still be given, the most recently used first. */
  list(limit: number, nowMs: number, below?: WireName): CacheListing[] {
    const listings: CacheListing[] = [];
    for (const [key, handle] of this.lru.entries()) {
      if (listings.length >= limit) break;
      this.show(handle);
      if (this.freshness.ageOf(this.view, nowMs) === AGE.OVER) continue;
      if (below === undefined || isSubdomain(nameOf(this.view), below))
        listings.push(listingOf(this.view, nowMs, this.whys.get(key)));
    }
    return listings;
  }

  /** Copies of all that may still be given, those used longest ago first; others may be stored meanwhile. */
  *oldestFirst(nowMs: number): Generator<CacheEntry> {
    for (const key of [...this.lru.rkeys()]) {
      const handle = this.lru.peek(key);
      if (handle === undefined) continue;
      this.show(handle);
      if (this.freshness.ageOf(this.view, nowMs) !== AGE.OVER) yield copyOf(this.view);
    }
  }

  /** Stores an entry of another cache, if the settings would have it for so long. */
  takeIn(entry: CacheEntry, name: WireName): void {
    const { maxTtlSeconds, maxNegativeTtlSeconds } = this.settings;
    const isFailure = entry.rcode === RCODE.SERVFAIL;
    const longestSeconds = entry.hasData ? maxTtlSeconds : maxNegativeTtlSeconds;
    if (!isFailure && entry.expiresMs - entry.storedMs > longestSeconds * 1000) return;
    if (isFailure ? this.freshness.mayStoreFailure(name) : this.freshness.mayStore(entry, name)) this.store(entry);
  }

  entries(): number {
    return this.lru.size;
  }

  negativeEntries(): number {
    return this.negatives;
  }

  bytes(): number {
    return this.lru.calculatedSize;
  }

  private findEntry(question: ForwardQuestion): CacheEntry | undefined {
    const query = questionBytes(question);
    return this.findInCache(query, query.length, bitsOf(question));
  }

  private show(handle: number): void {
    this.viewed = handle;
    unpack(this.view, this.slab.chunkOf(handle), this.slab.offsetOf(handle));
  }

  /** `entry` is not the view of another one: its bytes begin with its message. */
  private store(entry: CacheEntry): void {
    const bytes = packedBytes(entry);
    const size = ENTRY_OVERHEAD_BYTES + this.slab.slotBytes(bytes);
    // lru-cache would not take an entry larger than the whole cache, and its slot would be lost.
    if (size > this.settings.maxBytes) return;
    const handle = this.slab.allocate(bytes);
    pack(entry, this.slab.chunkOf(handle), this.slab.offsetOf(handle));
    if (!entry.hasData) this.negatives++;
    this.lru.set(this.keyOf(entry.bytes, entry.questionEnd, entry.bits), handle, { size });
  }
}

function nameOf(entry: CacheEntry): WireName {
  return entry.bytes.subarray(entry.start + HEADER_BYTES, entry.start + entry.questionEnd - 4);
}

function isIn(scope: Exclude<FlushScope, { kind: 'all' }>, name: WireName): boolean {
  return scope.kind === 'name' ? sameName(name, scope.name) : isSubdomain(name, scope.name);
}

function listingOf(entry: CacheEntry, nowMs: number, why: string | undefined): CacheListing {
  return {
    name: formatName(nameOf(entry)),
    type: typeName(entry.type),
    rcode: entry.rcode,
    ttlSeconds: Math.ceil((entry.expiresMs - nowMs) / 1000),
    bytes: entry.length,
    ...(entry.rcode === RCODE.SERVFAIL && why && { why }),
  };
}
