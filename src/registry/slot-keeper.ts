// Slots of instances that are gone wait here until the records that name them are dropped (zone/ asks for them).
import type { Slots } from '../plane/records.ts';
import { RegistryLimitError } from './registry.ts';

export interface SlotKeeper {
  /** A slot for what `key` names: the one it had if it was given up and not yet taken. Throws RegistryLimitError. */
  take(key: string): number;
  giveUp(key: string, slot: number): void;
  takeRemoved(): number[];
}

export function createSlotKeeper(slots: Pick<Slots, 'allocate' | 'set'>): SlotKeeper {
  const removed = new Map<string, number>();

  function allocate(key: string): number {
    try {
      return slots.allocate();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RegistryLimitError(`${key.replaceAll('\n', ' ')} is left out: ${error.message}`, { cause: error });
    }
  }

  return {
    take(key) {
      // To look into an empty Map would still put the key together and hash it.
      const known = removed.size === 0 ? undefined : removed.get(key);
      if (known === undefined) return allocate(key);
      removed.delete(key);
      return known;
    },
    giveUp: (key, slot) => void removed.set(key, slot),
    takeRemoved() {
      const taken = [...removed.values()];
      removed.clear();
      // Unanswered from now on, before the data threads hear that the records are gone.
      for (const slot of taken) slots.set(slot, false);
      return taken;
    },
  };
}
