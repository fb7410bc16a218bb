// Maintains a Deployment for each service, and records its progress: events, complete and failed deployments. Only the
// elected replica does. Level-triggered: whatever changes only marks the service.
import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import { ApiError, type ApiServer } from '../../sources/kubernetes/api/api-server.ts';
import { type Fields, fields, metadata, optionalFields, optionalText } from '../../sources/kubernetes/api/objects.ts';
import type { WatchedKind } from '../../sources/kubernetes/watch/watched-kind.ts';
import { asInactive, type RolloutContext, withCompletion, withEvent, withFailures } from '../engine/rollout.ts';
import type { EcsServiceRecord } from '../model/ecs-records.ts';
import type { EcsState } from '../model/ecs-state.ts';
import type { RunningTask } from '../model/running-task.ts';
import { DEPLOYMENT_ANNOTATION, ECS_LABEL, SERVICE_ANNOTATION } from './ecs-objects.ts';
import type { KubernetesEngine } from './kubernetes-engine.ts';
import { deploymentName, deploymentOfService, scaleOf } from './service-deployment.ts';

export interface DeploymentWriterSettings {
  readonly state: EcsState;
  readonly engine: KubernetesEngine;
  readonly server: ApiServer;
  readonly namespace: string;
  /** Seconds between a task's last answer and the end of its containers. */
  readonly drainSeconds: (service: EcsServiceRecord) => number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** How often ended tasks are looked for, and how long their pods stay. */
const SWEEP_MS = 60_000;
const ENDED_MS = 3_600_000;
const MAX_NAMED = 20;

export class DeploymentWriter {
  readonly #settings: DeploymentWriterSettings;
  readonly #deployments = new Map<string, Fields>();
  readonly #dirty = new Set<string>();
  readonly #retries = new Map<string, { readonly timer: Timer; readonly delayMs: number; readonly message: string }>();
  /** Tasks whose start or failure has been reported as an event. */
  readonly #told = new Set<string>();
  #isListed = false;
  #isActive = false;
  #activeSinceMs = 0;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #sweepTimer: Timer | undefined;

  constructor(settings: DeploymentWriterSettings) {
    this.#settings = settings;
    settings.state.onChange(({ collection, key }) => {
      if (collection === 'service') this.mark(key);
    });
    settings.engine.onChange((task) => {
      if (task.request.service !== undefined) this.mark(`${task.request.cluster}/${task.request.service}`);
      else this.#endTask(task);
    });
  }

  kind(): WatchedKind {
    const changed = (object: Fields | undefined) => this.mark(ownerOf(object) ?? '');
    return {
      resource: 'deployments',
      title: 'deployments of ECS',
      apiGroup: 'apps',
      groupVersionPath: '/apis/apps/v1',
      namespace: this.#settings.namespace,
      labelSelector: `${ECS_LABEL}=deployment`,
      essential: true,
      keyOf: (_namespace, name) => name,
      replace: (name, _metadata, object) => {
        this.#deployments.set(name, object);
        changed(object);
        return undefined;
      },
      remove: (name) => {
        const object = this.#deployments.get(name);
        this.#deployments.delete(name);
        changed(object);
      },
    };
  }

  /** All Deployments, tasks and records have been read once. */
  listed(): void {
    this.#isListed = true;
    this.#markAll();
  }

  readonly setActive = (isActive: boolean): void => {
    this.#isActive = isActive;
    this.#activeSinceMs = this.#settings.clock.now();
    this.#sweepTimer?.cancel();
    if (!isActive) return;
    this.#markAll();
    this.#sweep();
  };

