// Endpoints objects beside the slices, for clients that do not read slices: `addresses` and `notReadyAddresses`.
// https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoints-v1/
import { KIND_LABEL, MANAGED_BY } from '../cloudmap/kubernetes/held-object.ts';
import { addressIn, type EndpointSource, endpointOf, shapeOf } from '../cloudmap/kubernetes/instance-slices.ts';
import type { InstanceRecord } from '../cloudmap/records.ts';
import { ApiError, type ApiServer } from '../sources/kubernetes/api/api-server.ts';
import { type Fields, fields, optionalFields } from '../sources/kubernetes/api/objects.ts';
import type { Wanted } from './desired.ts';

export interface LegacyEndpoints {
  /** Updates a Service's Endpoints; undefined: the last write is up to date. */
  plan(
    service: string,
    registered: readonly (readonly [id: string, record: InstanceRecord])[],
    derived: readonly Wanted[],
    isReady: (id: string) => boolean,
  ): (() => Promise<void>) | undefined;
}

/** As in Kubernetes' own controller; further addresses are in slices only. */
const MAX_ADDRESSES = 1_000;

export function createLegacyEndpoints(server: ApiServer, namespace: string, signal: AbortSignal): LegacyEndpoints {
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/endpoints`;
  const written = new Map<string, string>();

  async function write(service: string, subsets: readonly object[]): Promise<void> {
    const path = `${collection}/${encodeURIComponent(service)}`;
    const present = await read(path);
    const metadata = optionalFields(present?.metadata, 'metadata');
    const object = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        ...metadata,
        name: service,
        labels: {
          ...optionalFields(metadata.labels, 'labels'),
          ...MANAGED_BY,
          [KIND_LABEL]: 'endpoints',
          // Without it, Kubernetes mirrors the object into slices of its own.
          'endpointslice.kubernetes.io/skip-mirror': 'true',
        },
      },
      subsets,
    };
    if (present === undefined) await server.exchange('POST', collection, object, signal);
    else await server.exchange('PUT', path, object, signal);
    written.set(service, JSON.stringify(subsets));
  }

  async function read(path: string): Promise<Fields | undefined> {
    try {
      return fields(await server.exchange('GET', path, undefined, signal), 'Endpoints');
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  return {
    plan(service, registered, derived, isReady) {
      const own = registered.flatMap(([id, record]) => {
        const shape = shapeOf(record);
        const address = addressIn(record, shape.family);
        return address === undefined ? [] : [{ id, address, ready: isReady(id), port: shape.port }];
      });
      const subsets = subsetsOf([...own, ...derived.map((one) => ({ ...one, port: one.shape.port }))]);
      if (written.get(service) === JSON.stringify(subsets)) return undefined;
      return () => write(service, subsets);
    },
  };
}

/** One subset per port, with addresses of both families. */
function subsetsOf(endpoints: readonly (EndpointSource & { readonly port: number })[]): object[] {
  const byPort = new Map<number, (EndpointSource & { readonly port: number })[]>();
  for (const endpoint of endpoints.slice(0, MAX_ADDRESSES))
    byPort.set(endpoint.port, [...(byPort.get(endpoint.port) ?? []), endpoint]);
  return [...byPort.keys()]
    .sort((one, other) => one - other)
    .map((port) => {
      const members = [...byPort.get(port)!].sort((one, other) => (one.id < other.id ? -1 : 1));
      const addresses = members.filter(({ ready }) => ready).map(addressOf);
      const notReadyAddresses = members.filter(({ ready }) => !ready).map(addressOf);
      return {
        ...(addresses.length > 0 && { addresses }),
        ...(notReadyAddresses.length > 0 && { notReadyAddresses }),
        ...(port > 0 && { ports: [{ port, protocol: 'TCP' }] }),
      };
    });
}

function addressOf(source: EndpointSource): object {
  const { hostname, targetRef } = endpointOf(source) as { hostname?: string; targetRef?: object };
  return { ip: source.address, ...(hostname && { hostname }), ...(targetRef && { targetRef }) };
}
