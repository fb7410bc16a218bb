// One service and its instances as the registry keeps them. Classes, because 100,000 objects share their methods.
import { compact, expand, type Kept } from './compact-verdict.ts';
import type { Fact, Instance, Service, Verdict } from './model.ts';
import type { OneOrMany } from './one-or-many.ts';
import type { InstanceState, ServiceState } from './registry.ts';
import { sameTexts } from './same-instance.ts';

/** All instances that one object of a source states. */
export interface Group {
  readonly key: string;
  readonly service: ServiceEntry;
  /** What the source stated, and in the same places the entries that stand for it. */
  instances: readonly Instance[];
  entries: readonly InstanceEntry[];
}

export type FactsOf = (entry: InstanceEntry) => readonly Fact[];

const NOT_JUDGED: Verdict = {
  status: 'UNKNOWN',
  answered: false,
  rule: 'not-judged',
  reason: 'seen, and not judged yet',
  sinceMs: 0,
};

export class InstanceEntry implements InstanceState {
  readonly service: ServiceEntry;
  readonly slot: number;
  instance: Instance;
  /** See compact-verdict.ts. */
  private judged: Kept['judged'] = NOT_JUDGED;
  private rule: Kept['rule'] = -1;
  /** Set in place of the stated weight while the service starts its instances slowly. */
  setWeight: number | undefined = undefined;
  /** The groups that state it, the one that spoke last at the end: an endpoint on its way between slices is in two. */
  groups: OneOrMany<Group> = undefined;

  constructor(service: ServiceEntry, instance: Instance, slot: number) {
    this.service = service;
    this.instance = instance;
    this.slot = slot;
  }

  get verdict(): Verdict {
    return expand({ judged: this.judged, rule: this.rule } as Kept);
  }

  set verdict(verdict: Verdict) {
    const { judged, rule } = compact(verdict);
    this.judged = judged;
    this.rule = rule;
  }

  get weight(): number {
    return this.setWeight ?? this.instance.weight;
  }

  facts(): readonly Fact[] {
    return this.service.factsOf(this);
  }

  isKnown(): boolean {
    return this.groups !== undefined;
  }
}

/** Where several instances state one address, the address has a slot of its own: answered if any of them is. */
export interface SharedAddress {
  readonly slot: number;
  readonly instances: readonly InstanceEntry[];
}

export class ServiceEntry implements ServiceState {
  readonly key: string;
  readonly factsOf: FactsOf;
  /** By id; an instance whose id another one holds is under `identity(instance)`. */
  readonly instances = new Map<string, InstanceEntry>();
  service: Service | undefined = undefined;
  groups = 0;
  /** How many instances are not under their id. */
  namesakes = 0;
  sharedAddresses: ReadonlyMap<string, SharedAddress> = NONE_SHARED;

  constructor(key: string, factsOf: FactsOf) {
    this.key = key;
    this.factsOf = factsOf;
  }

  slotFor(state: InstanceState, address: string): number {
    return this.sharedAddresses.get(address)?.slot ?? state.slot;
  }

  /** The entry with the instance's id and addresses. */
  find(instance: Instance): InstanceEntry | undefined {
    const entry = this.instances.get(instance.id);
    if (entry !== undefined && sameTexts(entry.instance.addresses, instance.addresses)) return entry;
    return this.namesakes === 0 ? undefined : this.instances.get(identity(instance));
  }

  /** All entries with an id, whatever their addresses. */
  withId(id: string): InstanceEntry[] {
    if (this.namesakes > 0) return [...this.instances.values()].filter((entry) => entry.instance.id === id);
    const entry = this.instances.get(id);
    return entry === undefined ? [] : [entry];
  }

  add(entry: InstanceEntry): void {
    const { id } = entry.instance;
    if (!this.instances.has(id)) {
      this.instances.set(id, entry);
      return;
    }
    this.instances.set(identity(entry.instance), entry);
    this.namesakes++;
  }

  delete(entry: InstanceEntry): void {
    const { id } = entry.instance;
    if (this.instances.get(id) === entry) this.instances.delete(id);
    else if (this.instances.delete(identity(entry.instance))) this.namesakes--;
  }
}

export const NONE_SHARED: ReadonlyMap<string, SharedAddress> = new Map();

/** What tells instances of one service apart. A line feed is in no address and, by validation, in no id. */
export const identity = (instance: Instance): string => `${instance.id}\n${instance.addresses.join(' ')}`;
