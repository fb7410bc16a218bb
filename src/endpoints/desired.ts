// The desired slices of a Cloud Map service: healthy and unknown instances are ready, unhealthy ones neither ready nor
// serving. Pure.
import type { KeptInstance } from '../cloudmap/kubernetes/held-object.ts';
import {
  addressIn,
  type EndpointSource,
  endpointOf,
  type Family,
  MAX_ENDPOINTS,
  type SliceShape,
  sameShape,
  shapeOf,
} from '../cloudmap/kubernetes/instance-slices.ts';
import type { InstanceState, ServicePolicy, ServiceState, Status } from '../registry/model.ts';
import { type Fields, fields, list, optionalFields } from '../sources/kubernetes/api/objects.ts';

/** An unknown instance is ready unless its service has `unknown: exclude`. */
export const isReady = (status: Status, unknown: ServicePolicy['unknown']): boolean =>
  status === 'HEALTHY' || (status === 'UNKNOWN' && unknown === 'answer');

/** By instance id; instances without a verdict count as unknown. */
export function readyIds(service: ServiceState | undefined): (id: string) => boolean {
  const unknown = service?.service?.policy.unknown ?? 'answer';
  const states = new Map([...(service?.instances.values() ?? [])].map((state) => [state.instance.id, state]));
  return (id) => isReady(states.get(id)?.verdict.status ?? 'UNKNOWN', unknown);
}

export interface Wanted extends EndpointSource {
  readonly shape: SliceShape;
}

/**
 * Endpoints beyond the slices of registered instances: tasks, and the IPv6 addresses of dual-stack instances, whose slices
 * have their IPv4 addresses. `podOf` returns the pod of a task in the same cluster.
 */
export function derivedEndpoints(
  service: ServiceState | undefined,
  registered: ReadonlyMap<string, KeptInstance['record']>,
  podOf: (state: InstanceState) => EndpointSource['target'],
): Wanted[] {
  const ready = readyIds(service);
  const wanted: Wanted[] = [];
  const add = (id: string, attributes: Readonly<Record<string, string>>, family: Family, state?: InstanceState) => {
    const address = addressIn({ attributes }, family);
    if (address === undefined) return;
    const { port } = shapeOf({ attributes });
    const zone = attributes.AVAILABILITY_ZONE;
    const target = state && podOf(state);
    wanted.push({
      id,
      address,
      ready: ready(id),
      shape: { family, port },
      ...(zone && { zone }),
      ...(target && { target }),
    });
  };
  for (const [id, record] of registered) if (shapeOf(record).family === 'IPv4') add(id, record.attributes, 'IPv6');
  for (const state of service?.instances.values() ?? []) {
    const { id, attributes } = state.instance;
    if (registered.has(id)) continue;
    add(id, attributes, 'IPv4', state);
    add(id, attributes, 'IPv6', state);
  }
  return wanted;
}

export interface PresentSlice<Slice> {
  readonly slice: Slice;
  readonly shape: SliceShape;
  readonly endpoints: readonly object[];
}

export interface SliceChange<Slice> {
  /** undefined: a new slice. */
  readonly slice: Slice | undefined;
  readonly shape: SliceShape;
  /** Empty: delete the slice. */
  readonly endpoints: readonly object[];
}

/** The slices to write. Endpoints stay in their slices, so that each arrival or departure changes one slice. */
export function changesOf<Slice>(
  wanted: readonly Wanted[],
  present: readonly PresentSlice<Slice>[],
): SliceChange<Slice>[] {
  const left = new Map(wanted.map((one) => [placeOf(one.shape, endpointOf(one)), one]));
  const filled = present.map(({ slice, shape, endpoints }) => {
    const kept = endpoints.flatMap((endpoint) => {
      const key = placeOf(shape, endpoint);
      const one = left.get(key);
      left.delete(key);
      return one === undefined ? [] : [one];
    });
    return { slice: slice as Slice | undefined, shape, before: endpoints, members: kept };
  });
  for (const one of left.values()) {
    const room = filled.find(({ shape, members }) => sameShape(shape, one.shape) && members.length < MAX_ENDPOINTS);
    if (room !== undefined) room.members.push(one);
    else filled.push({ slice: undefined, shape: one.shape, before: [], members: [one] });
  }
  return filled
    .map(({ slice, shape, before, members }) => ({ slice, shape, before, endpoints: members.map(endpointOf) }))
    .filter(({ before, endpoints }) => endpoints.length === 0 || !sameEndpoints(before, endpoints))
    .map(({ slice, shape, endpoints }) => ({ slice, shape, endpoints }));
}

function placeOf({ family, port }: SliceShape, endpoint: object): string {
  const { addresses, hostname } = endpoint as { addresses: readonly string[]; hostname?: string };
  return `${family} ${port} ${addresses[0]} ${hostname}`;
}

/** Compares the fields that healthdns writes; the server adds others. */
export const sameEndpoints = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  JSON.stringify(one.map(essence)) === JSON.stringify(other.map(essence));

function essence(value: unknown): unknown[] {
  const { addresses, conditions, hostname, targetRef, zone } = fields(value, 'endpoint');
  const { ready, serving, terminating } = optionalFields(conditions, 'conditions');
  const { kind, namespace, name } = optionalFields(targetRef, 'targetRef');
  return [list(addresses, 'addresses'), ready, serving, terminating, hostname, kind, namespace, name, zone];
}

export const endpointsIn = (slice: Fields): readonly object[] =>
  list(slice.endpoints, 'endpoints') as readonly object[];
