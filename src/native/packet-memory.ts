// The one piece of memory in which a data thread reads queries and writes responses. The answer path is made for one such
// memory, so that the compiled code knows where it is; whatever comes from elsewhere (TCP, dgram) is copied in and out.

export interface PacketMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** How many slots there are for packets of a batch; slot number `slots` is the large one, for streams. */
  readonly slots: number;
  /** By slot: the query and the response, one view each, so that using them allocates nothing. */
  readonly queries: readonly Uint8Array[];
  readonly responses: readonly Uint8Array[];
  /** Where in `bytes` they begin. */
  readonly queryAt: Int32Array;
  readonly responseAt: Int32Array;
  /** A place where 256 bytes may be written that nobody reads. */
  readonly spareAt: number;
  /** Where `bytes` are in native memory, if they are. */
  readonly address: bigint | undefined;
}

/** Longer queries over UDP are cut, and then answered FORMERR. */
export const QUERY_BYTES = 4096;
const STREAM_BYTES = 65_535;
const SPARE_BYTES = 256;
/** Words are written whole, so the last of a response may reach so far over its end. */
const SLACK_BYTES = 8;

/** `allocate` gives native memory, for batches; without it the memory is Node's. */
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
