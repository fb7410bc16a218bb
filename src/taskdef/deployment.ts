// An ECS service as a Kubernetes Deployment with the labels and annotations of KECS (nandemo-ya/kecs, its service
// converter), by which healthdns recognizes the tasks.
import { literal, probesOf } from './probes.ts';
import { type ContainerDefinition, type TaskDefinition, TaskDefinitionError } from './task-definition.ts';

export interface DeploymentOptions {
  /** The ECS service's name; letters, digits, hyphens, underscores. */
  readonly service: string;
  readonly cluster: string;
  readonly count: number;
  /** Of the Deployment; undefined: the service's name as Kubernetes allows it. */
  readonly name?: string;
  /** Kubernetes namespace; undefined leaves it to kubectl. */
  readonly namespace?: string;
  /** Cloud Map service ARNs, as ECS's serviceRegistries. */
  readonly registries: readonly ServiceRegistry[];
}

export interface ServiceRegistry {
  readonly registryArn: string;
  readonly containerName?: string;
  readonly containerPort?: number;
}

export interface Conversion {
  /** The Deployment as a plain object, ready for YAML or JSON. */
  readonly manifest: Record<string, unknown>;
  /** Settings of the task definition that the Deployment does not keep. */
  readonly warnings: readonly string[];
}

/** Names of the pod's containers that decide the task's health: in ECS, only essential ones do. */
export const ESSENTIAL_CONTAINERS = 'healthdns.dev/essential-containers';

/** The revision that a Deployment and its pods were made from: "family:revision". */
export const DEFINITION_ANNOTATION = 'kecs.dev/task-definition';

/**
 * The Deployment of an ECS service. Pure: the same input gives the same manifest.
 * @throws TaskDefinitionError if the containers cannot share a pod, or a registry refers to an undefined container
 */
export function deploymentOf(task: TaskDefinition, options: DeploymentOptions): Conversion {
  checkContainerNames(task, options.registries);
  const name = options.name ?? kubernetesName(options.service);
  const selector = { app: name, 'kecs.dev/service': labelValue(options.service) };
  const labels = {
    ...selector,
    'kecs.dev/cluster': labelValue(options.cluster),
    'kecs.dev/task-family': labelValue(task.family),
    'app.kubernetes.io/managed-by': 'healthdns',
  };
  const definition = task.taskDefinitionArn ?? (task.revision ? `${task.family}:${task.revision}` : task.family);
  const annotations = { [DEFINITION_ANNOTATION]: definition };
  const essential = task.containerDefinitions
    .filter((container) => container.essential)
    .map((container) => kubernetesName(container.name));
  const grace = Math.max(0, ...task.containerDefinitions.map((container) => container.stopTimeout ?? 0));
  const manifest = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, ...(options.namespace && { namespace: options.namespace }), labels, annotations },
    spec: {
      replicas: options.count,
      selector: { matchLabels: selector },
      template: {
        metadata: {
          labels,
          annotations: {
            ...annotations,
            [ESSENTIAL_CONTAINERS]: essential.join(','),
            ...(options.registries.length > 0 && { 'kecs.dev/service-registries': JSON.stringify(options.registries) }),
          },
        },
        spec: {
          ...(grace > 0 && { terminationGracePeriodSeconds: grace }),
          containers: task.containerDefinitions.map(containerOf),
        },
      },
    },
  };
  return {
    manifest,
    warnings: [...taskWarnings(task), ...task.containerDefinitions.flatMap((container) => warningsOf(container, task))],
  };
}

function checkContainerNames({ containerDefinitions }: TaskDefinition, registries: readonly ServiceRegistry[]): void {
  const names = containerDefinitions.map(({ name }) => name);
  const problems = names.flatMap((name, i) => {
    const other = names.slice(0, i).find((before) => kubernetesName(before) === kubernetesName(name));
    if (other === undefined) return [];
    return [`$.containerDefinitions[${i}].name: in Kubernetes ${name} and ${other} are both ${kubernetesName(name)}`];
  });
  for (const { containerName } of registries)
    if (containerName !== undefined && !names.includes(containerName))
      problems.push(
        `$.containerDefinitions: a registry refers to the container ${containerName}, which is not in this task`,
      );
  if (problems.length > 0) throw new TaskDefinitionError(problems);
}

