import * as v from 'valibot';
import type { Api } from '../api.ts';
import { CloudMapError } from '../errors.ts';
import { maxResults, nextToken, read, resourceId } from '../input.ts';
import { page } from '../listing.ts';
import { allInstances, instanceOf, serviceOf } from '../lookup.ts';
import { instanceKey } from '../model.ts';

const statusInput = v.object({
  ServiceId: resourceId,
  Instances: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.minLength(1), v.maxLength(1000))),
  MaxResults: maxResults,
  NextToken: nextToken,
});

/** HEALTHY, UNHEALTHY or UNKNOWN of each instance: the same verdict that DNS answers by. */
export function getInstancesHealthStatus(api: Api, input: unknown): object {
  const request = read(statusInput, input);
  const service = serviceOf(api, request.ServiceId);
  const ids = [...allInstances(api, service)].map(({ id }) => id);
  const known = new Set(ids);
  const missing = request.Instances?.find((id) => !known.has(id));
  if (missing !== undefined)
    throw new CloudMapError('InstanceNotFound', `service ${service.id} has no instance ${missing}`);
  const statuses = api.health.statusesOf(service);
  const { items, nextToken: token } = page(request.Instances ?? ids, (id) => id, request);
  return { Status: Object.fromEntries(items.map((id) => [id, statuses.get(id) ?? 'UNKNOWN'])), NextToken: token };
}

const updateInput = v.object({
  ServiceId: resourceId,
  InstanceId: v.pipe(v.string(), v.maxLength(64)),
  Status: v.picklist(['HEALTHY', 'UNHEALTHY']),
});

/** Takes effect at once; AWS waits about 30 seconds. */
export function updateInstanceCustomHealthStatus(api: Api, input: unknown): Promise<object> {
  const { ServiceId, InstanceId, Status } = read(updateInput, input);
  return api.state.mutate(() => {
    const service = serviceOf(api, ServiceId);
    const instance = instanceOf(api, service, InstanceId);
    if (!service.customHealth)
      throw new CloudMapError('CustomHealthNotFound', `service ${service.name} has no HealthCheckCustomConfig`);
    if (instance.customStatus?.status === Status) return { changes: [], result: {} };
    const value = { ...instance, customStatus: { status: Status, sinceMs: api.clock.now() } };
    return { changes: [{ collection: 'instance', key: instanceKey(service.id, InstanceId), value }], result: {} };
  });
}
