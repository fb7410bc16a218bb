// The publishers of names: the static records of a zone, or a service. Owners are numbered, so that a name's owner is 4 bytes.

import { TextTable } from '../../memory/text-table.ts';
import type { Service } from '../../registry/model.ts';

export interface Owner {
  readonly number: number;
  /** A service's key, or "static records of ZONE". */
  readonly key: string;
  readonly isStatic: boolean;
  /** The zone it publishes in. */
  readonly zone: string;
  /** False for owners that never take a name from another: static records merge, namespaces only exist. */
  readonly competes: boolean;
  /** Shares names with others that do. */
  readonly merges: boolean;
  readonly rank: number;
  readonly createdMs: number;
  /** Problems that were reported, so that each is reported once. */
  problems: ReadonlySet<string>;
}

export interface Owners {
  ofKey(key: string): Owner | undefined;
  ofNumber(number: number): Owner;
  /** Creates the owner, or recreates it if its rank has changed. */
  ensureService(service: Service): Owner;
  ensureStatic(zone: string): Owner;
  forget(owner: Owner): void;
  all(): Iterable<Owner>;
}

/** Static records before services, then by rank, the older service before the younger, then by key. A configured service has age 0. */
export function compareOwners(a: Owner, b: Owner): number {
  if (a.isStatic !== b.isStatic) return a.isStatic ? -1 : 1;
  return a.rank - b.rank || a.createdMs - b.createdMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}

export const staticKey = (zone: string): string => `static records of ${zone}`;

type Ranked = Omit<Owner, 'number' | 'key' | 'problems'>;

const sameRank = (a: Ranked, b: Ranked): boolean =>
  a.competes === b.competes &&
  a.merges === b.merges &&
  a.rank === b.rank &&
  a.createdMs === b.createdMs &&
  a.zone === b.zone;

const STATIC: Omit<Ranked, 'zone'> = { isStatic: true, competes: false, merges: false, rank: 0, createdMs: 0 };

/** Whether `other`, which comes first, has a name alone that both claim. */
export const excludes = (other: Owner, owner: Owner): boolean =>
  other !== owner && other.competes && owner.competes && !(other.merges && owner.merges);

export const NO_PROBLEMS: ReadonlySet<string> = new Set<string>();

export function createOwners(): Owners {
  const byKey = new TextTable<Owner>(({ key }) => key);
  const byNumber: (Owner | undefined)[] = [undefined];
  const free: number[] = [];

  function ensure(key: string, ranked: Ranked): Owner {
    const known = byKey.get(key);
    if (known && sameRank(known, ranked)) return known;
    const number = known?.number ?? free.pop() ?? byNumber.length;
    const owner: Owner = { number, key, ...ranked, problems: known?.problems ?? NO_PROBLEMS };
    byKey.set(owner);
    byNumber[number] = owner;
    return owner;
  }

  return {
    ofKey: (key) => byKey.get(key),
    ofNumber(number) {
      const owner = byNumber[number];
      if (owner === undefined) throw new RangeError(`no owner ${number}`);
      return owner;
    },
    ensureService({ key, zone, kind, rank = 0, createdMs = 0, merge = false }) {
      const merges = merge && kind === 'instances';
      return ensure(key, { isStatic: false, zone, competes: kind !== 'namespace', merges, rank, createdMs });
    },
    ensureStatic: (zone) => ensure(staticKey(zone), { ...STATIC, zone }),
    forget(owner) {
      byKey.delete(owner.key);
      byNumber[owner.number] = undefined;
      free.push(owner.number);
    },
    all: () => byKey.values(),
  };
}
