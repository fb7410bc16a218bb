// EndpointSlices of a Cloud Map service: which instances share one, and what it says of them. A slice has one address
// family and one list of ports, so instances with another port are in another slice.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
import { canonicalIp } from '../../dns/ip.ts';
import { type Fields, list, optionalFields } from '../../sources/kubernetes/kinds/objects.ts';
import type { InstanceRecord } from '../model.ts';

export type Family = 'IPv4' | 'IPv6';

/** What the endpoints of a slice have in common. */
export interface SliceShape {
  readonly family: Family;
  /** 0: its instances have none. */
  readonly port: number;
}

/** As Kubernetes' own controller fills them. */
export const MAX_ENDPOINTS = 100;
/** Of the 256 KiB that an object's annotations may have. */
export const MAX_INSTANCES_BYTES = 180 * 1024;

/** The shape of the slice that keeps the record; one without an address has no endpoint there. */
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

/** An endpoint; UNHEALTHY instances are neither ready nor serving. Two of the same are equal as JSON. */
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

/** The address under which a record is in slices of a family; undefined: it has no endpoint there. */
export function addressIn({ attributes }: Pick<InstanceRecord, 'attributes'>, family: Family): string | undefined {
  const address = family === 'IPv4' ? attributes.AWS_INSTANCE_IPV4 : attributes.AWS_INSTANCE_IPV6;
  const canonical = address === undefined ? undefined : canonicalIp(address);
  return canonical === undefined || UNPUBLISHABLE.test(canonical) ? undefined : canonical;
}

/** The API server refuses slices with unspecified, loopback, link-local and link-local multicast addresses. */
const UNPUBLISHABLE = /^(0\.0\.0\.0|127\..*|169\.254\..*|224\.0\.0\..*|::|::1|fe[89ab].*|ff.2:.*)$/;
