// Addresses that several instances of one service state get a slot of their own; see ServiceState.slotFor.
import { unpackAddress } from './packed-instance.ts';
import { type InstanceEntry, NONE_SHARED, type ServiceEntry } from './service-entry.ts';
import type { SlotKeeper } from './slot-keeper.ts';

/**
 * Brings the service's shared addresses up to date after the instances `changed` came or went; other addresses are as
 * shared as before. Throws RegistryLimitError without slots.
 */
export function shareAddresses(service: ServiceEntry, keeper: SlotKeeper, changed: readonly InstanceEntry[]): void {
  for (const entry of changed) {
    for (const packed of entry.packedAddressList()) {
      const instances = service.instances.withAddress(packed);
      if (instances.length < 2 && service.sharedAddresses === NONE_SHARED) continue;
      share(service, keeper, unpackAddress(packed), instances);
    }
  }
}

function share(service: ServiceEntry, keeper: SlotKeeper, address: string, instances: readonly InstanceEntry[]): void {
  const known = service.sharedAddresses.get(address);
  if (instances.length > 1) {
    const slot = known?.slot ?? keeper.take(slotKey(service, address));
    if (service.sharedAddresses === NONE_SHARED) service.sharedAddresses = new Map();
    service.sharedAddresses.set(address, { slot, instances });
  } else if (known !== undefined) {
    keeper.giveUp(slotKey(service, address), known.slot);
    service.sharedAddresses.delete(address);
    if (service.sharedAddresses.size === 0) service.sharedAddresses = NONE_SHARED;
  }
}

const slotKey = (service: ServiceEntry, address: string): string => `${service.key}\n\n${address}`;
