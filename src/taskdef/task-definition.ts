// An ECS task definition, parsed from JSON with ECS's defaults and ranges.
// Source: Amazon ECS API reference, TaskDefinition, ContainerDefinition and HealthCheck.
import * as v from 'valibot';

export type TaskDefinition = v.InferOutput<typeof taskDefinitionSchema>;
export type ContainerDefinition = TaskDefinition['containerDefinitions'][number];
export type ContainerHealthCheck = NonNullable<ContainerDefinition['healthCheck']>;

/** All problems of a task definition, one line each, starting with the JSON path. */
export class TaskDefinitionError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'TaskDefinitionError';
    this.problems = problems;
  }
}

/** Task definitions have a few kilobytes; ECS itself allows 64 KiB. */
const MAX_BYTES = 1024 * 1024;

/**
 * Parses a task definition: the input of `register-task-definition` or the output of `describe-task-definition`.
 * @throws TaskDefinitionError with every problem found
 */
export function parseTaskDefinition(text: string): TaskDefinition {
  if (text.length > MAX_BYTES) throw new TaskDefinitionError([`$: larger than ${MAX_BYTES} bytes`]);
  return checkTaskDefinition(unwrap(parseJson(text)));
}

/** Checks a task definition that is not text any more. @throws TaskDefinitionError with every problem found */
export function checkTaskDefinition(value: unknown): TaskDefinition {
  const parsed = v.safeParse(taskDefinitionSchema, value, { abortPipeEarly: true });
  if (parsed.success) return parsed.output;
  throw new TaskDefinitionError(parsed.issues.map((issue) => `${jsonPath(issue)}: ${issue.message}`));
}

const seconds = (minimum: number, maximum: number, byDefault: number) => {
  const message = (issue: { received: string }) =>
    `must be a whole number of seconds from ${minimum} to ${maximum}, got ${issue.received}`;
  return v.optional(
    v.pipe(v.number(message), v.integer(message), v.minValue(minimum, message), v.maxValue(maximum, message)),
    byDefault,
  );
};

/** ECS: up to 255 letters, numbers, hyphens and underscores. Kubernetes' names need a letter or number, too. */
const ecsName = (what: string) =>
  v.pipe(
    v.string(`${what} must be a string`),
    v.regex(
      /^(?=.*[A-Za-z0-9])[A-Za-z0-9_-]{1,255}$/,
      `${what} must consist of letters, digits, hyphens and underscores`,
    ),
  );
const text = (what: string) =>
  v.pipe(v.string(`${what} must be a string`), v.minLength(1, `${what} must not be empty`));
