// The cluster according to its API server: the source of names to ask, and the reference for the documented
// reasons. It is read independently, so that a mistake of either server in reading it is not repeated here.
import { reverseName } from '../../dns/name.ts';
import {
  type EndpointObject,
  type NodeObject,
  type PodObject,
  type Port,
  SERVICE_NAME,
  type ServiceObject,
  type SliceObject,
} from './objects.ts';

/** The option `pods` of both servers. */
export type PodMode = 'disabled' | 'insecure' | 'verified';

export interface EndpointAddress {
  readonly address: string;
  /** The label of its own name below the service's. */
  readonly label: string;
  /** Unset counts as ready. */
  readonly isReady: boolean;
  readonly ports: readonly Port[];
  readonly endpoint: EndpointObject;
}

export interface WorldService {
  readonly object: ServiceObject;
  /** SERVICE.NAMESPACE.svc.cluster.local. */
  readonly name: string;
  readonly isHeadless: boolean;
  readonly isExternal: boolean;
  readonly clusterIps: readonly string[];
  readonly endpoints: readonly EndpointAddress[];
}

/** An endpoint with its service. */
export interface Stated {
  readonly service: WorldService;
  readonly endpoint: EndpointAddress;
}

export interface World {
  /** "cluster.local." */
  readonly zone: string;
  readonly namespaces: readonly string[];
  readonly services: readonly WorldService[];
  readonly pods: readonly PodObject[];
  /** The service whose name this is, or is below. */
  serviceOf(name: string): WorldService | undefined;
  /** The endpoints that have this name, or whose address is this reverse name. */
  endpointsAt(name: string): readonly Stated[];
  /** A pod that is not ready, terminating or deleted, or whose node does not report. */
  isDead(endpoint: EndpointObject): boolean;
}

/** The items of a list, in pages or not. */
export type ReadList = (path: string) => AsyncIterable<unknown>;

/** Rejects with what reading rejects with. */
export async function readWorld(zone: string, readList: ReadList): Promise<World> {
  /** Keeps only the fields in use: the complete objects of a large cluster would not fit in memory. */
  const read = async <T, Kept = T>(path: string, keep: (object: T) => Kept) => {
    const kept: Kept[] = [];
    for await (const object of readList(path)) kept.push(keep(object as T));
    return kept;
  };
  const whole = <T>(object: T): T => object;
  const namespaces = await read('/api/v1/namespaces', (object: NodeObject) => object.metadata.name);
  const serviceObjects = await read('/api/v1/services', whole<ServiceObject>);
  const slices = await read('/apis/discovery.k8s.io/v1/endpointslices', whole<SliceObject>);
  const pods = await read('/api/v1/pods', essenceOfPod);
  const nodes = await read('/api/v1/nodes', ({ metadata: { name }, status }: NodeObject) => ({
    name,
    isReady: isReady({ status }, true),
  }));

  const slicesByService = new Map<string, SliceObject[]>();
  for (const slice of slices) {
    const key = `${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME]}`;
    slicesByService.set(key, [...(slicesByService.get(key) ?? []), slice]);
  }
  const services = serviceObjects.map((object) => {
    const { namespace, name } = object.metadata;
    return worldService(zone, object, slicesByService.get(`${namespace}/${name}`) ?? []);
  });
  const byName = new Map(services.map((service) => [service.name, service]));
  const endpoints = new Map<string, Stated[]>();
  for (const service of services) {
    for (const endpoint of service.endpoints) {
      for (const name of [`${endpoint.label}.${service.name}`, reverseName(endpoint.address)]) {
        endpoints.set(name, [...(endpoints.get(name) ?? []), { service, endpoint }]);
      }
    }
  }
  /** With the empty one at the end. */
  const labels = zone.split('.').length + 3;
  const podsByKey = new Map(pods.map((pod) => [`${pod.metadata.namespace}/${pod.metadata.name}`, pod]));
  const lostNodes = new Set(nodes.filter((node) => !node.isReady).map(({ name }) => name));

  return {
    zone,
    namespaces,
    services,
    pods,
    serviceOf: (name) => byName.get(name.split('.').slice(-labels).join('.')),
    endpointsAt: (name) => endpoints.get(name) ?? [],
    isDead({ targetRef, nodeName }) {
      if (targetRef?.kind !== 'Pod') return false;
      const pod = podsByKey.get(`${targetRef.namespace}/${targetRef.name}`);
      if (pod === undefined || !isReady(pod, false) || lostNodes.has(nodeName ?? '')) return true;
      return pod.metadata.deletionTimestamp !== undefined || /Succeeded|Failed/.test(pod.status?.phase ?? '');
    },
  };
}

/** Without the cluster's objects: reasons that do not depend on them still apply. */
export function emptyWorld(zone: string): World {
  const none = { namespaces: [], services: [], pods: [], serviceOf: () => undefined };
  return { zone, ...none, endpointsAt: () => [], isDead: () => false };
}

function essenceOfPod({ metadata, spec, status }: PodObject): PodObject {
  const { name, namespace, deletionTimestamp } = metadata;
  const conditions = status?.conditions?.filter(({ type }) => type === 'Ready');
  return {
    metadata: { name, namespace, deletionTimestamp },
    spec: { nodeName: spec.nodeName },
    status: { phase: status?.phase, podIPs: status?.podIPs, conditions },
  };
}

function isReady({ status }: Pick<PodObject, 'status'>, whenNotStated: boolean): boolean {
  const condition = status?.conditions?.find(({ type }) => type === 'Ready');
  return condition === undefined ? whenNotStated : condition.status === 'True';
}

function worldService(zone: string, object: ServiceObject, slices: readonly SliceObject[]): WorldService {
  const { metadata, spec } = object;
  const clusterIps = (spec.clusterIPs ?? []).filter((ip) => ip !== 'None' && ip !== '');
  return {
    object,
    name: `${metadata.name}.${metadata.namespace}.svc.${zone}`,
    isHeadless: spec.clusterIP === 'None',
    isExternal: spec.type === 'ExternalName',
    clusterIps,
    endpoints: slices.flatMap(({ endpoints, ports }) =>
      (endpoints ?? []).flatMap((endpoint) =>
        endpoint.addresses.map((address) => ({
          address,
          label: endpoint.hostname ?? address.replace(/[.:]/g, '-'),
          isReady: endpoint.conditions?.ready !== false,
          ports: ports ?? [],
          endpoint,
        })),
      ),
    ),
  };
}
