// The operations of the Amazon ECS API (ecs, 2014-11-13) by name. http/ reads and writes the wire.
import { AwsError } from '../../cloudmap/aws-error.ts';
import { catchUp } from './catch-up.ts';
import { createCluster, deleteCluster, describeClusters, listClusters } from './clusters.ts';
import type { EcsApi } from './ecs-api.ts';
import { listTagsForResource, tagResource, untagResource } from './ecs-tags.ts';
import { createService, deleteService, describeServices, listServices, updateService } from './services.ts';
import {
  deregisterTaskDefinition,
  describeTaskDefinition,
  listTaskDefinitionFamilies,
  listTaskDefinitions,
  registerTaskDefinition,
} from './task-definitions.ts';
import { describeTasks, listTasks, runTask, stopTask } from './tasks.ts';

type Operation = (api: EcsApi, input: unknown) => object | Promise<object>;

const READS: Readonly<Record<string, Operation>> = {
  DescribeClusters: describeClusters,
  DescribeServices: describeServices,
  DescribeTaskDefinition: describeTaskDefinition,
  DescribeTasks: describeTasks,
  ListClusters: listClusters,
  ListServices: listServices,
  ListTagsForResource: listTagsForResource,
  ListTaskDefinitionFamilies: listTaskDefinitionFamilies,
  ListTaskDefinitions: listTaskDefinitions,
  ListTasks: listTasks,
};
const WRITES: Readonly<Record<string, Operation>> = {
  CreateCluster: createCluster,
  CreateService: createService,
  DeleteCluster: deleteCluster,
  DeleteService: deleteService,
  DeregisterTaskDefinition: deregisterTaskDefinition,
  RegisterTaskDefinition: registerTaskDefinition,
  RunTask: runTask,
  StopTask: stopTask,
  TagResource: tagResource,
  UntagResource: untagResource,
  UpdateService: updateService,
};

/** Whether the operation changes anything. @throws AwsError UnknownOperationException */
export function ecsOperationWrites(name: string): boolean {
  if (Object.hasOwn(READS, name)) return false;
  if (Object.hasOwn(WRITES, name)) return true;
  throw new AwsError('UnknownOperationException', `${name.slice(0, 100)} is not an operation that healthdns supports`);
}

/** Runs one operation. Times in the output are Date objects; encoders omit undefined members. @throws AwsError */
export async function callEcsOperation(api: EcsApi, name: string, input: unknown): Promise<object> {
  const writes = ecsOperationWrites(name);
  const operation = writes ? WRITES[name]! : READS[name]!;
  const missing = api.state.notReady();
  if (missing !== undefined) throw new AwsError('ServiceUnavailable', missing);
  await catchUp(api, input, writes);
  return operation(api, input);
}
