// A pod that is an ECS task: its service, from the labels and annotations of KECS (nandemo-ya/kecs) or AWS, and its
// addresses.
import { canonicalIp } from '../dns/ip.ts';
import {
  type Fields,
  fields,
  list,
  MalformedObject,
  type Metadata,
  optionalFields,
  optionalText,
  portNumber,
} from '../sources/kubernetes/api/objects.ts';
import { DEFINITION_ANNOTATION, kubernetesName, type ServiceRegistry } from '../taskdef/deployment.ts';

export interface Task {
  /** Kubernetes' namespace and name of the pod. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly createdMs: number;
  readonly nodeName: string | undefined;
  /** The ECS service's name. It identifies the Cloud Map service if `registries` is empty. */
  readonly service: string | undefined;
  readonly cluster: string | undefined;
  readonly family: string | undefined;
  /** "web:3", if it is known. */
  readonly definition?: string | undefined;
  /** For `routing: weighted`; undefined: that of its task definition. */
  readonly weight?: number | undefined;
  readonly region: string | undefined;
  readonly registries: readonly ServiceRegistry[];
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  /** In the order of the pod's containers. */
  readonly ports: readonly { readonly container: string; readonly port: number }[];
}

export const KECS_SERVICE = 'kecs.dev/service';
/** Of the pods of a TaskSet; KECS writes these keys with another domain. */
export const KECS_TASK_SET = 'kecs.io/taskset';
export const ECS_SERVICE = 'ecs.amazonaws.com/service-name';
/** An annotation holds the ARN; a label, which cannot contain one, the task's id. */
export const ECS_TASK = 'ecs.amazonaws.com/task-arn';
const REGISTRIES = 'kecs.dev/service-registries';
/** A person's choice, on a pod or in a Deployment's template. */
const WEIGHT = 'healthdns.dev/weight';
const MAX_WEIGHT = 255;
/** ECS allows one registry per service. */
const MAX_REGISTRIES = 10;

export interface TranslatedTask {
  readonly task: Task;
  /** The problem of the first registry that was left out. */
  readonly problem: MalformedObject | undefined;
}

/** undefined: stopped, being deleted, or without an address, and so not registered. @throws MalformedObject */
export function translateTask(metadata: Metadata, pod: Fields): TranslatedTask | undefined {
  const status = optionalFields(pod.status, 'status');
  if (metadata.deletingSinceMs !== undefined || status.phase === 'Failed' || status.phase === 'Succeeded')
    return undefined;
  const addresses = addressesOf(status);
  if (addresses.length === 0) return undefined;
  const spec = optionalFields(pod.spec, 'spec');
  const says = (key: string) =>
    optionalText(metadata.labels[key], `label ${key}`) ?? optionalText(metadata.annotations[key], `annotation ${key}`);
  const arn = arnParts(says(ECS_TASK));
  const definition = says(DEFINITION_ANNOTATION) ?? says('kecs.io/task-definition');
  const { registries, problem } = says(KECS_TASK_SET) ? taskSetRegistries(says) : registriesOf(says(REGISTRIES));
  const task: Task = {
    namespace: metadata.namespace,
    name: metadata.name,
    uid: optionalText(optionalFields(pod.metadata, 'metadata').uid, 'metadata.uid') ?? '',
    createdMs: metadata.createdMs ?? 0,
    nodeName: optionalText(spec.nodeName, 'spec.nodeName'),
    service: says(KECS_SERVICE) ?? says('kecs.io/service') ?? says(ECS_SERVICE),
    cluster: says('kecs.dev/cluster') ?? says('kecs.io/cluster') ?? says('ecs.amazonaws.com/cluster') ?? arn?.cluster,
    family: says('kecs.dev/task-family') ?? (definition === undefined ? undefined : familyOf(definition)),
    region: arn?.region,
    definition: definition?.slice(definition.lastIndexOf('/') + 1),
    weight: weightOf(says(WEIGHT)),
    registries,
    ipv4: addresses.find((ip) => !ip.includes(':')),
    ipv6: addresses.find((ip) => ip.includes(':')),
    ports: portsOf(spec),
  };
  return { task, problem };
}

