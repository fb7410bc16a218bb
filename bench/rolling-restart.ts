// A rolling restart of many pods, as their kubelets and the endpoint controller write it down.
import { podStatus } from '../test/support/cluster-objects.ts';
import type { RestClient } from '../test/support/rest-client.ts';
import {
  type ClusterSize,
  namespaceOf,
  podName,
  pods,
  serviceName,
  sliceOf,
  slices,
  startPod,
} from './cluster-load.ts';

const SERVICES_AT_A_TIME = 4;

/** Restarts every pod of the first `services` services, one a service at a time, as a Deployment does. */
export async function restartPods(client: RestClient, size: ClusterSize, services: number): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < services) await restartService(client, size, next++);
  };
  await Promise.all(Array.from({ length: SERVICES_AT_A_TIME }, worker));
}

async function restartService(client: RestClient, size: ClusterSize, number: number): Promise<void> {
  const namespace = namespaceOf(number);
  const generations = Array.from({ length: size.endpoints }, () => 0);
  const writeSlice = () =>
    client.replace(`${slices(namespace)}/${serviceName(number)}-abcde`, sliceOf(size, number, generations));
  for (let i = 0; i < size.endpoints; i++) {
    const old = `${pods(namespace)}/${podName(number, 0, i)}`;
    await startPod(client, size, number, 1, i);
    await client.patch(`${old}/status`, podStatus('10.0.0.1', false));
    generations[i] = -1;
    await writeSlice();
    await client.delete(old);
    generations[i] = 1;
    await writeSlice();
  }
}
