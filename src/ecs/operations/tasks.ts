import * as v from 'valibot';
import { AwsError } from '../../cloudmap/aws-error.ts';
import { definitionKey, serviceKey } from '../model/ecs-records.ts';
import type { RunningTask } from '../model/running-task.ts';
import {
  clusterArn,
  clusterChange,
  clusterOf,
  containerArn,
  count,
  definitionArn,
  definitionOf,
  type EcsApi,
  includes,
  LAUNCH_TYPE_PROBLEM,
  LAUNCH_TYPES,
  nameOf,
  pageInput,
  pageOf,
  readInput,
  reference,
  references,
  serviceNameOf,
  tags,
  tagsOf,
  targetCluster,
  taskArn,
  taskOf,
  withTags,
} from './ecs-api.ts';
import { runOnce } from './repeated-runs.ts';

const text = v.pipe(v.string(), v.maxLength(1024));
const environment = v.array(v.object({ name: text, value: v.optional(v.pipe(v.string(), v.maxLength(8192)), '') }));
const overrides = v.optional(
  v.object({
    containerOverrides: v.optional(
      v.pipe(
        v.array(
          v.object({
            name: text,
            command: v.optional(v.array(v.string())),
            environment: v.optional(environment),
          }),
        ),
        v.maxLength(10),
      ),
      [],
    ),
  }),
);

const runInput = v.object({
  clientToken: v.optional(v.pipe(v.string(), v.maxLength(64))),
  cluster: v.optional(reference),
  taskDefinition: reference,
  count: v.optional(v.pipe(count(10), v.minValue(1)), 1),
  group: v.optional(v.pipe(v.string(), v.maxLength(255))),
  startedBy: v.optional(v.pipe(v.string(), v.maxLength(128))),
  launchType: v.optional(v.picklist(LAUNCH_TYPES, LAUNCH_TYPE_PROBLEM), 'EC2'),
  overrides,
  tags,
});

/** Tasks outside of services. They are in no service registry, as in ECS. */
export async function runTask(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(runInput, input);
  const cluster = targetCluster(api, request.cluster);
  const record = definitionOf(api, request.taskDefinition);
  if (record.status !== 'ACTIVE') throw new AwsError('ClientException', 'TaskDefinition is inactive.');
  const given = request.overrides?.containerOverrides ?? [];
  const names = record.definition.containerDefinitions.map(({ name }) => name);
  const unknown = given.find(({ name }) => !names.includes(name));
  if (unknown)
    throw new AwsError(
      'InvalidParameterException',
      `Override for container named ${unknown.name} is not a container in the TaskDefinition.`,
    );
  const run = () =>
    api.engine.run({
      cluster,
      group: request.group ?? `family:${record.family}`,
      ...(request.startedBy !== undefined && { startedBy: request.startedBy }),
      ...{ definitionKey: definitionKey(record), definition: record.definition, registries: [] },
      ...{ overrides: given, launchType: request.launchType, tags: tagsOf(request.tags) },
    });
  await api.state.mutate(() => ({ changes: clusterChange(api, cluster), result: undefined }));
  try {
    const { clientToken } = request;
    const runAll = () => Promise.all(Array.from({ length: request.count }, run));
    const tasks = await runOnce(api, { cluster, clientToken, request }, runAll);
    return { tasks: tasks.map((task) => describeTask(api, task)), failures: [] };
  } catch (error) {
    if (error instanceof AwsError) throw error;
    throw new AwsError('ClientException', (error as Error).message);
  }
}

const stopInput = v.object({ cluster: v.optional(reference), task: reference, reason: v.optional(text, '') });

export async function stopTask(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(stopInput, input);
  const task = taskOf(api, clusterOf(api, request.cluster), request.task);
  await api.engine.stop(task.id, 'UserInitiated', request.reason === '' ? 'Task stopped by user' : request.reason);
  return { task: describeTask(api, api.engine.tasks.get(task.id)!) };
}

const listInput = v.object({
  ...pageInput,
  cluster: v.optional(reference),
  family: v.optional(text),
  startedBy: v.optional(text),
  serviceName: v.optional(reference),
  desiredStatus: v.optional(v.picklist(['RUNNING', 'PENDING', 'STOPPED']), 'RUNNING'),
  launchType: v.optional(v.picklist(LAUNCH_TYPES, LAUNCH_TYPE_PROBLEM)),
});

