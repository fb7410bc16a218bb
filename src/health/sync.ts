// The level-triggered health-sync loop. An event only marks instances as dirty; a pass judges dirty instances from their
// facts and writes their slots; a periodic full pass repairs anything that an event missed.
import type { Clock, Timer } from '../clock.ts';
import type { Slots } from '../plane/records.ts';
import type { InstanceState, ServiceState, Verdict } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import { Judge } from './judge.ts';
import { sameVerdict } from './rules/effective-status.ts';
import { createWakeUps, type WakeUps } from './wake-ups.ts';

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

const INSTANCES_PER_PASS = 5_000;
const FULL_PASS_SECONDS = 30;

export class HealthSync {
  private readonly settings: HealthSyncSettings;
  private readonly listeners: VerdictListener[] = [];
  private readonly reasonListeners: ((state: InstanceState) => void)[] = [];
  private readonly dirtyServices = new Set<string>();
  private readonly dirtyInstances = new Set<InstanceState>();
  private readonly totals = { passes: 0, judged: 0, changes: 0 };
  private readonly judge = new Judge();
  private readonly wakeUps: WakeUps;
  private waiting = false;
  private stopped = false;
  private fullPass: Timer | undefined;

  /** Starts the loop. Existing instances are judged in the first pass. */
  constructor(settings: HealthSyncSettings) {
    this.settings = settings;
    const { registry, clock } = settings;
    this.wakeUps = createWakeUps(clock, (key) => this.markService(key));
    registry.onChange((key, what, concerned) => {
      const service = registry.service(key);
      if (concerned === undefined || service === undefined || this.concernsAll(service, what)) {
        return this.markService(key);
      }
      for (const state of concerned) this.dirtyInstances.add(state);
      this.wake();
    });
    this.markAll();
    this.planFullPass();
  }

  /** Judges everything dirty and writes its slots before it returns: acknowledges all previous facts. */
  readonly flush = (): void => this.pass(Number.POSITIVE_INFINITY);

  readonly onVerdict = (listener: VerdictListener): void => void this.listeners.push(listener);

  /** Called when the reason for which an instance is not answered changes, also if nothing else does; and when it is again. */
  readonly onReason = (listener: (state: InstanceState) => void): void => void this.reasonListeners.push(listener);

  counts(): { readonly passes: number; readonly judged: number; readonly changes: number; readonly dirty: number } {
    return { ...this.totals, dirty: this.dirtyServices.size + this.dirtyInstances.size };
  }

  stop(): void {
    this.stopped = true;
    this.fullPass?.cancel();
    this.wakeUps.stop();
  }

  private markService(key: string): void {
    this.dirtyServices.add(key);
    this.wake();
  }

  private wake(): void {
    if (this.waiting || this.stopped) return;
    this.waiting = true;
    this.settings.schedule(() => {
      this.waiting = false;
      if (!this.stopped) this.pass(this.settings.instancesPerPass ?? INSTANCES_PER_PASS);
    });
  }

  private pass(budget: number): void {
    this.totals.passes++;
    let left = budget;
    for (const state of this.dirtyInstances) {
      if (left <= 0) break;
      this.dirtyInstances.delete(state);
      left -= this.syncInstance(state);
    }
    for (const key of this.dirtyServices) {
      if (left <= 0) break;
      this.dirtyServices.delete(key);
      const service = this.settings.registry.service(key);
      if (service === undefined) this.wakeUps.set(key, undefined);
      else left -= this.syncService(service);
    }
    if (this.dirtyServices.size > 0 || this.dirtyInstances.size > 0) this.wake();
  }

  /** Judges one instance, or all of its service if that is needed; returns how many were judged. */
  private syncInstance(state: InstanceState): number {
    if (!state.isKnown()) return 1;
    const facts = state.facts();
    if (this.judge.needsAll(state.service, facts)) return this.syncService(state.service);
    this.settle(state, this.judge.one(state, facts));
    if (state.service.sharedAddresses.size > 0) {
      for (const address of state.addresses) this.writeShared(state.service, address);
    }
    return 1;
  }

  private syncService(service: ServiceState): number {
    const { instances, untilMs } = this.judge.all(service, this.settings.clock.now());
    for (const { state, verdict, weight } of instances) {
      this.settle(state, verdict);
      this.settings.registry.setWeight(state, weight);
    }
    this.wakeUps.set(service.key, untilMs);
    for (const address of service.sharedAddresses.keys()) this.writeShared(service, address);
    return Math.max(1, service.instances.size);
  }

  private settle(state: InstanceState, verdict: Verdict): void {
    const previous = state.verdict;
    this.totals.judged++;
    this.settings.slots.set(state.slot, verdict.answered);
    if (sameVerdict(previous, verdict)) return;
    state.verdict = verdict;
    if (!verdict.answered || !previous.answered) for (const listener of this.reasonListeners) listener(state);
    if (previous.status === verdict.status && previous.answered === verdict.answered) return;
    this.totals.changes++;
    for (const listener of this.listeners) listener(state, previous);
  }

  private writeShared(service: ServiceState, address: string): void {
    const shared = service.sharedAddresses.get(address);
    if (shared !== undefined)
      this.settings.slots.set(
        shared.slot,
        shared.instances.some((state) => state.verdict.answered),
      );
  }

  private markAll(): void {
    for (const service of this.settings.registry.services()) this.dirtyServices.add(service.key);
    if (this.dirtyServices.size > 0) this.wake();
  }

  /** Whether an instance that is added, removed or changed may affect the answers for others. */
  private concernsAll(service: ServiceState, what: 'structure' | 'facts'): boolean {
    return this.judge.needsAll(service) || (what === 'structure' && service.sharedAddresses.size > 0);
  }

  private planFullPass(): void {
    this.fullPass = this.settings.clock.setTimeout(
      () => {
        this.markAll();
        this.planFullPass();
      },
      (this.settings.fullPassSeconds ?? FULL_PASS_SECONDS) * 1000,
    );
  }
}
