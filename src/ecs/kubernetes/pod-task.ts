// A pod as the task that DescribeTasks shows.
import type { Status } from '../../registry/model.ts';
import {
  type Fields,
  fields,
  list,
  type Metadata,
  optionalFields,
  optionalText,
  timeMs,
} from '../../sources/kubernetes/api/objects.ts';
import { DEFINITION_ANNOTATION, kubernetesName } from '../../taskdef/deployment.ts';
import type { ContainerDefinition } from '../../taskdef/task-definition.ts';
import type { EcsServiceRecord, Tags, TaskDefinitionRecord } from '../model/ecs-records.ts';
import type { RunningContainer, RunningTask, TaskRequest, TaskStatus } from '../model/running-task.ts';
import type { JudgedTask } from '../task-health.ts';
import {
  DEPLOYMENT_ANNOTATION,
  REQUEST_ANNOTATION,
  SERVICE_ANNOTATION,
  STOPPED_ANNOTATION,
  TAGS_ANNOTATION,
} from './ecs-objects.ts';

export interface PodTask {
  readonly task: RunningTask;
  /** Times that an essential container ended or could not start. */
  readonly failures: number;
}

/** The origin of a pod, according to the API. */
export interface PodOrigin {
  readonly definition: (key: string) => TaskDefinitionRecord | undefined;
  readonly service: (key: string) => EcsServiceRecord | undefined;
}

/** undefined: not a task of this API, or one whose definition is gone. @throws MalformedObject */
export function taskOfPod(metadata: Metadata, pod: Fields, judged: JudgedTask, origin: PodOrigin): PodTask | undefined {
  const request = requestOf(metadata, origin);
  if (request === undefined) return undefined;
  const status = optionalFields(pod.status, 'status');
  const statuses = new Map(
    list(status.containerStatuses, 'status.containerStatuses').map((value) => {
      const container = fields(value, 'container status');
      return [optionalText(container.name, 'name') ?? '', container] as const;
    }),
  );
  const health = new Map(judged.containers.map((one) => [one.name, one]));
  const containers = request.definition.containerDefinitions.map((definition) => {
    const name = kubernetesName(definition.name);
    return containerOf(definition, statuses.get(name), health.get(name));
  });
  const phase = optionalText(status.phase, 'status.phase');
  const hasEnded = phase === 'Succeeded' || phase === 'Failed';
  const isStopping = metadata.deletingSinceMs !== undefined;
  const stopped = stoppedBy(metadata, request, hasEnded || isStopping);
  const startedMs = startTime(statuses);
  const task: RunningTask = {
    ...{ id: metadata.name, request, containers, createdMs: metadata.createdMs ?? 0 },
    address: optionalText(status.podIP, 'status.podIP') ?? '',
    status: statusOf(pod, containers, hasEnded, isStopping),
    desiredStatus: hasEnded || isStopping ? 'STOPPED' : 'RUNNING',
    ...{ health: judged.fact.status, healthReason: judged.fact.reason, version: Number(metadata.resourceVersion) },
    ...(startedMs !== undefined && { startedMs }),
    ...(isStopping && { stoppingMs: metadata.deletingSinceMs }),
    ...(hasEnded && { stoppedMs: endTime(statuses) ?? metadata.createdMs ?? 0 }),
    ...stopped,
  };
  return { task, failures: failuresOf(request, containers, statuses) };
}

function requestOf(metadata: Metadata, { definition, service }: PodOrigin): TaskRequest | undefined {
  const says = (key: string) => optionalText(metadata.annotations[key], `annotation ${key}`);
  const definitionKey = says(DEFINITION_ANNOTATION) ?? '';
  const record = definition(definitionKey);
  if (record === undefined) return undefined;
  const owner = service(says(SERVICE_ANNOTATION) ?? '');
  const tags = parse(says(TAGS_ANNOTATION)) as Tags | undefined;
  const common = { definitionKey, definition: record.definition, ...(tags && { tags }) };
  if (owner !== undefined) {
    const deployment = says(DEPLOYMENT_ANNOTATION);
    return {
      ...{ tags: {}, ...common, cluster: owner.cluster, service: owner.name, group: `service:${owner.name}` },
      ...(deployment && { deployment, startedBy: deployment }),
      ...{ registries: owner.registries, overrides: [], launchType: owner.launchType },
    };
  }
  const asked = parse(says(REQUEST_ANNOTATION));
  if (asked === undefined) return undefined;
  const defaults = { cluster: 'default', group: '', overrides: [], launchType: 'EC2' as const, tags: {} };
  return { ...defaults, ...asked, ...common, registries: [] };
}

