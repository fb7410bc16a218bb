// The instances of one service: an array while they are few, since a Map of ten costs 50 bytes for each of them.
// bench/RESULTS.md, "Memory per instance": 137 bytes.

import { added, type OneOrMany, removed, valuesOf } from '../memory/one-or-many.ts';
import type { Instance } from './model.ts';
import { type PackedAddress, type PackedAddresses, packAddresses, sameAddresses } from './packed-instance.ts';
import { identity } from './same-instance.ts';

/** Up to this size a linear search is as fast as a Map. */
const LARGEST_ARRAY = 16;

/** The properties of an entry that the set uses. */
export interface Identified {
  readonly id: string;
  readonly addresses: readonly string[];
  readonly packedAddresses: PackedAddresses;
  packedAddressList(): readonly PackedAddress[];
}

export class InstanceSet<Entry extends Identified> {
  private few: readonly Entry[] = NONE as readonly never[];
  /** Above LARGEST_ARRAY. By id; an instance whose id is taken is stored under its `identity`. */
  private many: Map<string, Entry> | undefined = undefined;
  /** Number of instances in `many` that are not stored under their id. */
  private namesakes = 0;
  /** The entries with an address; only with `many`. */
  private holders: Map<PackedAddress, OneOrMany<Entry>> | undefined = undefined;

  get size(): number {
    return this.many?.size ?? this.few.length;
  }

  /** In the order they were added. */
  values(): IterableIterator<Entry> {
    return this.many?.values() ?? this.few.values();
  }

  /** The one with the instance's id and addresses. */
  find(instance: Instance): Entry | undefined {
    const addresses = packAddresses(instance.addresses);
    // Addresses first: an id may have to be cut from a subject.
    const isIt = (entry: Entry) => sameAddresses(entry.packedAddresses, addresses) && entry.id === instance.id;
    if (this.many === undefined) return this.few.find(isIt);
    const entry = this.many.get(instance.id);
    if (entry !== undefined && isIt(entry)) return entry;
    return this.namesakes === 0 ? undefined : this.many.get(identity(instance));
  }

  /** All with this id, regardless of address. */
  withId(id: string): Entry[] {
    if (this.many === undefined || this.namesakes > 0) return [...this.values()].filter((entry) => entry.id === id);
    const entry = this.many.get(id);
    return entry === undefined ? [] : [entry];
  }

  /** Whether another entry has the address as well. */
  isShared(address: PackedAddress, entry: Entry): boolean {
    if (this.holders !== undefined) return this.holders.get(address) !== entry;
    return this.few.some((other) => other !== entry && hasAddress(other.packedAddresses, address));
  }

  /** All with this address. */
  withAddress(address: PackedAddress): Entry[] {
    if (this.holders === undefined) return this.few.filter((entry) => hasAddress(entry.packedAddresses, address));
    return [...valuesOf(this.holders.get(address))];
  }

  add(entry: Entry): void {
    if (this.many === undefined && this.few.length < LARGEST_ARRAY) {
      // An array of the exact size; `push` would allocate 17 elements.
      this.few = this.few.concat([entry]);
      return;
    }
    if (this.many === undefined) {
      this.many = new Map();
      this.holders = new Map();
      for (const other of this.few) this.addToMany(this.many, other);
      this.few = NONE as readonly never[];
    }
    this.addToMany(this.many, entry);
  }

  /** `entries`, or the set's own array if equal: most services are listed by a single object. */
  sameArray(entries: readonly Entry[]): readonly Entry[] {
    const { few } = this;
    return few.length === entries.length && few.every((entry, index) => entry === entries[index]) ? few : entries;
  }

  private addToMany(many: Map<string, Entry>, entry: Entry): void {
    const { id } = entry;
    for (const address of entry.packedAddressList()) {
      this.holders!.set(address, added(this.holders!.get(address), entry));
    }
    if (!many.has(id)) many.set(id, entry);
    else {
      many.set(identity(entry), entry);
      this.namesakes++;
    }
  }

  delete(entry: Entry): void {
    if (this.holders !== undefined) this.releaseAddresses(this.holders, entry);
    if (this.many === undefined) this.few = this.few.filter((other) => other !== entry);
    else if (this.many.get(entry.id) === entry) this.many.delete(entry.id);
    else if (this.many.delete(identity(entry))) this.namesakes--;
  }

  private releaseAddresses(holders: Map<PackedAddress, OneOrMany<Entry>>, entry: Entry): void {
    for (const address of entry.packedAddressList()) {
      const left = removed(holders.get(address), entry);
      if (left === undefined) holders.delete(address);
      else holders.set(address, left);
    }
  }
}

const hasAddress = (addresses: PackedAddresses, address: PackedAddress): boolean =>
  typeof addresses === 'object' ? addresses.includes(address) : addresses === address;

const NONE: readonly Identified[] = [];
