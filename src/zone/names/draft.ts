// One name and its RRsets, while they are being put together.
import { ALWAYS_ANSWERED, type NameRecords, type ResourceRecord, type RRset } from '../../plane/records.ts';
import type { ServicePolicy } from '../../registry/model.ts';

export interface RRsetDraft extends RRset {
  readonly records: ResourceRecord[];
}

export interface NameDraft extends NameRecords {
  readonly rrsets: RRsetDraft[];
  synthesizesPodAddresses?: { readonly ttlSeconds: number };
}

/** How an RRset is answered, beside its records. */
export type Answering = Pick<RRset, 'ttlSeconds' | 'routing' | 'maxAnswers' | 'whenAllUnhealthy'>;

/**
 * The draft's RRset of a type, made where it is missing. One RRset has one TTL (RFC 2181 section 5.2): the first.
 * Records may repeat: the data plane answers equal rdata once, if any of its slots says so (RFC 2181 section 5).
 */
export function rrsetOf(draft: NameDraft, type: number, answering: Answering): RRsetDraft {
  for (const rrset of draft.rrsets) if (rrset.type === type) return rrset;
  const { ttlSeconds, routing, maxAnswers, whenAllUnhealthy } = answering;
  const rrset: RRsetDraft = { type, ttlSeconds, records: [], routing, maxAnswers, whenAllUnhealthy };
  draft.rrsets.push(rrset);
  return rrset;
}

/** What a service answers at its own name. */
export function answersAsService(policy: ServicePolicy, ttlSeconds: number): Answering {
  const { routing, maxAnswers, whenAllUnhealthy } = policy;
  return { ttlSeconds, routing, maxAnswers, whenAllUnhealthy };
}

/**
 * What is answered at the name of one instance. `all` is about a service none of whose instances is healthy; one instance
 * cannot know that, so its own name answers NODATA.
 */
export function answersAsInstance(policy: ServicePolicy, ttlSeconds: number): Answering {
  const whenAllUnhealthy = policy.whenAllUnhealthy === 'all' ? 'nodata' : policy.whenAllUnhealthy;
  return { ttlSeconds, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy };
}

/** A record that is answered whatever the health of anything. */
export function always(rdata: Uint8Array): ResourceRecord {
  return { rdata, slot: ALWAYS_ANSWERED, weight: 1 };
}

/** Records that have no health. */
export function answersAlways(ttlSeconds: number): Answering {
  return { ttlSeconds, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' };
}
