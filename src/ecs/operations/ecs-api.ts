// Shared by all operations of the ECS API: the state, the engine, ARNs, and lookups that fail with the API's errors.
import * as v from 'valibot';
import type { Clock } from '../../clock.ts';
import { AwsError } from '../../cloudmap/aws-error.ts';
import { read } from '../../cloudmap/request-shapes.ts';
import {
  type ClusterRecord,
  type EcsServiceRecord,
  serviceKey,
  type Tags,
  type TaskDefinitionRecord,
} from '../model/ecs-records.ts';
import type { EcsChange, EcsState } from '../model/ecs-state.ts';
import type { RunningTask, TaskEngine } from '../model/running-task.ts';
import { weightProblem } from './weights.ts';

export interface EcsApi {
  readonly state: EcsState;
  readonly engine: TaskEngine;
  readonly clock: Clock;
  readonly region: string;
  readonly account: string;
  /** Whether there is a Cloud Map service with this ARN. */
  readonly hasRegistry: (registryArn: string) => boolean;
}

export const DEFAULT_CLUSTER = 'default';

export type Arns = Pick<EcsApi, 'region' | 'account'>;

const arn = ({ region, account }: Arns, resource: string): string => `arn:aws:ecs:${region}:${account}:${resource}`;
export const clusterArn = (api: Arns, name: string): string => arn(api, `cluster/${name}`);
export const definitionArn = (api: Arns, key: string): string => arn(api, `task-definition/${key}`);
export const serviceArn = (api: Arns, service: Pick<EcsServiceRecord, 'cluster' | 'name'>): string =>
  arn(api, `service/${serviceKey(service)}`);
export const taskArn = (api: Arns, task: RunningTask): string => arn(api, `task/${task.request.cluster}/${task.id}`);
export const containerArn = (api: Arns, task: RunningTask, name: string): string =>
  arn(api, `container/${task.request.cluster}/${task.id}/${name}`);

/** The last part of an ARN; a name is returned as it is. */
export const nameOf = (nameOrArn: string): string => nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);

/** The name of a service. @throws AwsError InvalidParameterException if its ARN has another cluster, as in ECS */
export function serviceNameOf(cluster: string, nameOrArn: string): string {
  const [, other] = /^arn:.*:service\/([^/]+)\/[^/]+$/.exec(nameOrArn) ?? [];
  if (other === undefined || other === cluster) return nameOf(nameOrArn);
  throw new AwsError('InvalidParameterException', `Identifier is for ${other}. Your cluster is ${cluster}`);
}

/** @throws AwsError InvalidParameterException */
export const readInput = <Schema extends v.GenericSchema>(schema: Schema, input: unknown): v.InferOutput<Schema> =>
  read(schema, input, 'InvalidParameterException');

/** The name of a cluster that exists. @throws AwsError ClusterNotFoundException */
export function clusterOf({ state }: EcsApi, nameOrArn: string | undefined): string {
  const name = nameOf(nameOrArn ?? DEFAULT_CLUSTER);
  if (activeCluster(state, name) === undefined) throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
  return name;
}

/** Undefined also for one that was deleted. */
export function activeCluster({ clusters }: Pick<EcsState, 'clusters'>, name: string): ClusterRecord | undefined {
  const cluster = clusters.get(name);
  return cluster?.inactiveMs === undefined ? cluster : undefined;
}

/** The same for what is created there, which the default cluster need not be. @throws AwsError ClusterNotFoundException */
export const targetCluster = (api: EcsApi, nameOrArn: string | undefined): string =>
  nameOf(nameOrArn ?? DEFAULT_CLUSTER) === DEFAULT_CLUSTER ? DEFAULT_CLUSTER : clusterOf(api, nameOrArn);

/** The default cluster gets its record with the first service or task in it. */
export const clusterChange = ({ state, clock }: EcsApi, name: string): EcsChange[] =>
  activeCluster(state, name)
    ? []
    : [{ collection: 'cluster', key: name, value: { name, createdMs: clock.now(), tags: {} } }];

/** An active service. @throws AwsError ServiceNotFoundException, ServiceNotActiveException */
export function serviceOf(api: EcsApi, cluster: string, nameOrArn: string): EcsServiceRecord {
  const service = api.state.services.get(serviceKey({ cluster, name: serviceNameOf(cluster, nameOrArn) }));
  if (service === undefined) throw new AwsError('ServiceNotFoundException', 'Service not found.');
  if (service.status !== 'ACTIVE') throw new AwsError('ServiceNotActiveException', 'Service was not ACTIVE.');
  return service;
}