  mark(key: string): void {
    if (key === '') return;
    this.#dirty.add(key);
    if (this.#isRunning || !this.#isActive || !this.#isListed) return;
    this.#isRunning = true;
    this.#running = this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  async stop(): Promise<void> {
    this.#isActive = false;
    this.#sweepTimer?.cancel();
    for (const { timer } of this.#retries.values()) timer.cancel();
    await this.#running;
  }

  #markAll(): void {
    for (const key of this.#settings.state.services.keys()) this.mark(key);
    for (const object of this.#deployments.values()) this.mark(ownerOf(object) ?? '');
  }

  async #run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // changes of one turn are one pass
    for (const key of this.#dirty) {
      if (!this.#isActive) return;
      this.#dirty.delete(key);
      try {
        await this.#reconcile(key);
        this.#retries.get(key)?.timer.cancel();
        this.#retries.delete(key);
      } catch (error) {
        this.#retry(key, error as Error);
      }
    }
  }

  #retry(key: string, { message }: Error): void {
    const { clock, log } = this.#settings;
    const before = this.#retries.get(key);
    before?.timer.cancel();
    if (before?.message !== message && this.#isActive)
      log.warn('failed to write the Deployment of an ECS service', { service: key, detail: message });
    const delayMs = Math.min(MAX_RETRY_MS, (before?.delayMs ?? FIRST_RETRY_MS / 2) * 2);
    const timer = clock.setTimeout(() => this.mark(key), delayMs);
    this.#retries.set(key, { timer, delayMs, message });
  }

  async #reconcile(key: string): Promise<void> {
    const { state } = this.#settings;
    const service = state.services.get(key);
    if (service?.status === 'ACTIVE') {
      await this.#ensure(key, service);
      await this.#write(key, (present) => this.#progress(key, present));
      return;
    }
    await this.#delete(key);
    if (service?.status === 'DRAINING' && this.#tasksOf(key).length === 0)
      await this.#write(key, (present) =>
        present.status === 'DRAINING' ? asInactive(present, this.#context()) : present,
      );
  }

  /** Creates the Deployment, or changes what differs. A template stays for the whole of an ECS deployment. */
  async #ensure(key: string, service: EcsServiceRecord): Promise<void> {
    const { state, namespace, drainSeconds, server, signal } = this.#settings;
    const [primary] = service.deployments;
    const record = primary && state.definitions.get(primary.taskDefinition);
    if (primary === undefined || record === undefined) return;
    const name = deploymentName(service);
    const current = this.#deployments.get(name);
    if (current !== undefined && ownerOf(current) !== key)
      throw new Error(`the Deployment ${name} belongs to the service ${ownerOf(current)}`);
    const isSame = current !== undefined && annotation(current, DEPLOYMENT_ANNOTATION) === primary.id;
    if (isSame && isScaled(current, scaleOf(service))) return;
    const { manifest, warnings } = deploymentOfService(service, record, namespace, drainSeconds(service));
    const object = current === undefined ? manifest : replaced(current, manifest, scaleOf(service), isSame);
    const written = await server
      .exchange(current === undefined ? 'POST' : 'PUT', this.#path(current === undefined ? '' : name), object, signal)
      .catch((error: Error) => this.#refused(name, error));
    this.#deployments.set(name, written);
    if (isSame || warnings.length === 0) return;
    const told = `${primary.taskDefinition} is not preserved completely: ${warnings.join('; ')}`.slice(0, 1000);
    await this.#write(key, (present) => withEvent(present, told, this.#context()));
  }

  /** Another replica, or another program, was faster: its object counts for the next attempt. */
  async #refused(name: string, error: Error): Promise<never> {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
    const { server, signal } = this.#settings;
    const present = await server.exchange('GET', this.#path(name), undefined, signal);
    if (metadata(present).labels[ECS_LABEL] !== 'deployment')
      throw new Error(`the Deployment ${name} belongs to another owner; delete or rename it`);
    this.#deployments.set(name, present);
    throw error;
  }

  async #delete(key: string): Promise<void> {
    const { server, signal } = this.#settings;
    for (const [name, object] of this.#deployments) {
      if (ownerOf(object) !== key || metadata(object).deletingSinceMs !== undefined) continue;
      const { uid } = fields(object.metadata, 'metadata');
      const options = { propagationPolicy: 'Background', preconditions: { uid } };
      await server.exchange('DELETE', this.#path(name), options, signal).catch((error: unknown) => {
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      });
      this.#deployments.delete(name);
    }
  }

  #tasksOf(key: string): RunningTask[] {
    return [...this.#settings.engine.tasks.values()].filter(
      ({ status, request }) => status !== 'STOPPED' && `${request.cluster}/${request.service}` === key,
    );
  }

  /** Applies the changes of its tasks since the service was last written. */
  #progress(key: string, service: EcsServiceRecord): EcsServiceRecord {
    const { engine } = this.#settings;
    const context = this.#context();
    const [primary] = service.deployments;
    if (primary === undefined || service.status !== 'ACTIVE') return service;
    const tasks = this.#tasksOf(key);
    const fresh = tasks.filter(
      ({ request, desiredStatus }) => request.deployment === primary.id && desiredStatus === 'RUNNING',
    );
    let next = this.#tellStarts(service, tasks, context);
    next = this.#tellUnhealthy(next, tasks, context);
    const failed = fresh.map((task) => ({ task, count: engine.failuresOf(task) })).filter(({ count }) => count > 0);
    const count = failed.reduce((sum, one) => sum + one.count, 0);
    if (count > primary.failedTasks && primary.rolloutState === 'IN_PROGRESS') {
      const { task } = failed.at(-1)!;
      next = withEvent(next, `(task ${task.id}) failed: ${reasonOf(task)}.`, context);
      next = withFailures(next, count, context).service;
    }
    return withCompletion(next, fresh, tasks.length - fresh.length, context) ?? next;
  }

  #tellStarts(service: EcsServiceRecord, tasks: readonly RunningTask[], context: RolloutContext): EcsServiceRecord {
    const started = tasks.filter(({ id, createdMs }) => createdMs >= this.#activeSinceMs - 1000 && !this.#told.has(id));
    if (started.length === 0) return service;
    const named = started.slice(0, MAX_NAMED).map(({ id }) => `(task ${id})`);
    const more = started.length > MAX_NAMED ? ` and ${started.length - MAX_NAMED} more` : '';
    return withEvent(service, `has started ${started.length} tasks: ${named.join(' ')}${more}.`, context);
  }

