// The Kubernetes cluster of the soak: pods whose status changes all the time, behind an API server that restarts.
import { pod, podStatus, service, slice } from '../test/support/cluster-objects.ts';
import { startControlPlane } from '../test/support/control-plane.ts';
import { type PodUpdates, startPodUpdates } from './pod-updates.ts';

const PATCHES_A_SECOND = 350;
const SERVICES = 100;
const PODS_OF_SERVICE = 10;
const AT_ONCE = 16;

export interface SoakCluster {
  readonly kubeconfig: string;
  readonly patches: () => number;
  readonly restarts: () => number;
  restartApiServer(): Promise<void>;
  stop(): Promise<void>;
}

/** Undefined without the programs of a control plane. */
export async function startSoakCluster(): Promise<SoakCluster | undefined> {
  if (process.env.KUBEBUILDER_ASSETS === undefined) return undefined;
  const plane = await startControlPlane();
  const { client } = plane;
  const pods = '/api/v1/namespaces/default/pods';
  let next = 0;
  const worker = async () => {
    while (next < SERVICES) {
      const number = next++;
      const name = `web-${number}`;
      await client.create('/api/v1/namespaces/default/services', service(name));
      const endpoints = [];
      for (let i = 0; i < PODS_OF_SERVICE; i++) {
        const [podName, address] = [`${name}-${i}`, `10.4.${number}.${i}`];
        await client.create(pods, pod(podName, name));
        await client.patch(`${pods}/${podName}/status`, podStatus(address, true));
        const targetRef = { kind: 'Pod', namespace: 'default', name: podName };
        endpoints.push({ addresses: [address], conditions: { ready: true }, targetRef });
      }
      const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
      await client.create(path, slice(`${name}-a`, name, endpoints));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const updates: PodUpdates = startPodUpdates(plane.url, 'token-of-admin', PATCHES_A_SECOND);
  let [restarts, patches] = [0, 0];
  return {
    kubeconfig: plane.kubeconfig,
    patches: () => patches,
    restarts: () => restarts,
    async restartApiServer() {
      restarts++;
      await plane.apiServer.stop();
      await plane.apiServer.start();
    },
    async stop() {
      patches = await updates.stop();
      await plane.stop();
    },
  };
}
