// The answer to a question as records, for a CNAME of ours that leads outside (ExternalName).
import { RCODE } from '../../dns/types.ts';
import type { CacheEntry } from '../cache/cache.ts';
import { answerRecords } from '../cache/entry.ts';
import type { TargetAnswer } from '../interface.ts';

/** Part of an answer is none: a CNAME of ours cannot say that something is missing behind it. TTLs are aged, or `fixedTtlSeconds` where that is 0 or more (a stale answer). */
export function targetOf(entry: CacheEntry, nowMs: number, fixedTtlSeconds: number): TargetAnswer {
  if (entry.truncated) return { rcode: RCODE.SERVFAIL, records: [], stale: false };
  const age = Math.floor((nowMs - entry.storedMs) / 1000);
  const ttlOf = (ttl: number) => (fixedTtlSeconds >= 0 ? fixedTtlSeconds : Math.max(0, ttl - age));
  const records = answerRecords(entry).map(({ name, type, ttl, rdata }) => ({
    name,
    type,
    ttlSeconds: ttlOf(ttl),
    rdata,
  }));
  return { rcode: entry.rcode, records, stale: fixedTtlSeconds >= 0 };
}
