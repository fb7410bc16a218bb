// Runs the active checks of all services: level-triggered from the registry, bounded, and spread over time.
import type { Clock, Random } from '../../clock.ts';
import type { Fact, HealthCheck, Service } from '../../registry/model.ts';
import { type Registry, RegistryLimitError, type ServiceState } from '../../registry/registry.ts';
import { instanceSubject } from '../../registry/subjects.ts';
import { type CheckResult, nextProgress } from '../ecs.ts';
import { factOf, firstDelayMs, newCheck, nextDelayMs, type RunningCheck, sameTarget } from './check.ts';
import { probeExec } from './exec.ts';
import { createFairQueue } from './fair-queue.ts';
import { probeHttp } from './http.ts';
import { failed, failedBy, type Probe, targetOf } from './probe.ts';
import { probeTcp } from './tcp.ts';

export interface CheckRunnerSettings {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  /** Runs the callback in a later turn of the event loop: setImmediate. */
  readonly schedule: (callback: () => void) => void;
  /** How many run at a time; the others wait in a queue where services take turns. */
  readonly concurrentChecks: number;
  readonly probes?: Readonly<Record<HealthCheck['type'], Probe>>;
}

export interface CheckRunner {
  counts(): CheckCounts;
  /** Stops all checks and resolves when nothing of them is left running; a command that runs is killed. */
  stop(): Promise<void>;
}

export interface CheckCounts {
  readonly checks: number;
  readonly running: number;
  /** Due, and waiting for one of the running to finish. */
  readonly waiting: number;
  readonly passed: number;
  readonly failed: number;
  readonly timedOut: number;
  /** Began more than a second after they fell due: `concurrentChecks` is too small. */
  readonly late: number;
  /** Results that the registry had no room for. */
  readonly refused: number;
}

const PROBES: Readonly<Record<HealthCheck['type'], Probe>> = {
  http: probeHttp,
  https: probeHttp,
  tcp: probeTcp,
  exec: probeExec,
};

const LATE_MS = 1000;

/** Starts checking the instances of every service that has a health check, now and as they come. */
export function createCheckRunner(settings: CheckRunnerSettings): CheckRunner {
  const { registry, clock, random, schedule, concurrentChecks, probes = PROBES } = settings;
  const byService = new Map<string, Map<string, RunningCheck>>();
  const queue = createFairQueue<RunningCheck>();
  const runs = new Set<Promise<void>>();
  const dirty = new Set<string>();
  const totals = { checks: 0, passed: 0, failed: 0, timedOut: 0, late: 0, refused: 0 };
  let scheduled = false;
  let stopped = false;

  function markDirty(serviceKey: string): void {
    dirty.add(serviceKey);
    if (scheduled || stopped) return;
    scheduled = true;
    schedule(() => {
      scheduled = false;
      if (stopped) return;
      for (const key of dirty) reconcile(key, registry.service(key));
      dirty.clear();
    });
  }

  /** Makes the checks of a service those that its instances need. */
  function reconcile(serviceKey: string, state: ServiceState | undefined): void {
    const known = byService.get(serviceKey) ?? new Map<string, RunningCheck>();
    const gone = new Set(known.keys());
    const service = state?.service;
    if (state !== undefined && service !== undefined) {
      for (const { instance } of state.instances.values()) {
        const target = targetOf(service, instance);
        if (target === undefined) continue;
        // Instances with one id are one to the checks: the first counts, until it goes.
        const { id } = instance;
        const check = known.get(id);
        if (check === undefined) known.set(id, begin(service, id, target));
        else if (gone.has(id) && !sameTarget(check.target, target)) known.set(id, replace(check, target));
        else if (gone.has(id)) check.target = target;
        gone.delete(id);
      }
    }
    for (const id of gone) {
      end(known.get(id)!);
      say(known.get(id)!.subject, []);
      known.delete(id);
    }
    if (known.size === 0) byService.delete(serviceKey);
    else byService.set(serviceKey, known);
  }

  function begin(service: Service, id: string, target: RunningCheck['target']): RunningCheck {
    const subject = instanceSubject(service.key, id);
    const check = newCheck(service.key, subject, target, clock.monotonicMs(), clock.now());
    totals.checks++;
    say(subject, [factOf(check)]);
    wait(check, firstDelayMs(target, random()));
    return check;
  }

  /** The same instance checked in another way: its status stays until the new check says otherwise. */
  function replace(old: RunningCheck, target: RunningCheck['target']): RunningCheck {
    end(old);
    totals.checks++;
    const check = newCheck(old.serviceKey, old.subject, target, clock.monotonicMs(), clock.now());
    if (old.target.address === target.address) check.progress = { ...old.progress, failuresInARow: 0, passesInARow: 0 };
    say(check.subject, [factOf(check)]);
    wait(check, firstDelayMs(target, random()));
    return check;
  }

  /** A registry that is full must not stop the checks; what it refuses is counted. */
  function say(subject: string, facts: readonly Fact[]): void {
    try {
      registry.replaceFacts(subject, 'check', facts);
    } catch (error) {
      if (!(error instanceof RegistryLimitError)) throw error;
      totals.refused++;
    }
  }

  function end(check: RunningCheck): void {
    totals.checks--;
    check.removed = true;
    check.timer?.cancel();
    queue.remove(check.serviceKey, check);
    check.abort?.abort();
  }

  function wait(check: RunningCheck, delayMs: number): void {
    check.timer = clock.setTimeout(() => {
      check.timer = undefined;
      check.dueMs = clock.monotonicMs();
      queue.push(check.serviceKey, check);
      runWaiting();
    }, delayMs);
  }

  function runWaiting(): void {
    while (!stopped && runs.size < concurrentChecks) {
      const check = queue.take();
      if (check === undefined) return;
      const run = runOnce(check).finally(() => {
        runs.delete(run);
        runWaiting();
      });
      runs.add(run);
    }
  }

  async function runOnce(check: RunningCheck): Promise<void> {
    const beganMs = clock.monotonicMs();
    if (beganMs - check.dueMs > LATE_MS) totals.late++;
    const nextMs = beganMs + nextDelayMs(check.target, random());
    const result = await probeInTime(check);
    if (check.removed || stopped) return;
    totals[result.passed ? 'passed' : 'failed']++;
    check.progress = nextProgress(check.progress, result, check.target.check, beganMs, clock.now());
    say(check.subject, [factOf(check)]);
    wait(check, Math.max(0, nextMs - clock.monotonicMs()));
  }

  async function probeInTime(check: RunningCheck): Promise<CheckResult> {
    const { target } = check;
    const abort = new AbortController();
    check.abort = abort;
    let timedOut = false;
    const timer = clock.setTimeout(() => {
      timedOut = true;
      abort.abort();
    }, target.check.timeout * 1000);
    const result = await probes[target.check.type](target, abort.signal).catch(failedBy);
    timer.cancel();
    check.abort = undefined;
    if (!timedOut || result.passed) return result;
    totals.timedOut++;
    return failed(`timed out after ${target.check.timeout} s`);
  }

  registry.onChange((serviceKey, what) => {
    if (what === 'structure') markDirty(serviceKey);
  });
  for (const { key } of registry.services()) markDirty(key);

  return {
    counts: () => ({ ...totals, running: runs.size, waiting: queue.size() }),
    async stop() {
      stopped = true;
      for (const checks of byService.values()) for (const check of checks.values()) end(check);
      byService.clear();
      await Promise.all(runs);
    },
  };
}
