import type { StoreChange } from './records.ts';

/** Where what was acknowledged lasts: an embedded database, the Kubernetes API, or memory. */
export interface Store {
  /** Everything that was written, in no particular order. */
  load(): Promise<readonly StoreChange[]>;
  /** Keeps all the changes or none; resolves when they will survive the process. Rejects with the reason. */
  write(changes: readonly StoreChange[]): Promise<void>;
  close(): Promise<void>;
}

/** Lasts as long as the process; for tests and for trying things out. */
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
