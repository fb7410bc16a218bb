// The services of zones.yaml → the registry.

import type { StaticInstance, StaticService, ZoneConfig } from '../config/config.ts';
import type { Instance, ServicePort } from '../registry/model.ts';
import { STATIC_SERVICE } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';

type Stated = Pick<Registry, 'replaceService' | 'removeService' | 'replaceGroup' | 'removeGroup'>;

/**
 * Applies the services of a zone's configuration, and withdraws those that only `previous` contains, the same zone in the
 * previous configuration. `zone` undefined: the zone was removed. Throws RegistryLimitError.
 */
export function stateStaticServices(zone: ZoneConfig | undefined, registry: Stated, previous?: ZoneConfig): void {
  const keys = new Set(zone?.services.map((service) => staticServiceKey(zone, service)));
  for (const service of previous?.services ?? []) {
    const key = staticServiceKey(previous as ZoneConfig, service);
    if (keys.has(key)) continue;
    registry.removeGroup(key);
    registry.removeService(key);
  }
  if (zone !== undefined) for (const service of zone.services) stateService(zone, service, registry);
}

function staticServiceKey(zone: ZoneConfig, { namespace, name }: StaticService): string {
  return STATIC_SERVICE.format(zone.name, namespace, name);
}

function stateService(zone: ZoneConfig, service: StaticService, registry: Stated): void {
  const { instances, ...stated } = service;
  const key = staticServiceKey(zone, service);
  registry.replaceService({ ...stated, key, source: 'static', zone: zone.name, kind: 'instances' });
  const stating = instances.map((instance) => instanceOf(instance, service.ports));
  registry.replaceGroup(key, key, stating);
}

/** An instance with its own port serves every port of the service there. */
function instanceOf(instance: StaticInstance, named: readonly ServicePort[]): Instance {
  const { id, ipv4, ipv6, port, weight, attributes, healthCheck } = instance;
  const addresses = [ipv4, ipv6].filter((address) => address !== undefined);
  const names: readonly ServicePort[] = named.length > 0 ? named : [{ name: '', protocol: 'tcp', port: 0 }];
  const ports = port === undefined ? [] : names.map((each) => ({ ...each, port }));
  return { id, addresses, ports, weight, attributes, healthCheck, subjects: [], facts: [] };
}