/** `podIPs`, or `podIP` from before dual stack. */
function addressesOf(status: Fields): string[] {
  const ips = list(status.podIPs, 'status.podIPs').map((entry) => fields(entry, 'status.podIPs').ip);
  const all = ips.length > 0 ? ips : [optionalText(status.podIP, 'status.podIP')].filter((ip) => ip !== undefined);
  return all.map((ip) => {
    const canonical = typeof ip === 'string' ? canonicalIp(ip) : undefined;
    if (canonical === undefined) throw new MalformedObject(`status.podIPs: ${JSON.stringify(ip)} is not an address`);
    return canonical;
  });
}

function portsOf(spec: Fields): Task['ports'] {
  return list(spec.containers, 'spec.containers').flatMap((value) => {
    const container = fields(value, 'container');
    const name = optionalText(container.name, 'container name') ?? '';
    return list(container.ports, 'ports').map((port) => ({
      container: name,
      port: portNumber(fields(port, 'port').containerPort, `containerPort of ${name}`),
    }));
  });
}

/** "arn:aws:ecs:us-east-1:000000000000:task/prod/0123" */
function arnParts(
  arn: string | undefined,
): { readonly region: string; readonly cluster: string | undefined } | undefined {
  const match = /^arn:[^:]+:ecs:([^:]*):[^:]*:task\/(?:([^/]+)\/)?[^/]+$/.exec(arn ?? '');
  return match === null ? undefined : { region: match[1]!, cluster: match[2] };
}

/** "web", "web:3" or "arn:aws:ecs:us-east-1:000000000000:task-definition/web:3" → "web". */
const familyOf = (definition: string): string => definition.slice(definition.lastIndexOf('/') + 1).replace(/:\d+$/, '');

function registriesOf(annotation: string | undefined): Pick<TranslatedTask, 'problem'> & Pick<Task, 'registries'> {
  if (annotation === undefined) return { registries: [], problem: undefined };
  const entries = list(parseJson(annotation), REGISTRIES);
  if (entries.length > MAX_REGISTRIES)
    throw new MalformedObject(`${REGISTRIES} has ${entries.length} entries, at most ${MAX_REGISTRIES} are read`);
  const registries: ServiceRegistry[] = [];
  let problem: MalformedObject | undefined;
  entries.forEach((entry, index) => {
    try {
      registries.push(registryOf(fields(entry, 'it')));
    } catch (error) {
      if (!(error instanceof MalformedObject)) throw error;
      problem ??= new MalformedObject(`${REGISTRIES}[${index}] is left out: ${error.message}`);
    }
  });
  // Falling back to the service's name would register the task where its owner did not ask for it.
  if (registries.length === 0 && problem !== undefined) throw problem;
  return { registries, problem };
}

/** KECS writes each registry of a TaskSet as annotations with its number. */
function taskSetRegistries(
  says: (key: string) => string | undefined,
): Pick<TranslatedTask, 'problem'> & Pick<Task, 'registries'> {
  const registries: ServiceRegistry[] = [];
  for (let i = 0; i < MAX_REGISTRIES; i++) {
    const key = `kecs.io/service-registry-${i}`;
    const registryArn = says(`${key}-arn`);
    if (registryArn === undefined) break;
    const port = says(`${key}-port`);
    registries.push(
      registryOf({
        registryArn,
        containerName: says(`${key}-container`),
        containerPort: port === undefined ? undefined : Number(port),
      }),
    );
  }
  return { registries, problem: undefined };
}

function weightOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const weight = Number(text);
  if (/^\d+$/.test(text) && weight <= MAX_WEIGHT) return weight;
  throw new MalformedObject(`${WEIGHT} is ${text}, not a whole number from 0 to ${MAX_WEIGHT}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MalformedObject(`${REGISTRIES} is not JSON: ${(error as Error).message}`);
  }
}

function registryOf(entry: Fields): ServiceRegistry {
  const registryArn = optionalText(entry.registryArn, 'registryArn');
  if (registryArn === undefined) throw new MalformedObject('registryArn is missing');
  const containerName = optionalText(entry.containerName, 'containerName');
  const port = entry.containerPort ?? entry.port;
  return {
    registryArn,
    ...(containerName !== undefined && { containerName: kubernetesName(containerName) }),
    ...(port !== undefined && port !== null && { containerPort: portNumber(port, 'containerPort') }),
  };
}