function containerOf(container: ContainerDefinition): Record<string, unknown> {
  const resources = resourcesOf(container);
  const portNames = container.portMappings.map(({ name }) => name);
  const ports = container.portMappings.flatMap(({ name, containerPort, protocol }, i) =>
    containerPort === undefined
      ? []
      : [{ ...(portNames.indexOf(name) === i && portName(name)), containerPort, protocol: protocol.toUpperCase() }],
  );
  return {
    name: kubernetesName(container.name),
    image: container.image,
    // ECS's entryPoint is Kubernetes' command, and ECS's command Kubernetes' args.
    ...(container.entryPoint && { command: container.entryPoint.map(literal) }),
    ...(container.command && { args: container.command.map(literal) }),
    ...(container.workingDirectory && { workingDir: container.workingDirectory }),
    ...(container.environment.length > 0 && {
      env: container.environment.map(({ name, value }) => ({ name, value: literal(value) })),
    }),
    ...(ports.length > 0 && { ports }),
    ...(resources && { resources }),
    ...(container.readonlyRootFilesystem && { securityContext: { readOnlyRootFilesystem: true } }),
    // A probe of a non-essential container would take the whole pod out; in ECS it never does.
    ...(container.essential && container.healthCheck && probesOf(container.healthCheck)),
  };
}

/** 1024 CPU units are one CPU; `memory` is the limit, `memoryReservation` the request, both in MiB. */
function resourcesOf({ cpu, memory, memoryReservation }: ContainerDefinition): Record<string, unknown> | undefined {
  const reserved = memoryReservation ?? memory;
  const requests = {
    ...(cpu > 0 && { cpu: `${Math.max(1, Math.floor((cpu * 1000) / 1024))}m` }),
    ...(reserved !== undefined && { memory: `${reserved}Mi` }),
  };
  const limits = memory === undefined ? undefined : { memory: `${memory}Mi` };
  if (Object.keys(requests).length === 0 && limits === undefined) return undefined;
  return { requests, ...(limits && { limits }) };
}

/** Converted members; any other that is set causes a warning. */
const CONVERTED = new Set([
  ...['name', 'image', 'essential', 'healthCheck', 'portMappings', 'dependsOn', 'environment', 'entryPoint', 'command'],
  ...['workingDirectory', 'cpu', 'memory', 'memoryReservation', 'stopTimeout', 'readonlyRootFilesystem'],
  ...['systemControls', 'volumesFrom', 'mountPoints'],
]);

/** Converted, or output of describe-task-definition only. Pods have their own address, as with awsvpc. */
const TASK_MEMBERS = new Set([
  ...['family', 'revision', 'taskDefinitionArn', 'containerDefinitions', 'status', 'tags', 'compatibilities'],
  ...['requiresCompatibilities', 'requiresAttributes', 'registeredAt', 'registeredBy', 'deregisteredAt'],
]);

function taskWarnings(task: TaskDefinition): string[] {
  return Object.keys(task)
    .filter(
      (key) => !TASK_MEMBERS.has(key) && !(key === 'networkMode' && task[key] === 'awsvpc') && !isEmpty(task[key]),
    )
    .map((key) => `task: ${key} is left out`);
}

const isEmpty = (value: unknown) =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

function warningsOf(container: ContainerDefinition, { networkMode }: TaskDefinition): string[] {
  const where = `container ${container.name}`;
  const unread = Object.keys(container).filter((key) => !CONVERTED.has(key) && !isEmpty(container[key]));
  const mounts = ['mountPoints', 'volumesFrom', 'systemControls'].filter((key) => !isEmpty(container[key]));
  return [
    ...container.dependsOn.map(({ containerName, condition }) =>
      condition === 'START'
        ? `${where}: dependsOn ${containerName} START: Kubernetes starts containers in the order listed, without waiting`
        : `${where}: dependsOn ${containerName} ${condition} is not kept: Kubernetes starts the containers of a pod side by side`,
    ),
    ...(container.healthCheck && !container.essential
      ? [
          `${where}: its health check is not converted to a probe: it is not essential, so in ECS it does not decide the task's health`,
        ]
      : []),
    ...container.portMappings.flatMap(({ containerPortRange }) =>
      containerPortRange
        ? [`${where}: containerPortRange ${containerPortRange} is left out: Kubernetes has no port ranges`]
        : [],
    ),
    ...container.portMappings.flatMap(({ containerPort, hostPort = 0, appProtocol }) => [
      ...(hostPort === 0 || (hostPort === containerPort && networkMode === 'awsvpc')
        ? []
        : [`${where}: port ${containerPort}: hostPort ${hostPort} is left out: a pod has its own address`]),
      ...(appProtocol
        ? [
            `${where}: port ${containerPort}: appProtocol ${appProtocol} is left out: it belongs to a Service of Kubernetes`,
          ]
        : []),
    ]),
    ...[...unread, ...mounts].map((key) => `${where}: ${key} is left out`),
  ];
}

/** ECS names may contain capitals and underscores; RFC 1123 labels may not. */
export function kubernetesName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
}

function labelValue(value: string): string {
  return value
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}

/** Kubernetes port names are IANA service names: at most 15 of a-z, 0-9, hyphen, with a letter. */
function portName(name: string | undefined): { name?: string } {
  return name !== undefined && /^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(name) ? { name } : {};
}
