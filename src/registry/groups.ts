// Groups of instances: what one object of a source states, replaced whole. Instances exist while a group states them.

import { added, lastOf, removed } from '../memory/one-or-many.ts';
import { TextTable } from '../memory/text-table.ts';
import type { FactIndex } from './fact-index.ts';
import { identity } from './instance-set.ts';
import type { Instance } from './model.ts';
import { type Common, commonOf } from './packed-instance.ts';
import { type ChangeListener, RegistryLimitError, type RegistryLimits } from './registry.ts';
import { difference, sameTexts } from './same-instance.ts';
import { type Group, InstanceEntry, type ServiceEntry } from './service-entry.ts';
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

interface GroupChange {
  /** Names or records may differ. */
  structure: boolean;
  readonly fresh: readonly InstanceEntry[];
  readonly gone: InstanceEntry[];
  /** Those that are fresh, or restated otherwise than before. */
  readonly concerned: InstanceEntry[];
}

export function createGroups({ obtain, forgetIfEmpty, facts, keeper, limits, tell }: GroupsContext): Groups {
  const groups = new TextTable<Group>(({ key }) => key);
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
    const group: Group = old ?? { key: groupKey, service, entries: NO_ENTRIES, displaced: undefined };
    const before = new Set(group.entries);
    const change: GroupChange = { structure: fresh.length > 0, fresh, gone: [], concerned: [...fresh] };
    const seen = new Set<InstanceEntry>();
    for (const instance of instances) {
      const entry = service.instances.find(instance)!;
      if (seen.has(entry)) continue; // listed twice in one object: the first counts
      seen.add(entry);
      before.delete(entry);
      displaceOther(entry, group);
      restate(entry, instance, change);
      // Re-adding puts the group last: it spoke last, so its statement counts.
      entry.groups = added(removed(entry.groups, group), group);
    }
    for (const entry of before) withdraw(entry, group, change);
    // A copy has no room to grow, which is half as much again.
    group.entries = service.instances.sameArray([...seen].slice());
    if (old === undefined) {
      groups.set(group);
      service.groups++;
    }
    announce(service, change);
  }

  /** What the group that spoke last states of the entry is kept by that group: `group` speaks now. */
  function displaceOther(entry: InstanceEntry, group: Group): void {
    const last = lastOf(entry.groups);
    if (last === undefined || last === group) return;
    last.displaced ??= new Map();
    last.displaced.set(entry, entry.instance);
    group.displaced?.delete(entry);
  }

  /** Entries for what is not known yet; all or none, so that a limit leaves everything as it was. */
  function createMissing(groupKey: string, service: ServiceEntry, instances: readonly Instance[]): InstanceEntry[] {
    const missing = new Map<string, Instance>();
    for (const instance of instances) {
      if (service.instances.find(instance) === undefined) missing.set(identity(instance), instance);
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
    let common: Common | undefined;
    const entries = [...missing.values()].map((instance, index) => {
      common = commonOf(instance, common);
      return new InstanceEntry(service, instance, taken[index][1], common);
    });
    [...missing.values()].forEach(({ subjects }, index) => {
      facts.link(entries[index], subjects);
      service.instances.add(entries[index]);
    });
    instanceCount += entries.length;
    return entries;
  }

  /** What was restated last: its neighbours most often say the same now. */
  let restated: Common | undefined;

  function restate(entry: InstanceEntry, instance: Instance, change: GroupChange): void {
    const before = entry.instance;
    const what = difference(before, instance);
    if (what === 'none') return;
    if (what === 'structure') change.structure = true;
    change.concerned.push(entry);
    restated = commonOf(instance, restated);
    entry.common = restated;
    if (sameTexts(before.subjects, instance.subjects)) return;
    facts.unlink(entry);
    facts.link(entry, instance.subjects);
  }

  /** `group` states the entry no more: what another group states counts now, or the entry goes. */
  function withdraw(entry: InstanceEntry, group: Group, change: GroupChange): void {
    const spokeLast = lastOf(entry.groups) === group;
    group.displaced?.delete(entry);
    entry.groups = removed(entry.groups, group);
    const last = lastOf(entry.groups);
    if (last !== undefined) {
      if (spokeLast) restate(entry, last.displaced!.get(entry)!, change);
      if (spokeLast) last.displaced!.delete(entry);
      return;
    }
    entry.service.instances.delete(entry);
    entry.service.setWeights?.delete(entry);
    facts.unlink(entry);
    keeper.giveUp(slotKey(entry.service, identity(entry)), entry.slot);
    instanceCount--;
    change.gone.push(entry);
    change.structure = true;
  }

  function announce(service: ServiceEntry, change: GroupChange): void {
    try {
      shareAddresses(service, keeper, [...change.fresh, ...change.gone]);
    } finally {
      const { structure, concerned } = change;
      if (structure) tell(service.key, 'structure', concerned);
      else if (concerned.length > 0) tell(service.key, 'facts', concerned);
    }
  }

  function clear(group: Group): void {
    const change: GroupChange = { structure: false, fresh: [], gone: [], concerned: [] };
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

const NO_ENTRIES: readonly InstanceEntry[] = [];
