// Answers kept until their TTL is over, and for a while longer (RFC 8767). One cache for each data thread.
import { LRUCache } from 'lru-cache';
import { HEADER_BYTES } from '../../dns/limits.ts';
import type { WireName } from '../../dns/name.ts';
import { formatName, isSubdomain, sameName } from '../../dns/name.ts';
import { RCODE, typeName } from '../../dns/types.ts';
import { createSlab } from '../../memory/slab.ts';
import type { CacheListing, FlushScope } from '../../plane/cache-orders.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import { ASKED_OF_KEY } from '../resolve/asked.ts';
import type { Answer } from './answer.ts';
import { type Keys, sameQuestionName } from './key.ts';
import { emptyView, pack, packedBytes, packState, unpack } from './packed-entry.ts';

export interface CacheEntry extends Answer {
  readonly type: number;
  /** The ASKED bits that belong to the key. */
  readonly bits: number;
  /** False: NXDOMAIN, NODATA, SERVFAIL. */
  readonly hasData: boolean;
  readonly storedMs: number;
  /** Not given as fresh after this. */
  readonly expiresMs: number;
  /** Hits since `windowStartMs`, for prefetch. */
  hits: number;
  windowStartMs: number;
  /** A refresh failed: stale answers are given at once until then (RFC 8767 section 5, failure recheck). */
  staleUntilMs: number;
  refreshing: boolean;
}

export interface Cache {
  /** `query` begins with a header and the question. */
  keyOf(query: Uint8Array, questionEnd: number, asked: number): number;
  /**
   * The entry for the question at the start of `query`, however old. Makes it the one used last. It is valid until the next
   * call of any function of the cache; `copyOf` makes one that lasts.
   */
  find(query: Uint8Array, questionEnd: number, asked: number): CacheEntry | undefined;
  /** Takes over what was changed in the entry that `find` gave last. */
  saveState(): void;
  /** Drops the entry that `find` gave last. */
  drop(): void;
  store(entry: CacheEntry): void;
  flush(scope: FlushScope): number;
  /** Of entries that `isOfUse`, those used last first. */
  list(limit: number, nowMs: number, isOfUse: (entry: CacheEntry) => boolean, below?: WireName): CacheListing[];
  entries(): number;
  bytes(): number;
}

/** What an entry costs beside its slot: the map's and the list's places. */
const ENTRY_OVERHEAD_BYTES = 96;

export function createCache(settings: CacheSettings, keys: Keys, onEvict: () => void): Cache {
  const slab = createSlab();
  const lru = new LRUCache<number, number>({
    max: settings.maxEntries,
    maxSize: settings.maxBytes,
    dispose: (handle, _key, reason) => {
      slab.free(handle);
      if (reason === 'evict') onEvict();
    },
  });
  const view = emptyView();
  let viewed = -1;
  let viewedKey = -1;

  const keyOf = (wire: Uint8Array, questionEnd: number, asked: number) => {
    const type = (wire[questionEnd - 4] << 8) | wire[questionEnd - 3];
    return keys.keyOf(wire, HEADER_BYTES, questionEnd - 4, type, asked & ASKED_OF_KEY);
  };

  const show = (handle: number) => {
    viewed = handle;
    unpack(view, slab.chunkOf(handle), slab.offsetOf(handle));
  };

  return {
    keyOf,
    find(query, questionEnd, asked) {
      viewedKey = keyOf(query, questionEnd, asked);
      const handle = lru.get(viewedKey);
      if (handle === undefined) return undefined;
      show(handle);
      if (view.questionEnd !== questionEnd || view.bits !== (asked & ASKED_OF_KEY)) return undefined;
      const type = (query[questionEnd - 4] << 8) | query[questionEnd - 3];
      const nameAt = view.start + HEADER_BYTES;
      const same = sameQuestionName(view.bytes, nameAt, query, HEADER_BYTES, questionEnd - 4 - HEADER_BYTES);
      return same && view.type === type ? view : undefined;
    },
    saveState: () => packState(view, slab.chunkOf(viewed), slab.offsetOf(viewed)),
    drop: () => void lru.delete(viewedKey),
    store(entry) {
      const bytes = packedBytes(entry);
      const size = ENTRY_OVERHEAD_BYTES + slab.slotBytes(bytes);
      // More than the whole cache: lru-cache would not take it, and the slot would be lost.
      if (size > settings.maxBytes) return;
      const handle = slab.allocate(bytes);
      pack(entry, slab.chunkOf(handle), slab.offsetOf(handle));
      // The key is that of the question in the entry's own bytes.
      const message = entry.bytes.subarray(entry.start, entry.start + entry.length);
      lru.set(keyOf(message, entry.questionEnd, entry.bits), handle, { size });
    },
    flush(scope) {
      const before = lru.size;
      if (scope.kind === 'all') {
        lru.clear();
        return before;
      }
      for (const [key, handle] of [...lru.entries()]) {
        show(handle);
        if (isIn(scope, nameOf(view))) lru.delete(key);
      }
      return before - lru.size;
    },
    list(limit, nowMs, isOfUse, below) {
      const listings: CacheListing[] = [];
      for (const handle of lru.values()) {
        if (listings.length >= limit) break;
        show(handle);
        if (!isOfUse(view)) continue;
        if (below === undefined || isSubdomain(nameOf(view), below)) listings.push(listingOf(view, nowMs));
      }
      return listings;
    },
    entries: () => lru.size,
    bytes: () => lru.calculatedSize,
  };
}

function nameOf(entry: CacheEntry): WireName {
  return entry.bytes.subarray(entry.start + HEADER_BYTES, entry.start + entry.questionEnd - 4);
}

function isIn(scope: Exclude<FlushScope, { kind: 'all' }>, name: WireName): boolean {
  return scope.kind === 'name' ? sameName(name, scope.name) : isSubdomain(name, scope.name);
}

function listingOf(entry: CacheEntry, nowMs: number): CacheListing {
  return {
    name: formatName(nameOf(entry)),
    type: typeName(entry.type),
    rcode: entry.rcode,
    ttlSeconds: Math.ceil((entry.expiresMs - nowMs) / 1000),
    bytes: entry.length,
  };
}

/** How long an answer is kept: its TTL within the bounds of its kind; 0: not at all. */
export function cacheSeconds(settings: CacheSettings, rcode: number, hasData: boolean, ttlSeconds: number): number {
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN && rcode !== RCODE.YXDOMAIN) return 0;
  // RFC 2181 section 8: TTL 0 is for this transaction only, whatever the minimum says.
  if (ttlSeconds === 0) return 0;
  return hasData
    ? Math.min(Math.max(ttlSeconds, settings.minTtlSeconds), settings.maxTtlSeconds)
    : Math.min(Math.max(ttlSeconds, settings.minNegativeTtlSeconds), settings.maxNegativeTtlSeconds);
}
