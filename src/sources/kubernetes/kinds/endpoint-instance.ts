// The common part of EndpointSlices and legacy Endpoints: an address of a service becomes an instance.
import { canonicalIp } from '../../../dns/ip.ts';
import type { Fact, Instance, ServicePort } from '../../../registry/model.ts';
import { MalformedObject, optionalFields, optionalText } from '../api/objects.ts';
import { type Cluster, nodeSubject, podSubject } from './cluster.ts';

export interface TargetReference {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface Endpoint {
  readonly address: string;
  readonly ports: readonly ServicePort[];
  readonly hostname: string | undefined;
  /** The id of its cluster in a cluster set. */
  readonly cluster?: string | undefined;
  readonly target: TargetReference | undefined;
  readonly nodeName: string | undefined;
  readonly facts: readonly Fact[];
}

const NO_ATTRIBUTES: Instance['attributes'] = Object.freeze({});
const NO_SUBJECTS: readonly string[] = Object.freeze([]);

export function endpointInstance(cluster: Cluster, endpoint: Endpoint): Instance {
  const { target, address: ip, cluster: clusterId } = endpoint;
  const instance = {
    id: target?.name ?? endpoint.hostname ?? ip,
    addresses: [ip],
    ports: endpoint.ports,
    hostname: endpoint.hostname ?? podHostname(cluster, target),
    weight: 1,
    attributes: NO_ATTRIBUTES,
    subjects: subjectsOf(cluster, endpoint),
    facts: endpoint.facts,
  };
  return clusterId === undefined ? instance : { ...instance, cluster: clusterId };
}

/** CoreDNS's endpoint_pod_names; the dashed address is used if the name is not a valid label. */
function podHostname({ config }: Cluster, target: TargetReference | undefined): string | undefined {
  if (!config.endpointPodNames || target === undefined) return undefined;
  return target.name.length < 64 && !target.name.includes('.') ? target.name : undefined;
}

/**
 * Facts about the node apply only to pods: something else at a node's address may outlive the kubelet. In a cluster set, a
 * pod of the same namespace and name may belong to another cluster.
 */
function subjectsOf(cluster: Cluster, { target, nodeName }: Endpoint): readonly string[] {
  if (target?.kind !== 'Pod' || cluster.config.multicluster) return NO_SUBJECTS;
  const pod = podSubject(cluster, target.namespace, target.name);
  return nodeName === undefined ? [pod] : [pod, nodeSubject(cluster, nodeName)];
}

/** undefined: no reference. Throws MalformedObject. */
export function targetReference(value: unknown, namespace: string): TargetReference | undefined {
  const reference = optionalFields(value, 'targetRef');
  const name = optionalText(reference.name, 'targetRef.name');
  if (name === undefined) return undefined;
  return {
    kind: optionalText(reference.kind, 'targetRef.kind') ?? '',
    namespace: optionalText(reference.namespace, 'targetRef.namespace') ?? namespace,
    name,
  };
}

/** Canonical text of an address of the given family. Throws MalformedObject. */
export function address(value: unknown, family?: 'IPv4' | 'IPv6'): string {
  const canonical = typeof value === 'string' ? canonicalIp(value) : undefined;
  const isIpv6 = canonical?.includes(':') === true;
  if (canonical === undefined || (family !== undefined && isIpv6 !== (family === 'IPv6'))) {
    throw new MalformedObject(`${JSON.stringify(value)} is not an ${family ?? 'IP'} address`);
  }
  return canonical;
}
