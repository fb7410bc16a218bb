import * as v from 'valibot';
import { AwsError } from '../../cloudmap/aws-error.ts';
import type { ClusterRecord } from '../model/ecs-records.ts';
import {
  clusterArn,
  clusterOf,
  DEFAULT_CLUSTER,
  type EcsApi,
  includes,
  name,
  nameOf,
  pageInput,
  pageOf,
  readInput,
  reference,
  references,
  tagList,
  tags,
  tagsOf,
} from './ecs-api.ts';

const createInput = v.object({ clusterName: v.optional(name, DEFAULT_CLUSTER), tags });

/** A cluster that exists is returned unchanged, as in ECS. */
export async function createCluster(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(createInput, input);
  const known = api.state.clusters.get(request.clusterName);
  const cluster = known ?? { name: request.clusterName, createdMs: api.clock.now(), tags: tagsOf(request.tags) };
  api.state.clusters.set(cluster.name, cluster);
  await api.state.save();
  return { cluster: describeCluster(api, cluster) };
}

const describeInput = v.object({ clusters: v.optional(references(100), [DEFAULT_CLUSTER]), include: includes });

export function describeClusters(api: EcsApi, input: unknown): object {
  const request = readInput(describeInput, input);
  const found = request.clusters.map((one) => ({ one, cluster: api.state.clusters.get(nameOf(one)) }));
  return {
    clusters: found.flatMap(({ cluster }) => (cluster ? [describeCluster(api, cluster)] : [])),
    failures: found.flatMap(({ one, cluster }) =>
      cluster ? [] : [{ arn: clusterArn(api, nameOf(one)), reason: 'MISSING' }],
    ),
  };
}

const listInput = v.object(pageInput);

export function listClusters(api: EcsApi, input: unknown): object {
  const { items, nextToken } = pageOf([...api.state.clusters.keys()], readInput(listInput, input));
  return { clusterArns: items.map((one) => clusterArn(api, one)), nextToken };
}

const deleteInput = v.object({ cluster: reference });

export async function deleteCluster(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(deleteInput, input);
  const known = clusterOf(api, request.cluster);
  const cluster = api.state.clusters.get(known)!;
  const services = [...api.state.services.values()].filter((one) => one.cluster === known && one.status !== 'INACTIVE');
  if (services.length > 0)
    throw new AwsError('ClusterContainsServicesException', 'The Cluster cannot be deleted while Services are active.');
  const tasks = [...api.engine.tasks.values()].some((one) => one.request.cluster === known && one.status !== 'STOPPED');
  if (tasks)
    throw new AwsError('ClusterContainsTasksException', 'The Cluster cannot be deleted while Tasks are active.');
  api.state.clusters.delete(known);
  await api.state.save();
  return { cluster: { ...describeCluster(api, cluster), status: 'INACTIVE' } };
}

function describeCluster(api: EcsApi, { name: own, tags: ownTags }: ClusterRecord): object {
  const tasks = [...api.engine.tasks.values()].filter(({ request }) => request.cluster === own);
  const services = [...api.state.services.values()].filter((one) => one.cluster === own && one.status === 'ACTIVE');
  return {
    clusterArn: clusterArn(api, own),
    clusterName: own,
    status: 'ACTIVE',
    registeredContainerInstancesCount: 0,
    runningTasksCount: tasks.filter(({ status }) => status === 'RUNNING').length,
    pendingTasksCount: tasks.filter(({ status }) => status === 'PENDING').length,
    activeServicesCount: services.length,
    statistics: [],
    tags: tagList(ownTags),
    settings: [],
    capacityProviders: [],
    defaultCapacityProviderStrategy: [],
  };
}
