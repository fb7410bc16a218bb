// A name that an owner publishes: its finished RRsets, and their hash, which shows whether the data plane has them.
import type { WireName } from '../../dns/name.ts';
import { packedHash, unpackName } from '../../plane/packed-names.ts';
import { ALWAYS_ANSWERED, type NameRecords, type ResourceRecord, type RRset } from '../../plane/records.ts';
import type { ServicePolicy } from '../../registry/model.ts';

export interface PublishedName {
  readonly records: NameRecords;
  /** See contentHash. */
  readonly hash: number;
  /** The place, among the bases of a service, of the one that the name is below; NO_BASE for a base itself and for PTR. */
  readonly below: number;
  /** The records are those of a part of the service: at this name, it is sent alone. */
  readonly isPart: boolean;
}

export const NO_BASE = -1;

export function published(records: NameRecords, below = NO_BASE, isPart = false): PublishedName {
  return { records, hash: contentHash(records), below, isPart };
}

/** The name whose packed records these are. */
export const publishedStatic = (packed: Uint8Array): PublishedName => ({
  records: unpackName(packed),
  hash: packedHash(packed, 0, packed.length),
  below: NO_BASE,
  isPart: false,
});

/** A name and its RRsets, while they are being put together. Without RRsets, the name exists (RFC 8020). */
export interface NameDraft extends NameRecords {
  readonly rrsets: RRsetDraft[];
  synthesizesPodAddresses?: { readonly ttlSeconds: number; readonly isVerified?: boolean };
}

export interface RRsetDraft extends RRset {
  readonly records: ResourceRecord[];
}

/** How an RRset is answered, beside its records. */
export type Answering = Pick<RRset, 'ttlSeconds' | 'routing' | 'maxAnswers' | 'whenAllUnhealthy'>;

export const draftOf = (name: WireName): NameDraft => ({ name, rrsets: [] });

/**
 * The draft's RRset of a type, made where it is missing. One RRset has one TTL (RFC 2181 section 5.2): the first.
 * Records may repeat: the data plane answers equal rdata once, if any of its slots allows it (RFC 2181 section 5).
 */
export function rrsetOf(draft: NameDraft, type: number, answering: Answering): RRsetDraft {
  for (const rrset of draft.rrsets) if (rrset.type === type) return rrset;
  return addRRset(draft, type, answering, []);
}

/** Where the draft has none of that type. */
export function addRRset(draft: NameDraft, type: number, answering: Answering, records: ResourceRecord[]): RRsetDraft {
  const { ttlSeconds, routing, maxAnswers, whenAllUnhealthy } = answering;
  const rrset: RRsetDraft = { type, ttlSeconds, records, routing, maxAnswers, whenAllUnhealthy };
  draft.rrsets.push(rrset);
  return rrset;
}

/** At a service's own name. */
export function answersAsService(policy: ServicePolicy, ttlSeconds: number): Answering {
  const { routing, maxAnswers, whenAllUnhealthy } = policy;
  return { ttlSeconds, routing, maxAnswers, whenAllUnhealthy };
}

/**
 * At the name of one instance. `all` applies to a service without healthy instances; the name of a single instance cannot
 * know that and answers NODATA.
 */
export function answersAsInstance(policy: ServicePolicy, ttlSeconds: number): Answering {
  const whenAllUnhealthy = policy.whenAllUnhealthy === 'all' ? 'nodata' : policy.whenAllUnhealthy;
  return { ttlSeconds, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy };
}

/** Records without health. */
export function answersAlways(ttlSeconds: number): Answering {
  return { ttlSeconds, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' };
}

/** A record that is always answered. */
export const always = (rdata: Uint8Array): ResourceRecord => ({ rdata, slot: ALWAYS_ANSWERED, weight: 1 });

const ROUTINGS: readonly RRset['routing'][] = ['multivalue', 'weighted'];
const POLICIES: readonly RRset['whenAllUnhealthy'][] = ['nodata', 'nxdomain', 'servfail', 'all'];

/** 53 bits, never 0, of the content of a name without its owner name. */
export function contentHash({ rrsets, synthesizesPodAddresses }: Omit<NameRecords, 'name'>): number {
  const hash = new Hash();
  hash.add(synthesizesPodAddresses === undefined ? -1 : synthesizesPodAddresses.ttlSeconds);
  if (synthesizesPodAddresses?.isVerified) hash.add(-1);
  for (const { type, ttlSeconds, records, routing, maxAnswers, whenAllUnhealthy } of rrsets) {
    hash.add(type | (ROUTINGS.indexOf(routing) << 16) | (POLICIES.indexOf(whenAllUnhealthy) << 17));
    hash.add(ttlSeconds);
    hash.add(maxAnswers);
    hash.addRecords(records);
  }
  return hash.value();
}

/** A multiplicative hash, each step a bijection of its state, and the sum of its rotated states: two independent words. */
class Hash {
  private low = 0x811c9dc5 | 0;
  private high = 0;

  add(value: number): void {
    const low = Math.imul(this.low ^ value, PRIME);
    this.low = low ^ (low >>> 13);
    this.high = (((this.high << 7) | (this.high >>> 25)) + this.low) | 0;
  }

  /** As `add` for each number and each four bytes, in local variables: a service of 10,000 endpoints has 30,000 records. */
  addRecords(records: readonly ResourceRecord[]): void {
    this.add(records.length);
    let { low, high } = this;
    for (const { rdata, slot, weight } of records) {
      const { length } = rdata;
      low = Math.imul(low ^ slot, PRIME);
      high = (((high << 7) | (high >>> 25)) + low) | 0;
      low = Math.imul(low ^ (low >>> 13) ^ length ^ ((weight * 1000) << 8), PRIME);
      high = (((high << 7) | (high >>> 25)) + low) | 0;
      let i = 0;
      for (; i + 4 <= length; i += 4) {
        const word = rdata[i] | (rdata[i + 1] << 8) | (rdata[i + 2] << 16) | (rdata[i + 3] << 24);
        low = Math.imul(low ^ (low >>> 13) ^ word, PRIME);
        high = (((high << 7) | (high >>> 25)) + low) | 0;
      }
      for (; i < length; i++) {
        low = Math.imul(low ^ (low >>> 13) ^ rdata[i], PRIME);
        high = (((high << 7) | (high >>> 25)) + low) | 0;
      }
      low ^= low >>> 13;
    }
    this.low = low;
    this.high = high;
  }

  value(): number {
    return (this.high & 0x1f_ffff) * 0x1_0000_0000 + (this.low >>> 0) || 1;
  }
}

const PRIME = 0x01000193;
