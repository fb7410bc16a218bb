// EndpointSlices that hold the instances of a Cloud Map service. A slice has one address family and one list of ports, so
// instances with different ports are in different slices.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
import { canonicalIp } from '../../dns/ip.ts';
import { type Fields, fields, list, optionalFields } from '../../sources/kubernetes/api/objects.ts';
import type { InstanceRecord, OperationRecord } from '../records.ts';
import {
  type HeldObject,
  INSTANCES,
  type KeptInstance,
  KIND_LABEL,
  operationsAnnotation,
  SERVICE_ID_LABEL,
  SERVICE_NAME_LABEL,
  SLICE_MANAGED_BY,
} from './held-object.ts';

export type Family = 'IPv4' | 'IPv6';

/** The properties that all endpoints of a slice share. */
export interface SliceShape {
  readonly family: Family;
  /** 0: no port. */
  readonly port: number;
}

/** As in Kubernetes' own controller. */
export const MAX_ENDPOINTS = 100;
/** Out of the 256 KiB that Kubernetes allows for all annotations of an object. */
export const MAX_INSTANCES_BYTES = 180 * 1024;

/** The shape of the slice that holds the record. A record without an address has no endpoint in it. */
export function shapeOf({ attributes }: Pick<InstanceRecord, 'attributes'>): SliceShape {
  const { AWS_INSTANCE_IPV4: ipv4, AWS_INSTANCE_IPV6: ipv6, AWS_INSTANCE_PORT: port } = attributes;
  return { family: ipv4 === undefined && ipv6 !== undefined ? 'IPv6' : 'IPv4', port: Number(port ?? 0) };
}

export const sameShape = (one: SliceShape, other: SliceShape): boolean =>
  one.family === other.family && one.port === other.port;

export function shapeOfSlice(slice: Fields): SliceShape {
  const ports = list(slice.ports, 'ports').map((port) => optionalFields(port, 'port').port);
  return { family: slice.addressType === 'IPv6' ? 'IPv6' : 'IPv4', port: typeof ports[0] === 'number' ? ports[0] : 0 };
}

export const slicePorts = ({ port }: SliceShape): object[] => (port === 0 ? [] : [{ name: '', port, protocol: 'TCP' }]);

export interface EndpointSource {
  readonly id: string;
  readonly address: string;
  readonly ready: boolean;
  readonly zone?: string;
  readonly target?: { readonly namespace: string; readonly name: string };
}

/** An UNHEALTHY instance is neither ready nor serving. Equal endpoints have equal JSON. */
export function endpointOf({ id, address, ready, zone, target }: EndpointSource): object {
  const hostname = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(id) ? { hostname: id } : {};
  return {
    addresses: [address],
    conditions: { ready, serving: ready, terminating: false },
    ...hostname,
    ...(target && { targetRef: { kind: 'Pod', namespace: target.namespace, name: target.name } }),
    ...(zone && { zone }),
  };
}

/** The address of a record in slices of a family; undefined: it has no endpoint in them. */
export function addressIn({ attributes }: Pick<InstanceRecord, 'attributes'>, family: Family): string | undefined {
  const address = family === 'IPv4' ? attributes.AWS_INSTANCE_IPV4 : attributes.AWS_INSTANCE_IPV6;
  const canonical = address === undefined ? undefined : canonicalIp(address);
  return canonical === undefined || UNPUBLISHABLE.test(canonical) ? undefined : canonical;
}

/** The API server rejects slices with unspecified, loopback, link-local and link-local multicast addresses. */
const UNPUBLISHABLE = /^(0\.0\.0\.0|127\..*|169\.254\..*|224\.0\.0\..*|::|::1|fe[89ab].*|ff.2:.*)$/;

/** An empty slice of a service. `kind`: it holds registered instances, or only repeats addresses. */
export const newSlice = (service: HeldObject, kind: 'instances' | 'derived', shape: SliceShape): Fields => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    generateName: `${service.name}-`,
    labels: {
      ...SLICE_MANAGED_BY,
      [SERVICE_NAME_LABEL]: service.name,
      [KIND_LABEL]: kind,
      [SERVICE_ID_LABEL]: service.service?.id,
    },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name: service.name, uid: service.uid }],
  },
  addressType: shape.family,
  ports: slicePorts(shape),
  endpoints: [],
});

export type Instances = ReadonlyMap<string, KeptInstance>;

/** The slice with these instances; `isReady`: DNS answers with the instance. */
export function withInstances(
  slice: Fields,
  before: readonly OperationRecord[],
  instances: Instances,
  operations: readonly OperationRecord[],
  isReady: (id: string) => boolean,
): object {
  const metadata = fields(slice.metadata, 'metadata');
  return {
    ...slice,
    metadata: {
      ...metadata,
      annotations: {
        ...optionalFields(metadata.annotations, 'annotations'),
        [INSTANCES]: instancesAnnotation(instances),
        ...operationsAnnotation(before, operations),
      },
    },
    endpoints: endpointsOf(slice, instances, isReady),
  };
}

export function endpointsOf(slice: Fields, instances: Instances, isReady: (id: string) => boolean): object[] {
  const { family } = shapeOfSlice(slice);
  return [...instances.keys()].sort().flatMap((id) => {
    const { record } = instances.get(id)!;
    const address = addressIn(record, family);
    if (address === undefined) return [];
    return [endpointOf({ id, address, ready: isReady(id), zone: record.attributes.AVAILABILITY_ZONE })];
  });
}

/** Readiness of the instances according to the slice; instances without an endpoint are absent. */
export function readiness(slice: Fields, instances: Instances): Map<string, boolean> {
  const { family } = shapeOfSlice(slice);
  const byAddress = new Map(
    list(slice.endpoints, 'endpoints').map((value) => {
      const endpoint = fields(value, 'endpoint');
      const ready = optionalFields(endpoint.conditions, 'conditions').ready !== false;
      return [`${String(list(endpoint.addresses, 'addresses')[0])} ${String(endpoint.hostname)}`, ready] as const;
    }),
  );
  const said = new Map<string, boolean>();
  for (const [id, { record }] of instances) {
    const address = addressIn(record, family);
    const { hostname } = endpointOf({ id, address: address ?? '', ready: true }) as { hostname?: string };
    const ready = byAddress.get(`${address} ${hostname}`);
    if (ready !== undefined) said.set(id, ready);
  }
  return said;
}

export const instancesAnnotation = (instances: Instances): string =>
  JSON.stringify(
    [...instances.keys()].sort().map((id) => ({ ...instances.get(id)!.record, stamp: instances.get(id)!.stamp })),
  );
