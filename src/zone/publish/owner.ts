// The publishers of names: a zone, a bucket of its static records, a service, or a part of a large one. Owners are numbered, so that a name's owner is
// 4 bytes.

import { TextTable } from '../../memory/text-table.ts';
import type { Service } from '../../registry/model.ts';

export interface Owner {
  readonly number: number;
  /** Of a service, its key; of a part, see partKey. */
  readonly key: string;
  readonly isStatic: boolean;
  /** Of static records, or of a service's instances; undefined: the zone's generated names, or a service. */
  readonly bucket: number | undefined;
  /** The zone it publishes in. */
  readonly zone: string;
  /** False for owners that never displace another: static records merge, namespaces have no records. */
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
  ensureService(service: Service, bucket?: number): Owner;
  ensureStatic(zone: string, bucket?: number): Owner;
  forget(owner: Owner): void;
  all(): Iterable<Owner>;
}

/** Static records before services, then by rank, the older service before the younger, then by key. A configured service has age 0. */
export function compareOwners(a: Owner, b: Owner): number {
  if (a.isStatic !== b.isStatic) return a.isStatic ? -1 : 1;
  return a.rank - b.rank || a.createdMs - b.createdMs || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}

/** A service's key, or "static records of ZONE". */
export function titleOf({ isStatic, zone, key }: Owner): string {
  return isStatic ? `static records of ${zone}` : serviceKeyOf(key);
}

/** The key of a part of a service. No key of a service has a line feed. */
export const partKey = (serviceKey: string, bucket: number): string => `${serviceKey}\n${bucket}`;

export function serviceKeyOf(key: string): string {
  const end = key.indexOf('\n');
  return end < 0 ? key : key.slice(0, end);
}

export function bucketOfKey(key: string): number | undefined {
  const end = key.indexOf('\n');
  return end < 0 ? undefined : Number(key.slice(end + 1));
}

/** Parts of one service, or such a part and the service. */
export const areOneService = (one: Owner, other: Owner): boolean =>
  (one.bucket !== undefined || other.bucket !== undefined) &&
  !one.isStatic &&
  !other.isStatic &&
  serviceKeyOf(one.key) === serviceKeyOf(other.key);

/** Their records of one type are one RRset. */
export const share = (one: Owner, other: Owner): boolean => (one.merges && other.merges) || areOneService(one, other);

/** No key of a service begins like this. */
const STATIC_KEY = 'static records of ';

type Ranked = Omit<Owner, 'number' | 'key' | 'problems'>;

const sameRank = (a: Ranked, b: Ranked): boolean =>
  a.competes === b.competes &&
  a.merges === b.merges &&
  a.rank === b.rank &&
  a.createdMs === b.createdMs &&
  a.zone === b.zone;

const STATIC: Omit<Ranked, 'zone' | 'bucket'> = {
  isStatic: true,
  competes: false,
  merges: false,
  rank: 0,
  createdMs: 0,
};

/** Whether `other`, which comes first, excludes this owner from a name that both claim. */
export const excludes = (other: Owner, owner: Owner): boolean =>
  other !== owner && other.competes && owner.competes && !share(other, owner);

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
    ensureService({ key, zone, kind, rank = 0, createdMs = 0, merge = false }, bucket) {
      const merges = merge && kind === 'instances';
      return ensure(bucket === undefined ? key : partKey(key, bucket), {
        isStatic: false,
        bucket,
        zone,
        competes: kind !== 'namespace',
        merges,
        rank,
        createdMs,
      });
    },
    ensureStatic: (zone, bucket) =>
      ensure(bucket === undefined ? `${STATIC_KEY}${zone}` : `${STATIC_KEY}${zone}#${bucket}`, {
        ...STATIC,
        zone,
        bucket,
      }),
    forget(owner) {
      byKey.delete(owner.key);
      byNumber[owner.number] = undefined;
      free.push(owner.number);
    },
    all: () => byKey.values(),
  };
}
