// Objects of the ECS API as ConfigMaps: one for each cluster, revision of a task definition, and service. An object is
// named after what must be unique, so that the API server itself rejects the second of two replicas that create the same one.
import { MANAGED_BY, objectName } from '../../cloudmap/kubernetes/held-object.ts';
import { type Fields, fields, MalformedObject, metadata, text } from '../../sources/kubernetes/api/objects.ts';
import type { EcsChange } from '../model/ecs-state.ts';

/** On every object of ECS. Its value is what the object is: cluster, task-definition, service, deployment, task. */
export const ECS_LABEL = 'healthdns.dev/ecs';
/** "cluster/name" of the service that a Deployment or pod belongs to. */
export const SERVICE_ANNOTATION = 'healthdns.dev/ecs-service';
/** The id of the ECS deployment that a Deployment's template or a pod was made for. */
export const DEPLOYMENT_ANNOTATION = 'healthdns.dev/ecs-deployment';
/** The parameters of RunTask. */
export const REQUEST_ANNOTATION = 'healthdns.dev/ecs-request';
/** The tags of a task. */
export const TAGS_ANNOTATION = 'healthdns.dev/ecs-tags';
/** Who stopped a task, and why. */
export const STOPPED_ANNOTATION = 'healthdns.dev/ecs-stopped';

const KINDS = { cluster: 'cluster', definition: 'task-definition', service: 'service' } as const;
const COLLECTIONS = new Map<string, EcsChange['collection']>(
  Object.entries(KINDS).map(([collection, kind]) => [kind, collection as EcsChange['collection']]),
);

/** The selector of the ConfigMaps. */
export const RECORDS = `${ECS_LABEL} in (${Object.values(KINDS).join(',')})`;

export const recordObjectName = ({ collection, key }: Pick<EcsChange, 'collection' | 'key'>): string =>
  objectName(`ecs-${KINDS[collection]}`, key);

export function recordObject(change: EcsChange, before: Fields | undefined): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      ...(before && fields(before.metadata, 'metadata')),
      name: recordObjectName(change),
      labels: { ...MANAGED_BY, [ECS_LABEL]: KINDS[change.collection] },
    },
    data: { key: change.key, record: JSON.stringify(change.value) },
  };
}

/** @throws MalformedObject where another program wrote it */
export function readRecordObject(object: Fields): EcsChange {
  const kind = text(metadata(object).labels[ECS_LABEL], `label ${ECS_LABEL}`);
  const collection = COLLECTIONS.get(kind);
  if (collection === undefined) throw new MalformedObject(`label ${ECS_LABEL} is ${kind}`);
  const data = fields(object.data, 'data');
  const key = text(data.key, 'data.key');
  const value = fields(parse(text(data.record, 'data.record')), 'data.record');
  for (const member of REQUIRED[collection])
    if (value[member] === undefined) throw new MalformedObject(`data.record has no ${member}`);
  return { collection, key, value } as unknown as EcsChange;
}

const REQUIRED: Readonly<Record<EcsChange['collection'], readonly string[]>> = {
  cluster: ['name', 'tags'],
  definition: ['family', 'revision', 'status', 'definition', 'tags'],
  service: ['cluster', 'name', 'status', 'desiredCount', 'registries', 'rules', 'deployments', 'events', 'tags'],
};

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new MalformedObject(`data.record is not JSON: ${(error as Error).message}`);
  }
}
