// How old an answer may be: stored at all, prefetched before its end, served stale after it (RFC 8767).
import type { WireName } from '../../dns/name.ts';
import { isSubdomain, parseName } from '../../dns/name.ts';
import { RCODE } from '../../dns/types.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import { ASKED_RECURSION } from '../upstream/question.ts';
import type { CacheEntry } from './entry.ts';

export const AGE = {
  FRESH: 0,
  /** Expired, but given at once, without asking upstreams first. */
  STALE_AT_ONCE: 1,
  /** Expired, and given only if upstreams fail or are slow. */
  STALE: 2,
  /** No longer usable. */
  OVER: 3,
} as const;

/** In `staleUntilMs`. A fraction, as V8 keeps the others. */
const NEVER_STALE = -0.5;

export interface Freshness {
  mayStore(entry: CacheEntry, name: WireName): boolean;
  mayStoreFailure(name: WireName): boolean;
  /** One of AGE. Failures are never stale, and RD=0 gets nothing stale (RFC 8767 section 5). */
  ageOf(entry: CacheEntry, nowMs: number): number;
  /** For a stale entry: true if no upstream has been asked for a while. */
  needsRefresh(entry: CacheEntry, nowMs: number): boolean;
  noteFailedRefresh(entry: CacheEntry, nowMs: number): void;
  /** A newer answer to the same question with other DO or CD bits is known: the entry is not used after its TTL. */
  noteNewer(entry: CacheEntry): void;
  /** Counts a hit. True, once for each entry: it is asked for often and about to expire, so fetch it again. */
  needsPrefetch(entry: CacheEntry, nowMs: number): boolean;
}

export function createFreshness(settings: CacheSettings): Freshness {
  const { serveStale, prefetch } = settings;
  const disabled = settings.disabledZones.map((zone) => parseName(zone));
  const disabledNegative = settings.disabledNegativeZones.map((zone) => parseName(zone));
  const isIn = (zones: readonly WireName[], name: WireName) => zones.some((zone) => isSubdomain(name, zone));

  return {
    mayStore(entry, name) {
      if (!settings.enabled || entry.expiresMs <= entry.storedMs) return false;
      return !isIn(disabled, name) && (entry.hasData || !isIn(disabledNegative, name));
    },
    mayStoreFailure: (name) =>
      settings.enabled && settings.servfailTtlSeconds > 0 && !isIn(disabled, name) && !isIn(disabledNegative, name),
    ageOf(entry, nowMs) {
      if (nowMs < entry.expiresMs) return AGE.FRESH;
      if (serveStale === undefined || entry.rcode === RCODE.SERVFAIL) return AGE.OVER;
      if ((entry.bits & ASKED_RECURSION) === 0) return AGE.OVER;
      if (nowMs >= entry.expiresMs + 1000 * serveStale.maxStaleSeconds) return AGE.OVER;
      if (entry.staleUntilMs === NEVER_STALE) return AGE.OVER;
      return serveStale.clientTimeoutMs === 0 || nowMs < entry.staleUntilMs ? AGE.STALE_AT_ONCE : AGE.STALE;
    },
    needsRefresh: (entry, nowMs) => nowMs >= entry.staleUntilMs,
    noteNewer(entry) {
      entry.staleUntilMs = NEVER_STALE;
    },
    noteFailedRefresh(entry, nowMs) {
      entry.staleUntilMs = nowMs + 1000 * (serveStale?.failureRecheckSeconds ?? 0);
    },
    needsPrefetch(entry, nowMs) {
      if (prefetch === undefined || entry.refreshing) return false;
      if (nowMs - entry.windowStartMs > 1000 * prefetch.windowSeconds) {
        entry.windowStartMs = nowMs;
        entry.hits = 0;
      }
      entry.hits++;
      const left = (entry.expiresMs - nowMs) / (entry.expiresMs - entry.storedMs);
      if (entry.hits < prefetch.hits || left * 100 > prefetch.percent || entry.rcode === RCODE.SERVFAIL) return false;
      entry.refreshing = true;
      return true;
    },
  };
}
