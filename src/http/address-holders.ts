// The holders of an address: instances, pods and cluster IPs.
import type { InstanceState } from '../registry/model.ts';
import { publishedName } from '../registry/published-name.ts';
import { lastPart, POD } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';

export interface AddressHolder {
  /** The service's key. */
  readonly service: string;
  /** The first name that it is published under. */
  readonly name: string;
  readonly as: 'cluster IP' | 'instance' | 'pod';
  /** Of an instance. */
  readonly instance?: string;
  readonly answered?: boolean;
  readonly reason?: string;
}

const MAX_HOLDERS = 20;

export function holdersOf(
  address: string,
  registry: Pick<Registry, 'service' | 'services' | 'podAddresses'>,
): readonly AddressHolder[] {
  const holders: AddressHolder[] = [];
  for (const state of registry.services()) {
    const { service, key } = state;
    if (service === undefined) continue;
    if (holders.length >= MAX_HOLDERS) break;
    const name = publishedName(service);
    if (service.clusterIps?.includes(address)) holders.push({ service: key, name, as: 'cluster IP' });
    for (const instance of instancesWith(address, state.instances.values())) {
      const { verdict } = instance;
      const { answered, reason } = verdict;
      holders.push({ service: key, name, as: 'instance', instance: instance.instance.id, answered, reason });
    }
  }
  return [...holders, ...podsWith(address, registry)].slice(0, MAX_HOLDERS);
}

/** Of `pods: verified`: they have names below their namespace. */
function podsWith(address: string, registry: Pick<Registry, 'service' | 'podAddresses'>): AddressHolder[] {
  const holders: AddressHolder[] = [];
  for (const { subject, namespaceKey, address: own } of registry.podAddresses()) {
    const service = own === address ? registry.service(namespaceKey)?.service : undefined;
    if (service === undefined) continue;
    const name = publishedName(service);
    holders.push({ service: namespaceKey, name, as: 'pod', instance: lastPart(subject), answered: true });
  }
  return holders;
}

/** The namespace and zone of the pod with this address. */
export function podWith(
  address: string,
  registry: Pick<Registry, 'services'>,
): { readonly pod: string; readonly namespace: string; readonly zone: string } | undefined {
  for (const { service, instances } of registry.services()) {
    if (service === undefined) continue;
    for (const { instance } of instancesWith(address, instances.values())) {
      for (const subject of instance.subjects) {
        const pod = POD.parse(subject);
        if (pod !== undefined) return { pod: pod.name, namespace: pod.namespace, zone: service.zone };
      }
    }
  }
  return undefined;
}

function* instancesWith(address: string, instances: Iterable<InstanceState>): Generator<InstanceState> {
  for (const state of instances) if (state.addresses.includes(address)) yield state;
}
