// The slots of instances, and of addresses shared by several instances of a service. Slots of removed instances wait until
// the records that use them are dropped.
import type { Slots } from '../plane/records.ts';
import { RegistryLimitError } from './limits.ts';
import { unpackAddress } from './packed-instance.ts';
import { type InstanceEntry, NONE_SHARED, type ServiceEntry } from './service-entry.ts';

export interface SlotKeeper {
  /** A slot for a key: its previous one, if that was released and not collected yet. Throws RegistryLimitError. */
  take(key: () => string): number;
  giveUp(key: string, slot: number): void;
  takeRemoved(): number[];
}

export function createSlotKeeper(slots: Pick<Slots, 'allocate' | 'set'>): SlotKeeper {
  const removed = new Map<string, number>();

  function allocate(key: () => string): number {
    try {
      return slots.allocate();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RegistryLimitError(`${key().replaceAll('\n', ' ')} is left out: ${error.message}`, { cause: error });
    }
  }

  return {
    take(key) {
      const known = removed.size === 0 ? undefined : removed.get(key());
      if (known === undefined) return allocate(key);
      removed.delete(key());
      return known;
    },
    giveUp: (key, slot) => void removed.set(key, slot),
    takeRemoved() {
      const taken = [...removed.values()];
      removed.clear();
      // Excluded from answers immediately, before the data threads drop the records.
      for (const slot of taken) slots.set(slot, false);
      return taken;
    },
  };
}

/**
 * Brings the service's shared addresses up to date after the instances `changed` came or went; other addresses are as
 * shared as before. Throws RegistryLimitError without slots.
 */
export function shareAddresses(service: ServiceEntry, keeper: SlotKeeper, changed: readonly InstanceEntry[]): void {
  for (const entry of changed) {
    for (const packed of entry.packedAddressList()) {
      if (service.sharedAddresses === NONE_SHARED && !service.instances.isShared(packed, entry)) continue;
      share(service, keeper, unpackAddress(packed), service.instances.withAddress(packed));
    }
  }
}

function share(service: ServiceEntry, keeper: SlotKeeper, address: string, instances: readonly InstanceEntry[]): void {
  const known = service.sharedAddresses.get(address);
  if (instances.length > 1) {
    const slot = known?.slot ?? keeper.take(() => addressKey(service, address));
    if (service.sharedAddresses === NONE_SHARED) service.sharedAddresses = new Map();
    service.sharedAddresses.set(address, { slot, instances });
  } else if (known !== undefined) {
    keeper.giveUp(addressKey(service, address), known.slot);
    service.sharedAddresses.delete(address);
    if (service.sharedAddresses.size === 0) service.sharedAddresses = NONE_SHARED;
  }
}

const addressKey = (service: ServiceEntry, address: string): string => `${service.key}\n\n${address}`;
