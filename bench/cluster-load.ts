// A large cluster on the real API server: headless Services with a slice each, and every endpoint's Pod with its status.
import { pod, podStatus, service, slice } from '../test/support/cluster-objects.ts';
import type { RestClient } from '../test/support/rest-client.ts';

export interface ClusterSize {
  readonly services: number;
  readonly endpoints: number;
}

const NAMESPACES = 50;
const NODES = 100;
const PARALLEL = 48;

export const namespaceOf = (serviceNumber: number): string => `ns-${serviceNumber % NAMESPACES}`;
export const serviceName = (serviceNumber: number): string => `svc-${serviceNumber}`;

/** Names as a Deployment gives them. */
export const podName = (serviceNumber: number, generation: number, i: number): string =>
  `${serviceName(serviceNumber)}-7d8f9c6b5${generation % 10}-pod-${generation}-${i}`;

export function addressOf(size: ClusterSize, serviceNumber: number, generation: number, i: number): string {
  const number = serviceNumber * size.endpoints + i;
  return `${10 + generation}.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}

/** `onProgress` is told the share that is done. */
export async function loadCluster(client: RestClient, size: ClusterSize, onProgress: (share: number) => void) {
  await inParallel(NAMESPACES, (i) => client.create('/api/v1/namespaces', { metadata: { name: `ns-${i}` } }));
  await inParallel(NODES, (i) => client.create('/api/v1/nodes', { metadata: { name: `node-${i}` } }));
  await inParallel(size.services, (number) => loadService(client, size, number), onProgress);
}

/** Services with a cluster IP and no endpoints. */
export async function loadClusterIps(
  client: RestClient,
  size: { readonly services: number; readonly namespaces: number },
  onProgress: (share: number) => void,
) {
  await inParallel(size.namespaces, (i) => client.create('/api/v1/namespaces', { metadata: { name: `ns-${i}` } }));
  const load = (number: number) => {
    const path = `/api/v1/namespaces/ns-${number % size.namespaces}/services`;
    return client.create(path, service(serviceName(number), { clusterIP: undefined }));
  };
  await inParallel(size.services, load, onProgress);
}

async function inParallel(count: number, work: (number: number) => Promise<unknown>, onProgress = (_: number) => {}) {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const number = next++;
      await work(number);
      if (number % Math.ceil(count / 10) === 0) onProgress(number / count);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

async function loadService(client: RestClient, size: ClusterSize, number: number): Promise<void> {
  const namespace = namespaceOf(number);
  const name = serviceName(number);
  await client.create(`/api/v1/namespaces/${namespace}/services`, service(name));
  for (let i = 0; i < size.endpoints; i++) await startPod(client, size, number, 0, i);
  const generations = Array.from({ length: size.endpoints }, () => 0);
  await client.create(slices(namespace), sliceOf(size, number, generations));
}

export const pods = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`;
export const slices = (namespace: string): string => `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;

export async function startPod(
  client: RestClient,
  size: ClusterSize,
  number: number,
  generation: number,
  i: number,
): Promise<void> {
  const path = pods(namespaceOf(number));
  const name = podName(number, generation, i);
  await client.create(path, pod(name, serviceName(number), { nodeName: nodeOf(number, i) }));
  await client.patch(`${path}/${name}/status`, podStatus(addressOf(size, number, generation, i), true));
}

const nodeOf = (number: number, i: number): string => `node-${(number * 7 + i) % NODES}`;

/** The slice of a service whose pod number i is of `generations[i]`; -1: there is none. */
export function sliceOf(size: ClusterSize, number: number, generations: readonly number[]): object {
  const namespace = namespaceOf(number);
  const endpoints = generations.flatMap((generation, i) =>
    generation < 0
      ? []
      : {
          addresses: [addressOf(size, number, generation, i)],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: nodeOf(number, i),
          targetRef: { kind: 'Pod', namespace, name: podName(number, generation, i) },
        },
  );
  const name = serviceName(number);
  const made = slice(`${name}-abcde`, name, endpoints);
  const labels = {
    ...made.metadata.labels,
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  };
  return { ...made, metadata: { ...made.metadata, labels } };
}
