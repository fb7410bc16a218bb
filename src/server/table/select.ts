// Which records of an RRset one answer has: those whose slot says so now, in an order that begins elsewhere each time.
import { RECORD_HEAD_BYTES } from '../../dns/fast/response-writer.ts';
import { DUPLICATE, POLICY, RECORD, RRSET, RRSET_FLAG, SLOT_MASK } from '../../plane/layout.ts';

/** More records than this do not fit into 64 KiB. */
const MAX_CHOSEN = 8192;

/** The result of the last selection; overwritten by the next. */
export interface Selection {
  /** The word of each record that may be answered in its chunk. */
  readonly alive: Int32Array;
  /** How many those are: the chosen are `count` of them, from `first` on, going round at the end. */
  found: number;
  first: number;
  count: number;
  /** More than this may be answered, but cannot fit. */
  overflow: boolean;
}

export interface Selector {
  readonly selection: Selection;
  /**
   * Chooses from the RRset whose header is at `words[rrset]`, of the block at `words[block]`. `space` is how many bytes
   * there are for the records, with their owners as pointers: where more are alive than can fit, and no policy limits
   * them, `overflow` is set and only some are chosen.
   */
  select(words: Int32Array, block: number, rrset: number, space: number): void;
  /** As for an RRset of which one record is answered: CNAME. */
  selectOne(words: Int32Array, block: number, rrset: number): void;
  /** How many bytes the chosen have together on the wire. */
  wireBytes(words: Int32Array, rrset: number): number;
  /** Whether any record of the RRset may be answered. */
  anyAlive(words: Int32Array, block: number, rrset: number): boolean;
}

/** `seed` sets where rotation begins; any number. */
export function createSelector(slots: Uint8Array, seed: number): Selector {
  const alive = new Int32Array(MAX_CHOSEN);
  const selection: Selection = { alive, found: 0, first: 0, count: 0, overflow: false };
  let state = seed | 0 || 0x9e3779b9 | 0;

  /** A whole number in [0, bound): xorshift32. */
  const random = (bound: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & 0x7fff_ffff) % bound;
  };

  /** The places of records that may be answered go to `alive`: how many. */
  const scan = (words: Int32Array, block: number, rrset: number, limit: number, ignoreHealth: boolean): number => {
    const count = words[rrset + RRSET.COUNT];
    const first = block + words[rrset + RRSET.FIRST];
    const stride = words[rrset + RRSET.STRIDE];
    let found = 0;
    let inGroup = false;
    // Only an RRset too large to be answered whole begins elsewhere here; all others are rotated among the living.
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

  /** One of the living, as often as its weight says; all of weight 0 count alike. */
  const weighted = (words: Int32Array, found: number): number => {
    let total = 0;
    for (let i = 0; i < found; i++) total += words[alive[i] + RECORD.LENGTH] >>> 16;
    if (total === 0) return random(found);
    let rest = random(total);
    let i = 0;
    for (;;) {
      rest -= words[alive[i] + RECORD.LENGTH] >>> 16;
      if (rest < 0) return i;
      i++;
    }
  };

  const scanAll = (words: Int32Array, block: number, rrset: number, limit: number): number => {
    const found = scan(words, block, rrset, limit, false);
    if (found > 0 || policyOf(words, rrset) !== POLICY.ALL) return found;
    return scan(words, block, rrset, limit, true);
  };

  /** How many records can fit at most. */
  const capacityFor = (words: Int32Array, block: number, rrset: number, space: number): number => {
    // Nothing on the wire is shorter than this, so few records need no division.
    const count = words[rrset + RRSET.COUNT];
    const length = lengthOf(words, block, rrset);
    if (count * (RECORD_HEAD_BYTES + length) <= space && length > 0) return count;
    return Math.min(MAX_CHOSEN - 1, (space / (RECORD_HEAD_BYTES + length)) | 0);
  };

  const choose = (found: number, first: number, count: number): void => {
    selection.found = found;
    selection.first = first;
    selection.count = count;
  };

  return {
    selection,
    select(words, block, rrset, space) {
      const one = (words[rrset + RRSET.TYPE] & (RRSET_FLAG.WEIGHTED << 16)) !== 0;
      const maxAnswers = words[rrset + RRSET.MAX_ANSWERS];
      const capacity = one || maxAnswers > 0 ? MAX_CHOSEN : capacityFor(words, block, rrset, space);
      const found = scanAll(words, block, rrset, capacity + 1);
      selection.overflow = found > capacity;
      if (found <= 1) choose(found, 0, selection.overflow ? 0 : found);
      else if (selection.overflow) choose(found, 0, capacity);
      else if (one) choose(found, weighted(words, found), 1);
      else choose(found, random(found), maxAnswers > 0 && maxAnswers < found ? maxAnswers : found);
    },
    selectOne(words, block, rrset) {
      const found = scanAll(words, block, rrset, MAX_CHOSEN);
      selection.overflow = false;
      if (found <= 1) choose(found, 0, found);
      else choose(found, weighted(words, found), 1);
    },
    wireBytes(words, rrset) {
      const { count, found } = selection;
      if (count === 0) return 0;
      if (words[rrset + RRSET.STRIDE] > 0) {
        return count * (RECORD_HEAD_BYTES + (words[alive[0] + RECORD.LENGTH] & 0xffff));
      }
      let bytes = 0;
      for (let i = 0, at = selection.first; i < count; i++) {
        bytes += RECORD_HEAD_BYTES + (words[alive[at] + RECORD.LENGTH] & 0xffff);
        if (++at === found) at = 0;
      }
      return bytes;
    },
    anyAlive: (words, block, rrset) => scan(words, block, rrset, 1, false) > 0,
  };
}

export function policyOf(words: Int32Array, rrset: number): number {
  return (words[rrset + RRSET.TYPE] >> (16 + RRSET_FLAG.POLICY_SHIFT)) & 3;
}

/** The word where record number `at` begins. */
function placeOf(words: Int32Array, block: number, first: number, stride: number, at: number): number {
  return stride > 0 ? first + at * stride : block + words[first + at];
}

/** The rdlength that all records of the RRset have; 0 where they differ. */
function lengthOf(words: Int32Array, block: number, rrset: number): number {
  const uniform = words[rrset + RRSET.STRIDE] > 0;
  return uniform ? words[block + words[rrset + RRSET.FIRST] + RECORD.LENGTH] & 0xffff : 0;
}
