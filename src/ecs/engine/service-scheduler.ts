// Reconciles the tasks of each service with its record, by ECS's rules for deployments. Level-triggered: any change of a
// task or record only marks the service; the present state decides what is started and stopped.
import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import {
  type DeploymentRecord,
  definitionKey,
  type EcsServiceRecord,
  type TaskDefinitionRecord,
} from '../model/ecs-records.ts';
import type { FileState } from '../model/file-state.ts';
import type { RunningTask } from '../model/running-task.ts';
import type { ProcessEngine } from './process-engine.ts';
import {
  asInactive,
  hasCheck,
  isGood,
  limitsOf,
  type RolloutContext,
  withCompletion,
  withEvent,
  withFailures,
} from './rollout.ts';

export interface ServiceSchedulerSettings {
  readonly state: FileState;
  readonly engine: ProcessEngine;
  readonly clock: Clock;
  readonly log: Logger;
  readonly taskArn: (task: RunningTask) => string;
}

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;
const SETTLE_MS = 1_000;
/** This many consecutive failures are not a coincidence. */
const PERSISTENT_FAILURES = 3;

interface Failures {
  /** Another deployment starts anew. */
  readonly deployment: string | undefined;
  inARow: number;
  /** Monotonic; no task is started before. */
  notBeforeMs: number;
}

export class ServiceScheduler {
  readonly #settings: ServiceSchedulerSettings;
  readonly #dirty = new Set<string>();
  readonly #failures = new Map<string, Failures>();
  readonly #counted = new Set<string>();
  readonly #timers = new Map<string, { readonly timer: Timer; readonly dueMs: number }>();
  #isScheduled = false;
  #isClosed = false;

  constructor(settings: ServiceSchedulerSettings) {
    this.#settings = settings;
    settings.engine.onChange((task) => {
      if (task.request.service === undefined) return;
      const key = `${task.request.cluster}/${task.request.service}`;
      if (task.status === 'RUNNING' && task.health === 'HEALTHY') this.#failures.delete(key);
      if (task.desiredStatus === 'STOPPED') this.#countFailure(key, task);
      this.mark(key);
    });
    settings.state.onChange(({ collection, key }) => {
      if (collection === 'service') this.mark(key);
    });
    for (const key of settings.state.services.keys()) this.mark(key);
  }

  /** Reconciles the service in a later turn of the event loop. */
  mark(key: string): void {
    this.#dirty.add(key);
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const keys = [...this.#dirty];
      this.#dirty.clear();
      for (const one of keys) if (!this.#isClosed) this.#reconcile(one);
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#timers.values()) timer.cancel();
  }

  /** Adds an event to the service, as DescribeServices shows it. */
  note(key: string, message: string): void {
    const service = this.#settings.state.services.get(key);
    if (service === undefined) return;
    this.#put(key, withEvent(service, message, this.#context()));
  }

  #context(): RolloutContext {
    return { nowMs: this.#settings.clock.now(), newId: randomUUID };
  }

  #reconcile(key: string): void {
    const { state } = this.#settings;
    const service = state.services.get(key);
    if (service === undefined || service.status === 'INACTIVE') return;
    const tasks = this.#tasksOf(key);
    if (service.status === 'DRAINING') {
      this.#drain(key, service, tasks);
      return;
    }
    const active = tasks.filter(({ desiredStatus }) => desiredStatus === 'RUNNING');
    const kept = this.#replaceUnhealthy(key, service, active);
    const [primary] = service.deployments;
    const fresh = kept.filter(({ request }) => request.deployment === primary?.id);
    const old = kept.filter(({ request }) => request.deployment !== primary?.id);
    const remaining = [...this.#scaleDown(service, fresh), ...this.#retire(service, fresh, old)];
    this.#start(key, service, fresh.length, remaining.length);
    this.#complete(key, fresh, tasks.length - fresh.length);
    const settling = fresh.map((task) => this.#settlesInMs(task)).filter((ms) => ms > 0);
    if (settling.length > 0) this.#later(key, Math.min(...settling));
  }

  #tasksOf(key: string): RunningTask[] {
    return [...this.#settings.engine.tasks.values()].filter(
      ({ status, request }) => status !== 'STOPPED' && `${request.cluster}/${request.service}` === key,
    );
  }

  #drain(key: string, service: EcsServiceRecord, tasks: readonly RunningTask[]): void {
    for (const task of tasks) this.#stop(task, 'the service was deleted');
    if (tasks.length === 0) this.#put(key, asInactive(service, this.#context()));
  }

  /** Tasks that failed their health checks are stopped, and others started in their place; returns the others. */
  #replaceUnhealthy(key: string, service: EcsServiceRecord, active: readonly RunningTask[]): RunningTask[] {
    const { clock, engine, taskArn } = this.#settings;
    const kept: RunningTask[] = [];
    for (const task of active) {
      const graceLeftMs = (task.startedMs ?? clock.now()) + service.gracePeriodSeconds * 1000 - clock.now();
      if (task.health !== 'UNHEALTHY' || graceLeftMs > 0) {
        if (task.health === 'UNHEALTHY') this.#later(key, graceLeftMs);
        kept.push(task);
        continue;
      }
      this.note(key, `(task ${task.id}) failed container health checks.`);
      void engine.stop(task.id, 'ServiceSchedulerInitiated', `Task failed container health checks: ${taskArn(task)}`);
    }
    return kept;
  }

