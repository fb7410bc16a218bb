import type { Slots } from '../../src/plane/records.ts';

export interface FakeSlots extends Slots {
  /** The slots that are 1, slot 0 left out. */
  answered(): number[];
  taken(): number;
}

/** Slots in plain memory; `release` gives back at once. */
export function fakeSlots(capacity = 10_000): FakeSlots {
  const bytes = new Uint8Array(capacity);
  bytes[0] = 1;
  const free = Array.from({ length: capacity - 1 }, (_, index) => capacity - 1 - index);
  return {
    allocate() {
      const slot = free.pop();
      if (slot === undefined) throw new RangeError(`all ${capacity} slots are taken`);
      bytes[slot] = 0;
      return slot;
    },
    set(slot, answered) {
      bytes[slot] = answered ? 1 : 0;
    },
    get: (slot) => bytes[slot] === 1,
    release: (slot) => void free.push(slot),
    answered: () => [...bytes.keys()].filter((slot) => slot !== 0 && bytes[slot] === 1),
    taken: () => capacity - 1 - free.length,
  };
}
