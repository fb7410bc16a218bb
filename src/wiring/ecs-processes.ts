// ECS with tasks as processes of this machine: its state read, the engine that runs tasks, and tasks as instances of Cloud Map
// services.
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Api } from '../cloudmap/api.ts';
import { instanceKey, type StoreChange } from '../cloudmap/records.ts';
import type { ProcessesConfig } from '../config/config.ts';
import { ProcessEngine } from '../ecs/engine/process-engine.ts';
import { ServiceScheduler } from '../ecs/engine/service-scheduler.ts';
import { serviceKey } from '../ecs/model/ecs-records.ts';
import { FileState } from '../ecs/model/file-state.ts';
import type { RunningTask } from '../ecs/model/running-task.ts';
import { activeCluster, taskArn } from '../ecs/operations/ecs-api.ts';
import type { TaskStatement } from '../ecs/task-instance.ts';
import { ecsService } from '../http/aws-api.ts';
import { resetEndpoint } from '../http/reset.ts';
import { type Ecs, type EcsDependencies, followWeights, hasRegistry, ttlSeconds } from './ecs.ts';

/** Rejects if the state cannot be read. */
export async function startEcsOnProcesses(config: ProcessesConfig, dependencies: EcsDependencies): Promise<Ecs> {
  const { cloudMap, book, clock, random, log, publishNow, concurrentChecks } = dependencies;
  const { region, account } = cloudMap;
  const state = new FileState(join(config.directory, 'state.json'));
  if (!dependencies.isNewInMemory) await state.load();
  const engine = new ProcessEngine({
    ...{ folder: config.directory, clock, random, log, concurrentChecks },
    drainSeconds: (request) => config.drainSeconds ?? ttlSeconds(cloudMap, request.registries),
    publish(task, isAnswered) {
      if (task.request.registries.length === 0) return;
      book.replace(`ecs-task/${task.id}`, isAnswered ? statementOf(task, region, clock) : undefined);
      publishNow();
    },
  });
  followWeights(state, dependencies);
  await engine.recover(({ service, cluster, deployment }) => {
    if (service === undefined) return activeCluster(state, cluster) !== undefined;
    const deployments = state.services.get(serviceKey({ cluster, name: service }))?.deployments ?? [];
    return deployments.some(({ id }) => id === deployment);
  });
  log.warn('ecs: tasks run as processes of this machine; images are not pulled', { directory: config.directory });
  const arn = (task: RunningTask) => taskArn({ region, account }, task);
  const scheduler = new ServiceScheduler({ ...{ state, engine, clock, log }, taskArn: arn });
  const reset = async () => {
    state.clear();
    await engine.clear();
    await Promise.all([state.save(), emptyCloudMap(cloudMap)]);
  };
  return {
    service: ecsService({ state, engine, clock, region, account, hasRegistry: hasRegistry(cloudMap) }, true),
    endpoints: config.reset ? [resetEndpoint(reset)] : [],
    async stop() {
      scheduler.close();
      await engine.close();
      await state.settled();
    },
  };
}

/** In DNS and Cloud Map, a container's port is the port that it has on this machine. */
function statementOf(task: RunningTask, region: string, clock: Clock): TaskStatement {
  const { request, containers } = task;
  const ports = containers.flatMap(({ name, ports: own }) => own.map((port) => ({ container: name, ...port })));
  return {
    task: {
      ...{ namespace: request.cluster, name: task.id, uid: task.id, createdMs: task.createdMs, nodeName: undefined },
      ...{ service: request.service, cluster: request.cluster, family: request.definition.family, region },
      definition: request.definitionKey,
      registries: request.registries.map(({ registryArn, containerName, containerPort }) => {
        const bound = ports.find(
          (port) => port.container === (containerName ?? port.container) && port.containerPort === containerPort,
        );
        return {
          registryArn,
          ...(containerName !== undefined && { containerName }),
          ...(bound && { containerPort: bound.hostPort }),
        };
      }),
      ...{ ipv4: task.address, ipv6: undefined },
      ports: ports.map(({ container, hostPort }) => ({ container, port: hostPort })),
    },
    health: { source: 'task', status: task.health, reason: task.healthReason, sinceMs: clock.now() },
    ...{ place: {}, subjects: [] },
  };
}

function emptyCloudMap({ state }: Api): Promise<void> {
  return state.mutate(() => {
    const services = [...state.services.keys()];
    const changes: StoreChange[] = [
      ...services.flatMap((id) =>
        [...state.instancesOf(id).keys()].map((one) => ({
          ...{ collection: 'instance' as const, key: instanceKey(id, one), value: undefined },
        })),
      ),
      ...services.map((key) => ({ collection: 'service' as const, key, value: undefined })),
      ...[...state.namespaces.keys()].map((key) => ({ collection: 'namespace' as const, key, value: undefined })),
    ];
    return { changes, result: undefined };
  });
}
