// Services: the names that exist and their answers. https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
import { canonicalIp } from '../../../dns/ip.ts';
import type { Service, ServicePort } from '../../../registry/model.ts';
import {
  type Fields,
  fields,
  list,
  MalformedObject,
  type Metadata,
  optionalBoolean,
  optionalText,
} from '../api/objects.ts';
import { SERVICE } from '../protobuf/schemas.ts';
import type { WatchedKind } from '../watch/watched-kind.ts';
import { type Cluster, rankOf, serviceKey, sourceName } from './cluster.ts';
import { servicePorts } from './ports.ts';
import type { PublishedServices } from './published-services.ts';

export function servicesKind(cluster: Cluster, published: PublishedServices, namespace?: string): WatchedKind {
  return {
    resource: 'services',
    apiGroup: '',
    groupVersionPath: '/api/v1',
    protobuf: SERVICE,
    namespace,
    labelSelector: cluster.config.labels,
    selectorKey: 'labels',
    essential: true,
    keyOf: (objectNamespace, name) => serviceKey(cluster, objectNamespace, name),
    replace(key, metadata, object) {
      const service = translateService(cluster, metadata, object);
      // Without an external address, the external name does not exist.
      if (cluster.config.externalAddresses && service.kind === 'instances') published.remove(key);
      else published.replace(service);
      return undefined;
    },
    remove: (key) => published.remove(key),
  };
}

/** A Service object as the registry's service. Throws MalformedObject. */
export function translateService(cluster: Cluster, metadata: Metadata, object: Fields): Service {
  const { config, zone } = cluster;
  const spec = fields(object.spec, 'spec');
  return {
    key: serviceKey(cluster, metadata.namespace, metadata.name),
    source: sourceName(config),
    zone: zone.name,
    namespace: metadata.namespace,
    name: metadata.name,
    names: zone.names,
    ttlSeconds: config.ttlSeconds,
    policy: {
      ...zone.policy,
      publishNotReady: optionalBoolean(spec.publishNotReadyAddresses, 'spec.publishNotReadyAddresses') ?? false,
    },
    ports: portsOf(spec),
    createdMs: metadata.createdMs,
    ...rankOf(cluster),
    ...(config.externalAddresses ? externalTarget(spec, object) : target(cluster, spec)),
  };
}

function target(
  { config }: Cluster,
  spec: Fields,
): Pick<Service, 'kind' | 'clusterIps' | 'externalName' | 'ignoreEmpty'> {
  if (spec.type === 'ExternalName') return { kind: 'externalName', externalName: externalName(spec) };
  const ips = clusterIps(spec);
  if (ips[0] === 'None') return { kind: 'instances' };
  return {
    kind: 'clusterIp',
    clusterIps: ips.map(canonicalAddress),
    ...(config.ignoreEmptyService ? { ignoreEmpty: true } : {}),
  };
}

/** External addresses, else the host name of a load balancer; `instances`: neither. */
function externalTarget(spec: Fields, object: Fields): Pick<Service, 'kind' | 'clusterIps' | 'externalName'> {
  const ips = list(spec.externalIPs, 'spec.externalIPs').flatMap((ip) => optionalText(ip, 'spec.externalIPs') ?? []);
  const { ingress } = optionalFields(optionalFields(object.status).loadBalancer);
  const balancers = list(ingress, 'status.loadBalancer.ingress').map((one) =>
    fields(one, 'status.loadBalancer.ingress'),
  );
  const addresses = balancers.flatMap(({ ip }) => optionalText(ip, 'status.loadBalancer.ingress.ip') || []);
  const all = [...ips, ...addresses];
  if (all.length > 0) return { kind: 'clusterIp', clusterIps: all.map(canonicalAddress) };
  const hosts = balancers.flatMap(
    ({ hostname }) => optionalText(hostname, 'status.loadBalancer.ingress.hostname') || [],
  );
  if (hosts.length === 0) return { kind: 'instances' };
  return { kind: 'externalName', externalName: externalName({ externalName: hosts[0] }) };
}

const optionalFields = (value: unknown): Fields => (value === undefined ? {} : fields(value, 'status'));

/** `clusterIPs`, or before dual stack (Kubernetes 1.20) `clusterIP` alone. Empty while none is allocated. */
function clusterIps(spec: Fields): string[] {
  const ips = list(spec.clusterIPs, 'spec.clusterIPs');
  const all = ips.length > 0 ? ips : [spec.clusterIP];
  return all.flatMap((ip) => optionalText(ip, 'spec.clusterIP') ?? []);
}

function canonicalAddress(ip: string): string {
  const canonical = canonicalIp(ip);
  if (canonical === undefined) throw new MalformedObject(`spec.clusterIPs: ${JSON.stringify(ip)} is not an address`);
  return canonical;
}

/** An address is not a valid target: zone/external-name.ts skips it, and `explain` reports it. */
function externalName(spec: Fields): string {
  const name = optionalText(spec.externalName, 'spec.externalName')?.toLowerCase();
  if (name === undefined) throw new MalformedObject('spec.externalName is missing');
  return name.endsWith('.') ? name : `${name}.`;
}

const portsOf = (spec: Fields): readonly ServicePort[] => servicePorts(list(spec.ports, 'spec.ports'), 'spec.ports');
