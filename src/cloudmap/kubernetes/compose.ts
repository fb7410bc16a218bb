// Records as objects of the cluster. Each function gives a whole object; what others added to labels and annotations stays.
import { type Fields, fields, list, optionalFields } from '../../sources/kubernetes/kinds/objects.ts';
import type { NamespaceRecord, OperationRecord, ServiceRecord } from '../model.ts';
import type { HeldObject, KeptInstance } from './held-object.ts';
import {
  DELETING,
  INSTANCES,
  KIND_LABEL,
  MANAGED_BY,
  namespaceObjectName,
  OPERATIONS,
  OPERATIONS_CONFIG_MAP,
  RECORD,
  SERVICE_ID_LABEL,
  SERVICE_NAME_LABEL,
  SLICE_MANAGED_BY,
} from './names.ts';
import { addressIn, endpointOf, type SliceShape, shapeOfSlice, slicePorts } from './slice.ts';

/** The last ones only: they are for clients that ask how their request ended, at once. */
const MAX_OPERATIONS = 120;

export const newNamespace = (record: NamespaceRecord, operations: readonly OperationRecord[]): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: namespaceObjectName(record.name),
    labels: { ...MANAGED_BY, [KIND_LABEL]: 'namespace' },
    annotations: { [RECORD]: JSON.stringify(record), ...operationsAnnotation([], operations) },
  },
});

export const newOperationsHolder = (operations: readonly OperationRecord[]): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: OPERATIONS_CONFIG_MAP,
    labels: { ...MANAGED_BY, [KIND_LABEL]: 'operations' },
    annotations: operationsAnnotation([], operations),
  },
});

/** A headless Service without selector: its endpoints are what its slices say. */
export const newService = (name: string, record: ServiceRecord, operations: readonly OperationRecord[]): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name,
    labels: { ...MANAGED_BY, [KIND_LABEL]: 'service', [SERVICE_ID_LABEL]: record.id },
    annotations: { [RECORD]: JSON.stringify(record), ...operationsAnnotation([], operations) },
  },
  spec: { clusterIP: 'None', type: 'ClusterIP' },
});

export interface RecordEdit {
  readonly record?: NamespaceRecord | ServiceRecord;
  readonly operations?: readonly OperationRecord[];
  /** RFC 3339; null: not any more. */
  readonly deleting?: string | null;
}

/** A namespace's, service's or operations' object with another record, more operations, or the mark of deletion. */
export function withEdit(
  { raw, operations: before }: HeldObject,
  { record, operations, deleting }: RecordEdit,
): object {
  const metadata = fields(raw.metadata, 'metadata');
  const { [DELETING]: mark, ...annotations } = optionalFields(metadata.annotations, 'annotations');
  const kept = deleting === undefined ? mark : deleting;
  return {
    ...raw,
    metadata: {
      ...metadata,
      annotations: {
        ...annotations,
        ...(record && { [RECORD]: JSON.stringify(record) }),
        ...(operations && operationsAnnotation(before, operations)),
        ...(kept !== undefined && kept !== null && { [DELETING]: kept }),
      },
    },
  };
}

/** A slice of a service, without endpoints. `kind`: whether it keeps instances or only repeats addresses. */
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

/** A slice that keeps these instances. `isReady` says of each whether it is answered. */
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

/** What the slice says of its instances now; those without an endpoint are not in it. */
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

function operationsAnnotation(
  before: readonly OperationRecord[],
  more: readonly OperationRecord[],
): Record<string, string> {
  if (before.length + more.length === 0) return {};
  return { [OPERATIONS]: JSON.stringify([...before, ...more].slice(-MAX_OPERATIONS)) };
}