  #tellUnhealthy(service: EcsServiceRecord, tasks: readonly RunningTask[], context: RolloutContext): EcsServiceRecord {
    for (const { id, health } of tasks) if (health === 'HEALTHY') this.#told.delete(`unhealthy ${id}`);
    const failing = tasks.filter(({ id, health }) => health === 'UNHEALTHY' && !this.#told.has(`unhealthy ${id}`));
    return failing.reduce(
      (next, { id, healthReason }) =>
        withEvent(next, `(task ${id}) failed container health checks: ${healthReason}.`, context),
      service,
    );
  }

  /** Stores a change of the service, if there is one, and remembers the reported events. */
  async #write(key: string, change: (present: EcsServiceRecord) => EcsServiceRecord): Promise<void> {
    const { state } = this.#settings;
    const current = state.services.get(key);
    if (current === undefined || change(current) === current) return;
    await state.mutate(() => {
      const present = state.services.get(key);
      const value = present && change(present);
      return {
        changes: value === undefined || value === present ? [] : [{ collection: 'service', key, value }],
        result: undefined,
      };
    });
    if (this.#told.size > MAX_TOLD) this.#told.clear();
    for (const { id, health } of this.#tasksOf(key)) {
      this.#told.add(id);
      if (health === 'UNHEALTHY') this.#told.add(`unhealthy ${id}`);
    }
  }

  /** A task outside of services ends with its first essential container, as in ECS; its pod would go on. */
  #endTask({ id, desiredStatus, containers }: RunningTask): void {
    if (!this.#isActive || desiredStatus !== 'RUNNING') return;
    if (!containers.some(({ essential, status }) => essential && status === 'STOPPED')) return;
    const { engine, log } = this.#settings;
    engine
      .stop(id, 'EssentialContainerExited', 'Essential container in task exited')
      .catch((error: Error) => log.warn('failed to stop an ECS task', { task: id, detail: error.message }));
  }

  /** Deletes pods of tasks that ended long ago. */
  #sweep(): void {
    const { engine, clock, server, namespace, signal, log } = this.#settings;
    for (const { id, request, stoppedMs } of engine.tasks.values()) {
      if (request.service !== undefined || stoppedMs === undefined || clock.now() - stoppedMs < ENDED_MS) continue;
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(id)}`;
      server.exchange('DELETE', path, undefined, signal).catch((error: Error) => {
        if (!(error instanceof ApiError && error.status === 404))
          log.warn('failed to delete the pod of an ended ECS task', { task: id, detail: error.message });
      });
    }
    this.#sweepTimer = clock.setTimeout(() => this.#sweep(), SWEEP_MS);
  }

  #context(): RolloutContext {
    return { nowMs: this.#settings.clock.now(), newId: randomUUID };
  }

  #path(name: string): string {
    const { namespace } = this.#settings;
    return `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/deployments${name && `/${encodeURIComponent(name)}`}`;
  }
}

const MAX_TOLD = 50_000;

function annotation(object: Fields | undefined, key: string): string | undefined {
  return object && optionalText(metadata(object).annotations[key], `annotation ${key}`);
}

const ownerOf = (object: Fields | undefined): string | undefined => annotation(object, SERVICE_ANNOTATION);

function isScaled(object: Fields, wanted: Record<string, unknown>): boolean {
  const { replicas, paused = false, strategy } = fields(object.spec, 'spec');
  const { type, rollingUpdate } = optionalFields(strategy, 'strategy');
  const { maxUnavailable, maxSurge } = optionalFields(rollingUpdate, 'rollingUpdate');
  const present = { replicas, paused, strategy: { type, rollingUpdate: { maxUnavailable, maxSurge } } };
  return JSON.stringify(present) === JSON.stringify(wanted);
}

/** The present object with the manifest's scale, and its template if that belongs to another ECS deployment. */
function replaced(current: Fields, manifest: object, scale: Record<string, unknown>, isSame: boolean): object {
  const { status: _, ...rest } = current;
  const wanted = manifest as { metadata: Fields; spec: Fields };
  const own = fields(current.metadata, 'metadata');
  const annotations = {
    ...optionalFields(own.annotations, 'annotations'),
    ...optionalFields(wanted.metadata.annotations, 'annotations'),
  };
  const template = isSame ? {} : { template: wanted.spec.template };
  return {
    ...rest,
    metadata: { ...own, annotations, labels: wanted.metadata.labels },
    spec: { ...fields(current.spec, 'spec'), ...scale, ...template },
  };
}

function reasonOf({ containers, healthReason }: RunningTask): string {
  const failed = containers.find(({ essential, status }) => essential && status !== 'RUNNING');
  if (failed === undefined) return healthReason;
  const code = failed.exitCode === undefined ? '' : `, exit code ${failed.exitCode}`;
  return `container ${failed.name}: ${failed.reason ?? 'it ended'}${code}`;
}
