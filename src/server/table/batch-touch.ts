// The memory of a table is larger than the processor's caches, so an answer waits for it: once for the bucket of its name
// and once for the block (a quarter of all time in compiled code; bench/RESULTS.md). The questions of a batch are looked at
// before the first is answered, so that the waits of all are one.
import { HEADER_BYTES } from '../../dns/limits.ts';
import { type HashSeed, hashName } from '../../dns/name-hash.ts';
import type { PacketMemory } from '../../native/packet-memory.ts';
import type { Table } from './table.ts';

export interface BatchTouch {
  /** Notes the name that the query in `slot` asks for. */
  note(slot: number, queryLength: number): void;
  /** Reads from the table what answers to the queries of the first `count` slots will need. */
  touch(count: number): void;
}

export function createBatchTouch(memory: PacketMemory, table: Table, seed: HashSeed): BatchTouch {
  const { bytes } = memory;
  const hashes = new Int32Array(memory.slots);

  return {
    note(slot, queryLength) {
      const at = memory.queryAt[slot];
      hashes[slot] = hashName(bytes, seed, at + HEADER_BYTES, at + queryLength);
    },
    touch: (count) => table.touch(hashes, count),
  };
}
