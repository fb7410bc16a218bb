// One byte an instance in memory that both planes see: 1 = may be answered. The control plane writes, every data thread
// reads it on each answer, so a verdict holds everywhere at once, with no message.
import { ALWAYS_ANSWERED, type Slots } from './records.ts';

/** 16 MiB of addresses; the kernel commits pages when they are first written. Slots fit 24 bits of a record's word. */
export const MAX_SLOTS = 1 << 24;

export interface SharedSlots extends Slots {
  /** What data threads read. */
  readonly bytes: Uint8Array;
  /** Slots given out and not yet given back. */
  inUse(): number;
}

export function createSlots(capacity = MAX_SLOTS): SharedSlots {
  const bytes = new Uint8Array(new SharedArrayBuffer(capacity));
  bytes[ALWAYS_ANSWERED] = 1;
  const free: number[] = [];
  let unused = 1;
  let taken = 0;

  const check = (slot: number) => {
    if (!Number.isInteger(slot) || slot <= ALWAYS_ANSWERED || slot >= unused) {
      throw new RangeError(`slot ${slot} was never allocated`);
    }
  };

  return {
    bytes,
    allocate() {
      const slot = free.pop() ?? unused;
      if (slot === unused) {
        if (unused === capacity) throw new RangeError(`all ${capacity} health slots are taken: too many instances`);
        unused++;
      }
      bytes[slot] = 0;
      taken++;
      return slot;
    },
    set(slot, answered) {
      check(slot);
      bytes[slot] = answered ? 1 : 0;
    },
    get: (slot) => bytes[slot] === 1,
    release(slot, dropped) {
      check(slot);
      // Until every thread has dropped the records, the byte still speaks of the old instance: it is gone.
      bytes[slot] = 0;
      const giveBack = () => {
        bytes[slot] = 0;
        free.push(slot);
        taken--;
      };
      // Not acknowledged (the plane was closed): the slot is never used again, which is safe.
      dropped.then(giveBack, () => {});
    },
    inUse: () => taken,
  };
}
