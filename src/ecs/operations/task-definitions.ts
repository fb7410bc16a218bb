import * as v from 'valibot';
import { AwsError } from '../../cloudmap/aws-error.ts';
import { checkTaskDefinition, TaskDefinitionError } from '../../taskdef/task-definition.ts';
import { definitionKey, type TaskDefinitionRecord } from '../model/ecs-records.ts';
import type { EcsChange } from '../model/ecs-state.ts';
import {
  definitionArn,
  definitionOf,
  type EcsApi,
  includes,
  name,
  nameOf,
  pageInput,
  pageOf,
  readInput,
  reference,
  tagList,
  tags,
  tagsOf,
} from './ecs-api.ts';

/** 64 KiB, as in ECS. */
const MAX_BYTES = 64 * 1024;
const MAX_REVISIONS = 10_000;
const MAX_DEFINITIONS = 20_000;

const optionalText = v.optional(v.pipe(v.string(), v.maxLength(4096)));
const compatibility = v.picklist(['EC2', 'FARGATE', 'EXTERNAL', 'MANAGED_INSTANCES']);

const wholeNumber = v.pipe(v.number(), v.integer());
const LOG_DRIVERS = 'json-file syslog journald gelf fluentd awslogs splunk awsfirelens'.split(' ');
const ULIMITS = [
  ...['core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio'],
  ...['rttime', 'sigpending', 'stack'],
];

/** Kept and described, without effect on processes; `taskdef convert` warns of them. */
const tuning = {
  logConfiguration: v.optional(
    v.object({
      logDriver: v.picklist(LOG_DRIVERS),
      options: v.optional(v.record(v.string(), v.string())),
    }),
  ),
  ulimits: v.optional(v.array(v.object({ name: v.picklist(ULIMITS), softLimit: wholeNumber, hardLimit: wholeNumber }))),
  ...Object.fromEntries(
    ['links', 'dnsServers', 'dnsSearchDomains', 'dockerSecurityOptions'].map((key) => [
      key,
      v.optional(v.array(v.string())),
    ]),
  ),
  ...Object.fromEntries(
    ['privileged', 'interactive', 'pseudoTerminal', 'disableNetworking'].map((key) => [key, v.optional(v.boolean())]),
  ),
  startTimeout: v.optional(wholeNumber),
};

/** Members of a container that are stored and returned; taskdef/ checks those that have an effect. */
const containerInput = v.object({
  name,
  image: v.pipe(v.string(), v.minLength(1), v.maxLength(2048)),
  cpu: v.optional(v.pipe(v.number(), v.integer())),
  memory: v.optional(v.pipe(v.number(), v.integer())),
  memoryReservation: v.optional(v.pipe(v.number(), v.integer())),
  essential: v.optional(v.boolean()),
  portMappings: v.optional(
    v.array(
      v.object({
        containerPort: v.optional(v.number()),
        hostPort: v.optional(v.number()),
        protocol: v.optional(v.picklist(['tcp', 'udp'])),
        name: optionalText,
        appProtocol: v.optional(v.picklist(['http', 'http2', 'grpc'])),
      }),
    ),
  ),
  entryPoint: v.optional(v.array(v.string())),
  command: v.optional(v.array(v.string())),
  environment: v.optional(v.array(v.object({ name: v.string(), value: v.optional(v.string(), '') }))),
  dependsOn: v.optional(
    v.array(
      v.object({ containerName: v.string(), condition: v.picklist(['START', 'COMPLETE', 'SUCCESS', 'HEALTHY']) }),
    ),
  ),
  stopTimeout: v.optional(v.number()),
  workingDirectory: optionalText,
  user: optionalText,
  hostname: optionalText,
  readonlyRootFilesystem: v.optional(v.boolean()),
  dockerLabels: v.optional(v.record(v.string(), v.string())),
  ...tuning,
  healthCheck: v.optional(
    v.object({
      command: v.array(v.string()),
      interval: v.optional(v.number()),
      timeout: v.optional(v.number()),
      retries: v.optional(v.number()),
      startPeriod: v.optional(v.number()),
    }),
  ),
});

