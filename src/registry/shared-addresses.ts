// Addresses that several instances of one service state get a slot of their own; see ServiceState.slotFor.
import { type InstanceEntry, NONE_SHARED, type ServiceEntry, type SharedAddress } from './service-entry.ts';
import type { SlotKeeper } from './slot-keeper.ts';

/**
 * Brings the service's shared addresses up to date with its instances, of which `fresh` are new. Throws RegistryLimitError
 * without slots.
 */
export function shareAddresses(service: ServiceEntry, keeper: SlotKeeper, fresh: readonly InstanceEntry[]): void {
  const known = service.sharedAddresses;
  if (known.size === 0 && areUnshared(service, fresh)) return;
  const shared = new Map<string, SharedAddress>();
  for (const [address, instances] of statedByMany(service)) {
    shared.set(address, { slot: known.get(address)?.slot ?? keeper.take(slotKey(service, address)), instances });
  }
  for (const [address, { slot }] of known) {
    if (!shared.has(address)) keeper.giveUp(slotKey(service, address), slot);
  }
  service.sharedAddresses = shared.size === 0 ? NONE_SHARED : shared;
}

/** Whether nobody else has an address of `fresh`: nearly always so, and found out without a Map of all addresses. */
function areUnshared(service: ServiceEntry, fresh: readonly InstanceEntry[]): boolean {
  if (fresh.length === 0) return true;
  const entries = new Set(fresh);
  const stated = new Set<number | string>();
  for (const { packedAddresses: packed } of entries) {
    for (const address of typeof packed === 'object' ? new Set(packed) : [packed]) {
      if (stated.has(address)) return false;
      stated.add(address);
    }
  }
  for (const entry of service.instances.values()) {
    const { packedAddresses: packed } = entry;
    const isStated = typeof packed === 'object' ? packed.some((address) => stated.has(address)) : stated.has(packed);
    if (isStated && !entries.has(entry)) return false;
  }
  return true;
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
