// What exists and what is said about it. Sources state whole objects; whoever needs to know listens for changes.
import type { Slots } from '../plane/records.ts';
import { createFactIndex } from './fact-index.ts';
import { createGroups } from './groups.ts';
import type { Fact, FactSource, Instance, Service, Verdict } from './model.ts';
import { InstanceEntry, ServiceEntry } from './service-entry.ts';
import { createSlotKeeper } from './slot-keeper.ts';

export interface InstanceState {
  readonly service: ServiceState;
  /** Put together anew each time it is asked for. */
  readonly instance: Instance;
  readonly addresses: readonly string[];
  readonly addressCount: number;
  /** The same object for as long as the instance is stated the same, id and addresses aside. */
  readonly statement: object;
  /** Its byte in the shared memory. Records of an address use `service.slotFor(state, address)` instead. */
  readonly slot: number;
  /** Written by health/sync.ts only. */
  verdict: Verdict;
  /** For weighted routing: what the instance states, unless setWeight was called. Its SRV weight is the stated one. */
  readonly weight: number;
  /** Its own, then those of its subjects, then those of `instance/<serviceKey>/<id>`. */
  facts(): readonly Fact[];
  /** False once no group states it any more. */
  isKnown(): boolean;
}

export interface ServiceState {
  readonly key: string;
  /** undefined while only its instances are known. */
  readonly service: Service | undefined;
  readonly instances: { readonly size: number; values(): IterableIterator<InstanceState> };
  /**
   * The slot for records of one address of an instance. Where several instances state the address (two ports of one
   * host, say) it is shared: A and AAAA are answered if any of them is healthy, and each has its own slot for SRV.
   */
  slotFor(state: InstanceState, address: string): number;
  readonly sharedAddresses: ReadonlyMap<
    string,
    { readonly slot: number; readonly instances: readonly InstanceState[] }
  >;
}

/** `concerned`: the instances that are new or otherwise than before; undefined: any of the service's may be. */
export type ChangeListener = (
  serviceKey: string,
  what: 'structure' | 'facts',
  concerned?: readonly InstanceState[],
) => void;

export interface Registry {
  replaceService(service: Service): void;
  removeService(key: string): void;
  /**
   * All instances that one source object (an EndpointSlice, a static service) states. What two groups of a service
   * state is one instance, as the group that spoke last says. Throws RegistryLimitError, and then nothing changed.
   */
  replaceGroup(groupKey: string, serviceKey: string, instances: readonly Instance[]): void;
  removeGroup(groupKey: string): void;
  /** All facts that one source states of one subject; [] removes them. Throws RegistryLimitError. */
  replaceFacts(subject: string, source: FactSource, facts: readonly Fact[]): void;
  /**
   * The source of all subjects that begin with `prefix` ("pod/CONTEXT/", "node/CONTEXT/") has been silent since then, or
   * with undefined speaks again. Facts are read with `staleSinceMs` meanwhile, and what they concern is judged again.
   * State it while other sources of the same cluster are fresh: if all are silent, the last known facts go on counting.
   */
  setStale(prefix: string, sinceMs: number | undefined): void;
  /** Slow start gives an instance another weight; undefined: the stated one. Called by health/sync.ts only. */
  setWeight(state: InstanceState, weight: number | undefined): void;
  service(key: string): ServiceState | undefined;
  services(): Iterable<ServiceState>;
  factsOf(subject: string): readonly Fact[];
  instancesOf(subject: string): Iterable<InstanceState>;
  /** The subject's text as the registry keeps it: whoever keeps it as well need not have another copy of it. */
  keptSubject(subject: string): string;
  /** 'structure': names or records may differ; 'facts': only verdicts may. Called synchronously: only take a note. */
  onChange(listener: ChangeListener): void;
  /**
   * Slots whose instances are gone, now set to 0. The caller compiles the change that drops their records and releases
   * them with its acknowledgement. An instance that comes back before this call keeps its slot.
   */
  takeRemovedSlots(): number[];
  size(): { readonly services: number; readonly instances: number; readonly groups: number; readonly subjects: number };
}

export interface RegistryLimits {
  readonly services: number;
  readonly instances: number;
  readonly instancesPerGroup: number;
  readonly subjects: number;
  readonly factsPerStatement: number;
}

export const DEFAULT_REGISTRY_LIMITS: RegistryLimits = {
  services: 500_000,
  instances: 1_000_000,
  instancesPerGroup: 100_000,
  subjects: 2_000_000,
  factsPerStatement: 64,
};

/** More was stated than the registry holds. Nothing was changed: what was known before is still served. */
export class RegistryLimitError extends Error {
  override readonly name = 'RegistryLimitError';
}

/** An empty registry whose instances take their slots from `slots`. */
export function createRegistry(
  slots: Pick<Slots, 'allocate' | 'set'>,
  limits: RegistryLimits = DEFAULT_REGISTRY_LIMITS,
): Registry {
  const services = new Map<string, ServiceEntry>();
  const listeners: ChangeListener[] = [];
  const tell: ChangeListener = (serviceKey, what, concerned) => {
    for (const listener of listeners) listener(serviceKey, what, concerned);
  };

  const facts = createFactIndex(services, limits, tell);
  const keeper = createSlotKeeper(slots);

  function obtain(key: string): ServiceEntry {
    const known = services.get(key);
    if (known !== undefined) return known;
    if (services.size >= limits.services) {
      throw new RegistryLimitError(
        `service ${key} is left out: the registry holds at most ${limits.services} services`,
      );
    }
    const entry = new ServiceEntry(key, facts.ofInstance);
    services.set(key, entry);
    return entry;
  }

  function forgetIfEmpty(entry: ServiceEntry): void {
    if (entry.service === undefined && entry.groups === 0) services.delete(entry.key);
  }

  const groups = createGroups({ obtain, forgetIfEmpty, facts, keeper, limits, tell });

  return {
    replaceService(service) {
      const entry = obtain(service.key);
      if (sameService(entry.service, service)) return;
      entry.service = service;
      tell(service.key, 'structure');
    },
    removeService(key) {
      const entry = services.get(key);
      if (entry?.service === undefined) return;
      entry.service = undefined;
      forgetIfEmpty(entry);
      tell(key, 'structure');
    },
    replaceGroup: groups.replace,
    removeGroup: groups.remove,
    replaceFacts: facts.replace,
    setStale: facts.setStale,
    setWeight(state, weight) {
      if (!(state instanceof InstanceEntry) || !state.isKnown()) return;
      const { service, weight: before } = state;
      if (weight === undefined) service.setWeights?.delete(state);
      else {
        service.setWeights ??= new Map();
        service.setWeights.set(state, weight);
      }
      if (state.weight !== before) tell(service.key, 'structure', [state]);
    },
    service: (key) => services.get(key),
    services: () => services.values(),
    factsOf: facts.ofSubject,
    instancesOf: facts.instancesOf,
    keptSubject: facts.keptSubject,
    onChange: (listener) => void listeners.push(listener),
    takeRemovedSlots: keeper.takeRemoved,
    size: () => ({
      services: services.size,
      instances: groups.instances(),
      groups: groups.count(),
      subjects: facts.subjects(),
    }),
  };
}

/** Services are small and restated often (every resync of a watch), so comparing their text is cheap enough. */
const sameService = (one: Service | undefined, other: Service): boolean =>
  one === other || (one !== undefined && JSON.stringify(one) === JSON.stringify(other));
