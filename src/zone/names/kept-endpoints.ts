// The endpoints of large services from one compilation to the next, with the plans and records that were made of them: where
// one of 10,000 changes, the others are the same objects as before. Small services are compiled anew each time.
import type { WireName } from '../../dns/name.ts';
import type { Service } from '../../registry/model.ts';
import type { InstanceState, ServiceState } from '../../registry/registry.ts';
import type { Endpoint } from './endpoint.ts';

/** What holds as long as the service says the same and is published in the same places. */
export interface KeptService {
  readonly service: Service;
  readonly zone: WireName;
  readonly reverseZones: readonly WireName[];
  readonly bases: readonly WireName[];
  /** In the order of the service's. */
  instances: readonly KeptInstance[];
  /** Some address had a slot of its own. */
  hasSharedAddresses: boolean;
}

export interface KeptInstance {
  readonly state: InstanceState;
  readonly statement: object;
  readonly weight: number;
  readonly endpoints: readonly Endpoint[];
  /** Nothing of it is left out. */
  readonly isWhole: boolean;
}

export interface KeptEndpoints {
  find(key: string, made: Pick<KeptService, 'service' | 'zone' | 'reverseZones'>): KeptService | undefined;
  /** Whether the service is large enough to be worth it, and not too large. */
  takes(state: ServiceState): boolean;
  /** Keeps a service, if it takes it; forgets those that were compiled longest ago. */
  keep(state: ServiceState, kept: KeptService): void;
  forget(key: string): void;
}

const SMALLEST = 256;
/** About a kilobyte each, all services together. */
const MAX_INSTANCES = 20_000;

export function createKeptEndpoints(smallest = SMALLEST, maxInstances = MAX_INSTANCES): KeptEndpoints {
  /** By key; what was compiled last is last. */
  const services = new Map<string, { readonly kept: KeptService; readonly size: number }>();
  let instances = 0;

  const takes = ({ instances: { size } }: ServiceState) => size >= smallest && size <= maxInstances;
  function forget(key: string): void {
    instances -= services.get(key)?.size ?? 0;
    services.delete(key);
  }

  return {
    takes,
    find(key, { service, zone, reverseZones }) {
      const known = services.get(key)?.kept;
      const isSame = known?.service === service && known.zone === zone && known.reverseZones === reverseZones;
      return isSame ? known : undefined;
    },
    keep(state, kept) {
      forget(state.key);
      if (!takes(state)) return;
      const { size } = state.instances;
      services.set(state.key, { kept, size });
      instances += size;
      for (const key of services.keys()) if (instances > maxInstances) forget(key);
    },
    forget,
  };
}

/** So many instances that are gone are passed over; what comes after more is made anew. */
const MOST_GONE = 32;

/** Finds what was kept of instances that are asked for in the order of their service. */
export function keptInOrder({ instances, hasSharedAddresses }: KeptService, service: ServiceState) {
  const mayDiffer = hasSharedAddresses || service.sharedAddresses.size > 0;
  let next = 0;

  const isSame = ({ statement, weight, endpoints }: KeptInstance, state: InstanceState): boolean =>
    statement === state.statement &&
    weight === state.weight &&
    (!mayDiffer || endpoints.every(({ address, slot }) => service.slotFor(state, address) === slot));

  /** undefined where there is nothing, or what was made then would be another now. */
  return (state: InstanceState): KeptInstance | undefined => {
    for (let at = next; at < Math.min(instances.length, next + MOST_GONE); at++) {
      if (instances[at].state !== state) continue;
      next = at + 1;
      return isSame(instances[at], state) ? instances[at] : undefined;
    }
    return undefined;
  };
}
