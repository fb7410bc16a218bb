// ECS tasks in a real API server: what `taskdef convert` prints is applied with kubectl, and the test plays the
// controller and the kubelet.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { convertTaskDefinition } from '../../src/taskdef/convert.ts';
import { type CloudMapInCluster, startCloudMapInCluster, testCloudMapConfig } from '../support/cloud-map-in-cluster.ts';
import { NODES, PODS } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane');
let plane: ControlPlane;
let cloudMap: CloudMapInCluster;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  const cluster = { kubeconfig: plane.kubeconfig, context: 'admin', label: 'test', name: 'ecs/test', namespaces: [] };
  cloudMap = await startCloudMapInCluster(testCloudMapConfig({ tasks: [cluster] }));
  await until(() => cloudMap.board.missing(), []);
  const labels = { 'topology.kubernetes.io/zone': 'us-east-1a' };
  await plane.client.create(NODES, { metadata: { name: 'node-1', labels } });
});
after(async () => {
  await cloudMap?.stop();
  await plane?.stop();
});

const taskDefinition = JSON.stringify({
  family: 'web-family',
  containerDefinitions: [
    {
      name: 'App',
      image: 'app',
      portMappings: [{ containerPort: 8080 }],
      healthCheck: {
        command: ['CMD-SHELL', 'curl -f http://localhost:8080/'],
        interval: 5,
        timeout: 2,
        retries: 2,
        startPeriod: 30,
      },
    },
    { name: 'log', image: 'log', essential: false },
  ],
});

/** Applies the manifest as its user would; resolves to what kubectl says. */
function apply(manifest: string): Promise<string> {
  const kubectl = join(process.env.KUBEBUILDER_ASSETS!, 'kubectl');
  return new Promise((resolve, reject) => {
    const child = execFile(kubectl, ['--kubeconfig', plane.kubeconfig, 'apply', '-f', '-'], (error, stdout, stderr) =>
      error ? reject(new Error(stderr)) : resolve(stdout),
    );
    child.stdin!.end(manifest);
  });
}

/** Creates pods of the Deployment, as its controllers would; returns their names. */
async function runPods(deployment: string, ...names: string[]): Promise<void> {
  const { body } = await plane.client.get(`/apis/apps/v1/namespaces/default/deployments/${deployment}`);
  const { metadata, spec } = body.spec.template;
  for (const name of names)
    await plane.client.create(PODS, { metadata: { ...metadata, name }, spec: { ...spec, nodeName: 'node-1' } });
}

const startedAt = new Date(Date.now() - 3600_000).toISOString();

/** What a kubelet says of a pod whose containers run: whether the check of `app` has passed, and whether it passes. */
async function report(name: string, ip: string, app: { started: boolean; ready: boolean }): Promise<void> {
  const container = (of: string, more: object) => ({
    name: of,
    image: of,
    imageID: of,
    containerID: `containerd://${name}-${of}`,
    restartCount: 0,
    state: { running: { startedAt } },
    ...more,
  });
  const containerStatuses = [container('app', app), container('log', { started: true, ready: true })];
  await plane.client.patch(`${PODS}/${name}/status`, {
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], containerStatuses },
  });
}

test('a converted task definition is registered, follows its health check and is deregistered', options, async () => {
  const serviceId = await cloudMap.createService('shop.local', 'web');
  const registryArn = `arn:aws:servicediscovery:us-east-1:000000000000:service/${serviceId}`;
  const { stdout } = convertTaskDefinition(taskDefinition, 'task.json', {
    ...{ service: 'web', cluster: 'prod', count: 2, format: 'yaml' },
    registries: [{ registryArn, containerName: 'App', containerPort: 8080 }],
  });
  assert.equal(await apply(stdout), 'deployment.apps/web created\n');
  await runPods('web', 'web-1', 'web-2');
  await report('web-1', '10.1.0.1', { started: false, ready: false });
  await report('web-2', '10.1.0.2', { started: true, ready: true });
  await until(() => cloudMap.instances(serviceId), ['web-1 UNKNOWN 10.1.0.1', 'web-2 HEALTHY 10.1.0.2']);
  const { Instance } = await cloudMap.call('GetInstance', { ServiceId: serviceId, InstanceId: 'web-1' });
  assert.deepEqual(Instance.Attributes, {
    AWS_INSTANCE_IPV4: '10.1.0.1',
    AWS_INSTANCE_PORT: '8080',
    AVAILABILITY_ZONE: 'us-east-1a',
    ECS_SERVICE_NAME: 'web',
    ECS_CLUSTER_NAME: 'prod',
    ECS_CLUSTER: 'prod',
    ECS_TASK_DEFINITION_FAMILY: 'web-family',
  });

  await report('web-1', '10.1.0.1', { started: true, ready: true });
  await until(() => cloudMap.instances(serviceId), ['web-1 HEALTHY 10.1.0.1', 'web-2 HEALTHY 10.1.0.2']);
  await report('web-1', '10.1.0.1', { started: true, ready: false });
  await until(() => cloudMap.instances(serviceId, 'answered'), ['web-2 HEALTHY 10.1.0.2']);
  const { Status } = await cloudMap.call('GetInstancesHealthStatus', { ServiceId: serviceId });
  assert.deepEqual(Status, { 'web-1': 'UNHEALTHY', 'web-2': 'HEALTHY' });

  await plane.client.delete(`${PODS}/web-2`);
  await until(() => cloudMap.instances(serviceId), ['web-1 UNHEALTHY 10.1.0.1']);
});

test('a pod of a KECS task set is registered where its numbered annotations say', options, async () => {
  const serviceId = await cloudMap.createService('sets.local', 'sets');
  await plane.client.create(PODS, {
    metadata: {
      name: 'set-1',
      labels: { 'kecs.io/service': 'sets', 'kecs.io/cluster': 'prod', 'kecs.io/taskset': 'ts-1' },
      annotations: {
        'kecs.io/service-registry-0-arn': `arn:aws:servicediscovery:us-east-1:000000000000:service/${serviceId}`,
        'kecs.io/service-registry-0-port': '8080',
      },
    },
    spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'app' }] },
  });
  await report('set-1', '10.3.0.1', { started: true, ready: true });
  await until(() => cloudMap.instances(serviceId), ['set-1 UNKNOWN 10.3.0.1']);
});

test('a pod with a malformed annotation is skipped and counted; the others are registered', options, async () => {
  const serviceId = await cloudMap.createService('other.local', 'api');
  const pod = (name: string, annotations: object) => ({
    metadata: { name, labels: { 'ecs.amazonaws.com/service-name': 'api' }, annotations },
    spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'app' }] },
  });
  await plane.client.create(PODS, pod('bad-1', { 'kecs.dev/service-registries': '{' }));
  await plane.client.create(PODS, pod('good-1', {}));
  await report('bad-1', '10.2.0.1', { started: true, ready: true });
  await report('good-1', '10.2.0.2', { started: true, ready: true });
  await until(() => cloudMap.instances(serviceId), ['good-1 UNKNOWN 10.2.0.2']);
  const kinds = () => cloudMap.board.sources().flatMap((source) => source.kinds);
  await until(() => kinds().find(({ kind }) => kind === 'pods of ECS services')?.counters.malformed, 1);
});
