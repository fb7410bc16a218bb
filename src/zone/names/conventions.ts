// What differs between services by where they come from.
import type { Service } from '../../registry/model.ts';

/** Kubernetes and Cloud Map name endpoints and SRV records differently; static services follow Cloud Map. */
export function isOfKubernetes(service: Service): boolean {
  return service.source.startsWith('kubernetes');
}

/** CNAME is published only where asked for: it suffers nothing beside it. */
export function publishes(service: Service, type: 'A' | 'AAAA' | 'SRV' | 'CNAME'): boolean {
  return service.recordTypes === undefined ? type !== 'CNAME' : service.recordTypes.includes(type);
}
