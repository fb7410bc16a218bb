// Groups of instances: what one object of a source states, replaced whole. Instances exist while a group states them.
import type { FactIndex } from './fact-index.ts';
import type { Instance } from './model.ts';
import { added, removed, valuesOf } from './one-or-many.ts';
import { type ChangeListener, RegistryLimitError, type RegistryLimits } from './registry.ts';
import { difference, sameTexts } from './same-instance.ts';
import { type Group, InstanceEntry, identity, type ServiceEntry } from './service-entry.ts';
import { shareAddresses } from './shared-addresses.ts';
import type { SlotKeeper } from './slot-keeper.ts';

export interface Groups {
  replace(groupKey: string, serviceKey: string, instances: readonly Instance[]): void;
  remove(groupKey: string): void;
  count(): number;
  instances(): number;
}

export interface GroupsContext {
  /** The service with this key, made if need be. Throws RegistryLimitError. */
  readonly obtain: (serviceKey: string) => ServiceEntry;
  readonly forgetIfEmpty: (service: ServiceEntry) => void;
  readonly facts: Pick<FactIndex, 'link' | 'unlink'>;
  readonly keeper: SlotKeeper;
  readonly limits: RegistryLimits;
  readonly tell: ChangeListener;
}

export function createGroups({ obtain, forgetIfEmpty, facts, keeper, limits, tell }: GroupsContext): Groups {
  const groups = new Map<string, Group>();
  let instanceCount = 0;

  function replace(groupKey: string, serviceKey: string, instances: readonly Instance[]): void {
    const old = groups.get(groupKey);
    if (instances.length > limits.instancesPerGroup) {
      throw new RegistryLimitError(
        `${groupKey} is left out: it states ${instances.length} instances, at most ${limits.instancesPerGroup} are kept`,
      );
    }
    const service = obtain(serviceKey);
    try {
      place(groupKey, service, instances, old?.service === service ? old : undefined);
    } finally {
      forgetIfEmpty(service);
    }
    // It stated instances of another service before: those go, after the new ones came.
    if (old !== undefined && old.service !== service) clear(old);
  }

  function place(
    groupKey: string,
    service: ServiceEntry,
    instances: readonly Instance[],
    old: Group | undefined,
  ): void {
    const fresh = createMissing(groupKey, service, instances);
    const group: Group = old ?? { key: groupKey, service, instances: [], entries: [] };
    const before = new Set(group.entries);
    const change = { structure: fresh.length > 0, facts: false };
    const seen = new Map<InstanceEntry, Instance>();
    for (const instance of instances) {
      const entry = service.find(instance)!;
      if (seen.has(entry)) continue; // listed twice in one object: the first counts
      seen.set(entry, instance);
      before.delete(entry);
      restate(entry, instance, change);
      // Re-adding puts the group last: it spoke last, so its statement counts.
      entry.groups = added(removed(entry.groups, group), group);
    }
    group.entries = [...seen.keys()];
    group.instances = [...seen.values()];
    if (old === undefined) {
      groups.set(groupKey, group);
      service.groups++;
    }
    for (const entry of before) withdraw(entry, group, change);
    announce(service, change);
  }

  /** Entries for what is not known yet; all or none, so that a limit leaves everything as it was. */
  function createMissing(groupKey: string, service: ServiceEntry, instances: readonly Instance[]): InstanceEntry[] {
    const missing = new Map<string, Instance>();
    for (const instance of instances) {
      if (service.find(instance) === undefined) missing.set(identity(instance), instance);
    }
    if (instanceCount + missing.size > limits.instances) {
      throw new RegistryLimitError(`${groupKey} is left out: the registry holds at most ${limits.instances} instances`);
    }
    const taken: [string, number][] = [];
    try {
      for (const key of missing.keys()) taken.push([slotKey(service, key), keeper.take(slotKey(service, key))]);
    } catch (error) {
      for (const [key, slot] of taken) keeper.giveUp(key, slot);
      throw error;
    }
    const entries = [...missing.values()].map(
      (instance, index) => new InstanceEntry(service, instance, taken[index][1]),
    );
    for (const entry of entries) {
      service.add(entry);
      facts.link(entry);
    }
    instanceCount += entries.length;
    return entries;
  }

  function restate(entry: InstanceEntry, instance: Instance, change: { structure: boolean; facts: boolean }): void {
    const what = difference(entry.instance, instance);
    if (what === 'none') return;
    change[what] = true;
    if (sameTexts(entry.instance.subjects, instance.subjects)) {
      entry.instance = instance;
      return;
    }
    facts.unlink(entry);
    entry.instance = instance;
    facts.link(entry);
  }

  /** `group` states the entry no more: what another group states counts now, or the entry goes. */
  function withdraw(entry: InstanceEntry, group: Group, change: { structure: boolean; facts: boolean }): void {
    entry.groups = removed(entry.groups, group);
    const last = [...valuesOf(entry.groups)].at(-1);
    if (last !== undefined) {
      restate(entry, last.instances[last.entries.indexOf(entry)], change);
      return;
    }
    entry.service.delete(entry);
    facts.unlink(entry);
    keeper.giveUp(slotKey(entry.service, identity(entry.instance)), entry.slot);
    instanceCount--;
    change.structure = true;
  }

  function announce(service: ServiceEntry, change: { structure: boolean; facts: boolean }): void {
    try {
      if (change.structure) shareAddresses(service, keeper);
    } finally {
      if (change.structure) tell(service.key, 'structure');
      else if (change.facts) tell(service.key, 'facts');
    }
  }

  function clear(group: Group): void {
    const change = { structure: false, facts: false };
    for (const entry of group.entries) withdraw(entry, group, change);
    if (groups.get(group.key) === group) groups.delete(group.key);
    group.service.groups--;
    forgetIfEmpty(group.service);
    announce(group.service, change);
  }

  return {
    replace,
    remove(groupKey) {
      const group = groups.get(groupKey);
      if (group !== undefined) clear(group);
    },
    count: () => groups.size,
    instances: () => instanceCount,
  };
}

const slotKey = (service: ServiceEntry, identityText: string): string => `${service.key}\n${identityText}`;
