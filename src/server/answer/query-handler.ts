// The interface that transports pass queries to: the responder, or the front before it.
import type { PacketMemory } from '../../native/packet-memory.ts';
import type { Counters } from '../../plane/counters.ts';

/** The query gets no response. */
export const DROP = 0;

/** A response that depends on others. */
export interface Later {
  /**
   * Calls `send` once, perhaps before returning, with bytes that are valid until `send` returns; none: no response. `client`
   * (4 or 16 bytes, not kept) is who asks, for the limits of each client.
   */
  resolve(send: (response: Uint8Array) => void, client: Uint8Array | undefined): void;
}

export interface QueryHandler {
  /**
   * Writes the response to the query of `queryLength` bytes in slot `slot` of the memory into slot `to` of the responses.
   * Returns its length, DROP or Later. `client` (4 or 16 bytes) and `port` are the client's, if known.
   */
  respondSlot(
    slot: number,
    queryLength: number,
    to: number,
    overTcp: boolean,
    client?: Uint8Array,
    port?: number,
  ): number | Later;
  /** The same for a query from elsewhere: it is copied in, the response (at most as long as `out`) is copied out. */
  respond(
    query: Uint8Array,
    queryLength: number,
    out: Uint8Array,
    overTcp: boolean,
    client?: Uint8Array,
    port?: number,
  ): number | Later;
  /** Notes the name that the query in `slot` asks for. */
  note(slot: number, queryLength: number): void;
  /**
   * Reads from the table what the answers to the first `count` noted queries will need, so that they wait for memory together
   * (bench/RESULTS.md, "What helps": prefetching).
   */
  touch(count: number): void;
  readonly memory: PacketMemory;
  readonly counters: Counters;
}
