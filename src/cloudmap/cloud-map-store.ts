import type { StoreChange } from './records.ts';

/** Durable storage of acknowledged writes: an embedded database, the Kubernetes API, or memory. */
export interface Store {
  /** All stored values, in no particular order. */
  load(): Promise<readonly StoreChange[]>;
  /**
   * Stores all the changes or none; resolves when they will survive the process. Rejects with the reason; then a store that
   * cannot tell whether they survived applies `undo` before its next write.
   */
  write(changes: readonly StoreChange[], undo: readonly StoreChange[]): Promise<void>;
  close(): Promise<void>;
}

/** Lost with the process; for tests and demonstrations. */
export function memoryStore(): Store {
  const kept = new Map<string, StoreChange>();
  return {
    load: async () => [...kept.values()],
    async write(changes) {
      for (const change of changes) {
        const key = `${change.collection}/${change.key}`;
        if (change.value === undefined) kept.delete(key);
        else kept.set(key, change);
      }
    },
    close: async () => {},
  };
}
