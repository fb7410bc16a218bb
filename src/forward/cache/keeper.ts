// What is put into the cache: answers, what is stated by hand, and failures for a short while (RFC 9520).
import type { Clock } from '../../clock.ts';
import type { CacheSettings } from '../../plane/forward-settings.ts';
import type { Local } from '../local/local.ts';
import type { Judged } from '../resolve/judge.ts';
import { bitsOf, type ForwardQuestion, questionBytes } from '../resolve/question.ts';
import type { Cache, CacheEntry } from './cache.ts';
import { entryOf, failureEntry } from './entry.ts';
import type { Freshness } from './freshness.ts';

export interface Keeper {
  /** The answer as an entry, which is in the cache now if it may be. */
  keep(question: ForwardQuestion, judged: Judged): CacheEntry;
  keepFailure(question: ForwardQuestion, ede: number): void;
  /** What is stated by hand, if it is; undefined: others have to be asked. */
  stated(question: ForwardQuestion): CacheEntry | undefined;
  /** What the cache has, however old; valid until the cache is used again. */
  cached(question: ForwardQuestion): CacheEntry | undefined;
}

export function createKeeper(
  cache: Cache,
  freshness: Freshness,
  settings: CacheSettings,
  clock: Clock,
  local: Local | undefined,
): Keeper {
  function keep(question: ForwardQuestion, judged: Judged): CacheEntry {
    const entry = entryOf(question, judged, settings, clock.monotonicMs());
    if (freshness.mayStore(entry, question.name)) cache.store(entry);
    return entry;
  }

  function cached(question: ForwardQuestion): CacheEntry | undefined {
    const query = questionBytes(question);
    return cache.find(query, query.length, bitsOf(question));
  }

  return {
    keep,
    cached,
    stated(question) {
      const judged = local?.find(question);
      return judged && keep(question, judged);
    },
    keepFailure(question, ede) {
      const now = clock.monotonicMs();
      const kept = cached(question);
      if (kept !== undefined && freshness.mayBeStale(kept, now)) {
        freshness.noteFailedRefresh(kept, now);
        cache.saveState();
      } else if ((kept === undefined || now >= kept.expiresMs) && freshness.mayStoreFailure(question.name)) {
        // Not in the place of an answer that is still good (a prefetch failed).
        cache.store(failureEntry(question, ede, settings.servfailTtlSeconds, now));
      }
    },
  };
}
