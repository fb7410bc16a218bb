import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import { AwsError } from '../../cloudmap/aws-error.ts';
import { fingerprintOf } from '../../cloudmap/operations/operations.ts';
import { isGood } from '../engine/rollout.ts';
import {
  type DeploymentRecord,
  definitionKey,
  type EcsServiceRecord,
  serviceKey,
  type TaskDefinitionRecord,
} from '../model/ecs-records.ts';
import type { EcsChange } from '../model/ecs-state.ts';
import type { RunningTask } from '../model/running-task.ts';
import {
  clusterArn,
  clusterChange,
  clusterOf,
  count,
  definitionArn,
  definitionOf,
  type EcsApi,
  includes,
  LAUNCH_TYPE_PROBLEM,
  LAUNCH_TYPES,
  name,
  pageInput,
  pageOf,
  readInput,
  reference,
  references,
  serviceArn,
  serviceNameOf,
  serviceOf,
  tags,
  tagsOf,
  targetCluster,
  withTags,
} from './ecs-api.ts';

/** As in ECS; the processes engine runs at most 2,000 tasks in all. */
const MAX_DESIRED = 1_000;
const MAX_SERVICES = 5_000;
/** How long a deleted service is shown. */
const INACTIVE_MS = 3_600_000;

const launchType = v.picklist(LAUNCH_TYPES, LAUNCH_TYPE_PROBLEM);
const deploymentConfiguration = v.optional(
  v.object({
    minimumHealthyPercent: v.optional(count(100)),
    maximumPercent: v.optional(count(1000)),
    deploymentCircuitBreaker: v.optional(v.object({ enable: v.boolean(), rollback: v.boolean() })),
    strategy: v.optional(v.picklist(['ROLLING'], 'only ROLLING is supported')),
  }),
);
const registries = v.optional(
  v.pipe(
    v.array(
      v.object({
        registryArn: v.pipe(v.string(), v.minLength(1), v.maxLength(2048)),
        containerName: v.optional(v.pipe(v.string(), v.maxLength(255))),
        containerPort: v.optional(count(65535)),
        port: v.optional(count(65535)),
      }),
    ),
    v.maxLength(1, 'a service has at most one service registry'),
  ),
);
const none = (what: string) => v.optional(v.pipe(v.array(v.unknown()), v.maxLength(0, `${what} are not supported`)));

const common = {
  cluster: v.optional(reference),
  taskDefinition: v.optional(reference),
  desiredCount: v.optional(count(MAX_DESIRED)),
  deploymentConfiguration,
  healthCheckGracePeriodSeconds: v.optional(count(2_147_483_647)),
  loadBalancers: none('load balancers'),
  serviceRegistries: registries,
};
const createInput = v.object({
  ...common,
  serviceName: name,
  clientToken: v.optional(v.pipe(v.string(), v.maxLength(36))),
  launchType: v.optional(launchType, 'EC2'),
  schedulingStrategy: v.optional(v.picklist(['REPLICA'], 'only REPLICA is supported'), 'REPLICA'),
  deploymentController: v.optional(v.object({ type: v.picklist(['ECS'], 'only ECS is supported') })),
  tags,
});

export async function createService(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(createInput, input);
  const cluster = targetCluster(api, request.cluster);
  const key = serviceKey({ cluster, name: request.serviceName });
  const { state } = api;
  return state.mutate(() => {
    const known = state.services.get(key);
    if (known !== undefined && known.status !== 'INACTIVE')
      return { changes: [], result: { service: repeated(api, known, request) } };
    const service = newService(api, cluster, request);
    const changes: EcsChange[] = [
      ...clusterChange(api, cluster),
      ...expired(api).filter((one) => one.key !== key),
      { collection: 'service', key, value: service },
    ];
    return { changes, result: { service: describeService(api, service) } };
  });
}

