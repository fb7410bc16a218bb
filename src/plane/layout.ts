// The memory layout of one name with all its records: a block of 32-bit words. The control plane writes the block once, and
// the data threads only copy it into their tables. Both sides use the constants defined here.
//
//   block   | words | hash | name length, labels, flags | RRsets | pod TTL | name … | RRset headers … | records … |
//   RRset   | type, flags | TTL | records | max answers | first record | stride |
//   record  | slot, duplicate | weight, rdlength | (target's hash) | (shares …) | rdata … |
//
// Names and rdata are bytes, padded to a word; in rdata with shares, the parts before, between and after the names are padded
// as well. Records of equal size are `stride` words apart; otherwise stride is 0 and `first record` is a list of offsets.
// Offsets are in words from the start of the block.

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
  /** The name has an NS RRset: an apex or a zone cut. */
  HAS_NS: 2,
  /** Some RRset has `whenAllUnhealthy: nxdomain`. */
  MAY_NOT_EXIST: 4,
  /** The first label is `*`. */
  WILDCARD: 8,
  /** It has a DNAME RRset: names below it are aliases. */
  HAS_DNAME: 16,
  /** With SYNTHESIZES_PODS: only names that exist (pod-names.ts). */
  VERIFIES_PODS: 32,
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
  /** Records carry a share (below) for each name in their rdata, which may be compressed. */
  COMPRESSIBLE: 16,
} as const;

export const POLICY = { NODATA: 0, NXDOMAIN: 1, SERVFAIL: 2, ALL: 3 } as const;
export const POLICIES = ['nodata', 'nxdomain', 'servfail', 'all'] as const;

export const RECORD = {
  /** Slot (24 bits), DUPLICATE. */
  SLOT: 0,
  /** Rdlength | weight << 16. */
  LENGTH: 1,
  /** Words before the rdata; one more with HAS_TARGETS, and one for each share. */
  WORDS: 2,
} as const;

/** The record has the same rdata as the previous one: only one of them is answered. */
export const DUPLICATE = 0x8000_0000 | 0;
export const SLOT_MASK = 0x00ff_ffff;

/** Kinds of entries in a message to the data threads; each is | kind | words that follow | … |. */
export const ENTRY = {
  REPLACE_NAME: 1,
  REMOVE_NAME: 2,
  REPLACE_ZONE: 3,
  REMOVE_ZONE: 4,
  REPLACE_REASON: 5,
  POD_NAME: 6,
  REPLACE_PARTS: 7,
} as const;
export const ENTRY_HEADER_WORDS = 2;

export const ZONE_FLAG = { READY: 1, STALE: 2, PARTIAL: 4 } as const;

/**
 * The part that a name in rdata shares with its owner name (except a wildcard's `*`): the bytes before the shared suffix | the labels
 * of the suffix << 8 | the length of the whole name << 16 | whether it may share more with another name of the RRset, because
 * more than one label is before the suffix. Without a shared label all bytes are before it.
 */
export const SHARE = { KEPT: 0xff, LABELS_SHIFT: 8, LENGTH_SHIFT: 16, COMPARED: 1 << 24 } as const;

const byType = (types: readonly number[], value: (type: number) => number, none: number) => {
  const values = new Int8Array(64).fill(none);
  for (const type of types) values[type] = value(type);
  return (type: number): number => (type < values.length ? values[type] : none);
};

/** The offset in the rdata of a type of the name whose addresses are added; -1: none. */
export const targetOffset = byType([TYPE.NS, TYPE.MX, TYPE.SRV], firstNameOffset, -1);

/** How many names of the rdata may be compressed (RFC 3597 section 4: types of RFC 1035). The first begins at `nameOffset`. */
export const compressibleNames = byType(
  [TYPE.NS, TYPE.CNAME, TYPE.SOA, TYPE.PTR, TYPE.MX],
  (type) => (type === TYPE.SOA ? 2 : 1),
  0,
);
export const nameOffset = byType([TYPE.NS, TYPE.CNAME, TYPE.SOA, TYPE.PTR, TYPE.MX], firstNameOffset, 0);
