// A shortcut for large services, and the only one: their endpoints, with the names and records made from each alone, are
// kept from one compilation to the next. Where one endpoint of 10,000 changes, the others are the same objects as before,
// which need neither be made nor hashed nor looked up. bench/RESULTS.md, "Longest turns of the control plane": a changed
// endpoint costs 15 ms, without this 70.
import type { WireName } from '../../dns/name.ts';
import type { InstanceState, Service, ServiceState } from '../../registry/model.ts';
import type { Endpoint, EndpointsOfInstance } from './endpoint.ts';
import type { PublishedName } from './published-name.ts';

/** Holds as long as the service is stated the same and published in the same places. */
interface Origin {
  readonly service: Service;
  readonly zone: WireName;
  readonly reverseZones: readonly WireName[];
}

export class KeptService {
  readonly origin: Origin;
  readonly bases: readonly WireName[];
  /** In the order of the service's. */
  private states: readonly InstanceState[] = [];
  private made: readonly EndpointsOfInstance[] = [];
  private hasSharedAddresses = false;
  /** The names that the publication has claimed last, in order. */
  claimed: readonly PublishedName[] = [];

  constructor(origin: Origin, bases: readonly WireName[]) {
    this.origin = origin;
    this.bases = bases;
  }

  /** The endpoints of a service; `make` is called for the instances that are new or changed. */
  endpointsOf(service: ServiceState, make: (state: InstanceState) => EndpointsOfInstance): Endpoint[] {
    const mayDiffer = this.hasSharedAddresses || service.sharedAddresses.size > 0;
    const isSame = ({ statement, weight, endpoints }: EndpointsOfInstance, state: InstanceState) =>
      statement === state.statement &&
      weight === state.weight &&
      (!mayDiffer || endpoints.every(({ address, slot }) => service.slotFor(state, address) === slot));
    const states: InstanceState[] = [];
    const made: EndpointsOfInstance[] = [];
    const endpoints: Endpoint[] = [];
    let next = 0;
    for (const state of service.instances.values()) {
      const at = findAhead(this.states, next, state);
      if (at >= 0) next = at + 1;
      const one = at >= 0 && isSame(this.made[at], state) ? this.made[at] : make(state);
      // Problems of an instance are reported at each compilation.
      if (one.isWhole) {
        states.push(state);
        made.push(one);
      }
      for (const endpoint of one.endpoints) endpoints.push(endpoint);
    }
    this.states = states;
    this.made = made;
    this.hasSharedAddresses = service.sharedAddresses.size > 0;
    return endpoints;
  }

  clear(): void {
    this.states = [];
    this.made = [];
    this.claimed = [];
  }
}

/** Maximum number of deleted items that are skipped; beyond it, the rest is created again. */
const MOST_GONE = 32;

/** Position of the item if it comes next in an ordered list, or soon after; -1: it does not. */
export function findAhead<Item>(items: readonly Item[], next: number, item: Item): number {
  const end = Math.min(items.length, next + MOST_GONE);
  for (let at = next; at < end; at++) if (items[at] === item) return at;
  return -1;
}

const SMALLEST = 256;
/** Maximum for all services together, at about a kilobyte each. */
const MAX_INSTANCES = 20_000;

export class KeptServices {
  /** By key; the one compiled last is last. */
  private readonly services = new Map<string, { readonly kept: KeptService; readonly size: number }>();
  private readonly smallest: number;
  private instances = 0;

  /** `smallest`: services with fewer instances are compiled from scratch each time. */
  constructor(smallest = SMALLEST) {
    this.smallest = smallest;
  }

  find(key: string, { service, zone, reverseZones }: Origin): KeptService | undefined {
    const kept = this.services.get(key)?.kept;
    const isSame =
      kept?.origin.service === service && kept.origin.zone === zone && kept.origin.reverseZones === reverseZones;
    return isSame ? kept : undefined;
  }

  isWorthKeeping({ instances: { size } }: ServiceState): boolean {
    return size >= this.smallest && size <= MAX_INSTANCES;
  }

  /** Makes room by dropping the services that were compiled longest ago. */
  keep({ key, instances: { size } }: ServiceState, kept: KeptService): void {
    if (this.services.get(key)?.kept === kept) this.release(key);
    else this.forget(key);
    this.services.set(key, { kept, size });
    this.instances += size;
    for (const other of this.services.keys()) if (this.instances > MAX_INSTANCES) this.forget(other);
  }

  forget(key: string): void {
    this.services.get(key)?.kept.clear();
    this.release(key);
  }

  private release(key: string): void {
    this.instances -= this.services.get(key)?.size ?? 0;
    this.services.delete(key);
  }
}
