// Names in rdata, compressed (RFC 1035 section 4.1.4) against the name being answered and against the name before them. What a
// name shares with its owner was computed when its block was compiled (plane/layout.ts). Allocates nothing.
import type { LabelledName } from '../../dns/fast/question-reader.ts';
import { HEADER_BYTES, MAX_LABELS } from '../../dns/limits.ts';
import { MAX_POINTER } from '../../dns/writer.ts';
import { SHARE } from '../../plane/layout.ts';

/** Where the suffixes of the name being answered stand: offsets in the message, by number of labels. */
export interface Places {
  /** Of the question's name. */
  reset(): void;
  of(labels: number): number;
  /** The name is about to be replaced by an alias's target. */
  keep(): void;
  /** The name now stands at `at`, except for its last `shared` labels, which stand where they stood. */
  moveTo(at: number, shared: number): void;
}

export function createPlaces(name: LabelledName): Places {
  const places = new Uint16Array(MAX_LABELS + 1);
  let moved = false;
  return {
    reset() {
      moved = false;
    },
    of: (labels) => (moved ? places[labels] : HEADER_BYTES + name.starts[labels]),
    keep() {
      if (moved) return;
      for (let labels = 0; labels <= name.labels; labels++) places[labels] = HEADER_BYTES + name.starts[labels];
      moved = true;
    },
    moveTo(at, shared) {
      for (let labels = shared + 1; labels <= name.labels; labels++) places[labels] = at + name.starts[labels];
    },
  };
}

export interface NameWriter {
  /** The next names are compared among themselves. They lie in `chunk`. */
  begin(chunk: Int32Array): void;
  /**
   * Writes a name at `at`, to the message that begins at `base`. It lies uncompressed from the word `from` on.
   * Returns the offset after it, -1 where that is beyond `limit`.
   */
  write(from: number, share: number, base: number, at: number, limit: number): number;
}

export function createNameWriter(view: DataView, places: Places): NameWriter {
  const last = createWritten();
  let kept = 0;
  let pointer = 0;

  /** A name with several labels of its own may share more of them with the name before it. */
  const compare = (from: number, length: number, base: number, at: number): void => {
    let literal = 0;
    if (last.length > 0) {
      const common = commonBytes(from, length, last);
      const place = common > 1 && common > length - kept ? placeIn(last, common) : 0;
      if (place > 0) {
        literal = literalFrom(last, place);
        kept = length - common;
        pointer = place;
      }
    }
    if (kept > 0) note(last, from, length, at - base, kept, pointer, literal);
  };

  return {
    begin(chunk) {
      last.chunk = chunk;
      last.length = 0;
    },
    write(from, share, base, at, limit) {
      const { chunk } = last;
      const shared = (share >>> SHARE.LABELS_SHIFT) & 0xff;
      kept = share & SHARE.KEPT;
      pointer = shared > 0 ? places.of(shared) : 0;
      if ((share & SHARE.COMPARED) !== 0) compare(from * 4, (share >>> SHARE.LENGTH_SHIFT) & 0xff, base, at);
      const end = at + kept + (pointer > 0 ? 2 : 0);
      if (end > limit) return -1;
      // Words are copied whole: what is written next covers the excess.
      for (let i = 0; i < kept; i += 4) view.setInt32(at + i, chunk[from + (i >> 2)], true);
      if (pointer > 0) view.setUint16(at + kept, 0xc000 | pointer);
      return end;
    },
  };
}

/** The name written last, at `chunk[from]`: `kept` bytes of it at `at`, and the rest, if any, at `pointer`, of which `literal` are no pointer. */
interface Written {
  chunk: Int32Array;
  from: number;
  /** 0: no name. */
  length: number;
  at: number;
  kept: number;
  pointer: number;
  literal: number;
}

function createWritten(): Written {
  return { chunk: new Int32Array(0), from: 0, length: 0, at: 0, kept: 0, pointer: 0, literal: 0 };
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
function commonBytes(from: number, length: number, last: Written): number {
  const { chunk } = last;
  let rest = length;
  let lastRest = last.length;
  for (;;) {
    const at = from + length - rest;
    const lastAt = last.from + last.length - lastRest;
    if (rest === lastRest) {
      let i = 0;
      while (i < rest && byteAt(chunk, at + i) === byteAt(chunk, lastAt + i)) i++;
      if (i === rest) return rest;
    }
    const step = rest >= lastRest;
    if (rest <= lastRest) lastRest -= 1 + byteAt(chunk, lastAt);
    if (step) rest -= 1 + byteAt(chunk, at);
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

/** How many bytes from `place`, which `placeIn` returned, are no pointer. */
function literalFrom(last: Written, place: number): number {
  if (place >= last.at) return last.at + last.kept - place;
  return Math.max(0, last.pointer + last.literal - place);
}
