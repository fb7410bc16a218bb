// Which Cloud Map services a task belongs to, and under which id: the tasks of all clusters, stated to the registry as
// groups of the services that registered instances are in, too.

import type { State } from '../cloudmap/cloud-map-state.ts';
import { serviceKey } from '../cloudmap/publish-cloud-map.ts';
import { idOf, parseInstanceKey, type StoreChange } from '../cloudmap/records.ts';
import type { Registry } from '../registry/registry.ts';
import type { ServiceRegistry } from '../taskdef/deployment.ts';
import { type TaskStatement, taskInstance } from './task-instance.ts';

export interface TaskBook {
  /** All that a cluster says of one pod; undefined: it is no running task any more. */
  replace(key: string, statement: TaskStatement | undefined): void;
  /** Cloud Map services or registered instances changed. */
  changed(changes: readonly StoreChange[]): void;
  counts(): { readonly tasks: number; readonly unplaced: number; readonly namesakes: number };
}

interface Entry {
  readonly key: string;
  statement: TaskStatement;
  /** Cloud Map service id → the registry that named it, if one did. */
  places: ReadonlyMap<string, ServiceRegistry | undefined>;
}

export function createTaskBook(
  state: Pick<State, 'services' | 'instancesOf'>,
  registry: Pick<Registry, 'replaceGroup' | 'removeGroup'>,
): TaskBook {
  const entries = new Map<string, Entry>();
  /** "<service id>/<pod name>" → those that would have that id. */
  const claims = new Map<string, Set<Entry>>();

  let byName: ReadonlyMap<string, readonly string[]> | undefined;
  const claimKey = (serviceId: string, { statement }: Entry) => `${serviceId}/${statement.task.name}`;

  /** The Cloud Map services that a task names: by ARN, else the only one of its service's name. */
  function placesOf({ task }: TaskStatement): Entry['places'] {
    if (task.registries.length > 0) return new Map(task.registries.map((one) => [idOf(one.registryArn), one]));
    if (task.service === undefined) return NOWHERE;
    byName ??= servicesByName(state);
    const named = byName.get(task.service.toLowerCase()) ?? [];
    return named.length === 1 ? new Map([[named[0]!, undefined]]) : NOWHERE;
  }

  function place(entry: Entry, places: Entry['places']): void {
    const left = [...entry.places.keys()].filter((serviceId) => !places.has(serviceId));
    entry.places = places;
    for (const serviceId of left) leave(serviceId, entry);
    for (const serviceId of places.keys()) {
      const key = claimKey(serviceId, entry);
      const others = claims.get(key);
      claims.set(key, (others ?? new Set()).add(entry));
      if (others === undefined || others.size === 1) publish(serviceId, entry, idFor(serviceId, entry, 0));
      else settle(serviceId, key);
    }
  }

  function leave(serviceId: string, entry: Entry): void {
    const key = claimKey(serviceId, entry);
    registry.removeGroup(groupKey(serviceId, entry));
    claims.get(key)?.delete(entry);
    if (claims.get(key)?.size === 0) claims.delete(key);
    else settle(serviceId, key);
  }

  /** All that claim one id: the oldest pod has it, the others keep theirs apart by their uids. */
  function settle(serviceId: string, key: string): void {
    const claimants = [...(claims.get(key) ?? [])].sort(olderFirst);
    claimants.forEach((entry, rank) => {
      publish(serviceId, entry, idFor(serviceId, entry, rank));
    });
  }

  /** What was registered through the API comes before any pod. */
  function idFor(serviceId: string, { statement: { task } }: Entry, rank: number): string {
    const isTaken = rank > 0 || state.instancesOf(serviceId).has(task.name);
    if (!isTaken && task.name.length <= MAX_ID) return task.name;
    const apart = `${task.name}@${task.uid.slice(0, 8)}`;
    return isTaken && apart.length <= MAX_ID ? apart : task.uid;
  }

  function publish(serviceId: string, entry: Entry, id: string): void {
    const instance = taskInstance(entry.statement, id, entry.places.get(serviceId));
    registry.replaceGroup(groupKey(serviceId, entry), serviceKey(serviceId), [instance]);
  }

  return {
    replace(key, statement) {
      const entry = entries.get(key);
      if (statement === undefined) {
        entries.delete(key);
        if (entry !== undefined) place(entry, NOWHERE);
        return;
      }
      const fresh = entry ?? { key, statement, places: NOWHERE };
      fresh.statement = statement;
      entries.set(key, fresh);
      place(fresh, placesOf(statement));
    },
    changed(changes) {
      if (changes.some(({ collection }) => collection === 'service')) {
        byName = undefined;
        for (const entry of entries.values())
          if (entry.statement.task.registries.length === 0) place(entry, placesOf(entry.statement));
      }
      for (const { collection, key } of changes)
        if (collection === 'instance' && claims.has(key)) settle(parseInstanceKey(key).serviceId, key);
    },
    counts() {
      const unplaced = [...entries.values()].filter(({ places }) => places.size === 0).length;
      const namesakes = [...claims.values()].reduce((sum, { size }) => sum + size - 1, 0);
      return { tasks: entries.size, unplaced, namesakes };
    },
  };
}

/** As long as Cloud Map's instance ids may be. */
const MAX_ID = 64;
const NOWHERE: Entry['places'] = new Map();

const groupKey = (serviceId: string, { key }: Entry): string => `${key}/${serviceId}`;

function olderFirst(one: Entry, other: Entry): number {
  const byAge = one.statement.task.createdMs - other.statement.task.createdMs;
  return byAge !== 0 ? byAge : one.key < other.key ? -1 : 1;
}

/** Names, lower case and as long as a label can say them, → ids. */
function servicesByName({ services }: Pick<State, 'services'>): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const { id, name } of services.values()) {
    const label = name.toLowerCase().slice(0, 63);
    ids.set(label, [...(ids.get(label) ?? []), id]);
  }
  return ids;
}
