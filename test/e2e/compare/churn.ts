// A while of what happens in clusters: readiness flips, pods come and go, services are deleted and made, ports renamed,
// slices of others rewritten.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodObject, ServiceObject, SliceObject } from '../../../src/shadow/cluster/objects.ts';
import type { RestClient } from '../../support/rest-client.ts';
import { makePod } from './fill.ts';
import { NODE_NAMES } from './generate-endpoints.ts';
import { paths, podStatus } from './objects.ts';
import type { Chance } from './random.ts';

const CHANGES_A_SECOND = 60;

interface Objects {
  services: ServiceObject[];
  pods: PodObject[];
  slices: SliceObject[];
  made: number;
}

export async function churn(client: RestClient, chance: Chance, seconds: number): Promise<void> {
  const read = async <T>(path: string): Promise<T[]> => (await client.get(path)).body.items;
  const isOurs = ({ metadata }: { metadata: { namespace: string } }) => !/^(default|kube-)/.test(metadata.namespace);
  const objects: Objects = {
    services: (await read<ServiceObject>('/api/v1/services')).filter(isOurs),
    pods: (await read<PodObject>('/api/v1/pods')).filter(isOurs),
    slices: (await read<SliceObject>('/apis/discovery.k8s.io/v1/endpointslices'))
      .filter(isOurs)
      .filter(({ metadata }) => /-own-\d+$/.test(metadata.name)),
    made: 0,
  };
  const endMs = Date.now() + seconds * 1000;
  while (Date.now() < endMs) {
    await chance.pick(CHANGES)(client, objects, chance);
    await sleep(1000 / CHANGES_A_SECOND);
  }
}

type ChangeOf = (client: RestClient, objects: Objects, chance: Chance) => Promise<unknown>;

const pathOf = ({ metadata }: PodObject) => `${paths.pods(metadata.namespace)}/${metadata.name}`;
const ipsOf = ({ status }: PodObject) => (status?.podIPs ?? []).map(({ ip }) => ip);

const flip: ChangeOf = (client, { pods }, chance) => {
  const pod = chance.pick(pods.filter((one) => ipsOf(one).length > 0));
  return client.patch(`${pathOf(pod)}/status`, podStatus(ipsOf(pod), chance.often(0.6)));
};

const remove: ChangeOf = (client, objects, chance) => {
  const pod = chance.pick(objects.pods);
  objects.pods = objects.pods.filter((one) => one !== pod);
  return client.delete(pathOf(pod), chance.pick([0, 3600]));
};

const scaleUp: ChangeOf = async (client, objects, chance) => {
  const { metadata, spec } = chance.pick(objects.services.filter((service) => service.spec.selector !== undefined));
  const number = objects.made++;
  const planned = {
    metadata: { namespace: metadata.namespace, name: `new-${number}`, labels: spec.selector ?? {} },
    spec: { nodeName: chance.pick(NODE_NAMES), containers: [{ name: 'app', image: 'app' }] },
    ips: [`10.2.${number >> 8}.${number & 255}`],
    state: 'ready' as const,
  };
  await makePod(client, planned);
  const status = { phase: 'Running', podIPs: [{ ip: planned.ips[0]! }] };
  objects.pods.push({ metadata: planned.metadata, spec: planned.spec, status });
};

/** A Service goes for good, or comes back as it was (with other cluster IPs). */
const recreate: ChangeOf = async (client, objects, chance) => {
  const service = chance.pick(objects.services);
  const { metadata, spec } = service;
  await client.delete(`${paths.services(metadata.namespace)}/${metadata.name}`);
  if (chance.often(0.4)) {
    objects.services = objects.services.filter((one) => one !== service);
    return;
  }
  const { clusterIP, clusterIPs, ...rest } = spec;
  const kept = clusterIP === 'None' ? { ...rest, clusterIP } : rest;
  await client.create(paths.services(metadata.namespace), {
    metadata: { namespace: metadata.namespace, name: metadata.name },
    spec: kept,
  });
};

/** A Service with a cluster IP becomes an alias, and an alias gets a cluster IP. */
const retype: ChangeOf = (client, { services }, chance) => {
  const { metadata, spec } = chance.pick(services.filter((service) => service.spec.clusterIP !== 'None'));
  const other =
    spec.type === 'ExternalName'
      ? { type: 'ClusterIP', externalName: null, ports: [{ name: 'http', port: 80 }] }
      : { type: 'ExternalName', externalName: 'www.example.com', clusterIP: null, clusterIPs: null };
  return client.patch(`${paths.services(metadata.namespace)}/${metadata.name}`, { spec: other }).catch(() => {
    // Of one that was retyped already: nothing to do.
  });
};

const renamePort: ChangeOf = (client, { services }, chance) => {
  const { metadata, spec } = chance.pick(services.filter((service) => (service.spec.ports?.length ?? 0) > 0));
  const ports = spec.ports!.map((port, index) => ({
    ...port,
    name: `${chance.pick(['web', 'rpc', 'admin'])}-${index}`,
  }));
  return client.patch(`${paths.services(metadata.namespace)}/${metadata.name}`, { spec: { ports } });
};

const rewriteSlice: ChangeOf = (client, { slices }, chance) => {
  const { metadata, endpoints } = chance.pick(slices);
  const kept = chance.some(endpoints ?? [], chance.below((endpoints?.length ?? 0) + 1));
  const changed = kept.map((endpoint) => ({ ...endpoint, conditions: { ready: chance.often(0.7) } }));
  return client.patch(`${paths.slices(metadata.namespace)}/${metadata.name}`, { endpoints: changed });
};

const CHANGES = [
  ...[flip, flip, flip, flip, remove, scaleUp, scaleUp],
  ...[recreate, retype, renamePort, rewriteSlice, rewriteSlice],
];
