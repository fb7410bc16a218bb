// Makes a planned cluster real through the API server, and plays its kubelets.
import type { RestClient } from '../../support/rest-client.ts';
import type { ClusterPlan, PlannedPod } from './generate.ts';
import { LOST_NODE, NODE_NAMES } from './generate-endpoints.ts';
import { paths, podStatus } from './objects.ts';

const PARALLEL = 16;

/** Runs `action` for all items, some at a time, in their order. */
export async function forEachOf<T>(items: readonly T[], action: (item: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await action(items[next++]!);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

export async function fillCluster(client: RestClient, plan: ClusterPlan): Promise<void> {
  await forEachOf(plan.namespaces, (name) => client.create(paths.namespaces, { metadata: { name } }));
  await forEachOf([...NODE_NAMES, LOST_NODE], (name) => makeNode(client, name));
  // Endpoints first: a controller that sees the service without them would not mirror them for a while.
  await forEachOf(plan.endpoints, (object) => client.create(paths.endpoints(object.metadata.namespace), object));
  await forEachOf(plan.services, (object) => client.create(paths.services(object.metadata.namespace), object));
  await forEachOf(plan.slices, (object) => client.create(paths.slices(object.metadata.namespace), object));
  await forEachOf(plan.pods, (pod) => makePod(client, pod));
}

async function makeNode(client: RestClient, name: string): Promise<void> {
  await client.create(paths.nodes, { metadata: { name } });
  const ready = { type: 'Ready', status: name === LOST_NODE ? 'Unknown' : 'True' };
  await client.patch(`${paths.nodes}/${name}/status`, { status: { conditions: [ready] } });
}

export async function makePod(client: RestClient, { metadata, spec, ips, state }: PlannedPod): Promise<void> {
  await client.create(paths.pods(metadata.namespace), { metadata, spec });
  if (state === 'pending') return;
  const path = `${paths.pods(metadata.namespace)}/${metadata.name}`;
  const phase = state === 'succeeded' ? 'Succeeded' : state === 'failed' ? 'Failed' : 'Running';
  await client.patch(`${path}/status`, podStatus(ips, state === 'ready' || state === 'terminating', phase));
  if (state === 'terminating') await client.delete(path, 3600);
}
