// Reading and writing Cloud Map's objects in one namespace of a cluster.
import type { Clock } from '../../clock.ts';
import { ApiError, type ApiServer } from '../../sources/kubernetes/api/api-server.ts';
import type { ConflictTimes } from '../../sources/kubernetes/api/conflicts.ts';
import { type Fields, fields, list, optionalFields, timeMs } from '../../sources/kubernetes/api/objects.ts';
import type { StoreChange } from '../records.ts';
import { DELETING, type HeldObject, readHeldObject } from './held-object.ts';
import type { Mirror, Resource } from './object-mirror.ts';

export interface ObjectClient {
  /** Rejects with ApiError 409 if the name is taken. */
  create(resource: Resource, object: object): Promise<HeldObject>;
  /** Rejects with ApiError 409 if the object's resourceVersion is outdated, 404 if it is gone. */
  replace(resource: Resource, name: string, object: object): Promise<HeldObject>;
  /** undefined: no such object. */
  get(resource: Resource, name: string): Promise<HeldObject | undefined>;
  /** The object as it is, whoever wrote it. */
  raw(resource: Resource, name: string): Promise<Fields | undefined>;
  list(resource: Resource, labelSelector: string): Promise<HeldObject[]>;
  /** Deletes this version of the object, if it still exists. Rejects with ApiError 409 if it changed. */
  delete(resource: Resource, object: HeldObject): Promise<void>;
}

export const groupVersionPath = (resource: Resource): string =>
  resource === 'endpointslices' ? '/apis/discovery.k8s.io/v1' : '/api/v1';

export function createObjectClient(server: ApiServer, namespace: string, signal: AbortSignal): ObjectClient {
  const path = (resource: Resource, name = '') =>
    `${groupVersionPath(resource)}/namespaces/${encodeURIComponent(namespace)}/${resource}${name && `/${encodeURIComponent(name)}`}`;

  async function raw(resource: Resource, name: string): Promise<Fields | undefined> {
    try {
      return await server.exchange('GET', path(resource, name), undefined, signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  return {
    raw,
    create: async (resource, object) => readHeldObject(await server.exchange('POST', path(resource), object, signal)),
    replace: async (resource, name, object) =>
      readHeldObject(await server.exchange('PUT', path(resource, name), object, signal)),
    async get(resource, name) {
      const object = await raw(resource, name);
      return object && readHeldObject(object);
    },
    async list(resource, labelSelector) {
      const query = new URLSearchParams({ labelSelector });
      const answer = await server.exchange('GET', `${path(resource)}?${query}`, undefined, signal);
      return list(answer.items, 'items').map((item) => readHeldObject(fields(item, 'item')));
    },
    async delete(resource, { name, uid, raw: object }) {
      const { resourceVersion } = fields(object.metadata, 'metadata');
      const options = { preconditions: { uid, resourceVersion } };
      try {
        await server.exchange('DELETE', path(resource, name), options, signal);
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      }
    },
  };
}

export interface WriteContext extends ConflictTimes {
  readonly mirror: Mirror;
  readonly client: ObjectClient;
  /** Takes in an object of a response; undefined: there was none. */
  readonly take: (object: HeldObject | undefined) => void;
  /** Takes in records that may have changed. */
  readonly feed: (changes: readonly StoreChange[]) => void;
}

/** Another replica changed the same records at the same time. A retry sees the new state. */
export class WriteConflict extends Error {
  override readonly name = 'WriteConflict';
}

/** A deletion that takes longer never ends: its replica died. */
const DELETION_MS = 60_000;

/** Whether a replica is deleting the object right now. */
export function isMarked(object: HeldObject, clock: Clock): boolean {
  const annotations = optionalFields(fields(object.raw.metadata, 'metadata').annotations, 'annotations');
  const sinceMs = timeMs(annotations[DELETING]);
  return sinceMs !== undefined && clock.now() - sinceMs < DELETION_MS;
}
