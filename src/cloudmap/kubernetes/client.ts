// Reading and writing Cloud Map's objects in one namespace of a cluster.

import { type Fields, fields, list } from '../../sources/kubernetes/kinds/objects.ts';
import { ApiError, type ApiServer } from '../../sources/kubernetes/watch/api-server.ts';
import { type HeldObject, readHeldObject } from './held-object.ts';
import type { Resource } from './mirror.ts';

export interface ObjectClient {
  /** Rejects with ApiError 409 where the name is taken. */
  create(resource: Resource, object: object): Promise<HeldObject>;
  /** Rejects with ApiError 409 where the object's resourceVersion is not the present one, 404 where it is gone. */
  replace(resource: Resource, name: string, object: object): Promise<HeldObject>;
  /** undefined: there is none. */
  get(resource: Resource, name: string): Promise<HeldObject | undefined>;
  /** Of one object: what is there, whoever wrote it. */
  raw(resource: Resource, name: string): Promise<Fields | undefined>;
  list(resource: Resource, labelSelector: string): Promise<HeldObject[]>;
  /** Exactly this version of the object; none is fine, too. Rejects with ApiError 409 where it changed. */
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
