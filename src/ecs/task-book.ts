// The Cloud Map services that each task belongs to, and its instance id there. Tasks of all sources become groups of the
// services that also hold registered instances.
import type { State } from '../cloudmap/cloud-map-state.ts';
import { serviceKey } from '../cloudmap/publish-cloud-map.ts';
import { idOf, parseInstanceKey, type StoreChange } from '../cloudmap/records.ts';
import type { Registry } from '../registry/registry.ts';
import type { ServiceRegistry } from '../taskdef/deployment.ts';
import { type TaskStatement, taskInstance } from './task-instance.ts';

interface Entry {
  readonly key: string;
  statement: TaskStatement;
  /** As published. */
  weight: number;
  /** Cloud Map service id → the registry that refers to it, if one does. */
  places: ReadonlyMap<string, ServiceRegistry | undefined>;
}

export class TaskBook {
  readonly #state: Pick<State, 'services' | 'instancesOf'>;
  readonly #registry: Pick<Registry, 'replaceGroup' | 'removeGroup'>;
  readonly #entries = new Map<string, Entry>();
  /** "<service id>/<task name>" → the tasks that would have that id. */
  readonly #claims = new Map<string, Set<Entry>>();
  /** The weight of a task that has none of its own. */
  #weightOf: (task: TaskStatement['task']) => number = () => 1;
  #idsByName: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(
    state: Pick<State, 'services' | 'instancesOf'>,
    registry: Pick<Registry, 'replaceGroup' | 'removeGroup'>,
  ) {
    this.#state = state;
    this.#registry = registry;
  }

  /** The state of one task according to a source; undefined: it no longer runs. */
  replace(key: string, statement: TaskStatement | undefined): void {
    const known = this.#entries.get(key);
    if (statement === undefined) {
      this.#entries.delete(key);
      if (known !== undefined) this.#place(known, NOWHERE);
      return;
    }
    const entry = known ?? { key, statement, weight: 1, places: NOWHERE };
    entry.statement = statement;
    this.#entries.set(key, entry);
    this.#place(entry, this.#placesOf(statement));
  }

  /** Weights of tasks, according to the ECS API. */
  setWeights(weightOf: (task: TaskStatement['task']) => number): void {
    this.#weightOf = weightOf;
  }

  /** Weights may have changed; returns whether one has. */
  weigh(): boolean {
    const changed = [...this.#entries.values()].filter((entry) => this.#weight(entry) !== entry.weight);
    for (const entry of changed) this.#place(entry, entry.places);
    return changed.length > 0;
  }

  /** All sources have been removed. */
  clear(): void {
    for (const key of [...this.#entries.keys()]) this.replace(key, undefined);
  }

  /** Cloud Map services or registered instances changed. */
  changed(changes: readonly StoreChange[]): void {
    if (changes.some(({ collection }) => collection === 'service')) {
      this.#idsByName = undefined;
      for (const entry of this.#entries.values())
        if (entry.statement.task.registries.length === 0) this.#place(entry, this.#placesOf(entry.statement));
    }
    for (const { collection, key } of changes)
      if (collection === 'instance' && this.#claims.has(key)) this.#settle(parseInstanceKey(key).serviceId, key);
  }

  counts(): { readonly tasks: number; readonly unplaced: number; readonly namesakes: number } {
    const unplaced = [...this.#entries.values()].filter(({ places }) => places.size === 0).length;
    const namesakes = [...this.#claims.values()].reduce((sum, { size }) => sum + size - 1, 0);
    return { tasks: this.#entries.size, unplaced, namesakes };
  }

  /** The Cloud Map services that a task refers to: by ARN, else the only one with its service's name. */
  #placesOf({ task }: TaskStatement): Entry['places'] {
    if (task.registries.length > 0) return new Map(task.registries.map((one) => [idOf(one.registryArn), one]));
    if (task.service === undefined) return NOWHERE;
    this.#idsByName ??= serviceIdsByName(this.#state);
    const named = this.#idsByName.get(task.service.toLowerCase()) ?? [];
    return named.length === 1 ? new Map([[named[0]!, undefined]]) : NOWHERE;
  }

  #place(entry: Entry, places: Entry['places']): void {
    const left = [...entry.places.keys()].filter((serviceId) => !places.has(serviceId));
    entry.places = places;
    for (const serviceId of left) this.#leave(serviceId, entry);
    for (const serviceId of places.keys()) {
      const key = claimKey(serviceId, entry);
      const others = this.#claims.get(key);
      this.#claims.set(key, (others ?? new Set()).add(entry));
      if (others === undefined || others.size === 1) this.#publish(serviceId, entry, this.#idFor(serviceId, entry, 0));
      else this.#settle(serviceId, key);
    }
  }

  #leave(serviceId: string, entry: Entry): void {
    const key = claimKey(serviceId, entry);
    this.#registry.removeGroup(groupKey(serviceId, entry));
    this.#claims.get(key)?.delete(entry);
    if (this.#claims.get(key)?.size === 0) this.#claims.delete(key);
    else this.#settle(serviceId, key);
  }

  /** Of all tasks that claim one id, the oldest gets it; the uids tell the others apart. */
  #settle(serviceId: string, key: string): void {
    const claimants = [...(this.#claims.get(key) ?? [])].sort(olderFirst);
    for (const [rank, entry] of claimants.entries())
      this.#publish(serviceId, entry, this.#idFor(serviceId, entry, rank));
  }

  /** Instances registered through the API take precedence over tasks. */
  #idFor(serviceId: string, { statement: { task } }: Entry, rank: number): string {
    const isTaken = rank > 0 || this.#state.instancesOf(serviceId).has(task.name);
    if (!isTaken && task.name.length <= MAX_ID) return task.name;
    const apart = `${task.name}@${task.uid.slice(0, 8)}`;
    return isTaken && apart.length <= MAX_ID ? apart : task.uid;
  }

  #weight({ statement: { task } }: Entry): number {
    return task.weight ?? this.#weightOf(task);
  }

  #publish(serviceId: string, entry: Entry, id: string): void {
    entry.weight = this.#weight(entry);
    const instance = taskInstance(entry.statement, id, entry.places.get(serviceId), entry.weight);
    this.#registry.replaceGroup(groupKey(serviceId, entry), serviceKey(serviceId), [instance]);
  }
}

/** The longest instance id that Cloud Map allows. */
const MAX_ID = 64;
const NOWHERE: Entry['places'] = new Map();

const claimKey = (serviceId: string, { statement }: Entry): string => `${serviceId}/${statement.task.name}`;
const groupKey = (serviceId: string, { key }: Entry): string => `${key}/${serviceId}`;

function olderFirst(one: Entry, other: Entry): number {
  const byAge = one.statement.task.createdMs - other.statement.task.createdMs;
  return byAge !== 0 ? byAge : one.key < other.key ? -1 : 1;
}

/** Lower-case names, cut to the length of a label, → ids. */
function serviceIdsByName({ services }: Pick<State, 'services'>): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const { id, name } of services.values()) {
    const label = name.toLowerCase().slice(0, 63);
    ids.set(label, [...(ids.get(label) ?? []), id]);
  }
  return ids;
}
