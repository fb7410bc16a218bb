// All that the ECS API has created. Tasks are not in it: they belong to the engine.
import type { ClusterRecord, EcsServiceRecord, TaskDefinitionRecord } from './ecs-records.ts';

/** A record's new value; undefined: it is deleted. */
export type EcsChange =
  | { readonly collection: 'cluster'; readonly key: string; readonly value: ClusterRecord | undefined }
  /** Keys are "family:revision". */
  | { readonly collection: 'definition'; readonly key: string; readonly value: TaskDefinitionRecord | undefined }
  /** Keys are "cluster/name". */
  | { readonly collection: 'service'; readonly key: string; readonly value: EcsServiceRecord | undefined };

export interface EcsPlan<Result> {
  readonly changes: readonly EcsChange[];
  readonly result: Result;
}

export interface EcsState {
  readonly clusters: ReadonlyMap<string, ClusterRecord>;
  /** In the order of registration within each family. */
  readonly definitions: ReadonlyMap<string, TaskDefinitionRecord>;
  readonly services: ReadonlyMap<string, EcsServiceRecord>;
  /**
   * Runs `plan` on the present state and resolves to its result once its changes are durable. A plan runs again if another
   * replica was faster. Rejects with ServiceUnavailable if the changes cannot be stored, and then nothing has changed.
   */
  mutate<Result>(plan: () => EcsPlan<Result>): Promise<Result>;
  /** Reads the record anew, which another replica may have written. Rejects with ServiceUnavailable if it cannot be read. */
  refresh(collection: EcsChange['collection'], key: string): Promise<void>;
  /** Calls the listener after a record has changed, here or in another replica. */
  onChange(listener: (change: EcsChange) => void): void;
  /** The reason why requests cannot be answered yet. */
  notReady(): string | undefined;
}

/** The records themselves. */
export class EcsTables {
  readonly clusters = new Map<string, ClusterRecord>();
  readonly definitions = new Map<string, TaskDefinitionRecord>();
  readonly services = new Map<string, EcsServiceRecord>();
  readonly #listeners: ((change: EcsChange) => void)[] = [];

  onChange(listener: (change: EcsChange) => void): void {
    this.#listeners.push(listener);
  }

  tell(changes: readonly EcsChange[]): void {
    for (const change of changes) for (const listener of this.#listeners) listener(change);
  }

  /** Makes the change and returns the one that undoes it. */
  put(change: EcsChange): EcsChange {
    switch (change.collection) {
      case 'cluster':
        return { ...change, value: exchange(this.clusters, change.key, change.value) };
      case 'definition':
        return { ...change, value: exchange(this.definitions, change.key, change.value) };
      case 'service':
        return { ...change, value: exchange(this.services, change.key, change.value) };
    }
  }

  get({ collection, key }: EcsChange): EcsChange['value'] {
    const tables = { cluster: this.clusters, definition: this.definitions, service: this.services };
    return tables[collection].get(key);
  }
}

function exchange<Value>(table: Map<string, Value>, key: string, value: Value | undefined): Value | undefined {
  const before = table.get(key);
  if (value === undefined) table.delete(key);
  else table.set(key, value);
  return before;
}
