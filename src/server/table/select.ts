// Selects the records of an RRset for one answer: those whose slot allows it now, rotated to a random start.
import { RECORD_HEAD_BYTES } from '../../dns/fast/response-writer.ts';
import { chunkOf, wordOf } from '../../memory/arena.ts';
import { BLOCK, BLOCK_FLAG, DUPLICATE, POLICY, RECORD, RRSET, RRSET_FLAG, SLOT_MASK } from '../../plane/layout.ts';
import type { Table } from './table.ts';

/** More records than this do not fit into 64 KiB. */
const MAX_CHOSEN = 8192;
const POINTER_BYTES = 2;

/** Overwritten by the next selection. */
export interface Selection {
  /** The word in the chunk of each record that may be answered. */
  readonly alive: Int32Array;
  /** How many of those there are. `count` of them are chosen, from `first` on, continuing at 0 after the last. */
  found: number;
  first: number;
  count: number;
  /** More records may be answered than can fit; only some are chosen. */
  overflow: boolean;
}

export interface Selector {
  /**
   * Chooses from the RRset whose header is at `words[rrset]`, in the block at `words[block]`. `space` is the room for the
   * records in bytes, with pointers as owners.
   */
  select(words: Int32Array, block: number, rrset: number, space: number): Selection;
  /** Chooses from an RRset of which one record is answered: CNAME. */
  selectOne(words: Int32Array, block: number, rrset: number): Selection;
  /** Whether the name has a policy `nxdomain` and none of its records may be answered: then it does not exist. */
  isGone(table: Table, handle: number): boolean;
}

/** `seed` sets where rotation begins; any number. */
export function createSelector(slots: Uint8Array, seed: number): Selector {
  const alive = new Int32Array(MAX_CHOSEN);
  const selection: Selection = { alive, found: 0, first: 0, count: 0, overflow: false };
  const random = createRandom(seed);

  /** The places of at most `limit` records that may be answered go to `alive`: how many. */
  const scan = (words: Int32Array, block: number, rrset: number, limit: number, ignoreHealth: boolean): number => {
    const count = words[rrset + RRSET.COUNT];
    const first = block + words[rrset + RRSET.FIRST];
    const stride = words[rrset + RRSET.STRIDE];
    let found = 0;
    let inGroup = false;
    // Only an RRset too large to be answered whole begins elsewhere here; the others are rotated among the live records.
    let at = count > limit ? random(count) : 0;
    while (at > 0 && (words[placeOf(words, block, first, stride, at)] & DUPLICATE) !== 0) at--;
    for (let left = count; left > 0 && found < limit; left--) {
      const place = stride > 0 ? first + at * stride : block + words[first + at];
      const slot = words[place];
      if (++at === count) at = 0;
      if (slot >= 0) inGroup = false;
      if (inGroup || !(slots[slot & SLOT_MASK] === 1 || ignoreHealth)) continue;
      inGroup = true;
      alive[found++] = place;
    }
    return found;
  };

  const scanByPolicy = (words: Int32Array, block: number, rrset: number, limit: number): number => {
    const found = scan(words, block, rrset, limit, false);
    if (found > 0 || policyOf(words, rrset) !== POLICY.ALL) return found;
    return scan(words, block, rrset, limit, true);
  };

  /** One of the live records, in proportion to its weight; if all weights are 0, with equal probability. */
  const weighted = (words: Int32Array, found: number): number => {
    let total = 0;
    for (let i = 0; i < found; i++) total += words[alive[i] + RECORD.LENGTH] >>> 16;
    if (total === 0) return random(found);
    let rest = random(total);
    for (let i = 0; ; i++) {
      rest -= words[alive[i] + RECORD.LENGTH] >>> 16;
      if (rest < 0) return i;
    }
  };

  const choose = (found: number, first: number, count: number, overflow: boolean): Selection => {
    selection.found = found;
    selection.first = first;
    selection.count = count;
    selection.overflow = overflow;
    return selection;
  };

  return {
    select(words, block, rrset, space) {
      const one = (words[rrset + RRSET.TYPE] & (RRSET_FLAG.WEIGHTED << 16)) !== 0;
      const maxAnswers = words[rrset + RRSET.MAX_ANSWERS];
      const capacity = one || maxAnswers > 0 ? MAX_CHOSEN : capacityFor(words, block, rrset, space);
      const found = scanByPolicy(words, block, rrset, capacity + 1);
      if (found > capacity) return choose(found, 0, found <= 1 ? 0 : capacity, true);
      if (found <= 1) return choose(found, 0, found, false);
      if (one) return choose(found, weighted(words, found), 1, false);
      return choose(found, random(found), maxAnswers > 0 && maxAnswers < found ? maxAnswers : found, false);
    },
    selectOne(words, block, rrset) {
      const found = scanByPolicy(words, block, rrset, MAX_CHOSEN);
      return found <= 1 ? choose(found, 0, found, false) : choose(found, weighted(words, found), 1, false);
    },
    isGone(table, handle) {
      const words = table.arena.words[chunkOf(handle)];
      const block = wordOf(handle);
      if (((words[block + BLOCK.NAME] >> 16) & BLOCK_FLAG.MAY_NOT_EXIST) === 0) return false;
      const headers = block + BLOCK.NAME_BYTES + (((words[block + BLOCK.NAME] & 0xff) + 3) >> 2);
      for (let i = 0; i < words[block + BLOCK.RRSETS]; i++) {
        const rrset = headers + i * RRSET.WORDS;
        if (policyOf(words, rrset) === POLICY.ALL || scan(words, block, rrset, 1, false) > 0) return false;
      }
      return true;
    },
  };
}

/** Whole numbers in [0, bound): xorshift32. */
function createRandom(seed: number): (bound: number) => number {
  let state = seed | 0 || 0x9e3779b9 | 0;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & 0x7fff_ffff) % bound;
  };
}

export function policyOf(words: Int32Array, rrset: number): number {
  return (words[rrset + RRSET.TYPE] >> (16 + RRSET_FLAG.POLICY_SHIFT)) & 3;
}

/** How many records can fit at most. */
function capacityFor(words: Int32Array, block: number, rrset: number, space: number): number {
  // Nothing on the wire is shorter than this, so few records need no division.
  const count = words[rrset + RRSET.COUNT];
  const length = shortestRdata(words, block, rrset);
  if (count * (RECORD_HEAD_BYTES + length) <= space && length > 0) return count;
  return Math.min(MAX_CHOSEN - 1, (space / (RECORD_HEAD_BYTES + length)) | 0);
}

/** The word where record number `at` begins. */
function placeOf(words: Int32Array, block: number, first: number, stride: number, at: number): number {
  return stride > 0 ? first + at * stride : block + words[first + at];
}

/** No rdata of the RRset is shorter on the wire. */
function shortestRdata(words: Int32Array, block: number, rrset: number): number {
  if ((words[rrset + RRSET.TYPE] & (RRSET_FLAG.COMPRESSIBLE << 16)) !== 0) return POINTER_BYTES;
  const uniform = words[rrset + RRSET.STRIDE] > 0;
  return uniform ? words[block + words[rrset + RRSET.FIRST] + RECORD.LENGTH] & 0xffff : 0;
}