function expired({ state, clock }: EcsApi): EcsChange[] {
  const oldestMs = clock.now() - INACTIVE_MS;
  return [...state.services]
    .filter(([, { inactiveMs = Number.POSITIVE_INFINITY }]) => inactiveMs < oldestMs)
    .map(([key]) => ({ collection: 'service', key, value: undefined }));
}

function newService(api: EcsApi, cluster: string, request: v.InferOutput<typeof createInput>): EcsServiceRecord {
  const { state, clock } = api;
  if (request.taskDefinition === undefined)
    throw new AwsError('InvalidParameterException', 'TaskDefinition is required.');
  const services = [...state.services.values()].filter(({ status }) => status !== 'INACTIVE');
  if (services.length >= MAX_SERVICES) throw new AwsError('ClientException', `at most ${MAX_SERVICES} services`);
  const definition = activeDefinition(api, request.taskDefinition);
  checkRegistries(definition, request.serviceRegistries ?? []);
  checkExist(api, request.serviceRegistries ?? []);
  return {
    ...{ cluster, name: request.serviceName, status: 'ACTIVE', desiredCount: request.desiredCount ?? 1 },
    registries: request.serviceRegistries ?? [],
    rules: rulesOf(request.deploymentConfiguration, undefined),
    gracePeriodSeconds: request.healthCheckGracePeriodSeconds ?? 0,
    createdMs: clock.now(),
    ...(request.clientToken !== undefined && { clientToken: request.clientToken, fingerprint: fingerprintOf(request) }),
    launchType: request.launchType,
    deployments: [newDeployment(api, definition)],
    ...{ events: [], tags: tagsOf(request.tags) },
  };
}

type CreateInput = v.InferOutput<typeof createInput>;

function repeated(api: EcsApi, service: EcsServiceRecord, request: CreateInput): object {
  const { clientToken, fingerprint = fingerprintOf(request) } = service;
  if (clientToken !== undefined && clientToken === request.clientToken && fingerprint === fingerprintOf(request))
    return describeService(api, service);
  const message =
    service.status === 'DRAINING'
      ? 'Unable to Start a service that is still Draining.'
      : 'Creation of service was not idempotent.';
  throw new AwsError('InvalidParameterException', message);
}

function activeDefinition(api: EcsApi, given: string): TaskDefinitionRecord {
  const record = definitionOf(api, given);
  const problem =
    record.status === 'ACTIVE' ? api.engine.problemOf?.(record.definition) : 'TaskDefinition is inactive.';
  if (problem === undefined) return record;
  throw new AwsError('ClientException', problem);
}

function checkRegistries({ definition }: TaskDefinitionRecord, given: EcsServiceRecord['registries']): void {
  for (const { containerName, containerPort } of given) {
    if (containerName === undefined) continue;
    const container = definition.containerDefinitions.find((one) => one.name === containerName);
    if (container === undefined)
      throw new AwsError(
        'InvalidParameterException',
        `The container ${containerName} does not exist in the task definition.`,
      );
    if (containerPort !== undefined && !container.portMappings.some((one) => one.containerPort === containerPort))
      throw new AwsError(
        'InvalidParameterException',
        `The container ${containerName} did not have a container port ${containerPort} defined.`,
      );
  }
}

/** Otherwise the tasks of a mistyped ARN would run without a name. */
function checkExist(api: EcsApi, given: EcsServiceRecord['registries']): void {
  const unknown = given.find(({ registryArn }) => !api.hasRegistry(registryArn));
  if (unknown !== undefined)
    throw new AwsError(
      'InvalidParameterException',
      `serviceRegistries: Cloud Map service ${unknown.registryArn} does not exist; servicediscovery list-services lists the ARNs`,
    );
}

function newDeployment({ clock }: EcsApi, definition: TaskDefinitionRecord): DeploymentRecord {
  const id = `ecs-svc/${BigInt(`0x${randomUUID().replaceAll('-', '').slice(0, 15)}`)
    .toString()
    .padStart(19, '0')}`;
  return {
    ...{ id, taskDefinition: definitionKey(definition), createdMs: clock.now(), updatedMs: clock.now() },
    ...{ rolloutState: 'IN_PROGRESS', rolloutReason: `ECS deployment ${id} in progress.`, failedTasks: 0 },
  };
}

