// Finding what a request names, or the error it gets.
import type { Api, DiscoveredInstance } from './api.ts';
import { CloudMapError } from './errors.ts';
import { idOf } from './ids.ts';
import type { InstanceRecord, NamespaceRecord, ServiceRecord } from './model.ts';

export function namespaceOf({ state }: Api, idOrArn: string): NamespaceRecord {
  const namespace = state.namespaces.get(idOf(idOrArn));
  if (namespace === undefined) throw new CloudMapError('NamespaceNotFound', `no namespace with id ${idOrArn}`);
  return namespace;
}

export function serviceOf({ state }: Api, idOrArn: string): ServiceRecord {
  const service = state.services.get(idOf(idOrArn));
  if (service === undefined) throw new CloudMapError('ServiceNotFound', `no service with id ${idOrArn}`);
  return service;
}

/** A service by the names of its namespace and itself, as DiscoverInstances asks. */
export function serviceByName(
  { state }: Api,
  namespaceName: string,
  serviceName: string,
): [NamespaceRecord, ServiceRecord] {
  const wanted = canonicalName(namespaceName);
  const namespaces = [...state.namespaces.values()].filter(({ name }) => canonicalName(name) === wanted);
  if (namespaces.length === 0) throw new CloudMapError('NamespaceNotFound', `no namespace named ${namespaceName}`);
  for (const namespace of namespaces) {
    const service = state.serviceNamed(namespace.id, serviceName);
    if (service !== undefined) return [namespace, service];
  }
  throw new CloudMapError('ServiceNotFound', `no service named ${serviceName} in namespace ${namespaceName}`);
}

export function instanceOf(api: Api, service: ServiceRecord, instanceId: string): InstanceRecord {
  const instance = api.state.instancesOf(service.id).get(instanceId);
  if (instance === undefined)
    throw new CloudMapError('InstanceNotFound', `service ${service.id} has no instance ${instanceId}`);
  return instance;
}

/** Lower case, no trailing dot: domain names that are the same compare equal. */
export const canonicalName = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** Every instance of a service: the registered ones, then those seen in a cluster whose id is not registered. */
export function* allInstances(api: Api, service: ServiceRecord): Iterable<DiscoveredInstance> {
  const registered = api.state.instancesOf(service.id);
  yield* registered.values();
  for (const instance of api.health.discovered(service)) if (!registered.has(instance.id)) yield instance;
}
