// The memory in which a data thread reads queries and writes responses. The answer path is specialized for a single such
// memory, whose address is a constant in compiled code; data of other transports (TCP, dgram) is copied in and out.

export interface PacketMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Number of slots for packets of a batch; slot number `slots` is a large one, for streams. */
  readonly slots: number;
  /** By slot: the query and the response, one view each, so that using them allocates nothing. */
  readonly queries: readonly Uint8Array[];
  readonly responses: readonly Uint8Array[];
  /** Their offsets in `bytes`. */
  readonly queryAt: Int32Array;
  readonly responseAt: Int32Array;
  /** Offset of 256 scratch bytes that are never read. */
  readonly spareAt: number;
  /** Native address of `bytes`, if they are in native memory. */
  readonly address: bigint | undefined;
  /** How the query arrived that is answered next, as the distance of its counters from those of UDP over IPv4. */
  arrival: number;
}

/** Longer queries over UDP are cut, and answered FORMERR. */
export const QUERY_BYTES = 4096;
const STREAM_BYTES = 65_535;
const SPARE_BYTES = 256;
/** Whole words are written, so a response may extend this far beyond its end. */
const SLACK_BYTES = 8;

/** `allocate` returns native memory, for batches; without it the memory is Node's. */
export function createPacketMemory(
  slots: number,
  responseBytes: number,
  allocate?: (bytes: number) => { address: bigint; buffer: ArrayBuffer },
): PacketMemory {
  const sizes = Array.from({ length: slots + 1 }, (_, slot) => (slot < slots ? QUERY_BYTES : STREAM_BYTES));
  const responseSizes = Array.from({ length: slots + 1 }, (_, slot) => (slot < slots ? responseBytes : STREAM_BYTES));
  const queryAt = placesOf(sizes, SPARE_BYTES);
  const responseAt = placesOf(responseSizes, queryAt[slots] + oddLines(STREAM_BYTES));
  const total = responseAt[slots] + oddLines(STREAM_BYTES);
  const native = allocate?.(total);
  const bytes = new Uint8Array(native?.buffer ?? new ArrayBuffer(total));
  return {
    bytes,
    view: new DataView(bytes.buffer),
    slots,
    queries: sizes.map((size, slot) => bytes.subarray(queryAt[slot], queryAt[slot] + size)),
    responses: responseSizes.map((size, slot) => bytes.subarray(responseAt[slot], responseAt[slot] + size)),
    queryAt,
    responseAt,
    spareAt: 0,
    address: native?.address,
    arrival: 0,
  };
}

function placesOf(sizes: readonly number[], start: number): Int32Array {
  let at = start;
  return Int32Array.from(sizes, (size) => {
    const place = at;
    at += oddLines(size);
    return place;
  });
}

/** An odd number of cache lines: a power of two would put every packet's first line into the same few places of the cache. */
function oddLines(size: number): number {
  return (((size + SLACK_BYTES + 63) >> 6) | 1) << 6;
}