function rulesOf(
  given: v.InferOutput<typeof deploymentConfiguration>,
  before: EcsServiceRecord['rules'] | undefined,
): EcsServiceRecord['rules'] {
  const rules = {
    minimumHealthyPercent: given?.minimumHealthyPercent ?? before?.minimumHealthyPercent ?? 100,
    maximumPercent: given?.maximumPercent ?? before?.maximumPercent ?? 200,
    circuitBreaker: given?.deploymentCircuitBreaker ?? before?.circuitBreaker ?? { enable: false, rollback: false },
  };
  if (rules.maximumPercent > rules.minimumHealthyPercent) return rules;
  throw new AwsError('InvalidParameterException', 'maximumPercent must be greater than minimumHealthyPercent.');
}

const updateInput = v.object({ ...common, service: reference, forceNewDeployment: v.optional(v.boolean(), false) });

/** Another definition, registry or `forceNewDeployment` starts a deployment; other changes take effect at once. */
export async function updateService(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(updateInput, input);
  return api.state.mutate(() => {
    const value = updated(api, serviceOf(api, clusterOf(api, request.cluster), request.service), request);
    const changes: EcsChange[] = [{ collection: 'service', key: serviceKey(value), value }];
    return { changes, result: { service: describeService(api, value) } };
  });
}

function updated(api: EcsApi, before: EcsServiceRecord, request: v.InferOutput<typeof updateInput>): EcsServiceRecord {
  const [primary] = before.deployments;
  const definition =
    request.taskDefinition === undefined
      ? api.state.definitions.get(primary!.taskDefinition)!
      : activeDefinition(api, request.taskDefinition);
  const registriesNow = request.serviceRegistries ?? before.registries;
  checkRegistries(definition, registriesNow);
  checkExist(api, request.serviceRegistries ?? []);
  const isNew =
    request.forceNewDeployment ||
    definitionKey(definition) !== primary?.taskDefinition ||
    JSON.stringify(registriesNow) !== JSON.stringify(before.registries);
  return {
    ...before,
    desiredCount: request.desiredCount ?? before.desiredCount,
    registries: registriesNow,
    rules: rulesOf(request.deploymentConfiguration, before.rules),
    gracePeriodSeconds: request.healthCheckGracePeriodSeconds ?? before.gracePeriodSeconds,
    deployments: isNew ? [newDeployment(api, definition), ...before.deployments] : before.deployments,
  };
}

const describeInput = v.object({
  cluster: v.optional(reference),
  services: v.pipe(references(10), v.minLength(1)),
  include: includes,
});

export function describeServices(api: EcsApi, input: unknown): object {
  const request = readInput(describeInput, input);
  const cluster = clusterOf(api, request.cluster);
  const found = request.services.map((one) => {
    const own = serviceNameOf(cluster, one);
    return { name: own, service: api.state.services.get(serviceKey({ cluster, name: own })) };
  });
  return {
    services: found.flatMap(({ service }) =>
      service ? [describeService(api, service, request.include.includes('TAGS'))] : [],
    ),
    failures: found.flatMap((one) =>
      one.service ? [] : [{ arn: serviceArn(api, { cluster, name: one.name }), reason: 'MISSING' }],
    ),
  };
}

const listInput = v.object({
  ...pageInput,
  maxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), 10),
  cluster: v.optional(reference),
  launchType: v.optional(launchType),
  schedulingStrategy: v.optional(v.picklist(['REPLICA', 'DAEMON'])),
});

export function listServices(api: EcsApi, input: unknown): object {
  const request = readInput(listInput, input);
  const cluster = clusterOf(api, request.cluster);
  const services = [...api.state.services.values()].filter(
    (one) =>
      one.cluster === cluster &&
      one.status !== 'INACTIVE' &&
      one.launchType === (request.launchType ?? one.launchType) &&
      request.schedulingStrategy !== 'DAEMON',
  );
  const { items, nextToken } = pageOf(services, (one) => one.name, request);
  return { serviceArns: items.map((one) => serviceArn(api, one)), nextToken };
}