export function listTasks(api: EcsApi, input: unknown): object {
  const request = readInput(listInput, input);
  const cluster = clusterOf(api, request.cluster);
  const service = request.serviceName === undefined ? undefined : serviceNameOf(cluster, request.serviceName);
  if (service !== undefined && !api.state.services.has(serviceKey({ cluster, name: service })))
    throw new AwsError('ServiceNotFoundException', 'Service not found.');
  const tasks = [...api.engine.tasks.values()].filter(
    ({ desiredStatus, request: own }) =>
      own.cluster === cluster &&
      desiredStatus === (request.desiredStatus === 'PENDING' ? 'RUNNING' : request.desiredStatus) &&
      own.service === (service ?? own.service) &&
      own.definition.family === (request.family ?? own.definition.family) &&
      own.startedBy === (request.startedBy ?? own.startedBy) &&
      own.launchType === (request.launchType ?? own.launchType),
  );
  const { items, nextToken } = pageOf(tasks, ({ id }) => id, request);
  return { taskArns: items.map((task) => taskArn(api, task)), nextToken };
}

const describeInput = v.object({
  cluster: v.optional(reference),
  tasks: references(100),
  include: includes,
});

export function describeTasks(api: EcsApi, input: unknown): object {
  const request = readInput(describeInput, input);
  const cluster = clusterOf(api, request.cluster);
  if (request.tasks.length === 0) throw new AwsError('InvalidParameterException', 'Tasks cannot be empty.');
  const found = request.tasks.map((one) => {
    const task = api.engine.tasks.get(nameOf(one));
    return { id: nameOf(one), task: task?.request.cluster === cluster ? task : undefined };
  });
  return {
    tasks: found.flatMap(({ task }) => (task ? [describeTask(api, task, request.include.includes('TAGS'))] : [])),
    failures: found.flatMap(({ id, task }) =>
      task ? [] : [{ arn: `${clusterArn(api, cluster).replace(':cluster/', ':task/')}/${id}`, reason: 'MISSING' }],
    ),
  };
}

const dateOf = (ms: number | undefined): Date | undefined => (ms === undefined ? undefined : new Date(ms));

function describeTask(api: EcsApi, task: RunningTask, hasTags = true): object {
  const { request } = task;
  return {
    taskArn: taskArn(api, task),
    clusterArn: clusterArn(api, request.cluster),
    taskDefinitionArn: definitionArn(api, request.definitionKey),
    lastStatus: task.status,
    desiredStatus: task.desiredStatus,
    healthStatus: task.health,
    containers: task.containers.map((container) => describeContainer(api, task, container)),
    group: request.group,
    startedBy: request.startedBy,
    launchType: request.launchType,
    createdAt: new Date(task.createdMs),
    startedAt: dateOf(task.startedMs),
    stoppingAt: dateOf(task.stoppingMs),
    stoppedAt: dateOf(task.stoppedMs),
    stopCode: task.stopCode,
    stoppedReason: task.stoppedReason,
    version: task.version,
    connectivity: 'CONNECTED',
    overrides: { containerOverrides: request.overrides },
    attachments: attachmentsOf(task),
    attributes: [],
    ...withTags(request.tags, hasTags),
    enableExecuteCommand: false,
  };
}

/** With awsvpc, clients look for a task's address in its network interface. */
function attachmentsOf({ id, address, status, request }: RunningTask) {
  if (request.definition.networkMode !== 'awsvpc' || address === '') return [];
  const details = [{ name: 'privateIPv4Address', value: address }];
  return [{ id, type: 'ElasticNetworkInterface', status: status === 'STOPPED' ? 'DELETED' : 'ATTACHED', details }];
}

function describeContainer(api: EcsApi, task: RunningTask, container: RunningTask['containers'][number]): object {
  return {
    containerArn: containerArn(api, task, container.name),
    taskArn: taskArn(api, task),
    name: container.name,
    image: container.image,
    runtimeId: container.runtimeId ?? (container.pid === undefined ? undefined : String(container.pid)),
    lastStatus: container.status,
    healthStatus: container.health,
    exitCode: container.exitCode,
    reason: container.reason,
    networkBindings: container.ports.map((port) => ({ bindIP: task.address, ...port })),
    networkInterfaces: attachmentsOf(task).map(({ id }) => ({
      ...{ attachmentId: id, privateIpv4Address: task.address },
    })),
  };
}
