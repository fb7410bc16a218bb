// The level-triggered health-sync loop. An event only marks instances as dirty; a pass judges dirty instances from their
// facts and writes their slots; a periodic full pass repairs anything that an event missed.
import type { Clock, Timer } from '../clock.ts';
import type { Slots } from '../plane/records.ts';
import type { InstanceState, ServiceState, Verdict } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import { Judge } from './judge.ts';
import { sameVerdict } from './rules/effective-status.ts';
import { createWakeUps, type WakeUps } from './wake-ups.ts';

/** Called after the slot was written, if the status changed or whether the instance is answered. `verdict`: the present one. */
export type VerdictListener = (state: InstanceState, previous: Verdict, verdict: Verdict) => void;

export interface HealthSyncSettings {
  readonly registry: Registry;
  readonly slots: Pick<Slots, 'set'>;
  readonly clock: Clock;
  /** Runs the callback in a later turn of the event loop: setImmediate. At most one pass is waiting at a time. */
  readonly schedule: (pass: () => void) => void;
  /** Number of instances that a pass judges before it yields; a service whose instances depend on each other is never split. */
  readonly instancesPerPass?: number;
  readonly fullPassSeconds?: number;
}

const INSTANCES_PER_PASS = 1_000;
const FULL_PASS_SECONDS = 30;

export class HealthSync {
  private readonly settings: HealthSyncSettings;
  private readonly listeners: VerdictListener[] = [];
  private readonly reasonListeners: ((state: InstanceState, verdict: Verdict) => void)[] = [];
  private readonly dirtyServices = new Set<string>();
  private readonly dirtyInstances = new Set<InstanceState>();
  private readonly totals = { passes: 0, judged: 0, changes: 0 };
  private readonly judge = new Judge();
  private readonly wakeUps: WakeUps;
  private waiting = false;
  private stopped = false;
  private nextFullPass: Timer | undefined;
  /** The rest of a full pass. Nothing waits for it. */
  private fullPass: Iterator<number> | undefined;

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
  readonly flush = (): void => {
    while (this.isDirty()) this.pass(Number.POSITIVE_INFINITY);
  };

  /** The same, with `pause` between passes where one does not suffice; undefined: it did. */
  settle(pause: () => Promise<void>): Promise<void> | undefined {
    this.pass(this.budget());
    return this.isDirty() && !this.stopped ? pause().then(() => this.settle(pause)) : undefined;
  }

  readonly onVerdict = (listener: VerdictListener): void => void this.listeners.push(listener);

  /** Called when the reason for which an instance is not answered changes, also if nothing else does; and when it is again. */
  readonly onReason = (listener: (state: InstanceState, verdict: Verdict) => void): void =>
    void this.reasonListeners.push(listener);

  counts(): { readonly passes: number; readonly judged: number; readonly changes: number; readonly dirty: number } {
    return { ...this.totals, dirty: this.dirtyServices.size + this.dirtyInstances.size };
  }

  stop(): void {
    this.stopped = true;
    this.nextFullPass?.cancel();
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
      if (!this.stopped) this.continueFullPass(this.pass(this.budget()));
    });
  }

  private budget(): number {
    return this.settings.instancesPerPass ?? INSTANCES_PER_PASS;
  }

  private isDirty(): boolean {
    return this.dirtyServices.size > 0 || this.dirtyInstances.size > 0;
  }

  /** Returns what is left of the budget. */
  private pass(budget: number): number {
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
      else if (this.isSplit(service)) for (const state of service.instances.values()) this.dirtyInstances.add(state);
      else left -= this.syncService(service);
    }
    if (this.isDirty()) this.wake();
    return left;
  }

  private continueFullPass(budget: number): void {
    for (let left = budget; left > 0 && this.fullPass !== undefined; ) {
      const next = this.fullPass.next();
      if (next.done) this.fullPass = undefined;
      else left -= next.value;
    }
    if (this.fullPass !== undefined) this.wake();
  }

  /** Judges everything; yields how many were judged in each step. */
  private *judgeEverything(): Generator<number, void> {
    for (const service of this.settings.registry.services()) {
      if (this.isSplit(service)) for (const state of service.instances.values()) yield this.syncInstance(state);
      else yield this.syncService(service);
    }
  }

  /** The service is too large for one pass, and each of its instances can be judged alone. */
  private isSplit(service: ServiceState): boolean {
    return service.instances.size > this.budget() && !this.judge.needsAll(service);
  }

  /** Judges one instance, or all of its service if that is needed; returns how many were judged. */
  private syncInstance(state: InstanceState): number {
    if (!state.isKnown()) return 1;
    const facts = state.facts();
    if (this.judge.needsAll(state.service, facts)) return this.syncService(state.service);
    this.settleVerdict(state, this.judge.one(state, facts));
    this.settings.registry.setWeight(state, undefined);
    if (state.service.sharedAddresses.size > 0) {
      for (const address of state.addresses) this.writeShared(state.service, address);
    }
    return 1;
  }

  private syncService(service: ServiceState): number {
    const { instances, untilMs } = this.judge.all(service, this.settings.clock.now());
    for (const { state, verdict, weight } of instances) {
      this.dirtyInstances.delete(state);
      this.settleVerdict(state, verdict);
      this.settings.registry.setWeight(state, weight);
    }
    this.wakeUps.set(service.key, untilMs);
    for (const address of service.sharedAddresses.keys()) this.writeShared(service, address);
    return Math.max(1, service.instances.size);
  }

  private settleVerdict(state: InstanceState, verdict: Verdict): void {
    const previous = state.verdict;
    this.totals.judged++;
    this.settings.slots.set(state.slot, verdict.answered);
    if (sameVerdict(previous, verdict)) return;
    state.verdict = verdict;
    if (!verdict.answered || !previous.answered) for (const listener of this.reasonListeners) listener(state, verdict);
    if (previous.status === verdict.status && previous.answered === verdict.answered) return;
    this.totals.changes++;
    for (const listener of this.listeners) listener(state, previous, verdict);
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
    this.nextFullPass = this.settings.clock.setTimeout(
      () => {
        this.fullPass ??= this.judgeEverything();
        this.wake();
        this.planFullPass();
      },
      (this.settings.fullPassSeconds ?? FULL_PASS_SECONDS) * 1000,
    );
  }
}
