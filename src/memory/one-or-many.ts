// A collection that is one value in nearly every case: a Set for each of 100,000 subjects would cost 15 MB more
// (bench:containers, "OneOrMany / Set").

/** undefined: none; a bare value: one; an array: some; a Set: many. `T` must be an object other than these. */
export type OneOrMany<T extends object> = undefined | T | T[] | Set<T>;

/** Above this many, finding a value in an array costs more than a Set does. */
const LARGEST_ARRAY = 256; // a node has 110 pods by default

/** The collection with `value` appended; the same collection if it already contains it. */
export function added<T extends object>(collection: OneOrMany<T>, value: T): OneOrMany<T> {
  if (collection === undefined) return value;
  if (collection instanceof Set) return collection.add(value);
  if (!Array.isArray(collection)) return collection === value ? value : [collection, value];
  if (collection.includes(value)) return collection;
  if (collection.length === LARGEST_ARRAY) return new Set(collection).add(value);
  collection.push(value);
  return collection;
}

/** The collection without `value`. */
export function removed<T extends object>(collection: OneOrMany<T>, value: T): OneOrMany<T> {
  if (collection instanceof Set) {
    collection.delete(value);
    return collection.size === 0 ? undefined : collection;
  }
  if (!Array.isArray(collection)) return collection === value ? undefined : collection;
  const at = collection.indexOf(value);
  if (at !== -1) collection.splice(at, 1);
  return collection.length > 1 ? collection : collection[0];
}

/** Its values, in the order they were added. */
export function valuesOf<T extends object>(collection: OneOrMany<T>): readonly T[] | ReadonlySet<T> {
  if (collection === undefined) return [];
  if (collection instanceof Set || Array.isArray(collection)) return collection;
  return [collection];
}

/** The last added value. */
export function lastOf<T extends object>(collection: OneOrMany<T>): T | undefined {
  if (collection instanceof Set) return [...collection].at(-1);
  return Array.isArray(collection) ? collection.at(-1) : collection;
}