const registerInput = v.object({
  family: name,
  containerDefinitions: v.pipe(v.array(containerInput), v.minLength(1), v.maxLength(10)),
  taskRoleArn: optionalText,
  executionRoleArn: optionalText,
  pidMode: v.optional(v.picklist(['host', 'task'])),
  networkMode: v.optional(v.picklist(['bridge', 'host', 'awsvpc', 'none'])),
  requiresCompatibilities: v.optional(v.pipe(v.array(compatibility), v.maxLength(4))),
  cpu: optionalText,
  memory: optionalText,
  tags,
});

const FARGATE_PID_MODE =
  "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.";

/** Features whose loss would change what a task does; members that only tune something are ignored. */
const REFUSED = ['volumes', 'placementConstraints', 'proxyConfiguration', 'inferenceAccelerators'];
const REFUSED_IN_CONTAINERS = ['secrets', 'environmentFiles', 'mountPoints', 'volumesFrom', 'firelensConfiguration'];

export async function registerTaskDefinition(api: EcsApi, input: unknown): Promise<object> {
  if (JSON.stringify(input ?? {}).length > MAX_BYTES)
    throw new AwsError('ClientException', `Actual length: over the maximum of ${MAX_BYTES} bytes.`);
  requireNames(input);
  const { tags: given, ...request } = readInput(registerInput, input);
  refuseUnsupported(input as Record<string, unknown>);
  if (request.pidMode === 'host' && request.requiresCompatibilities?.includes('FARGATE'))
    throw new AwsError('ClientException', FARGATE_PID_MODE);
  const definition = checked(request);
  const problem = api.engine.problemOf?.(definition);
  if (problem !== undefined) throw new AwsError('ClientException', problem);
  const { state, clock } = api;
  return state.mutate(() => {
    const earlier = [...state.definitions.values()].filter(({ family }) => family === request.family);
    if (earlier.length >= MAX_REVISIONS || state.definitions.size >= MAX_DEFINITIONS)
      throw new AwsError(
        'LimitExceededException',
        `at most ${MAX_REVISIONS} revisions of a family and ${MAX_DEFINITIONS} in all`,
      );
    const value: TaskDefinitionRecord = {
      family: request.family,
      revision: Math.max(0, ...earlier.map(({ revision }) => revision)) + 1,
      status: 'ACTIVE',
      registeredMs: clock.now(),
      definition,
      tags: tagsOf(given),
    };
    const changes: EcsChange[] = [{ collection: 'definition', key: definitionKey(value), value }];
    return { changes, result: { taskDefinition: describeDefinition(api, value), tags: tagList(value.tags) } };
  });
}

/** ECS's own words for the commonest mistake. */
function requireNames(input: unknown): void {
  const { containerDefinitions } = (input ?? {}) as { containerDefinitions?: unknown };
  if (!Array.isArray(containerDefinitions)) return;
  for (const member of ['name', 'image'])
    if (containerDefinitions.some((one) => typeof one === 'object' && one !== null && !one[member]))
      throw new AwsError('ClientException', `Container.${member} should not be null or empty.`);
}

function checked(request: object): TaskDefinitionRecord['definition'] {
  try {
    return checkTaskDefinition(JSON.parse(JSON.stringify(request)));
  } catch (error) {
    if (!(error instanceof TaskDefinitionError)) throw error;
    throw new AwsError('ClientException', error.problems.join('; '));
  }
}

function refuseUnsupported(input: Record<string, unknown>): void {
  const isSet = (value: unknown) => value !== undefined && !(Array.isArray(value) && value.length === 0);
  const top = REFUSED.find((key) => isSet(input[key]));
  const inContainer = (input.containerDefinitions as Record<string, unknown>[]).flatMap((container) =>
    REFUSED_IN_CONTAINERS.filter((key) => isSet(container[key])).map((key) => `containerDefinitions.${key}`),
  );
  const refused = top ?? inContainer[0];
  if (refused !== undefined) throw new AwsError('ClientException', `${refused} is not supported.`);
}

const describeInput = v.object({ taskDefinition: reference, include: includes });

export function describeTaskDefinition(api: EcsApi, input: unknown): object {
  const request = readInput(describeInput, input);
  const record = definitionOf(api, request.taskDefinition);
  const withTags = request.include.includes('TAGS');
  return { taskDefinition: describeDefinition(api, record), tags: withTags ? tagList(record.tags) : undefined };
}

