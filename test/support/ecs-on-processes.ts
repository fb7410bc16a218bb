// The ECS and Cloud Map APIs with tasks as processes of this machine, in this process and without the DNS.
import { rm } from 'node:fs/promises';
import { type CloudMapInCluster, startCloudMapInCluster, testCloudMapConfig } from './cloud-map-in-cluster.ts';
import { temporary } from './temporary.ts';
import { until } from './until.ts';

export interface EcsOnProcesses {
  readonly cloudMap: CloudMapInCluster;
  readonly folder: string;
  // biome-ignore lint/suspicious/noExplicitAny: outputs differ by operation; tests look at what they need
  ecs(operation: string, input: object): Promise<any>;
  /** Registers a task definition of one container, which answers HTTP at its PORT unless `more` has another command. */
  define(family: string, more?: object): Promise<string>;
  /** A Cloud Map service, and an ECS service whose tasks are registered there. */
  createService(name: string, more?: object): Promise<{ readonly serviceId: string }>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  service(name: string): Promise<any>;
  /** Resolves when the service has one deployment with all its tasks running. */
  stable(name: string): Promise<void>;
  /** Resolves when a deleted service has no task any more. */
  inactive(name: string): Promise<void>;
  /** Ends everything, and opens the same folder again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const SERVER = 'require("http").createServer((q, r) => r.end("ok")).listen(+process.env.PORT, process.env.HOST)';

/** Healthy while the file "sick" is not in the container's folder. */
export const SICK_CHECK = { command: ['CMD-SHELL', 'test ! -e sick'], interval: 5, timeout: 2, retries: 1 };

export async function startEcsOnProcesses(drainSeconds = 0): Promise<EcsOnProcesses> {
  const folder = await temporary();
  const start = () =>
    startCloudMapInCluster(testCloudMapConfig({ store: { kind: 'folder', path: `${folder}/cloudmap` } }), undefined, {
      ...{ engine: 'processes', directory: `${folder}/ecs`, drainSeconds, reset: true },
    });
  let cloudMap = await start();
  const ecs = (operation: string, input: object) =>
    cloudMap.call(operation, input, 'AmazonEC2ContainerServiceV20141113');
  const service = async (name: string) => (await ecs('DescribeServices', { services: [name] })).services[0];
  return {
    get cloudMap() {
      return cloudMap;
    },
    folder,
    ecs,
    async define(family, more = {}) {
      const container = { name: 'web', image: 'none', command: [process.execPath, '-e', SERVER] };
      const portMappings = [{ containerPort: 80 }];
      const containerDefinitions = [{ ...container, portMappings, ...more }];
      const { taskDefinition } = await ecs('RegisterTaskDefinition', { family, containerDefinitions });
      return taskDefinition.taskDefinitionArn;
    },
    async createService(name, more = {}) {
      const serviceId = await cloudMap.createService(`${name}.test`, name);
      const { Service } = await cloudMap.call('GetService', { Id: serviceId });
      const serviceRegistries = [{ registryArn: Service.Arn }];
      await ecs('CreateService', { serviceName: name, taskDefinition: name, serviceRegistries, ...more });
      return { serviceId };
    },
    service,
    async stable(name) {
      await until(async () => {
        const { deployments, runningCount, desiredCount } = await service(name);
        return deployments.length === 1 && deployments[0].rolloutState === 'COMPLETED' && runningCount === desiredCount;
      }, true).catch(async (error: Error) => {
        error.message += `\n${JSON.stringify(await service(name), null, 2)}`; // its events say what kept it
        throw error;
      });
    },
    async inactive(name) {
      await until(async () => (await service(name)).status, 'INACTIVE').catch(async (error: Error) => {
        const { taskArns } = await ecs('ListTasks', {});
        const { tasks } = await ecs('DescribeTasks', { tasks: taskArns });
        error.message += `\n${JSON.stringify([await service(name), tasks], null, 2)}`; // the tasks that did not end
        throw error;
      });
    },
    async restart() {
      await cloudMap.stop();
      cloudMap = await start();
    },
    async stop() {
      await cloudMap.stop();
      await rm(folder, { recursive: true });
    },
  };
}
