// From message IDs to what waits for them. A Map that is added to and deleted from takes forty times as long
// (bench:containers, "IdTable / Map"), and each table that it outgrows or cleans up survives in the old generation with its
// contents: a tenth of a gigabyte under a flood of misses.

export interface IdTable<T> {
  get(id: number): T | undefined;
  /** The ID is not there yet, and there are fewer than the most. */
  add(id: number, value: T): void;
  delete(id: number): void;
  size(): number;
  /** Empties the table and returns its contents. */
  takeAll(): T[];
}

/** For `most` entries at a time; IDs are 16 bits. Linear probing, half full at most. */
export function createIdTable<T>(most: number): IdTable<T> {
  const capacity = 2 ** Math.ceil(Math.log2(2 * most));
  const mask = capacity - 1;
  const ids = new Uint16Array(capacity);
  const values: (T | undefined)[] = new Array(capacity).fill(undefined);
  let size = 0;

  /** Position of the ID, or the free position for it. */
  function placeOf(id: number): number {
    let place = id & mask;
    while (values[place] !== undefined && ids[place] !== id) place = (place + 1) & mask;
    return place;
  }

  return {
    get: (id) => values[placeOf(id)],
    add(id, value) {
      const place = placeOf(id);
      ids[place] = id;
      values[place] = value;
      size++;
    },
    delete(id) {
      let hole = placeOf(id);
      if (values[hole] === undefined) return;
      size--;
      // Later entries move up if their probe sequence passes the hole.
      for (let place = (hole + 1) & mask; values[place] !== undefined; place = (place + 1) & mask) {
        const fromHome = (place - (ids[place] & mask)) & mask;
        if (fromHome < ((place - hole) & mask)) continue;
        ids[hole] = ids[place];
        values[hole] = values[place];
        hole = place;
      }
      values[hole] = undefined;
    },
    size: () => size,
    takeAll() {
      const taken = values.filter((value) => value !== undefined);
      values.fill(undefined);
      size = 0;
      return taken;
    },
  };
}