const strings = (what: string) => v.array(v.string(`${what} must be strings`), `${what} must be a list of strings`);
const wholeNumber = (what: string, minimum: number, maximum: number) => {
  const message = (issue: { received: string }) =>
    `${what} must be a whole number from ${minimum} to ${maximum}, got ${issue.received}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(minimum, message), v.maxValue(maximum, message));
};

const healthCheckSchema = v.strictObject(
  {
    command: v.pipe(
      v.array(
        v.string('each word of a command must be a string'),
        'a health check needs a command: ["CMD-SHELL", "curl -f http://localhost/"]',
      ),
      v.check(
        ([kind]) => kind === 'CMD' || kind === 'CMD-SHELL' || kind === 'NONE',
        'must begin with "CMD", "CMD-SHELL" or "NONE"',
      ),
      v.check(
        ([kind, ...words]) => kind === 'NONE' || words.some((word) => word.trim() !== ''),
        'contains no command to run',
      ),
      v.check(
        ([kind, ...words]) => kind !== 'CMD-SHELL' || words.length === 1,
        '"CMD-SHELL" takes one string, the command line',
      ),
    ),
    interval: seconds(5, 300, 30),
    timeout: seconds(2, 60, 5),
    retries: v.optional(wholeNumber('retries', 1, 10), 3),
    startPeriod: seconds(0, 300, 0),
  },
  (issue) =>
    issue.expected === 'never'
      ? 'is not a member of healthCheck: command, interval, timeout, retries and startPeriod are'
      : 'healthCheck must be an object with a command',
);

const environmentName = v.pipe(
  text('name'),
  v.regex(/^[ -<>-~]+$/, 'the name of a variable must be printable and without "="'),
);

const portMappingSchema = v.object({
  name: v.optional(v.string('a port name must be a string')),
  containerPort: v.optional(wholeNumber('containerPort', 1, 65535)),
  hostPort: v.optional(wholeNumber('hostPort', 0, 65535)),
  containerPortRange: v.optional(v.string()),
  appProtocol: v.optional(v.string('appProtocol must be a string')),
  protocol: v.optional(v.picklist(['tcp', 'udp'], 'protocol must be "tcp" or "udp"'), 'tcp'),
});

const containerSchema = v.looseObject({
  name: ecsName('name'),
  image: text('image'),
  essential: v.optional(v.boolean('essential must be true or false'), true),
  healthCheck: v.optional(healthCheckSchema),
  portMappings: v.optional(v.array(portMappingSchema, 'portMappings must be a list'), []),
  dependsOn: v.optional(
    v.array(
      v.object({
        containerName: text('containerName'),
        condition: v.picklist(
          ['START', 'COMPLETE', 'SUCCESS', 'HEALTHY'],
          'condition must be START, COMPLETE, SUCCESS or HEALTHY',
        ),
      }),
    ),
    [],
  ),
  environment: v.optional(
    v.array(v.object({ name: environmentName, value: v.optional(v.string('value must be a string'), '') })),
    [],
  ),
  entryPoint: v.optional(strings('entryPoint')),
  command: v.optional(strings('command')),
  workingDirectory: v.optional(v.string()),
  cpu: v.optional(
    v.pipe(
      v.number('cpu must be a number of ECS CPU units (1024 = one vCPU)'),
      v.minValue(0, 'cpu must not be negative'),
      v.maxValue(1_000_000, 'cpu must be at most 1,000,000 ECS CPU units'),
    ),
    0,
  ),
  memory: v.optional(wholeNumber('memory, in MiB,', 4, 1_000_000_000)),
  memoryReservation: v.optional(wholeNumber('memoryReservation, in MiB,', 4, 1_000_000_000)),
  stopTimeout: v.optional(wholeNumber('stopTimeout, in seconds,', 0, 86_400)),
  readonlyRootFilesystem: v.optional(v.boolean()),
});

const taskDefinitionSchema = v.looseObject(
  {
    family: ecsName('family'),
    revision: v.optional(wholeNumber('revision', 1, Number.MAX_SAFE_INTEGER)),
    taskDefinitionArn: v.optional(v.string()),
    containerDefinitions: v.pipe(
      v.array(containerSchema, 'containerDefinitions must be a list'),
      v.minLength(1, 'a task needs at least one container'),
      v.maxLength(10, 'a task has at most 10 containers'),
      v.check(
        (containers) => containers.some(({ essential }) => essential),
        'at least one container must be essential',
      ),
      v.check(
        (containers) => new Set(containers.map(({ name }) => name)).size === containers.length,
        'two containers have the same name',
      ),
      v.check(
        (containers) =>
          containers.every(
            ({ memory, memoryReservation }) => memory === undefined || (memoryReservation ?? memory) <= memory,
          ),
        'a memoryReservation is more than the memory of its container',
      ),
      v.check(
        (containers) =>
          containers.every(({ dependsOn }) =>
            dependsOn.every(({ containerName }) => containers.some(({ name }) => name === containerName)),
          ),
        'a dependsOn refers to a container that is not in this task',
      ),
      v.check(
        (containers) =>
          everyDependency(containers, ({ condition }, on) => condition !== 'HEALTHY' || hasHealthCheck(on)),
        'a dependsOn HEALTHY refers to a container without a health check',
      ),
      v.check(
        (containers) =>
          everyDependency(
            containers,
            ({ condition }, on) => !on.essential || (condition !== 'COMPLETE' && condition !== 'SUCCESS'),
          ),
        'a dependsOn COMPLETE or SUCCESS refers to an essential container, whose end would stop the task',
      ),
      v.check((containers) => !hasCircle(containers), 'containers depend on each other in a circle (dependsOn)'),
    ),
  },
  'a task definition is a JSON object with "family" and "containerDefinitions"',
);

interface Dependent {
  readonly name: string;
  readonly essential: boolean;
  readonly healthCheck?: { readonly command: readonly string[] } | undefined;
  readonly dependsOn: readonly { readonly containerName: string; readonly condition: string }[];
}

/** Of dependencies on containers that exist. */
const everyDependency = (
  containers: readonly Dependent[],
  holds: (dependency: Dependent['dependsOn'][number], on: Dependent) => boolean,
): boolean =>
  containers.every(({ dependsOn }) =>
    dependsOn.every((dependency) => {
      const on = containers.find(({ name }) => name === dependency.containerName);
      return on === undefined || holds(dependency, on);
    }),
  );

const hasHealthCheck = ({ healthCheck }: Dependent): boolean =>
  healthCheck !== undefined && healthCheck.command[0] !== 'NONE';

/** Whether some containers remain when those that wait for nothing are taken away, again and again. */
function hasCircle(containers: readonly Dependent[]): boolean {
  const waiting = containers.filter(({ dependsOn }) =>
    dependsOn.some(({ containerName }) => containers.some(({ name }) => name === containerName)),
  );
  return waiting.length > 0 && (waiting.length === containers.length || hasCircle(waiting));
}

function parseJson(text: string): unknown {
  try {
    // AWS treats null as absent.
    return JSON.parse(text, (_key, value) => value ?? undefined);
  } catch (error) {
    throw new TaskDefinitionError([`$: not JSON: ${(error as Error).message}`]);
  }
}

/** `aws ecs describe-task-definition` puts the definition into an envelope. */
function unwrap(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'taskDefinition' in value ? value.taskDefinition : value;
}

function jsonPath(issue: v.BaseIssue<unknown>): string {
  const steps = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`));
  return `$${steps.join('')}`;
}