  /** A task without a health check must run for a while first, or one that crashes at once would complete a deployment. */
  #isGood(task: RunningTask): boolean {
    return isGood(task) && this.#settlesInMs(task) === 0;
  }

  #settlesInMs({ startedMs, request }: RunningTask): number {
    if (startedMs === undefined || hasCheck(request.definition)) return 0;
    return Math.min(SETTLE_MS, Math.max(0, startedMs + SETTLE_MS - this.#settings.clock.now()));
  }

  /** Stops what is more than the desired count, the worst and newest first; returns the others. */
  #scaleDown(service: EcsServiceRecord, fresh: readonly RunningTask[]): RunningTask[] {
    const best = [...fresh].sort(
      (one, other) => Number(this.#isGood(other)) - Number(this.#isGood(one)) || one.createdMs - other.createdMs,
    );
    for (const task of best.slice(service.desiredCount)) this.#stop(task, 'Scaling activity initiated by deployment');
    return best.slice(0, service.desiredCount);
  }

  /**
   * Stops tasks of earlier deployments: bad ones at once, good ones while minimumHealthyPercent of good tasks are left, and
   * only to make room for, or after, new ones. Returns those that stay.
   */
  #retire(service: EcsServiceRecord, fresh: readonly RunningTask[], old: readonly RunningTask[]): RunningTask[] {
    const { desiredCount } = service;
    const { minimum, maximum } = limitsOf(service);
    const missing = Math.max(0, desiredCount - fresh.length);
    const room = maximum - fresh.length - old.length;
    // Needed to start what is missing, or left over because new tasks are good.
    let excess = Math.max(
      missing - Math.max(0, room),
      fresh.filter((task) => this.#isGood(task)).length + old.length - desiredCount,
    );
    let good = fresh.filter((task) => this.#isGood(task)).length + old.filter((task) => this.#isGood(task)).length;
    const stays: RunningTask[] = [];
    for (const task of [...old].sort((one, other) => Number(this.#isGood(one)) - Number(this.#isGood(other)))) {
      const mayGo = excess > 0 && (!this.#isGood(task) || good - 1 >= minimum);
      if (!mayGo) {
        stays.push(task);
        continue;
      }
      excess--;
      if (this.#isGood(task)) good--;
      this.#stop(task, `Scaling activity initiated by (deployment ${service.deployments[0]?.id})`);
    }
    return stays;
  }

  #start(key: string, service: EcsServiceRecord, freshCount: number, activeCount: number): void {
    const { clock, engine, state, log } = this.#settings;
    const [deployment] = service.deployments;
    const definition = deployment && state.definitions.get(deployment.taskDefinition);
    if (deployment === undefined || definition === undefined || deployment.rolloutState === 'FAILED') return;
    const count = Math.min(service.desiredCount - freshCount, limitsOf(service).maximum - activeCount);
    if (count <= 0) return;
    const waitMs = (this.#failuresOf(key, deployment.id)?.notBeforeMs ?? 0) - clock.monotonicMs();
    if (waitMs > 0) {
      this.#later(key, waitMs);
      return;
    }
    try {
      const started = Array.from({ length: count }, () => engine.start(requestOf(service, deployment, definition)));
      this.note(key, `has started ${count} tasks: ${started.map(({ id }) => `(task ${id})`).join(' ')}.`);
    } catch (error) {
      log.warn('failed to start tasks of an ECS service', { service: key, reason: (error as Error).message });
      this.#later(key, MAX_BACKOFF_MS);
    }
  }

  #complete(key: string, fresh: readonly RunningTask[], others: number): void {
    const service = this.#settings.state.services.get(key)!;
    const completed = withCompletion(service, fresh, others, this.#context(), (task) => this.#isGood(task));
    if (completed !== undefined) this.#put(key, completed);
  }

  /** Of each task once: it failed to start, ended by itself, or failed its health checks before it was ever good. */
  #countFailure(key: string, task: RunningTask): void {
    const hasFailed =
      task.stopCode === 'TaskFailedToStart' ||
      task.stopCode === 'EssentialContainerExited' ||
      task.health === 'UNHEALTHY';
    if (!hasFailed || this.#counted.has(task.id)) return;
    this.#counted.add(task.id);
    if (this.#counted.size > 10_000) this.#counted.clear();
    const { clock } = this.#settings;
    const { deployment } = task.request;
    const isLongLived = clock.now() - (task.startedMs ?? clock.now()) > MAX_BACKOFF_MS;
    const inARow = (isLongLived ? 0 : (this.#failuresOf(key, deployment)?.inARow ?? 0)) + 1;
    const backoffMs = inARow === 1 ? 0 : Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (inARow - 2));
    this.#failures.set(key, { deployment, inARow, notBeforeMs: clock.monotonicMs() + backoffMs });
    this.note(key, `(task ${task.id}) stopped: ${task.stoppedReason ?? 'unknown'}.`);
    if (inARow === PERSISTENT_FAILURES) this.note(key, 'is unable to consistently start tasks successfully.');
    this.#breakCircuit(key, task.request.deployment);
  }

  #failuresOf(key: string, deployment: string | undefined): Failures | undefined {
    const failures = this.#failures.get(key);
    return failures?.deployment === deployment ? failures : undefined;
  }

  #breakCircuit(key: string, deploymentId: string | undefined): void {
    const service = this.#settings.state.services.get(key);
    const primary = service?.deployments[0];
    if (service === undefined || primary === undefined || primary.id !== deploymentId) return;
    const { service: next, isBroken } = withFailures(service, primary.failedTasks + 1, this.#context());
    if (next !== service) this.#put(key, next);
    if (isBroken) this.#failures.delete(key);
  }

  #stop(task: RunningTask, reason: string): void {
    void this.#settings.engine.stop(task.id, 'ServiceSchedulerInitiated', reason);
  }

  /** Reconciles the service then, or before. */
  #later(key: string, delayMs: number): void {
    const { clock } = this.#settings;
    const dueMs = clock.monotonicMs() + delayMs;
    const known = this.#timers.get(key);
    if (known !== undefined && known.dueMs <= dueMs) return;
    known?.timer.cancel();
    const timer = clock.setTimeout(() => {
      this.#timers.delete(key);
      this.mark(key);
    }, delayMs);
    this.#timers.set(key, { timer, dueMs });
  }

  #put(key: string, service: EcsServiceRecord): void {
    this.#settings.state.note({ collection: 'service', key, value: service });
  }
}

function requestOf(service: EcsServiceRecord, deployment: DeploymentRecord, record: TaskDefinitionRecord) {
  return {
    ...{ cluster: service.cluster, service: service.name, group: `service:${service.name}`, startedBy: deployment.id },
    ...{ deployment: deployment.id, definitionKey: definitionKey(record), definition: record.definition },
    ...{ registries: service.registries, overrides: [], launchType: service.launchType, tags: {} },
  };
}
