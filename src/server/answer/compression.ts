// Names in rdata, compressed (RFC 1035 section 4.1.4) against the name being answered and against the name before them. What a
// name shares with its owner was computed when its block was compiled (plane/layout.ts). Allocates nothing.
import type { LabelledName } from '../../dns/fast/question-reader.ts';
import { HEADER_BYTES, MAX_LABELS } from '../../dns/limits.ts';
import { MAX_POINTER } from '../../dns/writer.ts';
import { SHARE } from '../../plane/layout.ts';

/** Offsets in the message of the suffixes of the name being answered, by number of labels. */
export interface Places {
  /** Of the question's name. */
  reset(): void;
  of(labels: number): number;
  /**
   * The name has been replaced by one that stands at `at`, except for its last `shared` labels: they stand where they stood in
   * the previous name, which had `previousLength` bytes.
   */
  moveTo(at: number, shared: number, previousLength: number): void;
}

export function createPlaces(name: LabelledName): Places {
  const { starts } = name;
  const places = new Uint16Array(MAX_LABELS + 1);
  let moved = false;
  return {
    reset() {
      moved = false;
    },
    of: (labels) => (moved ? places[labels] : HEADER_BYTES + starts[labels]),
    moveTo(at, shared, previousLength) {
      const inQuestion = HEADER_BYTES + previousLength - name.length;
      for (let labels = moved ? shared + 1 : 0; labels <= name.labels; labels++)
        places[labels] = (labels > shared ? at : inQuestion) + starts[labels];
      moved = true;
    },
  };
}

export interface NameWriter {
  /** The next names are compared among themselves, not with those before. */
  begin(): void;
  /**
   * Writes a name at `at`, to the message that begins at `base`. It lies uncompressed from `words[from]` on.
   * Returns the offset after it, -1 where that is beyond `limit`.
   */
  write(words: Int32Array, from: number, share: number, base: number, at: number, limit: number): number;
}

export function createNameWriter(view: DataView, places: Places): NameWriter {
  const last = createWritten();

  return {
    begin() {
      last.length = 0;
    },
    write(words, from, share, base, at, limit) {
      const shared = (share >>> SHARE.LABELS_SHIFT) & 0xff;
      let form = (share & SHARE.KEPT) | (shared > 0 ? places.of(shared) << POINTER_SHIFT : 0);
      if ((share & SHARE.COMPARED) !== 0) form = compare(last, words, from, share, form, at - base);
      const kept = form & SHARE.KEPT;
      const pointer = form >>> POINTER_SHIFT;
      const end = at + kept + (pointer > 0 ? 2 : 0);
      if (end > limit) return -1;
      // Whole words are copied: the next write covers the excess.
      for (let i = 0; i < kept; i += 4) view.setInt32(at + i, words[from + (i >> 2)], true);
      if (pointer > 0) view.setUint16(at + kept, 0xc000 | pointer);
      return end;
    },
  };
}

/** A name's form in the message: the bytes that are written | the pointer behind them, or 0 << this. */
const POINTER_SHIFT = 8;

/** A name with several labels of its own may share more of them with the name before it: its form with that. */
function compare(last: Written, words: Int32Array, from: number, share: number, form: number, place: number): number {
  const length = (share >>> SHARE.LENGTH_SHIFT) & 0xff;
  let kept = form & SHARE.KEPT;
  let pointer = form >>> POINTER_SHIFT;
  let literal = 0;
  if (last.length > 0) {
    const common = commonBytes(words, from * 4, length, last);
    const known = common > 1 && common > length - kept ? placeIn(last, common) : 0;
    if (known > 0) {
      literal = literalFrom(last, known);
      kept = length - common;
      pointer = known;
    }
  }
  if (kept > 0) note(last, from * 4, length, place, kept, pointer, literal);
  return kept | (pointer << POINTER_SHIFT);
}

/** The name written last, of the same chunk, at byte `from`: `kept` bytes of it at `at`, and the rest, if any, at `pointer`, of which `literal` are no pointer. */
interface Written {
  from: number;
  /** 0: no name. */
  length: number;
  at: number;
  kept: number;
  pointer: number;
  literal: number;
}

function createWritten(): Written {
  return { from: 0, length: 0, at: 0, kept: 0, pointer: 0, literal: 0 };
}

function note(
  last: Written,
  from: number,
  length: number,
  at: number,
  kept: number,
  pointer: number,
  literal: number,
): void {
  last.from = from;
  last.length = length;
  last.at = at;
  last.kept = kept;
  last.pointer = pointer;
  last.literal = literal;
}

/** The length of the longest suffix, by labels, that a name has in common with the last one. */
function commonBytes(words: Int32Array, from: number, length: number, last: Written): number {
  let rest = length;
  let lastRest = last.length;
  for (;;) {
    const at = from + length - rest;
    const lastAt = last.from + last.length - lastRest;
    if (rest === lastRest) {
      let i = 0;
      while (i < rest && byteAt(words, at + i) === byteAt(words, lastAt + i)) i++;
      if (i === rest) return rest;
    }
    const step = rest >= lastRest;
    if (rest <= lastRest) lastRest -= 1 + byteAt(words, lastAt);
    if (step) rest -= 1 + byteAt(words, at);
  }
}

/** Words hold bytes in little-endian order. */
function byteAt(words: Int32Array, at: number): number {
  return (words[at >> 2] >>> ((at & 3) << 3)) & 0xff;
}

/** Where the last `suffix` bytes of the last name stand in the message; 0 where that is unknown or too far for a pointer. */
function placeIn(last: Written, suffix: number): number {
  const skipped = last.length - suffix;
  const inPointer = skipped - last.kept;
  const place =
    inPointer < 0 ? last.at + skipped : inPointer === 0 || inPointer < last.literal ? last.pointer + inPointer : 0;
  return place <= MAX_POINTER ? place : 0;
}

/** Number of bytes from `place`, returned by `placeIn`, that are not a pointer. */
function literalFrom(last: Written, place: number): number {
  if (place >= last.at) return last.at + last.kept - place;
  return Math.max(0, last.pointer + last.literal - place);
}
