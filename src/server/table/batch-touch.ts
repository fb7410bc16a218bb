// The memory of a table is larger than the processor's caches, so an answer waits for it: once for the bucket of its name
// and once for the block (a quarter of all time in compiled code; bench/RESULTS.md). The questions of a batch are looked at
// before the first is answered, so that the waits of all are one.
import { HEADER_BYTES, MAX_LABEL_BYTES, MAX_LABELS, MAX_NAME_BYTES } from '../../dns/limits.ts';
import type { PacketMemory } from '../../native/packet-memory.ts';
import type { HashSeed } from '../../plane/name-hash.ts';
import { LOWER } from '../answer/question-reader.ts';
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
  const starts = new Uint8Array(MAX_LABELS + 1);

  /** As the hash of question-reader.ts; malformed names have any. */
  const hashAt = (start: number, end: number): number => {
    let labels = 0;
    let length = 0;
    for (let at = start; at < end; at = start + length) {
      const size = bytes[at];
      if (size === 0 || size > MAX_LABEL_BYTES || length >= MAX_NAME_BYTES - size) break;
      starts[labels++] = length;
      length += 1 + size;
    }
    let hash = seed | 0;
    while (labels > 0) {
      const at = start + starts[--labels];
      const last = at + bytes[at];
      for (let i = at; i <= last; i++) hash = Math.imul(hash ^ LOWER[bytes[i]], 0x01000193);
      hash ^= hash >>> 15;
    }
    return hash;
  };

  return {
    note(slot, queryLength) {
      const at = memory.queryAt[slot];
      hashes[slot] = hashAt(at + HEADER_BYTES, at + queryLength);
    },
    touch: (count) => table.touch(hashes, count),
  };
}
