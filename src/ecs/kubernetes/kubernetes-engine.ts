// Tasks as pods of one namespace. Those of services are made by their Deployments; RunTask makes pods itself. Every replica
// watches all of them.
import { randomBytes } from 'node:crypto';
import type { Timer } from '../../clock.ts';
import { AwsError } from '../../cloudmap/aws-error.ts';
import { ApiError, type ApiServer } from '../../sources/kubernetes/api/api-server.ts';
import { type ConflictTimes, conflictRetries } from '../../sources/kubernetes/api/conflicts.ts';
import {
  type Fields,
  fields,
  type Metadata,
  metadata as metadataOf,
  optionalFields,
} from '../../sources/kubernetes/api/objects.ts';
import type { WatchedKind } from '../../sources/kubernetes/watch/watched-kind.ts';
import { DEFINITION_ANNOTATION, deploymentOf, kubernetesName } from '../../taskdef/deployment.ts';
import { type TaskDefinition, TaskDefinitionError } from '../../taskdef/task-definition.ts';
import { forgetStopped } from '../engine/stopped-tasks.ts';
import type { Tags } from '../model/ecs-records.ts';
import type { EcsState } from '../model/ecs-state.ts';
import type { RunningTask, TaskEngine, TaskRequest } from '../model/running-task.ts';
import { judgeTask, NOTHING_SEEN, type Seen } from '../task-health.ts';
import { ECS_LABEL, SERVICE_ANNOTATION, STOPPED_ANNOTATION, TAGS_ANNOTATION } from './ecs-objects.ts';
import { taskOfPod } from './pod-task.ts';
import { podOfTask } from './service-deployment.ts';

export interface KubernetesEngineSettings extends ConflictTimes {
  readonly state: EcsState;
  readonly server: ApiServer;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

const POD_NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** The records that a pod was made from, by the annotations that name them. */
const MADE_FROM = [
  ['definition', DEFINITION_ANNOTATION],
  ['service', SERVICE_ANNOTATION],
] as const;

interface Pod {
  readonly seen: Seen;
  readonly review: Timer | undefined;
  readonly failures: number;
}

export class KubernetesEngine implements TaskEngine {
  readonly tasks = new Map<string, RunningTask>();
  readonly #settings: KubernetesEngineSettings;
  readonly #pods = new Map<string, Pod>();
  readonly #listeners: ((task: RunningTask) => void)[] = [];

  /** Pods that came before the records that they were made from. */
  readonly #unknown = new Map<string, { readonly metadata: Metadata; readonly pod: Fields }>();

