// How one name with all its records lies in memory: a block of 32-bit words. The control plane writes the block once, the
// data threads only copy it into their tables. Both sides take the numbers from here.
//
//   block   | words | hash | name length, labels, flags | RRsets | pod TTL | name … | RRset headers … | records … |
//   RRset   | type, flags | TTL | records | max answers | first record | stride |
//   record  | slot, duplicate | weight, rdlength | (target's hash) | rdata … |
//
// Names and rdata are bytes, padded to a word. Records of one size follow each other by `stride` words; otherwise stride is 0
// and `first record` is a list of their places. Places are counted in words from the start of the block.

import { firstNameOffset } from '../dns/rdata/layouts.ts';
import { TYPE } from '../dns/types.ts';

export const BLOCK = {
  SIZE: 0,
  HASH: 1,
  /** Name length | labels << 8 | flags << 16. */
  NAME: 2,
  RRSETS: 3,
  POD_TTL: 4,
  NAME_BYTES: 5,
} as const;

export const BLOCK_FLAG = {
  SYNTHESIZES_PODS: 1,
  /** It has an NS RRset: an apex or a zone cut. */
  HAS_NS: 2,
  /** Some RRset says `whenAllUnhealthy: nxdomain`. */
  MAY_NOT_EXIST: 4,
  /** The first label is `*`. */
  WILDCARD: 8,
} as const;

export const RRSET = {
  /** Type | flags << 16. */
  TYPE: 0,
  TTL: 1,
  COUNT: 2,
  MAX_ANSWERS: 3,
  FIRST: 4,
  STRIDE: 5,
  WORDS: 6,
} as const;

export const RRSET_FLAG = {
  WEIGHTED: 1,
  /** Records carry the hash of the name in their rdata. */
  HAS_TARGETS: 2,
  /** `whenAllUnhealthy`, two bits from here: the index in POLICIES. */
  POLICY_SHIFT: 2,
} as const;

export const POLICY = { NODATA: 0, NXDOMAIN: 1, SERVFAIL: 2, ALL: 3 } as const;
export const POLICIES = ['nodata', 'nxdomain', 'servfail', 'all'] as const;

export const RECORD = {
  /** Slot (24 bits), DUPLICATE. */
  SLOT: 0,
  /** Rdlength | weight << 16. */
  LENGTH: 1,
  /** Words before the rdata; one more with HAS_TARGETS. */
  WORDS: 2,
} as const;

/** This record's rdata is the same as that of the record before it: only one of them is answered. */
export const DUPLICATE = 0x8000_0000 | 0;
export const SLOT_MASK = 0x00ff_ffff;

/** Kinds of entries in a message to the data threads; each is | kind | words that follow | … |. */
export const ENTRY = { REPLACE_NAME: 1, REMOVE_NAME: 2, REPLACE_ZONE: 3, REMOVE_ZONE: 4 } as const;
export const ENTRY_HEADER_WORDS = 2;

export const ZONE_FLAG = { READY: 1, STALE: 2 } as const;

const TARGET_OFFSETS = new Int8Array(64).fill(-1);
for (const type of [TYPE.CNAME, TYPE.NS, TYPE.MX, TYPE.SRV]) TARGET_OFFSETS[type] = firstNameOffset(type);

/** Where in the rdata of a type a name begins that is looked up (CNAME) or has its addresses added (NS, MX, SRV); else -1. */
export function targetOffset(type: number): number {
  return type < TARGET_OFFSETS.length ? TARGET_OFFSETS[type] : -1;
}
