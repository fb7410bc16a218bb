// Large services are published in parts: some hundred instances each, which are owners of names like a service. What changes is
// compiled, compared and sent by part, and no turn of the event loop takes longer for a service of 10,000 instances. An instance
// belongs to a part by its slot: nothing needs to be kept of that, and instances that came together are in one part.
import type { InstanceState, ServiceState } from '../../registry/model.ts';
import { partKey, serviceKeyOf } from './owner.ts';

/** Services with fewer instances are published whole. */
const SPLIT_FROM = 256;
const SLOT_BITS = 7;

const bucketOf = ({ slot }: InstanceState): number => slot >> SLOT_BITS;

export class SplitServices {
  private readonly splitFrom: number;
  /** By key: the buckets of instances that may have published names. */
  private readonly buckets = new Map<string, Set<number>>();

  constructor(splitFrom = SPLIT_FROM) {
    this.splitFrom = splitFrom;
  }

  has(serviceKey: string): boolean {
    return this.buckets.has(serviceKey);
  }

  /** The owners to compile when these instances of a service have changed; undefined: possibly all. */
  keysFor(
    serviceKey: string,
    state: ServiceState | undefined,
    changed: readonly InstanceState[] | undefined,
  ): string[] {
    const known = this.buckets.get(serviceKey);
    if (known === undefined || changed === undefined || !this.isLarge(state)) return [serviceKey];
    const concerned = new Set(changed.map(bucketOf));
    for (const bucket of concerned) known.add(bucket);
    return [...concerned].map((bucket) => partKey(serviceKey, bucket));
  }

  /** Decides whether a service is published in parts; returns the keys of those that are to be compiled. */
  update(serviceKey: string, state: ServiceState | undefined): string[] {
    const known = this.buckets.get(serviceKey) ?? NONE;
    const present = this.isLarge(state) ? new Set([...state!.instances.values()].map(bucketOf)) : undefined;
    if (present !== undefined) this.buckets.set(serviceKey, new Set([...known, ...present]));
    else this.buckets.delete(serviceKey);
    return [...new Set([...known, ...(present ?? [])])].map((bucket) => partKey(serviceKey, bucket));
  }

  /** The keys of the parts of a service. */
  partsOf(serviceKey: string): string[] {
    return [...(this.buckets.get(serviceKey) ?? NONE)].map((bucket) => partKey(serviceKey, bucket));
  }

  /** A part that has no names any more. */
  forgetPart(key: string, bucket: number): void {
    this.buckets.get(serviceKeyOf(key))?.delete(bucket);
  }

  /**
   * An address that several instances have is one record at the name of the service, and CNAMEs exclude each other: such services
   * are published whole. Half of the instances may go before a service is put together again.
   */
  private isLarge(state: ServiceState | undefined): boolean {
    const service = state?.service;
    if (state === undefined || service === undefined) return false;
    if (state.instances.size < (this.buckets.has(state.key) ? this.splitFrom / 2 : this.splitFrom)) return false;
    if (service.kind === 'clusterIp') return service.ignoreEmpty !== true && service.hidesInstances !== true;
    if (service.kind !== 'instances' || service.merge === true) return false;
    return state.sharedAddresses.size === 0 && service.recordTypes?.includes('CNAME') !== true;
  }
}

const NONE: ReadonlySet<number> = new Set();

/** The instances of services by part, as long as nothing changes: finding those of one part means to look at all. */
export class InstancesByPart {
  private readonly known = new Map<string, ReadonlyMap<number, readonly InstanceState[]> | undefined>();

  in({ key, instances }: ServiceState, bucket: number): readonly InstanceState[] {
    if (!this.known.has(key)) {
      // Mostly the only part that has changed.
      this.known.set(key, undefined);
      return [...instances.values()].filter((state) => bucketOf(state) === bucket);
    }
    const known = this.known.get(key) ?? byBucket(instances.values());
    this.known.set(key, known);
    return known.get(bucket) ?? [];
  }
}

function byBucket(states: Iterable<InstanceState>): ReadonlyMap<number, readonly InstanceState[]> {
  const buckets = new Map<number, InstanceState[]>();
  for (const state of states) {
    const known = buckets.get(bucketOf(state));
    if (known !== undefined) known.push(state);
    else buckets.set(bucketOf(state), [state]);
  }
  return buckets;
}
