// Services, instances and facts about them. Sources replace complete objects; listeners are notified of the changed service.
import type { Slots } from '../plane/records.ts';
import { createFactIndex } from './fact-index.ts';
import { Groups } from './groups.ts';
import { DEFAULT_REGISTRY_LIMITS, RegistryLimitError, type RegistryLimits } from './limits.ts';
import type { ChangeListener, Fact, FactSource, Instance, InstanceState, Service, ServiceState } from './model.ts';
import { createPodAddresses, type PodAddresses } from './pod-addresses.ts';
import { InstanceEntry, ServiceEntry } from './service-entry.ts';
import { createSlotKeeper } from './slots.ts';
import { createSubjects } from './subjects.ts';

export interface Registry extends PodAddresses {
  replaceService(service: Service): void;
  removeService(key: string): void;
  /**
   * Replaces all instances that one source object (an EndpointSlice, a static service) lists. An instance that two groups
   * of a service list is one instance, as in the most recent group. Throws RegistryLimitError, and then nothing has changed.
   */
  replaceGroup(groupKey: string, serviceKey: string, instances: readonly Instance[]): void;
  removeGroup(groupKey: string): void;
  /** Replaces all facts of one source about one subject; [] removes them. Throws RegistryLimitError. */
  replaceFacts(subject: string, source: FactSource, facts: readonly Fact[]): void;
  /** One more subject for an instance whose object did not name it; until that object is replaced. */
  addSubject(state: InstanceState, subject: string): void;
  /**
   * The source of all subjects that begin with `prefix` (`POD.prefix(cluster)`) has been silent since then; undefined: it is
   * fresh again. Until then its facts are read with `staleSinceMs`, and the instances that they concern are judged again.
   * Call it only while other sources of the same cluster are fresh: if all are silent, the last known facts keep counting.
   */
  setStale(prefix: string, sinceMs: number | undefined): void;
  /** Sets another weight for slow start; undefined: the instance's own. Called only by health/sync.ts. */
  setWeight(state: InstanceState, weight: number | undefined): void;
  service(key: string): ServiceState | undefined;
  services(): Iterable<ServiceState>;
  factsOf(subject: string): readonly Fact[];
  instancesOf(subject: string): Iterable<InstanceState>;
  /** The registry's own copy of the subject's text, so that callers need not keep another one. */
  keptSubject(subject: string): string;
  /** 'structure': names or records may differ; 'facts': only verdicts may. Called synchronously: only take a note. */
  onChange(listener: ChangeListener): void;
  /** Called when no group lists an instance any more, with its last verdict. Synchronously: only take a note. */
  onRemove(listener: (state: InstanceState) => void): void;
  /**
   * Slots of removed instances, now set to 0. The caller compiles the change that drops their records, and releases the
   * slots when it is acknowledged. An instance that returns before this call keeps its slot.
   */
  takeRemovedSlots(): number[];
  size(): { readonly services: number; readonly instances: number; readonly groups: number; readonly subjects: number };
}

/** An empty registry whose instances take their slots from `slots`. */
export function createRegistry(
  slots: Pick<Slots, 'allocate' | 'set'>,
  limits: RegistryLimits = DEFAULT_REGISTRY_LIMITS,
): Registry {
  const services = new Map<string, ServiceEntry>();
  const listeners: ChangeListener[] = [];
  const removeListeners: ((state: InstanceState) => void)[] = [];
  const tell: ChangeListener = (serviceKey, what, concerned) => {
    for (const listener of listeners) listener(serviceKey, what, concerned);
  };

  const subjects = createSubjects<InstanceEntry>();
  const facts = createFactIndex(subjects, services, limits, tell);
  const keeper = createSlotKeeper(slots);

  function obtain(key: string): ServiceEntry {
    const known = services.get(key);
    if (known !== undefined) return known;
    if (services.size >= limits.services) {
      throw new RegistryLimitError(`service ${key} is dropped: the registry holds at most ${limits.services} services`);
    }
    const entry = new ServiceEntry(key, facts.ofInstance);
    services.set(key, entry);
    return entry;
  }

  function forgetIfEmpty(entry: ServiceEntry): void {
    if (entry.service === undefined && entry.groups === 0) services.delete(entry.key);
  }

  const groups = new Groups({ obtain, forgetIfEmpty, facts, keeper, limits, tell, removeListeners });

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
    replaceGroup: (groupKey, serviceKey, instances) => groups.replace(groupKey, serviceKey, instances),
    removeGroup: (groupKey) => groups.remove(groupKey),
    replaceFacts: facts.replace,
    ...createPodAddresses(subjects, services, limits),
    setStale: facts.setStale,
    addSubject(state, subject) {
      if (!(state instanceof InstanceEntry) || !state.isKnown()) return;
      facts.add(state, subject);
      tell(state.service.key, 'facts', [state]);
    },
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
    factsOf: subjects.facts,
    instancesOf: facts.instancesOf,
    keptSubject: subjects.kept,
    onChange: (listener) => void listeners.push(listener),
    onRemove: (listener) => void removeListeners.push(listener),
    takeRemovedSlots: keeper.takeRemoved,
    size: () => {
      const { count, instances } = groups;
      return { services: services.size, instances, groups: count, subjects: subjects.size() };
    },
  };
}

/** Services are small and often repeated (every resync of a watch), so comparing their JSON is cheap enough. */
const sameService = (one: Service | undefined, other: Service): boolean =>
  one === other || (one !== undefined && JSON.stringify(one) === JSON.stringify(other));
