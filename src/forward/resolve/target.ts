// The answer to a question as records, for a CNAME of ours that leads outside (ExternalName).
import type { WireName } from '../../dns/name.ts';
import { RCODE } from '../../dns/types.ts';
import { type CacheEntry, recordsOf } from '../cache/entry.ts';

export interface TargetAnswer {
  /** RCODE to answer the client with. */
  readonly rcode: number;
  /** Answer records in order (a chain of CNAMEs, then the type asked for), TTLs already aged. */
  readonly records: readonly TargetRecord[];
  /** The SOA of a negative answer (RFC 2308), and the proofs if DNSSEC records were asked for. */
  readonly authority: readonly TargetRecord[];
  /** Served stale (RFC 8767): the answer carries EDE 3. */
  readonly stale: boolean;
  /** Of a failure: the extended error (RFC 8914), and the text beside it. */
  readonly ede?: number;
  readonly why?: string;
}

/** What we answer for a name of ours that an upstream's CNAME leads to. */
export type OurAnswer = Pick<TargetAnswer, 'rcode' | 'records' | 'authority'>;

export interface TargetRecord {
  readonly name: WireName;
  readonly type: number;
  readonly ttlSeconds: number;
  /** Uncompressed rdata. */
  readonly rdata: Uint8Array;
}

/**
 * TTLs are aged, or `fixedTtlSeconds` where that is 0 or more (a stale answer). An incomplete answer is a failure: a CNAME
 * of ours cannot show that records are missing behind it.
 */
export function targetOf(entry: CacheEntry, nowMs: number, fixedTtlSeconds: number): TargetAnswer {
  if (entry.truncated) return emptyTarget(RCODE.SERVFAIL);
  const age = Math.floor((nowMs - entry.storedMs) / 1000);
  const ttlOf = (ttl: number) => (fixedTtlSeconds >= 0 ? fixedTtlSeconds : Math.max(0, ttl - age));
  const aged = (record: TargetRecord) => ({ ...record, ttlSeconds: ttlOf(record.ttlSeconds) });
  const { answers, authorities } = recordsOf(entry);
  const records = answers.map(aged);
  const authority = entry.hasData ? [] : authorities.map(aged);
  return { rcode: entry.rcode, records, authority, stale: fixedTtlSeconds >= 0 };
}

export function emptyTarget(rcode: number): TargetAnswer {
  return { rcode, records: [], authority: [], stale: false };
}
