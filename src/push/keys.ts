// What is subscribed to: each name and type once, with those who hold it, and with what finds it when something changes.
import type { WireName } from '../dns/name.ts';
import { HashIndex } from '../memory/hash-index.ts';
import type { AnswerSet, Dependencies } from './answer-set.ts';

export interface Key {
  readonly place: number;
  /** In lower case. */
  readonly name: WireName;
  readonly hash: number;
  readonly type: number;
  /** The first `count`: session << 16 | id of the SUBSCRIBE message. */
  subscribers: Uint32Array;
  count: number;
  /** What the subscribers have, or get next. */
  sent: AnswerSet;
  /** As PUSH messages, for some time after somebody has asked for them: many do at once. */
  whole: readonly Uint8Array[] | undefined;
  sentMs: number;
  /** Its records may be others, not only their health. */
  isRestructured: boolean;
  /** When its changes are sent; 0: none wait. */
  dueMs: number;
  slots: Dependencies['slots'];
  ancestors: Dependencies['ancestors'];
}

const FEWEST_BUCKETS = 256;
const FEWEST_SUBSCRIBERS = 1;

export interface Keys {
  find(name: WireName, hash: number, type: number): Key | undefined;
  add(name: WireName, hash: number, type: number, sent: AnswerSet, dependencies: Dependencies): Key;
  /** What a change of the key must be looked for by, from now on. */
  setDependencies(key: Key, dependencies: Dependencies): void;
  subscribe(key: Key, subscriber: number): void;
  /** The key is gone with its last subscriber. */
  unsubscribe(key: Key, subscriber: number): void;
  /** Removes the key and its subscribers. */
  remove(key: Key): void;
  /** Those of a name. */
  ofName(hash: number): readonly Key[];
  /** Those that a slot decides. */
  ofSlot(slot: number): readonly Key[];
  /** Those of names that do not exist, below the name of this hash. */
  below(hash: number): Iterable<Key>;
  all(): Iterable<Key>;
  readonly size: number;
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short functions over one table and its indexes
export function createKeys(): Keys {
  const keys: (Key | undefined)[] = [];
  const free: number[] = [];
  const byName = new HashIndex(FEWEST_BUCKETS);
  const bySlot = new HashIndex(FEWEST_BUCKETS);
  const byAncestor = new Map<number, Set<Key>>();

  const valuesIn = (index: HashIndex, hash: number): Key[] => {
    const found: Key[] = [];
    for (let place = index.first(hash); place >= 0; place = index.next(hash)) found.push(keys[place]!);
    return found;
  };

  const forget = (key: Key): void => {
    for (const slot of key.slots) bySlot.remove(mixed(slot), key.place);
    for (const ancestor of key.ancestors) {
      const below = byAncestor.get(ancestor);
      below?.delete(key);
      if (below?.size === 0) byAncestor.delete(ancestor);
    }
  };

  const note = (key: Key, { slots, ancestors }: Dependencies): void => {
    key.slots = slots;
    key.ancestors = ancestors;
    for (const slot of slots) bySlot.add(mixed(slot), key.place);
    for (const ancestor of ancestors) {
      const below = byAncestor.get(ancestor);
      if (below === undefined) byAncestor.set(ancestor, new Set([key]));
      else below.add(key);
    }
  };

  const remove = (key: Key): void => {
    forget(key);
    byName.remove(key.hash, key.place);
    keys[key.place] = undefined;
    free.push(key.place);
    key.count = 0;
  };

  return {
    find: (name, hash, type) =>
      valuesIn(byName, hash).find((key) => key.type === type && Buffer.compare(key.name, name) === 0),
    add(name, hash, type, sent, dependencies) {
      const key: Key = {
        ...{ place: free.pop() ?? keys.length, name, hash, type, sent, whole: undefined, sentMs: 0, dueMs: 0 },
        ...{ subscribers: new Uint32Array(FEWEST_SUBSCRIBERS), count: 0, isRestructured: false },
        ...dependencies,
      };
      keys[key.place] = key;
      byName.add(hash, key.place);
      note(key, dependencies);
      return key;
    },
    setDependencies(key, dependencies) {
      forget(key);
      note(key, dependencies);
    },
    subscribe(key, subscriber) {
      const { subscribers, count } = key;
      if (count === subscribers.length) {
        key.subscribers = new Uint32Array(Math.max(2, Math.ceil(count * 1.5)));
        key.subscribers.set(subscribers);
      }
      key.subscribers[count] = subscriber;
      key.count++;
    },
    unsubscribe(key, subscriber) {
      const at = key.subscribers.subarray(0, key.count).indexOf(subscriber);
      if (at < 0) return;
      key.subscribers[at] = key.subscribers[--key.count];
      if (key.count === 0) remove(key);
      else if (key.count < key.subscribers.length >> 2) key.subscribers = key.subscribers.slice(0, 2 * key.count);
    },
    remove,
    ofName: (hash) => valuesIn(byName, hash),
    ofSlot: (slot) => valuesIn(bySlot, mixed(slot)),
    below: (hash) => byAncestor.get(hash) ?? [],
    *all() {
      for (const key of keys) if (key !== undefined) yield key;
    },
    get size() {
      return keys.length - free.length;
    },
  };
}

const mixed = (slot: number): number => Math.imul(slot, 0x9e37_79b1);
