// Memory for many small things of about the same sizes, outside the garbage-collected heap: a cached answer costs 207 bytes
// instead of 520 as an object (bench:containers, "slab"). Slots of one size share chunks, and an unused chunk is freed: an
// arena, whose blocks would have to move for that, holds ten times the used memory when answers change size.

export interface Slab {
  /** Allocates a slot of at least this many bytes and returns its handle. */
  allocate(bytes: number): number;
  free(handle: number): void;
  /** The chunk that the slot is in. */
  chunkOf(handle: number): Chunk;
  /** Offset of the slot in its chunk: a multiple of 32. */
  offsetOf(handle: number): number;
  /** Actual size of a slot for this many bytes. */
  slotBytes(bytes: number): number;
}

export interface Chunk {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
}

interface ManagedChunk extends Chunk {
  readonly index: number;
  readonly slotBytes: number;
  /** Unused slots are allocated in order. */
  unused: number;
  readonly capacity: number;
  readonly freed: number[];
  used: number;
}

const CHUNK_BYTES = 128 * 1024;
/** Slots in a chunk at most, so that a handle is chunk and slot in one small integer. */
const SLOT_BITS = 12;
const SMALLEST_SLOT = 64;

export function createSlab(): Slab {
  const chunks: (ManagedChunk | undefined)[] = [];
  const freeIndexes: number[] = [];
  /** Chunks with room, by the size of their slots. */
  const withRoom = new Map<number, Set<ManagedChunk>>();

  function chunkWithRoom(slotBytes: number): ManagedChunk {
    let set = withRoom.get(slotBytes);
    if (set === undefined) {
      set = new Set();
      withRoom.set(slotBytes, set);
    }
    for (const chunk of set) return chunk;
    const chunk = makeChunk(slotBytes);
    set.add(chunk);
    return chunk;
  }

  function makeChunk(slotBytes: number): ManagedChunk {
    const capacity = Math.max(1, Math.min(1 << SLOT_BITS, Math.floor(CHUNK_BYTES / slotBytes)));
    const memory = new ArrayBuffer(capacity * slotBytes);
    const index = freeIndexes.pop() ?? chunks.length;
    const chunk: ManagedChunk = {
      index,
      slotBytes,
      capacity,
      bytes: new Uint8Array(memory),
      words: new Int32Array(memory),
      doubles: new Float64Array(memory),
      unused: 0,
      freed: [],
      used: 0,
    };
    chunks[index] = chunk;
    return chunk;
  }

  return {
    allocate(bytes) {
      const chunk = chunkWithRoom(slotBytesFor(bytes));
      const slot = chunk.freed.pop() ?? chunk.unused++;
      if (++chunk.used === chunk.capacity) withRoom.get(chunk.slotBytes)?.delete(chunk);
      return (chunk.index << SLOT_BITS) | slot;
    },
    free(handle) {
      const chunk = chunks[handle >> SLOT_BITS]!;
      chunk.freed.push(handle & ((1 << SLOT_BITS) - 1));
      const room = withRoom.get(chunk.slotBytes);
      if (--chunk.used > 0) room?.add(chunk);
      else {
        room?.delete(chunk);
        chunks[chunk.index] = undefined;
        freeIndexes.push(chunk.index);
      }
    },
    chunkOf: (handle) => chunks[handle >> SLOT_BITS]!,
    offsetOf: (handle) => (handle & ((1 << SLOT_BITS) - 1)) * chunks[handle >> SLOT_BITS]!.slotBytes,
    slotBytes: slotBytesFor,
  };
}

/** Sizes in steps of an eighth of the next power of two, at least 32 bytes: little is wasted, and there are few sizes. */
function slotBytesFor(bytes: number): number {
  const wanted = Math.max(bytes, SMALLEST_SLOT);
  const step = Math.max(32, 2 ** Math.ceil(Math.log2(wanted)) / 8);
  return Math.ceil(wanted / step) * step;
}