const listInput = v.object({
  ...pageInput,
  familyPrefix: optionalText,
  status: v.optional(v.picklist(['ACTIVE', 'INACTIVE', 'DELETE_IN_PROGRESS']), 'ACTIVE'),
  sort: v.optional(v.picklist(['ASC', 'DESC']), 'ASC'),
});

export function listTaskDefinitions(api: EcsApi, input: unknown): object {
  const request = readInput(listInput, input);
  const definitions = [...api.state.definitions.values()].filter(
    ({ family, status }) => status === request.status && family === (request.familyPrefix ?? family),
  );
  const { items, nextToken } = pageOf(definitions, sortKey, request);
  return { taskDefinitionArns: items.map((one) => definitionArn(api, definitionKey(one))), nextToken };
}

/** By family, then by number of the revision. No character of a family sorts before a space. */
const sortKey = ({ family, revision }: TaskDefinitionRecord): string =>
  `${family} ${String(revision).padStart(10, '0')}`;

const familiesInput = v.object({
  ...pageInput,
  familyPrefix: v.optional(v.pipe(v.string(), v.maxLength(255)), ''),
  status: v.optional(v.picklist(['ACTIVE', 'INACTIVE', 'ALL']), 'ALL'),
});

export function listTaskDefinitionFamilies(api: EcsApi, input: unknown): object {
  const request = readInput(familiesInput, input);
  const all = [...api.state.definitions.values()];
  const active = new Set(all.filter(({ status }) => status === 'ACTIVE').map(({ family }) => family));
  const families = [...new Set(all.map(({ family }) => family))]
    .filter((family) => request.status === 'ALL' || active.has(family) === (request.status === 'ACTIVE'))
    .filter((family) => family.startsWith(request.familyPrefix));
  const { items, nextToken } = pageOf(families, (family) => family, request);
  return { families: items, nextToken };
}

const deregisterInput = v.object({ taskDefinition: reference });

/** Services and tasks that use the revision go on, as in ECS. */
export async function deregisterTaskDefinition(api: EcsApi, input: unknown): Promise<object> {
  const { taskDefinition } = readInput(deregisterInput, input);
  const [, revision] = nameOf(taskDefinition).split(':');
  if (revision === undefined) throw new AwsError('ClientException', 'Revision is missing.');
  if (!/^\d+$/.test(revision)) throw new AwsError('ClientException', `Invalid revision number. Number: ${revision}`);
  return api.state.mutate(() => {
    const record = definitionOf(api, taskDefinition);
    const value = { ...record, status: 'INACTIVE' as const, deregisteredMs: record.deregisteredMs ?? api.clock.now() };
    const changes: EcsChange[] = [{ collection: 'definition', key: definitionKey(record), value }];
    return { changes, result: { taskDefinition: describeDefinition(api, value) } };
  });
}

function describeDefinition(api: EcsApi, record: TaskDefinitionRecord): object {
  const { definition } = record;
  const member = (key: string) => (definition as Record<string, unknown>)[key];
  const isFargate = (member('requiresCompatibilities') as string[] | undefined)?.includes('FARGATE') === true;
  return {
    taskDefinitionArn: definitionArn(api, definitionKey(record)),
    family: record.family,
    revision: record.revision,
    status: record.status,
    containerDefinitions: definition.containerDefinitions.map((container) => ({
      ...container,
      portMappings: container.portMappings.map((port) => ({ ...port, hostPort: port.hostPort ?? 0 })),
      mountPoints: [],
      volumesFrom: [],
      systemControls: [],
    })),
    taskRoleArn: member('taskRoleArn'),
    executionRoleArn: member('executionRoleArn'),
    networkMode: member('networkMode') ?? (isFargate ? 'awsvpc' : 'bridge'),
    pidMode: member('pidMode'),
    volumes: [],
    placementConstraints: [],
    requiresAttributes: [],
    compatibilities: isFargate ? ['EC2', 'FARGATE'] : ['EC2'],
    requiresCompatibilities: member('requiresCompatibilities'),
    cpu: member('cpu'),
    memory: member('memory'),
    registeredAt: new Date(record.registeredMs),
    deregisteredAt: record.deregisteredMs === undefined ? undefined : new Date(record.deregisteredMs),
  };
}
