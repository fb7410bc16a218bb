// Names of services that publish nothing there, such as a headless service without endpoints: they answer as names that do not
// exist, and still belong to the first service in rank. Only these services take memory here.
import type { WireName } from '../../dns/name.ts';
import type { Owner } from './owner.ts';

export class HeldNames {
  private readonly owners = new Map<string, readonly Owner[]>();
  private readonly names = new Map<number, readonly WireName[]>();

  get isEmpty(): boolean {
    return this.owners.size === 0;
  }

  ownersOf(name: WireName): readonly Owner[] {
    return this.isEmpty ? NONE : (this.owners.get(keyOf(name)) ?? NONE);
  }

  /** Makes `names` all that the owner holds. Returns the names that it did not hold before, or no longer holds. */
  set(owner: Owner, names: readonly WireName[]): readonly WireName[] {
    const before = this.names.get(owner.number) ?? [];
    if (before.length === 0 && names.length === 0) return before;
    const isIn = (list: readonly WireName[], name: WireName) => list.some((one) => keyOf(one) === keyOf(name));
    const released = before.filter((name) => !isIn(names, name));
    const taken = names.filter((name) => !isIn(before, name));
    for (const name of released) {
      const left = this.ownersOf(name).filter(({ number }) => number !== owner.number);
      if (left.length > 0) this.owners.set(keyOf(name), left);
      else this.owners.delete(keyOf(name));
    }
    for (const name of taken) this.owners.set(keyOf(name), [...this.ownersOf(name), owner]);
    if (names.length > 0) this.names.set(owner.number, names);
    else this.names.delete(owner.number);
    return [...released, ...taken];
  }
}

const NONE: readonly Owner[] = [];

const keyOf = (name: WireName): string => Buffer.from(name).toString('latin1');
