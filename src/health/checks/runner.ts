// The active checks of all services, level-triggered from the registry: one for each instance that needs one.
import type { Clock, Random } from '../../clock.ts';
import { RegistryLimitError } from '../../registry/limits.ts';
import type { Fact, HealthCheck, ServiceState } from '../../registry/model.ts';
import { INSTANCE } from '../../registry/reference.ts';
import type { Registry } from '../../registry/registry.ts';
import { nextProgress } from '../rules/ecs.ts';
import { factOf, newCheck, type RunningCheck, sameTarget } from './check.ts';
import { probeExec } from './exec.ts';
import { probeHttp } from './http.ts';
import { onStructure } from './on-structure.ts';
import { type CheckTarget, failed, failedBy, type Probe, targetOf } from './probe.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { probeTcp } from './tcp.ts';

export interface CheckRunnerSettings {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  /** Runs the callback in a later turn of the event loop: setImmediate. */
  readonly schedule: (callback: () => void) => void;
  /** Maximum number that run at a time; the others wait in a queue in which services take turns. */
  readonly concurrentChecks: number;
  readonly probes?: Readonly<Record<HealthCheck['type'], Probe>>;
}

export interface CheckCounts {
  readonly checks: number;
  readonly running: number;
  /** Due, and waiting for a running one to finish. */
  readonly waiting: number;
  readonly passed: number;
  readonly failed: number;
  readonly timedOut: number;
  /** This host had no descriptors, memory or processes left for them. */
  readonly notRun: number;
  /** Started more than a second late: `concurrentChecks` is too small. */
  readonly late: number;
  /** Results that the registry rejected. */
  readonly refused: number;
}

const PROBES: Readonly<Record<HealthCheck['type'], Probe>> = {
  http: probeHttp,
  https: probeHttp,
  tcp: probeTcp,
  exec: probeExec,
};

/** Checks the instances of every service that has a health check, present and future ones. */
export class CheckRunner {
  private readonly settings: CheckRunnerSettings;
  private readonly scheduler: Scheduler;
  private readonly byService = new Map<string, Map<string, RunningCheck>>();
  private readonly totals = { passed: 0, failed: 0, timedOut: 0, notRun: 0, refused: 0 };
  private readonly stopListening: () => void;

  constructor(settings: CheckRunnerSettings) {
    const { registry, clock, random, schedule, concurrentChecks } = settings;
    this.settings = settings;
    this.scheduler = createScheduler(clock, random, concurrentChecks);
    this.stopListening = onStructure(registry, schedule, (key, state) => this.reconcile(key, state));
  }

  counts(): CheckCounts {
    const { jobs, running, waiting, late } = this.scheduler.counts();
    return { checks: jobs, running, waiting, late, ...this.totals };
  }

  /** How many may run at a time. */
  limit(concurrentChecks: number): void {
    this.scheduler.limit(concurrentChecks);
  }

  /** Stops all checks, kills running commands, and resolves when all have ended. */
  async stop(): Promise<void> {
    this.stopListening();
    for (const checks of this.byService.values()) for (const check of checks.values()) this.end(check);
    this.byService.clear();
    await this.scheduler.stop();
  }

  /** Adds, updates and removes the checks of a service. */
  private reconcile(serviceKey: string, state: ServiceState | undefined): void {
    const known = this.byService.get(serviceKey) ?? new Map<string, RunningCheck>();
    const wanted = targetsOf(state);
    for (const [id, check] of known) {
      if (wanted.has(id)) continue;
      this.end(check);
      this.say(check.subject, []);
      known.delete(id);
    }
    for (const [id, target] of wanted) {
      const check = known.get(id);
      if (check === undefined) known.set(id, this.begin(serviceKey, id, target));
      else if (sameTarget(check.target, target)) check.target = target;
      else known.set(id, this.replace(serviceKey, id, check, target));
    }
    if (known.size === 0) this.byService.delete(serviceKey);
    else this.byService.set(serviceKey, known);
  }

  private begin(serviceKey: string, id: string, target: CheckTarget, before?: RunningCheck): RunningCheck {
    const check = newCheck(
      INSTANCE.format(serviceKey, id),
      target,
      this.settings.clock.monotonicMs(),
      this.settings.clock.now(),
    );
    if (before !== undefined) check.progress = { ...before.progress, failuresInARow: 0, passesInARow: 0 };
    this.say(check.subject, [factOf(check)]);
    check.remove = this.scheduler.add({
      owner: serviceKey,
      intervalSeconds: target.check.interval,
      timeoutSeconds: target.check.timeout,
      run: (signal, timedOut) => this.run(check, signal, timedOut),
    });
    return check;
  }

  /** A changed check of the same instance: the status stays until the new check decides. */
  private replace(serviceKey: string, id: string, old: RunningCheck, target: CheckTarget): RunningCheck {
    this.end(old);
    return this.begin(serviceKey, id, target, old.target.address === target.address ? old : undefined);
  }

  private end(check: RunningCheck): void {
    check.removed = true;
    check.remove();
  }

  private async run(check: RunningCheck, signal: AbortSignal, timedOut: () => boolean): Promise<void> {
    const { target } = check;
    const beganMs = this.settings.clock.monotonicMs();
    let result = await (this.settings.probes ?? PROBES)[target.check.type](target, signal).catch(failedBy);
    if (check.removed) return;
    if (result.isInconclusive) {
      this.totals.notRun++;
      return;
    }
    if (!result.passed && timedOut()) {
      this.totals.timedOut++;
      result = failed(`timed out after ${target.check.timeout} s`);
    }
    this.totals[result.passed ? 'passed' : 'failed']++;
    check.progress = nextProgress(check.progress, result, target.check, beganMs, this.settings.clock.now());
    this.say(check.subject, [factOf(check)]);
  }

  /** A full registry must not stop the checks; rejected results are counted. */
  private say(subject: string, facts: readonly Fact[]): void {
    try {
      this.settings.registry.replaceFacts(subject, 'check', facts);
    } catch (error) {
      if (!(error instanceof RegistryLimitError)) throw error;
      this.totals.refused++;
    }
  }
}

/** By instance id. Of instances with the same id, only the first is checked. */
function targetsOf(state: ServiceState | undefined): ReadonlyMap<string, CheckTarget> {
  const targets = new Map<string, CheckTarget>();
  if (state?.service === undefined) return targets;
  for (const { instance } of state.instances.values()) {
    const target = targets.has(instance.id) ? undefined : targetOf(state.service, instance);
    if (target !== undefined) targets.set(instance.id, target);
  }
  return targets;
}
