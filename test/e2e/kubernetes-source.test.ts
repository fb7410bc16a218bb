import { after, before, test } from 'node:test';
import { endpoint, NODES, PODS, pod, podStatus, SERVICES, SLICES, service, slice } from '../support/cluster-objects.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane.ts';
import { type FollowedCluster, followCluster, testKubernetesConfig } from '../support/followed-cluster.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const options = requirement('control-plane');
let plane: ControlPlane;
let cluster: FollowedCluster;

before(async () => {
  if (options.skip !== false) return;
  plane = await startControlPlane();
  cluster = followCluster(testKubernetesConfig(plane.kubeconfig));
  await until(() => cluster.status.missing(), []);
  await plane.client.create(NODES, { metadata: { name: 'node-1' } });
});

after(async () => {
  await cluster?.stop();
  await plane?.stop();
});

async function createReadyPod(name: string, app: string, ip: string): Promise<void> {
  await plane.client.create(PODS, pod(name, app));
  await plane.client.patch(`${PODS}/${name}/status`, podStatus(ip, true));
}

test('a pod that is not ready drops out although its slice lists it as ready, and comes back', options, async () => {
  const { client } = plane;
  await client.create(SERVICES, service('web'));
  await createReadyPod('web-1', 'web', '10.1.0.1');
  await createReadyPod('web-2', 'web', '10.1.0.2');
  await client.create(SLICES, slice('web-a', 'web', [endpoint('10.1.0.1', 'web-1'), endpoint('10.1.0.2', 'web-2')]));
  await until(() => cluster.answered('web'), ['10.1.0.1', '10.1.0.2']);

  await client.patch(`${PODS}/web-1/status`, podStatus('10.1.0.1', false));
  await until(() => cluster.answered('web'), ['10.1.0.2']);
  await client.patch(`${PODS}/web-1/status`, podStatus('10.1.0.1', true));
  await until(() => cluster.answered('web'), ['10.1.0.1', '10.1.0.2']);
  await client.delete(`${PODS}/web-2`);
  await until(() => cluster.answered('web'), ['10.1.0.1']);
});
