// A queue in which services take turns, so that one with thousands of slow checks does not starve the others.

export interface FairQueue<Item> {
  /** Appends an item to its owner's queue. The caller does not add an item twice. */
  push(owner: string, item: Item): void;
  /** The next item of the owner whose turn it is; undefined: the queue is empty. */
  take(): Item | undefined;
  remove(owner: string, item: Item): void;
  size(): number;
}

export function createFairQueue<Item>(): FairQueue<Item> {
  /** Owners in the order of their turns. */
  const lines = new Map<string, Set<Item>>();
  let size = 0;

  function remove(owner: string, item: Item): boolean {
    const line = lines.get(owner);
    if (line === undefined || !line.delete(item)) return false;
    size--;
    if (line.size === 0) lines.delete(owner);
    return true;
  }

  return {
    push(owner, item) {
      const line = lines.get(owner) ?? new Set();
      lines.set(owner, line.add(item));
      size++;
    },
    take() {
      for (const [owner, line] of lines) {
        for (const item of line) {
          remove(owner, item);
          // The owner moves to the end.
          if (lines.delete(owner)) lines.set(owner, line);
          return item;
        }
      }
      return undefined;
    },
    remove: (owner, item) => void remove(owner, item),
    size: () => size,
  };
}
