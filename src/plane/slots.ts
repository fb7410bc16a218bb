// One byte per instance in memory shared by both planes: 1 = may be answered. The control plane writes it, and every data
// thread reads it for each answer, so a verdict takes effect everywhere at once, without a message.
import { ALWAYS_ANSWERED, type Slots } from './records.ts';

/** 16 MiB of address space; the kernel commits pages on first write. A slot fits into 24 bits of a record's word. */
const MAX_SLOTS = 1 << 24;

export interface SharedSlots extends Slots {
  /** The memory that data threads read. */
  readonly bytes: Uint8Array;
  /** Number of allocated slots. */
  inUse(): number;
  /** The listener for changed slots. */
  watch(flipped: ((slot: number) => void) | undefined): void;
}

export function createSlots(capacity = MAX_SLOTS): SharedSlots {
  const bytes = new Uint8Array(new SharedArrayBuffer(capacity));
  bytes[ALWAYS_ANSWERED] = 1;
  const free: number[] = [];
  let unused = 1;
  let taken = 0;
  let flipped: ((slot: number) => void) | undefined;

  const write = (slot: number, value: 0 | 1): void => {
    if (flipped !== undefined && bytes[slot] !== value) flipped(slot);
    bytes[slot] = value;
  };

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
        if (unused === capacity) throw new RangeError(`all ${capacity} health slots are in use: too many instances`);
        unused++;
      }
      bytes[slot] = 0;
      taken++;
      return slot;
    },
    set(slot, answered) {
      check(slot);
      write(slot, answered ? 1 : 0);
    },
    get: (slot) => bytes[slot] === 1,
    release(slot, dropped) {
      check(slot);
      // Until every thread has dropped the records, the byte still belongs to the removed instance.
      write(slot, 0);
      const giveBack = () => {
        bytes[slot] = 0;
        free.push(slot);
        taken--;
      };
      // Not acknowledged (the plane was closed): the slot is never reused, which is safe.
      dropped.then(giveBack, () => {});
    },
    inUse: () => taken,
    watch(next) {
      flipped = next;
    },
  };
}
