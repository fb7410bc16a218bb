import * as v from 'valibot';
import { AwsError } from '../../cloudmap/aws-error.ts';
import { type ClusterRecord, serviceKey } from '../model/ecs-records.ts';
import type { EcsChange } from '../model/ecs-state.ts';
import {
  activeCluster,
  clusterArn,
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
  tags,
  tagsOf,
  withTags,
} from './ecs-api.ts';

/** How long a deleted cluster is described. */
const INACTIVE_MS = 3_600_000;

/** Kept and described, without effect. */
const settings = v.optional(
  v.pipe(
    v.array(
      v.object({ name: v.picklist(['containerInsights']), value: v.picklist(['enabled', 'disabled', 'enhanced']) }),
    ),
    v.maxLength(10),
  ),
);
const createInput = v.object({ clusterName: v.optional(name, DEFAULT_CLUSTER), tags, settings });

/** A cluster that exists is returned unchanged, as in ECS. */
export async function createCluster(api: EcsApi, input: unknown): Promise<object> {
  const { clusterName: key, tags: given, settings: set } = readInput(createInput, input);
  return api.state.mutate(() => {
    const known = activeCluster(api.state, key);
    const value = known ?? {
      ...{ name: key, createdMs: api.clock.now(), tags: tagsOf(given) },
      ...(set && { settings: set }),
    };
    const others = forgotten(api).filter((one) => one.key !== key);
    const changes: EcsChange[] = known ? [] : [...others, { collection: 'cluster', key, value }];
    const hasTags = Object.keys(value.tags).length > 0;
    return { changes, result: { cluster: describeCluster(api, value, hasTags) } };
  });
}

/** Deletes the records of clusters that were deleted long ago. */
const forgotten = (api: EcsApi): EcsChange[] =>
  [...api.state.clusters.values()]
    .filter((one) => !isShown(api, one))
    .map(({ name: key }) => ({ collection: 'cluster', key, value: undefined }));

const isShown = ({ clock }: EcsApi, { inactiveMs }: ClusterRecord): boolean =>
  inactiveMs === undefined || inactiveMs >= clock.now() - INACTIVE_MS;

const describeInput = v.object({ clusters: v.optional(references(100), [DEFAULT_CLUSTER]), include: includes });

export function describeClusters(api: EcsApi, input: unknown): object {
  const request = readInput(describeInput, input);
  const hasTags = request.include.includes('TAGS');
  const found = request.clusters.map((one) => {
    const cluster = api.state.clusters.get(nameOf(one));
    return { one, cluster: cluster && isShown(api, cluster) ? cluster : undefined };
  });
  return {
    clusters: found.flatMap(({ cluster }) => (cluster ? [describeCluster(api, cluster, hasTags)] : [])),
    failures: found.flatMap(({ one, cluster }) =>
      cluster ? [] : [{ arn: clusterArn(api, nameOf(one)), reason: 'MISSING' }],
    ),
  };
}

const listInput = v.object(pageInput);

export function listClusters(api: EcsApi, input: unknown): object {
  const active = [...api.state.clusters.values()].filter(({ inactiveMs }) => inactiveMs === undefined);
  const { items, nextToken } = pageOf(active, (one) => one.name, readInput(listInput, input));
  return { clusterArns: items.map((one) => clusterArn(api, one.name)), nextToken };
}

const deleteInput = v.object({ cluster: reference });

export async function deleteCluster(api: EcsApi, input: unknown): Promise<object> {
  const request = readInput(deleteInput, input);
  return api.state.mutate(() => {
    const key = nameOf(request.cluster);
    const cluster = activeCluster(api.state, key);
    if (cluster === undefined) throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
    const services = [...api.state.services.values()].filter((one) => one.cluster === key);
    if (services.some(({ status }) => status !== 'INACTIVE'))
      throw new AwsError(
        'ClusterContainsServicesException',
        'The Cluster cannot be deleted while Services are active.',
      );
    if ([...api.engine.tasks.values()].some((one) => one.request.cluster === key && one.status !== 'STOPPED'))
      throw new AwsError('ClusterContainsTasksException', 'The Cluster cannot be deleted while Tasks are active.');
    const value = { ...cluster, inactiveMs: api.clock.now() };
    const changes: EcsChange[] = [
      ...services.map((one) => ({ collection: 'service' as const, key: serviceKey(one), value: undefined })),
      ...forgotten(api),
      { collection: 'cluster', key, value },
    ];
    return { changes, result: { cluster: describeCluster(api, value, false) } };
  });
}

function describeCluster(api: EcsApi, cluster: ClusterRecord, hasTags: boolean): object {
  const { name: own, tags: ownTags, settings, inactiveMs } = cluster;
  const tasks = [...api.engine.tasks.values()].filter(({ request }) => request.cluster === own);
  const services = [...api.state.services.values()].filter((one) => one.cluster === own && one.status === 'ACTIVE');
  return {
    clusterArn: clusterArn(api, own),
    clusterName: own,
    status: inactiveMs === undefined ? 'ACTIVE' : 'INACTIVE',
    registeredContainerInstancesCount: 0,
    runningTasksCount: tasks.filter(({ status }) => status === 'RUNNING').length,
    pendingTasksCount: tasks.filter(({ status }) => status === 'PENDING').length,
    activeServicesCount: services.length,
    statistics: [],
    ...withTags(ownTags, hasTags),
    settings: settings ?? [{ name: 'containerInsights', value: 'disabled' }],
    capacityProviders: [],
    defaultCapacityProviderStrategy: [],
  };
}
