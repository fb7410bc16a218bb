// Groups of instances: the list in one object of a source, replaced as a whole. Instances exist while a group lists them.

import { added, lastOf, removed } from '../memory/one-or-many.ts';
import { TextTable } from '../memory/text-table.ts';
import type { FactIndex } from './fact-index.ts';
import { RegistryLimitError, type RegistryLimits } from './limits.ts';
import type { ChangeListener, Instance } from './model.ts';
import { type Common, commonOf } from './packed-instance.ts';
import { difference, identity } from './same-instance.ts';
import { type Group, InstanceEntry, type ServiceEntry } from './service-entry.ts';
import { type SlotKeeper, shareAddresses } from './slots.ts';
import { sameTexts } from './subjects.ts';

export interface GroupsContext {
  /** The service with this key, created if missing. Throws RegistryLimitError. */
  readonly obtain: (serviceKey: string) => ServiceEntry;
  readonly forgetIfEmpty: (service: ServiceEntry) => void;
  readonly facts: Pick<FactIndex, 'link' | 'unlink'>;
  readonly keeper: SlotKeeper;
  readonly limits: RegistryLimits;
  readonly tell: ChangeListener;
  readonly removeListeners: readonly ((entry: InstanceEntry) => void)[];
}

interface GroupChange {
  /** Names or records may differ. */
  structure: boolean;
  readonly fresh: readonly InstanceEntry[];
  readonly gone: InstanceEntry[];
  /** Instances that are new or have changed. */
  readonly concerned: InstanceEntry[];
}

export class Groups {
  private readonly groups = new TextTable<Group>(({ key }) => key);
  private readonly context: GroupsContext;
  private instanceCount = 0;
  /** Of the last changed instance: its neighbors are mostly equal. */
  private restated: Common | undefined;

  constructor(context: GroupsContext) {
    this.context = context;
  }

  get count(): number {
    return this.groups.size;
  }

  get instances(): number {
    return this.instanceCount;
  }

  replace(groupKey: string, serviceKey: string, instances: readonly Instance[]): void {
    const { limits, obtain, forgetIfEmpty } = this.context;
    const old = this.groups.get(groupKey);
    if (instances.length > limits.instancesPerGroup) {
      throw new RegistryLimitError(
        `${groupKey} is dropped: it lists ${instances.length} instances, the limit is ${limits.instancesPerGroup}`,
      );
    }
    const service = obtain(serviceKey);
    try {
      this.place(groupKey, service, instances, old?.service === service ? old : undefined);
    } finally {
      forgetIfEmpty(service);
    }
    // It previously listed instances of another service: those are removed after the new ones are added.
    if (old !== undefined && old.service !== service) this.clear(old);
  }

  remove(groupKey: string): void {
    const group = this.groups.get(groupKey);
    if (group !== undefined) this.clear(group);
  }

  private place(groupKey: string, service: ServiceEntry, instances: readonly Instance[], old: Group | undefined): void {
    const fresh = this.createMissing(groupKey, service, instances);
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
      this.restate(entry, instance, change);
      // Adding it again makes this group the most recent one, which counts.
      entry.groups = added(removed(entry.groups, group), group);
    }
    for (const entry of before) this.withdraw(entry, group, change);
    // A copy has no room to grow, which would be half as much again.
    group.entries = service.instances.sameArray([...seen].slice());
    if (old === undefined) {
      this.groups.set(group);
      service.groups++;
    }
    this.announce(service, change);
  }

  /** Entries for new instances; all or none, so that exceeding a limit changes nothing. */
  private createMissing(
    groupKey: string,
    service: ServiceEntry,
    instances: readonly Instance[],
  ): readonly InstanceEntry[] {
    const { limits, facts } = this.context;
    const missing = new Map<string, Instance>();
    for (const instance of instances) {
      if (service.instances.find(instance) === undefined) missing.set(identity(instance), instance);
    }
    if (this.instanceCount + missing.size > limits.instances) {
      throw new RegistryLimitError(`${groupKey} is dropped: the registry holds at most ${limits.instances} instances`);
    }
    const slots = this.takeSlots(service, missing);
    let common: Common | undefined;
    const entries = [...missing.values()].map((instance, index) => {
      common = commonOf(instance, common);
      const entry = new InstanceEntry(service, instance, slots[index], common);
      facts.link(entry, instance.subjects);
      service.instances.add(entry);
      return entry;
    });
    this.instanceCount += entries.length;
    return entries;
  }

  private takeSlots(service: ServiceEntry, missing: ReadonlyMap<string, Instance>): number[] {
    const { keeper } = this.context;
    const taken: [string, number][] = [];
    try {
      for (const key of missing.keys()) taken.push([slotKey(service, key), keeper.take(slotKey(service, key))]);
    } catch (error) {
      for (const [key, slot] of taken) keeper.giveUp(key, slot);
      throw error;
    }
    return taken.map(([, slot]) => slot);
  }

  private restate(entry: InstanceEntry, instance: Instance, change: GroupChange): void {
    const { facts } = this.context;
    const before = entry.instance;
    const what = difference(before, instance);
    if (what === 'none') return;
    if (what === 'structure') change.structure = true;
    change.concerned.push(entry);
    this.restated = commonOf(instance, this.restated);
    entry.common = this.restated;
    if (sameTexts(before.subjects, instance.subjects)) return;
    facts.unlink(entry);
    facts.link(entry, instance.subjects);
  }

  /** `group` no longer lists the entry: the version of another group counts now, or the entry is removed. */
  private withdraw(entry: InstanceEntry, group: Group, change: GroupChange): void {
    const { facts, keeper } = this.context;
    const wasLast = lastOf(entry.groups) === group;
    group.displaced?.delete(entry);
    entry.groups = removed(entry.groups, group);
    const last = lastOf(entry.groups);
    if (last !== undefined) {
      if (wasLast) this.restate(entry, last.displaced!.get(entry)!, change);
      if (wasLast) last.displaced!.delete(entry);
      return;
    }
    entry.service.instances.delete(entry);
    entry.service.setWeights?.delete(entry);
    facts.unlink(entry);
    keeper.giveUp(slotKey(entry.service, identity(entry)), entry.slot);
    this.instanceCount--;
    for (const listener of this.context.removeListeners) listener(entry);
    change.gone.push(entry);
    change.structure = true;
  }

  private announce(service: ServiceEntry, { structure, fresh, gone, concerned }: GroupChange): void {
    try {
      shareAddresses(service, this.context.keeper, [...fresh, ...gone]);
    } finally {
      if (structure) this.context.tell(service.key, 'structure', [...concerned, ...gone]);
      else if (concerned.length > 0) this.context.tell(service.key, 'facts', concerned);
    }
  }

  private clear(group: Group): void {
    const change: GroupChange = { structure: false, fresh: [], gone: [], concerned: [] };
    for (const entry of group.entries) this.withdraw(entry, group, change);
    if (this.groups.get(group.key) === group) this.groups.delete(group.key);
    group.service.groups--;
    this.context.forgetIfEmpty(group.service);
    this.announce(group.service, change);
  }
}

/** `group` becomes the most recent group of the entry; the previous one keeps its own version. */
function displaceOther(entry: InstanceEntry, group: Group): void {
  const last = lastOf(entry.groups);
  if (last === undefined || last === group) return;
  last.displaced ??= new Map();
  last.displaced.set(entry, entry.instance);
  group.displaced?.delete(entry);
}

const slotKey = (service: ServiceEntry, identityText: string): string => `${service.key}\n${identityText}`;

const NO_ENTRIES: readonly InstanceEntry[] = [];
