// What answers queries is made of, and what it can be asked; respond.ts is what it does.

import type { HashSeed } from '../../dns/name-hash.ts';
import type { Forwarder } from '../../forward/forwarder.ts';
import type { PacketMemory } from '../../native/packet-memory.ts';
import type { Counters } from '../../plane/counters.ts';
import type { ResponderSettings } from '../../plane/settings.ts';
import type { Table } from '../table/table.ts';
import type { Zones } from '../table/zones.ts';

export interface ResponderDeps {
  /** Where queries are read and responses written. */
  readonly memory: PacketMemory;
  readonly table: Table;
  readonly zones: Zones;
  readonly slots: Uint8Array;
  readonly counters: Counters;
  readonly settings: ResponderSettings;
  readonly hashSeed: HashSeed;
  /** Where rotation begins; any number. */
  readonly rotationSeed: number;
  /** Needed where `settings.forwarding`. */
  readonly forwarder?: Forwarder;
  /** A bug: the query is answered SERVFAIL. */
  onError(error: Error): void;
}

/** The query gets no response. */
export const DROP = 0;
/** The response comes later: hand a copy of the query to `respondLater`, before anything else is answered. */
export const LATER = -1;

export interface Responder {
  /**
   * Writes the response to the query of `queryLength` bytes in slot `slot` of the memory into slot `to` of the responses,
   * and gives its length, DROP or LATER. Allocates nothing.
   */
  respondSlot(slot: number, queryLength: number, to: number, overTcp: boolean): number;
  /** The same for a query from elsewhere: it is copied in, the response (at most as long as `out`) is copied out. */
  respond(query: Uint8Array, queryLength: number, out: Uint8Array, overTcp: boolean): number;
  /** `query` is the caller's own copy; `reply` is called once, with bytes that are valid until it returns. */
  respondLater(query: Uint8Array, overTcp: boolean, reply: (response: Uint8Array) => void): void;
}
