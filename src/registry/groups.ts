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
    const { entries, fresh } = this.obtainEntries(groupKey, service, instances);
    const group: Group = old ?? { key: groupKey, service, entries: NO_ENTRIES, displaced: undefined };
    const before = new Set(group.entries);
    const change: GroupChange = { structure: fresh.length > 0, fresh, gone: [], concerned: [...fresh] };
    const seen = new Set<InstanceEntry>();
    entries.forEach((entry, i) => {
      if (seen.has(entry)) return; // listed twice in one object: the first counts
      seen.add(entry);
      before.delete(entry);
      // One without a group was just made.
      if (entry.groups !== undefined) {
        displaceOther(entry, group);
        this.restate(entry, instances[i], change);
      }
      // Adding it again makes this group the most recent one, which takes precedence.
      entry.groups = added(removed(entry.groups, group), group);
    });
    for (const entry of before) this.withdraw(entry, group, change);
    // A copy has no room to grow, which would be half as much again.
    group.entries = service.instances.sameArray([...seen].slice());
    if (old === undefined) {
      this.groups.set(group);
      service.groups++;
    }
    this.announce(service, change);
  }

  /** The entries of the instances; all or none of those that are missing are made, so that exceeding a limit changes nothing. */
  private obtainEntries(
    groupKey: string,
    service: ServiceEntry,
    instances: readonly Instance[],
  ): { readonly entries: readonly InstanceEntry[]; readonly fresh: readonly InstanceEntry[] } {
    const fresh: InstanceEntry[] = [];
    try {
      const entries = instances.map((instance) => {
        const known = service.instances.find(instance);
        if (known !== undefined) return known;
        const entry = this.create(groupKey, service, instance, fresh.at(-1)?.common);
        fresh.push(entry);
        return entry;
      });
      return { entries, fresh };
    } catch (error) {
      for (const entry of fresh) this.release(entry);
      throw error;
    }
  }

  private create(
    groupKey: string,
    service: ServiceEntry,
    instance: Instance,
    neighbour: Common | undefined,
  ): InstanceEntry {
    const { limits, facts, keeper } = this.context;
    if (this.instanceCount >= limits.instances) {
      throw new RegistryLimitError(`${groupKey} is dropped: the registry holds at most ${limits.instances} instances`);
    }
    const slot = keeper.take(() => slotKey(service, instance));
    const entry = new InstanceEntry(service, instance, slot, commonOf(instance, neighbour));
    facts.link(entry, instance.subjects);
    service.instances.add(entry);
    this.instanceCount++;
    return entry;
  }

  private release(entry: InstanceEntry): void {
    const { facts, keeper } = this.context;
    entry.service.instances.delete(entry);
    entry.service.setWeights?.delete(entry);
    facts.unlink(entry);
    keeper.giveUp(slotKey(entry.service, entry), entry.slot);
    this.instanceCount--;
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
    const wasLast = lastOf(entry.groups) === group;
    group.displaced?.delete(entry);
    entry.groups = removed(entry.groups, group);
    const last = lastOf(entry.groups);
    if (last !== undefined) {
      if (wasLast) this.restate(entry, last.displaced!.get(entry)!, change);
      if (wasLast) last.displaced!.delete(entry);
      return;
    }
    this.release(entry);
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

const slotKey = (service: ServiceEntry, instance: Pick<Instance, 'id' | 'addresses'>): string =>
  `${service.key}\n${identity(instance)}`;

const NO_ENTRIES: readonly InstanceEntry[] = [];