const deleteInput = v.object({
  cluster: v.optional(reference),
  service: reference,
  force: v.optional(v.boolean(), false),
});

export async function deleteService(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(deleteInput, input);
  const cluster = clusterOf(api, request.cluster);
  const key = serviceKey({ cluster, name: serviceNameOf(cluster, request.service) });
  return api.state.mutate(() => {
    const before = api.state.services.get(key);
    if (before === undefined || before.status === 'INACTIVE')
      throw new AwsError('ServiceNotFoundException', 'Service not found.');
    if (before.desiredCount > 0 && before.status === 'ACTIVE' && !request.force)
      throw new AwsError('InvalidParameterException', 'The service cannot be stopped while it is scaled above 0.');
    const value = { ...before, status: 'DRAINING' as const, desiredCount: 0 };
    return { changes: [{ collection: 'service', key, value }], result: { service: describeService(api, value) } };
  });
}

function describeService(api: EcsApi, service: EcsServiceRecord, hasTags = true): object {
  const tasks = tasksOfService(api, service);
  const { rules } = service;
  return {
    serviceArn: serviceArn(api, service),
    serviceName: service.name,
    clusterArn: clusterArn(api, service.cluster),
    loadBalancers: [],
    serviceRegistries: service.registries,
    status: service.status,
    desiredCount: service.desiredCount,
    ...countsOf(tasks),
    launchType: service.launchType,
    taskDefinition: definitionArn(api, service.deployments[0]?.taskDefinition ?? ''),
    deploymentConfiguration: {
      deploymentCircuitBreaker: rules.circuitBreaker,
      maximumPercent: rules.maximumPercent,
      minimumHealthyPercent: rules.minimumHealthyPercent,
    },
    deployments: service.deployments.map((deployment, i) =>
      describeDeployment(api, service, deployment, tasks, i === 0),
    ),
    events: service.events.map(({ id, createdMs, message }) => ({ id, createdAt: new Date(createdMs), message })),
    createdAt: new Date(service.createdMs),
    placementConstraints: [],
    placementStrategy: [],
    healthCheckGracePeriodSeconds: service.gracePeriodSeconds,
    schedulingStrategy: 'REPLICA',
    deploymentController: { type: 'ECS' },
    enableECSManagedTags: false,
    propagateTags: 'NONE',
    enableExecuteCommand: false,
    ...withTags(service.tags, hasTags),
  };
}

function describeDeployment(
  api: EcsApi,
  service: EcsServiceRecord,
  deployment: DeploymentRecord,
  tasks: readonly RunningTask[],
  isPrimary: boolean,
): object {
  const own = tasks.filter(({ request }) => request.deployment === deployment.id);
  return {
    id: deployment.id,
    status: isPrimary ? 'PRIMARY' : 'ACTIVE',
    taskDefinition: definitionArn(api, deployment.taskDefinition),
    desiredCount: isPrimary ? service.desiredCount : own.filter(isGood).length,
    ...countsOf(own),
    failedTasks: deployment.failedTasks,
    createdAt: new Date(deployment.createdMs),
    updatedAt: new Date(deployment.updatedMs),
    launchType: service.launchType,
    rolloutState: deployment.rolloutState,
    rolloutStateReason: deployment.rolloutReason,
  };
}

const tasksOfService = (api: EcsApi, service: EcsServiceRecord): RunningTask[] =>
  [...api.engine.tasks.values()].filter(
    ({ status, request }) =>
      status !== 'STOPPED' && request.service === service.name && request.cluster === service.cluster,
  );

const countsOf = (tasks: readonly RunningTask[]) => ({
  runningCount: tasks.filter(({ status }) => status === 'RUNNING').length,
  pendingCount: tasks.filter(({ status }) => status === 'PENDING').length,
});
