// What a transport hands queries to: the responder, or what stands before it.
import type { PacketMemory } from '../native/packet-memory.ts';
import type { Counters } from '../plane/counters.ts';
import type { Responder } from './answer/responder.ts';
import type { BatchTouch } from './table/batch-touch.ts';

export interface QueryHandler extends Responder, BatchTouch {
  /** As the responder's; `client` is the asker's address (4 or 16 bytes), only looked at where `wantsClient`. */
  respond(query: Uint8Array, queryLength: number, out: Uint8Array, overTcp: boolean, client?: Uint8Array): number;
  respondSlot(slot: number, queryLength: number, to: number, overTcp: boolean, client?: Uint8Array): number;
  readonly wantsClient: boolean;
  readonly memory: PacketMemory;
  readonly counters: Counters;
}
