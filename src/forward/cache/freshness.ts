// How long an answer is good for, and what happens near and after its end: prefetch before, serve-stale after (RFC 8767).

import type { WireName } from '../../dns/name.ts';
import { isSubdomain, parseName } from '../../dns/name.ts';
import { RCODE } from '../../dns/types.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import type { CacheEntry } from './cache.ts';

export interface Freshness {
  mayStore(entry: CacheEntry, name: WireName): boolean;
  /** Its TTL is over, but not the time in which it may still be given. */
  mayBeStale(entry: CacheEntry, nowMs: number): boolean;
  /** Fresh, or it may be stale. Of failures, only fresh ones (RFC 8767 is about answers). */
  isOfUse(entry: CacheEntry, nowMs: number): boolean;
  /** To be given stale at once, without asking first. */
  isStaleAtOnce(entry: CacheEntry, nowMs: number): boolean;
  /** A stale answer was given at once, and no upstream has been asked for a while. */
  wantsRefresh(entry: CacheEntry, nowMs: number): boolean;
  noteFailedRefresh(entry: CacheEntry, nowMs: number): void;
  /** Counts a hit; true: it is asked for often and nearly over, so fetch it again. Says so once for each entry. */
  wantsPrefetch(entry: CacheEntry, nowMs: number): boolean;
  staleTtlSeconds(): number;
  mayStoreFailure(name: WireName): boolean;
}

export function createFreshness(settings: CacheSettings): Freshness {
  const { serveStale, prefetch } = settings;
  const disabled = settings.disabledZones.map((zone) => parseName(zone));
  const disabledNegative = settings.disabledNegativeZones.map((zone) => parseName(zone));
  const isIn = (zones: readonly WireName[], name: WireName) => zones.some((zone) => isSubdomain(name, zone));

  const mayBeStale = (entry: CacheEntry, nowMs: number) =>
    serveStale !== undefined &&
    entry.rcode !== RCODE.SERVFAIL &&
    nowMs >= entry.expiresMs &&
    nowMs < entry.expiresMs + 1000 * serveStale.maxStaleSeconds;

  return {
    mayStore(entry, name) {
      if (!settings.enabled || entry.expiresMs <= entry.storedMs) return false;
      return !isIn(disabled, name) && (entry.hasData || !isIn(disabledNegative, name));
    },
    mayBeStale,
    isOfUse: (entry, nowMs) => nowMs < entry.expiresMs || mayBeStale(entry, nowMs),
    isStaleAtOnce: (entry, nowMs) =>
      serveStale !== undefined &&
      (serveStale.clientTimeoutMs === 0 || nowMs < entry.staleUntilMs) &&
      mayBeStale(entry, nowMs),
    wantsRefresh: (entry, nowMs) => nowMs >= entry.staleUntilMs,
    noteFailedRefresh(entry, nowMs) {
      entry.staleUntilMs = nowMs + 1000 * (serveStale?.failureRecheckSeconds ?? 0);
    },
    wantsPrefetch(entry, nowMs) {
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
    staleTtlSeconds: () => serveStale?.ttlSeconds ?? 0,
    mayStoreFailure: (name) =>
      settings.enabled && settings.servfailTtlSeconds > 0 && !isIn(disabled, name) && !isIn(disabledNegative, name),
  };
}
