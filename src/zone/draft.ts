// The names that one owner publishes, while they are being put together.
import type { WireName } from '../dns/name.ts';
import { ALWAYS_ANSWERED, type NameRecords, type ResourceRecord, type RRset } from '../plane/records.ts';
import type { ServicePolicy } from '../registry/model.ts';

export interface RRsetDraft extends RRset {
  readonly records: ResourceRecord[];
}

export interface NameDraft extends NameRecords {
  readonly rrsets: RRsetDraft[];
  synthesizesPodAddresses?: { readonly ttlSeconds: number };
}

/** How an RRset is answered, beside its records. */
export type Answering = Pick<RRset, 'ttlSeconds' | 'routing' | 'maxAnswers' | 'whenAllUnhealthy'>;

export interface Drafts {
  /** The draft of a name: the same one for equal names. A draft without RRsets says that the name exists. */
  at(name: WireName): NameDraft;
  all(): NameDraft[];
}

export function createDrafts(): Drafts {
  const byName = new Map<string, NameDraft>();
  return {
    at(name) {
      const key = bytesKey(name);
      const known = byName.get(key);
      if (known !== undefined) return known;
      const draft: NameDraft = { name, rrsets: [] };
      byName.set(key, draft);
      return draft;
    },
    all() {
      const drafts = [...byName.values()];
      for (const draft of drafts)
        for (let i = 0; i < draft.rrsets.length; i++) draft.rrsets[i] = distinct(draft.rrsets[i]);
      return drafts;
    },
  };
}

/** The draft's RRset of a type, made where it is missing. One RRset has one TTL (RFC 2181 section 5.2): the first. */
export function rrsetOf(draft: NameDraft, type: number, answering: Answering): RRsetDraft {
  const known = draft.rrsets.find((rrset) => rrset.type === type);
  if (known !== undefined) return known;
  const { ttlSeconds, routing, maxAnswers, whenAllUnhealthy } = answering;
  const rrset: RRsetDraft = { type, ttlSeconds, records: [], routing, maxAnswers, whenAllUnhealthy };
  draft.rrsets.push(rrset);
  return rrset;
}

/** What a service answers at its own name. */
export function answersAsService(policy: ServicePolicy, ttlSeconds: number): Answering {
  return {
    ttlSeconds,
    routing: policy.routing,
    maxAnswers: policy.maxAnswers,
    whenAllUnhealthy: policy.whenAllUnhealthy,
  };
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

/** Without duplicate records (RFC 2181 section 5); of two with equal data the one with the lower slot stays. */
export function distinct<Set extends RRset>(rrset: Set): Set {
  if (rrset.records.length < 2) return rrset;
  const byData = new Map<string, ResourceRecord>();
  for (const record of rrset.records) {
    const key = bytesKey(record.rdata);
    const known = byData.get(key);
    if (known === undefined || record.slot < known.slot) byData.set(key, record);
  }
  return byData.size === rrset.records.length ? rrset : { ...rrset, records: [...byData.values()] };
}

/** Bytes as a string, to be compared or to be a Map's key. */
export function bytesKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