  constructor(settings: KubernetesEngineSettings) {
    this.#settings = settings;
    settings.state.onChange(({ collection }) => {
      if (collection === 'cluster') return;
      for (const [id, { metadata, pod }] of this.#unknown) this.#replace(id, metadata, pod);
    });
  }

  /** Times that essential containers of the task ended or could not start. */
  failuresOf({ id }: RunningTask): number {
    return this.#pods.get(id)?.failures ?? 0;
  }

  problemOf(definition: TaskDefinition): string | undefined {
    try {
      deploymentOf(definition, { service: 'x', cluster: 'x', count: 0, registries: [] });
      return undefined;
    } catch (error) {
      if (error instanceof TaskDefinitionError) return error.problems.join('; ');
      throw error;
    }
  }

  async refresh(id: string): Promise<void> {
    if (!POD_NAME.test(id)) return;
    const { server, state, signal } = this.#settings;
    try {
      const pod = await server.exchange('GET', this.#path(id), undefined, signal);
      const { labels, annotations } = metadataOf(pod);
      if (labels[ECS_LABEL] !== 'task') return;
      for (const [collection, annotation] of MADE_FROM) {
        const key = annotations[annotation];
        if (typeof key === 'string') await state.refresh(collection, key);
      }
      this.#take(id, pod);
    } catch (error) {
      if (!isGone(error)) throw refusal(error);
    }
  }

  async run(request: TaskRequest): Promise<RunningTask> {
    const { server, signal } = this.#settings;
    const family = kubernetesName(request.definition.family).slice(0, 40).replace(/-+$/, '');
    const id = `${family}-${randomBytes(8).toString('hex')}`;
    try {
      this.#take(id, await server.exchange('POST', this.#path(''), podOfTask(id, request), signal));
    } catch (error) {
      throw refusal(error);
    }
    return this.tasks.get(id)!;
  }

  /** The reason is written to the pod first, so that every replica reports the same. */
  async stop(id: string, stopCode: NonNullable<RunningTask['stopCode']>, stoppedReason: string): Promise<void> {
    if (this.tasks.get(id)?.desiredStatus !== 'RUNNING') return;
    const { server, signal } = this.#settings;
    await this.#annotate(id, STOPPED_ANNOTATION, { stopCode, stoppedReason });
    try {
      const deleted = await server.exchange('DELETE', this.#path(id), undefined, signal);
      if (deleted.kind === 'Pod') this.#take(id, deleted);
    } catch (error) {
      if (!isGone(error)) throw refusal(error);
    }
  }

  setTags(id: string, tags: Tags): Promise<void> {
    return this.#annotate(id, TAGS_ANNOTATION, tags);
  }

  /** Another writer of the pod, such as the kubelet, may be faster. */
  async #annotate(id: string, key: string, value: object): Promise<void> {
    const { server, signal } = this.#settings;
    const shallRetry = conflictRetries(this.#settings);
    for (;;) {
      try {
        const pod = await server.exchange('GET', this.#path(id), undefined, signal);
        const own = fields(pod.metadata, 'metadata');
        const annotations = { ...optionalFields(own.annotations, 'annotations'), [key]: JSON.stringify(value) };
        this.#take(
          id,
          await server.exchange('PUT', this.#path(id), { ...pod, metadata: { ...own, annotations } }, signal),
        );
        return;
      } catch (error) {
        if (isGone(error)) return;
        const isOutdated = error instanceof ApiError && error.status === 409;
        if (!isOutdated || !(await shallRetry())) throw refusal(error);
      }
    }
  }

  onChange(listener: (task: RunningTask) => void): void {
    this.#listeners.push(listener);
  }

  /** Tasks go on: they are the cluster's. */
  async close(): Promise<void> {
    for (const { review } of this.#pods.values()) review?.cancel();
  }

  kind(): WatchedKind {
    return {
      resource: 'pods',
      title: 'tasks of ECS',
      apiGroup: '',
      groupVersionPath: '/api/v1',
      namespace: this.#settings.namespace,
      labelSelector: `${ECS_LABEL}=task`,
      essential: true,
      keyOf: (_namespace, name) => name,
      replace: (key, metadata, object) => {
        this.#replace(key, metadata, object);
        return undefined;
      },
      remove: (key) => this.#remove(key),
    };
  }

  #take(id: string, pod: Fields): void {
    const metadata = metadataOf(pod);
    const known = this.tasks.get(id);
    if (known === undefined || known.version < Number(metadata.resourceVersion)) this.#replace(id, metadata, pod);
  }

  #replace(id: string, metadata: Metadata, pod: Fields): void {
    const { clock, state } = this.#settings;
    const before = this.#pods.get(id);
    const nowMs = clock.now();
    const judged = judgeTask(metadata, pod, before?.seen ?? NOTHING_SEEN, nowMs);
    before?.review?.cancel();
    const review =
      judged.reviewMs === undefined
        ? undefined
        : clock.setTimeout(() => this.#replace(id, metadata, pod), judged.reviewMs - nowMs);
    const known = taskOfPod(metadata, pod, judged, {
      definition: (key) => state.definitions.get(key),
      service: (key) => state.services.get(key),
    });
    this.#pods.set(id, { seen: judged.seen, review, failures: known?.failures ?? 0 });
    if (known === undefined) this.#unknown.set(id, { metadata, pod });
    else this.#unknown.delete(id);
    if (known !== undefined) this.#changed(known.task);
  }

  #remove(id: string): void {
    this.#pods.get(id)?.review?.cancel();
    this.#pods.delete(id);
    this.#unknown.delete(id);
    const task = this.tasks.get(id);
    if (task === undefined) return;
    const stoppedMs = task.stoppedMs ?? this.#settings.clock.now();
    const containers = task.containers.map((one) => ({ ...one, status: 'STOPPED' as const }));
    // A pod that is gone without a trace was stopped by its Deployment, or with kubectl.
    const reason = { stopCode: 'ServiceSchedulerInitiated', stoppedReason: 'its pod was deleted' } as const;
    this.#changed({ ...reason, ...task, status: 'STOPPED', desiredStatus: 'STOPPED', containers, stoppedMs });
    forgetStopped(this.tasks, this.#pods.size, this.#settings.clock.now());
  }

  #changed(task: RunningTask): void {
    this.tasks.set(task.id, task);
    for (const listener of this.#listeners) listener(task);
  }

  #path(name: string): string {
    const { namespace } = this.#settings;
    return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods${name && `/${encodeURIComponent(name)}`}`;
  }
}

const isGone = (error: unknown): boolean => error instanceof ApiError && error.status === 404;

/** A rejection by the API server is the client's error; an unreachable API server is not. */
function refusal(error: unknown): AwsError {
  const { message } = error as Error;
  const isRefused = error instanceof ApiError && (error.status === 400 || error.status === 403 || error.status === 422);
  return new AwsError(isRefused ? 'ClientException' : 'ServiceUnavailable', message);
}
