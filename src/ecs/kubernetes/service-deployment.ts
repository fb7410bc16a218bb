// An ECS service as a Deployment, and a task outside of services as a Pod: what `taskdef convert` writes, with the rules of
// the service's deployment, its drain delay, and the annotations by which tasks are recognized again.
import { createHash } from 'node:crypto';
import { DEFINITION_ANNOTATION, deploymentOf, kubernetesName } from '../../taskdef/deployment.ts';
import type { TaskDefinition } from '../../taskdef/task-definition.ts';
import { limitsOf } from '../engine/rollout.ts';
import { type EcsServiceRecord, serviceKey, type TaskDefinitionRecord } from '../model/ecs-records.ts';
import type { TaskRequest } from '../model/running-task.ts';
import { DEPLOYMENT_ANNOTATION, ECS_LABEL, REQUEST_ANNOTATION, SERVICE_ANNOTATION } from './ecs-objects.ts';

const DEFAULT_CLUSTER = 'default';
/** Of a container without stopTimeout. */
const STOP_SECONDS = 30;

/** The service's name, if that identifies it; else one with a hash. */
export function deploymentName({ cluster, name }: Pick<EcsServiceRecord, 'cluster' | 'name'>): string {
  if (cluster === DEFAULT_CLUSTER && kubernetesName(name) === name) return name;
  const hash = createHash('sha256').update(`${cluster}/${name}`).digest('hex').slice(0, 10);
  const readable = kubernetesName(cluster === DEFAULT_CLUSTER ? name : `${cluster}-${name}`);
  return `${readable.slice(0, 50).replace(/-+$/, '')}-${hash}`;
}

/** The parts of a Deployment that change while its template stays. */
export function scaleOf(service: EcsServiceRecord): Record<string, unknown> {
  const { minimum, maximum } = limitsOf(service);
  const maxUnavailable = service.desiredCount - minimum;
  const maxSurge = Math.max(0, maximum - service.desiredCount);
  return {
    replicas: service.desiredCount,
    paused: service.deployments[0]?.rolloutState === 'FAILED',
    strategy: {
      type: 'RollingUpdate',
      // The API server refuses 0 and 0.
      rollingUpdate: { maxUnavailable, maxSurge: maxUnavailable + maxSurge === 0 ? 1 : maxSurge },
    },
  };
}

/** @throws TaskDefinitionError if its containers cannot share a pod */
export function deploymentOfService(
  service: EcsServiceRecord,
  record: TaskDefinitionRecord,
  namespace: string,
  drainSeconds: number,
): { readonly manifest: object; readonly warnings: readonly string[] } {
  const { manifest, warnings } = deploymentOf(
    { ...record.definition, revision: record.revision },
    {
      ...{ service: service.name, cluster: service.cluster, count: service.desiredCount, namespace },
      ...{ name: deploymentName(service), registries: service.registries },
    },
    // biome-ignore lint/suspicious/noExplicitAny: the manifest is a plain object of known shape
  ) as any;
  const annotations = {
    [SERVICE_ANNOTATION]: serviceKey(service),
    [DEPLOYMENT_ANNOTATION]: service.deployments[0]?.id,
  };
  const { template } = manifest.spec;
  return {
    warnings,
    manifest: {
      ...manifest,
      metadata: {
        ...manifest.metadata,
        labels: { ...manifest.metadata.labels, [ECS_LABEL]: 'deployment' },
        annotations: { ...manifest.metadata.annotations, ...annotations },
      },
      spec: {
        ...manifest.spec,
        ...scaleOf(service),
        template: {
          metadata: {
            labels: { ...template.metadata.labels, [ECS_LABEL]: 'task' },
            annotations: { ...template.metadata.annotations, ...annotations },
          },
          spec: draining(template.spec, record.definition, drainSeconds),
        },
      },
    },
  };
}

/** DNS stops answering a pod when its deletion begins; its containers are ended after the delay. */
function draining(spec: { containers: object[] }, definition: TaskDefinition, drainSeconds: number): object {
  const stop = Math.max(...definition.containerDefinitions.map(({ stopTimeout = STOP_SECONDS }) => stopTimeout));
  const sleep = { lifecycle: { preStop: { sleep: { seconds: drainSeconds } } } };
  return {
    ...spec,
    terminationGracePeriodSeconds: stop + drainSeconds,
    containers: drainSeconds > 0 ? spec.containers.map((container) => ({ ...container, ...sleep })) : spec.containers,
  };
}

/** @throws TaskDefinitionError */
export function podOfTask(id: string, request: TaskRequest): object {
  const containerDefinitions = request.definition.containerDefinitions.map((container) => {
    const override = request.overrides.find(({ name }) => name === container.name);
    const environment = new Map(
      [...container.environment, ...(override?.environment ?? [])].map((one) => [one.name, one]),
    );
    return {
      ...container,
      ...(override?.command && { command: [...override.command] }),
      environment: [...environment.values()],
    };
  });
  const definition = { ...request.definition, containerDefinitions };
  const { manifest } = deploymentOf(definition, {
    ...{ service: request.definition.family, cluster: request.cluster, count: 1, registries: [] },
    // biome-ignore lint/suspicious/noExplicitAny: the manifest is a plain object of known shape
  }) as any;
  const { metadata, spec } = manifest.spec.template;
  // Without the label of a service: tasks outside of services are in no service registry, as in ECS.
  const { app: _, 'kecs.dev/service': __, ...labels } = metadata.labels;
  const { definition: ___, registries: ____, ...asked } = request;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: id,
      labels: { ...labels, [ECS_LABEL]: 'task', 'kecs.dev/task-id': id.slice(0, 63) },
      annotations: {
        ...metadata.annotations,
        [DEFINITION_ANNOTATION]: request.definitionKey,
        [REQUEST_ANNOTATION]: JSON.stringify(asked),
      },
    },
    spec: { ...(draining(spec, definition, 0) as object), restartPolicy: 'Never' },
  };
}
