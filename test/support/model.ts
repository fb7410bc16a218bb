// Short ways to state services, instances and facts in tests.
import type { Fact, FactSource, Instance, Service, ServicePolicy, Status } from '../../src/registry/model.ts';

export const POLICY: ServicePolicy = {
  whenAllUnhealthy: 'nodata',
  unknown: 'answer',
  publishNotReady: false,
  maxAnswers: 0,
  routing: 'multivalue',
};

export function service(name: string, more: Partial<Service> = {}): Service {
  return {
    key: `static/test.local./default/${name}`,
    source: 'static',
    zone: 'test.local.',
    namespace: 'default',
    name,
    names: ['{service}'],
    ttlSeconds: 5,
    policy: POLICY,
    kind: 'instances',
    ports: [],
    ...more,
  };
}

export function instance(id: string, address: string, more: Partial<Instance> = {}): Instance {
  return { id, addresses: [address], ports: [], weight: 1, attributes: {}, subjects: [], facts: [], ...more };
}

/** "HEALTHY", said by a check at time 0 unless told otherwise. */
export function fact(status: Status, source: FactSource = 'check', more: Partial<Fact> = {}): Fact {
  return { source, status, reason: `${source} says ${status}`, sinceMs: 0, ...more };
}
