// A task as an instance of a Cloud Map service, with the attributes that ECS writes.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html ("Instance attributes")
import type { Fact, Instance } from '../registry/model.ts';
import type { ServiceRegistry } from '../taskdef/deployment.ts';
import type { Task } from './task.ts';

/** Location of a task, from its Node. */
export interface Place {
  readonly zone?: string;
  readonly region?: string;
  readonly ec2InstanceId?: string;
}

export interface TaskStatement {
  readonly task: Task;
  readonly health: Fact;
  readonly place: Place;
  /** Subjects whose facts are also the task's: its node. */
  readonly subjects: readonly string[];
}

/** `registry`: the one that refers to the Cloud Map service, if any. */
export function taskInstance(
  { task, health, place, subjects }: TaskStatement,
  id: string,
  registry: ServiceRegistry | undefined,
  weight: number,
): Instance {
  const port = portOf(task, registry);
  return {
    id,
    addresses: [task.ipv4, task.ipv6].filter((address) => address !== undefined),
    ports: port === undefined ? [] : [{ name: '', protocol: 'tcp', port }],
    weight,
    attributes: attributesOf(task, place, port),
    subjects,
    facts: [health],
  };
}

/** The registry's port, else the first port of its container, else the first port of the pod. */
function portOf(task: Task, registry: ServiceRegistry | undefined): number | undefined {
  if (registry?.containerPort !== undefined) return registry.containerPort;
  const named = registry?.containerName;
  return task.ports.find(({ container }) => named === undefined || container === named)?.port;
}

/** ECS_CLUSTER_NAME is AWS's name; other tools read ECS_CLUSTER. */
function attributesOf(task: Task, place: Place, port: number | undefined): Record<string, string> {
  const all: Record<string, string | undefined> = {
    AWS_INSTANCE_IPV4: task.ipv4,
    AWS_INSTANCE_IPV6: task.ipv6,
    AWS_INSTANCE_PORT: port === undefined ? undefined : String(port),
    AVAILABILITY_ZONE: place.zone,
    REGION: task.region ?? place.region,
    EC2_INSTANCE_ID: place.ec2InstanceId,
    ECS_SERVICE_NAME: task.service,
    ECS_CLUSTER_NAME: task.cluster,
    ECS_CLUSTER: task.cluster,
    ECS_TASK_DEFINITION_FAMILY: task.family,
  };
  const known = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(known);
}
