// The level-triggered health-sync loop. An event only marks instances as dirty; a pass judges dirty instances from their
// facts and writes their slots; a periodic full pass repairs anything that an event missed.
import type { Clock, Timer } from '../clock.ts';
import type { Slots } from '../plane/records.ts';
import type { InstanceState, ServiceState, Verdict } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import { Judge } from './judge.ts';
import { sameVerdict } from './rules/effective-status.ts';
import { createWakeUps } from './wake-ups.ts';

/** Called after the slot was written, if the status changed or whether the instance is answered. */
export type VerdictListener = (state: InstanceState, previous: Verdict) => void;

export interface HealthSyncSettings {
  readonly registry: Registry;
  readonly slots: Pick<Slots, 'set'>;
  readonly clock: Clock;
  /** Runs the callback in a later turn of the event loop: setImmediate. At most one pass is waiting at a time. */
  readonly schedule: (pass: () => void) => void;
  /** Number of instances that a pass judges before it yields; a service is never split. */
  readonly instancesPerPass?: number;
  readonly fullPassSeconds?: number;
}

export interface HealthSync {
  /** Judges everything dirty and writes its slots before it returns: acknowledges all previous facts. */
  flush(): void;
  onVerdict(listener: VerdictListener): void;
  counts(): { readonly passes: number; readonly judged: number; readonly changes: number; readonly dirty: number };
  stop(): void;
}

/** Starts the loop. Existing instances are judged in the first pass. */
export function createHealthSync(settings: HealthSyncSettings): HealthSync {
  const { registry, slots, clock, schedule, instancesPerPass = 5_000, fullPassSeconds = 30 } = settings;
  const listeners: VerdictListener[] = [];
  const dirtyServices = new Set<string>();
  const dirtyInstances = new Set<InstanceState>();
  const totals = { passes: 0, judged: 0, changes: 0 };
  const judge = new Judge();
  let waiting = false;
  let stopped = false;
  let fullPass: Timer | undefined;

  const wakeUps = createWakeUps(clock, markService);

  function markService(key: string): void {
    dirtyServices.add(key);
    wake();
  }

  function wake(): void {
    if (waiting || stopped) return;
    waiting = true;
    schedule(() => {
      waiting = false;
      if (!stopped) pass(instancesPerPass);
    });
  }

  function pass(budget: number): void {
    totals.passes++;
    let left = budget;
    for (const state of dirtyInstances) {
      if (left <= 0) break;
      dirtyInstances.delete(state);
      left -= syncInstance(state);
    }
    for (const key of dirtyServices) {
      if (left <= 0) break;
      dirtyServices.delete(key);
      const service = registry.service(key);
      if (service === undefined) wakeUps.set(key, undefined);
      else left -= syncService(service);
    }
    if (dirtyServices.size > 0 || dirtyInstances.size > 0) wake();
  }

  /** Judges one instance, or all of its service if policies consider all; returns how many were judged. */
  function syncInstance(state: InstanceState): number {
    if (!state.isKnown()) return 1;
    if (judge.hasPolicies(state.service)) return syncService(state.service);
    settle(state, judge.one(state));
    if (state.service.sharedAddresses.size > 0) {
      for (const address of state.addresses) writeShared(state.service, address);
    }
    return 1;
  }

  function syncService(service: ServiceState): number {
    const { instances, untilMs } = judge.all(service, clock.now());
    for (const { state, verdict, weight } of instances) {
      settle(state, verdict);
      registry.setWeight(state, weight);
    }
    wakeUps.set(service.key, untilMs);
    for (const address of service.sharedAddresses.keys()) writeShared(service, address);
    return Math.max(1, service.instances.size);
  }

  function settle(state: InstanceState, verdict: Verdict): void {
    const previous = state.verdict;
    totals.judged++;
    slots.set(state.slot, verdict.answered);
    if (sameVerdict(previous, verdict)) return;
    state.verdict = verdict;
    if (previous.status === verdict.status && previous.answered === verdict.answered) return;
    totals.changes++;
    for (const listener of listeners) listener(state, previous);
  }

  function writeShared(service: ServiceState, address: string): void {
    const shared = service.sharedAddresses.get(address);
    if (shared !== undefined)
      slots.set(
        shared.slot,
        shared.instances.some((state) => state.verdict.answered),
      );
  }

  function markAll(): void {
    for (const service of registry.services()) dirtyServices.add(service.key);
    if (dirtyServices.size > 0) wake();
  }

  /** Whether an instance that is added, removed or changed may affect the answers for others. */
  function concernsAll(service: ServiceState, what: 'structure' | 'facts'): boolean {
    return judge.hasPolicies(service) || (what === 'structure' && service.sharedAddresses.size > 0);
  }

  function planFullPass(): void {
    fullPass = clock.setTimeout(() => {
      markAll();
      planFullPass();
    }, fullPassSeconds * 1000);
  }

  registry.onChange((serviceKey, what, concerned) => {
    const service = registry.service(serviceKey);
    if (concerned === undefined || service === undefined || concernsAll(service, what)) return markService(serviceKey);
    for (const state of concerned) dirtyInstances.add(state);
    wake();
  });
  markAll();
  planFullPass();

  return {
    flush: () => pass(Number.POSITIVE_INFINITY),
    onVerdict: (listener) => void listeners.push(listener),
    counts: () => ({ ...totals, dirty: dirtyServices.size + dirtyInstances.size }),
    stop() {
      stopped = true;
      fullPass?.cancel();
      wakeUps.stop();
    },
  };
}
