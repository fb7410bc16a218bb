// Addresses that several instances of one service state get a slot of their own; see ServiceState.slotFor.
import { type InstanceEntry, NONE_SHARED, type ServiceEntry, type SharedAddress } from './service-entry.ts';
import type { SlotKeeper } from './slot-keeper.ts';

/** Brings the service's shared addresses up to date with its instances. Throws RegistryLimitError without slots. */
export function shareAddresses(service: ServiceEntry, keeper: SlotKeeper): void {
  const known = service.sharedAddresses;
  const shared = new Map<string, SharedAddress>();
  for (const [address, instances] of statedByMany(service)) {
    shared.set(address, { slot: known.get(address)?.slot ?? keeper.take(slotKey(service, address)), instances });
  }
  for (const [address, { slot }] of known) {
    if (!shared.has(address)) keeper.giveUp(slotKey(service, address), slot);
  }
  service.sharedAddresses = shared.size === 0 ? NONE_SHARED : shared;
}

function statedByMany(service: ServiceEntry): ReadonlyMap<string, InstanceEntry[]> {
  const many = new Map<string, InstanceEntry[]>();
  if (service.instances.size < 2) return many;
  const first = new Map<string, InstanceEntry>();
  for (const entry of service.instances.values()) {
    for (const address of new Set(entry.addresses)) {
      const holder = first.get(address);
      const holders = many.get(address);
      if (holder === undefined) first.set(address, entry);
      else if (holders === undefined) many.set(address, [holder, entry]);
      else holders.push(entry);
    }
  }
  return many;
}

const slotKey = (service: ServiceEntry, address: string): string => `${service.key}\n\n${address}`;