/** "web" (its newest active revision), "web:3" or an ARN. @throws AwsError ClientException */
export function definitionOf({ state }: EcsApi, reference: string): TaskDefinitionRecord {
  const key = nameOf(reference);
  const found = key.includes(':')
    ? state.definitions.get(key)
    : [...state.definitions.values()]
        .filter(({ family, status }) => family === key && status === 'ACTIVE')
        .sort((one, other) => other.revision - one.revision)[0];
  if (found === undefined) throw new AwsError('ClientException', 'Unable to describe task definition.');
  return found;
}

/** @throws AwsError InvalidParameterException */
export function taskOf({ engine }: EcsApi, cluster: string, idOrArn: string): RunningTask {
  const task = engine.tasks.get(nameOf(idOrArn));
  if (task?.request.cluster !== cluster)
    throw new AwsError('InvalidParameterException', 'The referenced task was not found.');
  return task;
}

const text = (maximum: number) => v.pipe(v.string(), v.maxLength(maximum));
/** A name or an ARN. */
export const reference = v.pipe(text(2048), v.minLength(1));
export const name = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-]{1,255}$/, 'must consist of letters, digits, hyphens and underscores'),
);
export const LAUNCH_TYPES = ['EC2', 'FARGATE', 'EXTERNAL'] as const;
export const LAUNCH_TYPE_PROBLEM = 'launch type should be one of [EC2,FARGATE,EXTERNAL]';
export const token = v.optional(text(2048));
export const count = (maximum: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maximum));
export const references = (maximum: number) => v.pipe(v.array(reference), v.maxLength(maximum));
export const includes = v.optional(v.pipe(v.array(v.string()), v.maxLength(10)), []);

const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
export const tags = v.optional(
  v.pipe(
    v.array(
      v.object({
        key: v.pipe(text(128), v.minLength(1), v.regex(tagText, 'has characters that tags cannot have')),
        value: v.optional(v.pipe(text(256), v.regex(tagText, 'has characters that tags cannot have')), ''),
      }),
    ),
    v.maxLength(50),
  ),
  [],
);

/** @throws AwsError InvalidParameterException */
export function tagsOf(list: v.InferOutput<typeof tags>): Tags {
  const given = Object.fromEntries(list.map(({ key, value }) => [key, value]));
  const reserved = Object.keys(given).find((key) => key.toLowerCase().startsWith('aws:'));
  const problem =
    reserved === undefined ? weightProblem(given) : `tag ${reserved}: keys beginning with aws: are reserved`;
  if (problem !== undefined) throw new AwsError('InvalidParameterException', problem);
  return given;
}

/** Tags are described only where `include` asks for them, or they were given. */
export const withTags = (record: Tags, isAsked: boolean): { tags?: object[] } =>
  isAsked ? { tags: tagList(record) } : {};
export const tagList = (record: Tags): object[] => Object.entries(record).map(([key, value]) => ({ key, value }));

export const pageInput = {
  nextToken: token,
  maxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), 100),
};

/**
 * One page in the order of the items' keys, so that new or deleted items do not disturb it. The token holds the last key.
 * @throws AwsError InvalidParameterException for a token that no page returned
 */
export function pageOf<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  { nextToken, maxResults, sort }: PageRequest,
): { readonly items: readonly Item[]; readonly nextToken: string | undefined } {
  const direction = sort === 'DESC' ? -1 : 1;
  const compare = (one: string, other: string) => direction * (one < other ? -1 : one > other ? 1 : 0);
  const after = nextToken === undefined ? undefined : keyIn(nextToken);
  const rest = items
    .filter((item) => after === undefined || compare(keyOf(item), after) > 0)
    .sort((one, other) => compare(keyOf(one), keyOf(other)));
  const shown = rest.slice(0, maxResults);
  const isLast = shown.length === rest.length;
  return {
    items: shown,
    nextToken: isLast ? undefined : Buffer.from(`1:${keyOf(shown.at(-1)!)}`).toString('base64url'),
  };
}

interface PageRequest {
  readonly nextToken?: string;
  readonly maxResults: number;
  readonly sort?: 'ASC' | 'DESC';
}

function keyIn(nextToken: string): string {
  const text = Buffer.from(nextToken, 'base64url').toString();
  if (!text.startsWith('1:')) throw new AwsError('InvalidParameterException', 'Invalid token in request.');
  return text.slice(2);
}