function statusOf(
  pod: Fields,
  containers: readonly RunningContainer[],
  hasEnded: boolean,
  isStopping: boolean,
): TaskStatus {
  if (hasEnded) return 'STOPPED';
  if (isStopping) return 'DEACTIVATING';
  if (containers.every(({ status, essential }) => status === 'RUNNING' || (status === 'STOPPED' && !essential)))
    return 'RUNNING';
  return optionalText(optionalFields(pod.spec, 'spec').nodeName, 'spec.nodeName') ? 'PENDING' : 'PROVISIONING';
}

function containerOf(
  { name, image, essential, portMappings }: ContainerDefinition,
  status: Fields | undefined,
  judged: JudgedTask['containers'][number] | undefined,
): RunningContainer {
  const state = optionalFields(status?.state, 'state');
  const terminated = state.terminated ? fields(state.terminated, 'terminated') : undefined;
  const waiting = optionalText(optionalFields(state.waiting, 'waiting').reason, 'reason');
  const reason = terminated ? optionalText(terminated.reason, 'reason') : waiting;
  const health: Status = judged?.status ?? 'UNKNOWN';
  const runtimeId = optionalText(status?.containerID, 'containerID');
  return {
    ...{ name, image, essential, health, healthReason: judged?.reason ?? 'it has no health check' },
    status: terminated ? 'STOPPED' : state.running ? 'RUNNING' : 'PENDING',
    ...(terminated && { exitCode: Number(terminated.exitCode) }),
    ...(reason && !STARTING.has(reason) && { reason }),
    ...(runtimeId && { runtimeId: runtimeId.replace(/^.*:\/\//, '') }),
    ports: portMappings.flatMap(({ containerPort, protocol }) =>
      containerPort === undefined ? [] : [{ containerPort, hostPort: containerPort, protocol }],
    ),
  };
}

const STARTING = new Set(['ContainerCreating', 'PodInitializing']);

function failuresOf(
  request: TaskRequest,
  containers: readonly RunningContainer[],
  statuses: ReadonlyMap<string, Fields>,
): number {
  const essential = containers.filter((one) => one.essential);
  const counts = essential.map(({ name, status, reason }) => {
    const restarts = Number(statuses.get(kubernetesName(name))?.restartCount ?? 0);
    const cannotStart = status === 'PENDING' && reason !== undefined && reason !== 'CrashLoopBackOff';
    return restarts + Number(cannotStart || (status === 'STOPPED' && request.service !== undefined));
  });
  return Math.max(0, ...counts);
}

function stoppedBy(
  metadata: Metadata,
  { deployment }: TaskRequest,
  isStopped: boolean,
): Pick<RunningTask, 'stopCode' | 'stoppedReason'> {
  if (!isStopped) return {};
  const said = parse(optionalText(metadata.annotations[STOPPED_ANNOTATION], STOPPED_ANNOTATION));
  if (said !== undefined) return said as Pick<RunningTask, 'stopCode' | 'stoppedReason'>;
  if (deployment !== undefined && metadata.deletingSinceMs !== undefined)
    return {
      stopCode: 'ServiceSchedulerInitiated',
      stoppedReason: `Scaling activity initiated by (deployment ${deployment})`,
    };
  return { stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited' };
}

function startTime(statuses: ReadonlyMap<string, Fields>): number | undefined {
  const times = [...statuses.values()].flatMap((status) => {
    const state = optionalFields(status.state, 'state');
    const { startedAt } = optionalFields(state.running ?? state.terminated, 'state');
    return timeMs(startedAt) ?? [];
  });
  return times.length === 0 ? undefined : Math.min(...times);
}

function endTime(statuses: ReadonlyMap<string, Fields>): number | undefined {
  const times = [...statuses.values()].flatMap(
    (status) => timeMs(optionalFields(optionalFields(status.state, 'state').terminated, 'terminated').finishedAt) ?? [],
  );
  return times.length === 0 ? undefined : Math.max(...times);
}

function parse(json: string | undefined): object | undefined {
  try {
    const value = json === undefined ? undefined : JSON.parse(json);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined; // somebody else wrote it
  }
}
