// biome-ignore-all lint/suspicious/noExplicitAny: outputs differ by operation; tests look at what they need
// The ECS and Cloud Map APIs with services as Deployments of a real control plane, whose nodes the test plays. Replicas have
// the rights of deploy/ and no others.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EcsClusterConfig } from '../../src/config/config.ts';
import { type CloudMapInCluster, startCloudMapInCluster, testCloudMapConfig } from './cloud-map-in-cluster.ts';
import { NAMESPACES } from './cluster-objects.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { type Kubelet, startKubelet } from './kubelet.ts';
import { manifestsOf } from './manifests.ts';
import { until } from './until.ts';

export const NAMESPACE = 'healthdns';

export interface EcsReplica {
  readonly cloudMap: CloudMapInCluster;
  ecs(operation: string, input: object): Promise<any>;
  service(name: string): Promise<any>;
  tasks(serviceName: string): Promise<any[]>;
  /** Resolves when the service has one deployment with all its tasks running. */
  stable(name: string): Promise<void>;
  stop(): Promise<void>;
}

export interface EcsCluster {
  readonly plane: ControlPlane;
  readonly kubelet: Kubelet;
  startReplica(more?: Partial<EcsClusterConfig>): Promise<EcsReplica>;
  /** The Deployment of a service, or undefined. */
  deployment(name: string): Promise<any>;
  stop(): Promise<void>;
}

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const COLLECTIONS: Readonly<Record<string, string>> = {
  ServiceAccount: '/api/v1/namespaces/kube-system/serviceaccounts',
  ClusterRole: `${RBAC}/clusterroles`,
  ClusterRoleBinding: `${RBAC}/clusterrolebindings`,
  Role: `${RBAC}/namespaces/${NAMESPACE}/roles`,
  RoleBinding: `${RBAC}/namespaces/${NAMESPACE}/rolebindings`,
};

/** A container that runs, is healthy while the file "sick" is not in its folder, and has no other needs. */
export const CONTAINER = {
  name: 'web',
  image: 'none',
  command: ['sleep', '600'],
  portMappings: [{ containerPort: 8080 }],
  healthCheck: { command: ['CMD-SHELL', 'test ! -e sick'], interval: 5, timeout: 2, retries: 1 },
};

export async function startEcsCluster(hurry = 20): Promise<EcsCluster> {
  const plane = await startControlPlane({
    controllerManager: true,
    controllers: ['deployment-controller', 'replicaset-controller', 'garbage-collector-controller'],
  });
  await plane.client.create(NAMESPACES, { metadata: { name: NAMESPACE } });
  for (const file of ['rbac.yaml', 'rbac-cloud-map.yaml', 'rbac-ecs.yaml'])
    for (const object of await manifestsOf(file)) await plane.client.create(COLLECTIONS[object.kind]!, object);
  const { body } = await plane.client.create(`${COLLECTIONS.ServiceAccount}/healthdns/token`, {
    spec: { expirationSeconds: 3600 },
  });
  const config = JSON.parse(await readFile(plane.kubeconfig, 'utf8'));
  config.users = [{ name: 'admin', user: { token: body.status.token } }];
  const kubeconfig = join(plane.folder, 'service-account-kubeconfig');
  await writeFile(kubeconfig, JSON.stringify(config));
  const kubelet = await startKubelet({
    ...{ client: plane.client, folder: join(plane.folder, 'pods'), hurry },
    addressOf: (index) => `10.1.${index >> 8}.${index & 255}`,
  });
  return {
    ...{ plane, kubelet },
    async startReplica(more = {}) {
      const access = { kubeconfig, context: 'admin', label: 'test' };
      const store = { kind: 'kubernetes' as const, ...access, namespace: NAMESPACE, legacyEndpoints: false };
      const tasks = [{ ...access, name: 'ecs/test', namespaces: [] }];
      const cloudMap = await startCloudMapInCluster(testCloudMapConfig({ store, tasks }), undefined, {
        ...{ engine: 'kubernetes', namespace: NAMESPACE, drainSeconds: 0 },
        ...more,
      });
      await until(() => cloudMap.board.missing(), []);
      const ecs = (operation: string, input: object) =>
        cloudMap.call(operation, input, 'AmazonEC2ContainerServiceV20141113');
      const service = async (name: string) => (await ecs('DescribeServices', { services: [name] })).services[0];
      return {
        ...{ cloudMap, ecs, service },
        async tasks(serviceName) {
          const { taskArns } = await ecs('ListTasks', { serviceName });
          return taskArns.length === 0 ? [] : (await ecs('DescribeTasks', { tasks: taskArns })).tasks;
        },
        async stable(name) {
          await until(async () => {
            const { deployments, runningCount, desiredCount } = await service(name);
            const [primary] = deployments;
            return deployments.length === 1 && primary.rolloutState === 'COMPLETED' && runningCount === desiredCount;
          }, true);
        },
        stop: () => cloudMap.stop(),
      };
    },
    async deployment(name) {
      const { status, body: object } = await plane.client.get(
        `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${name}`,
      );
      return status === 200 ? object : undefined;
    },
    async stop() {
      await kubelet.stop();
      await plane.stop();
    },
  };
}
