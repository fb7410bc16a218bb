// Objects of the cluster that hold Cloud Map: what they say, read with every field checked.
import {
  type Fields,
  fields,
  list,
  MalformedObject,
  metadata,
  optionalFields,
  optionalText,
  text,
} from '../../sources/kubernetes/kinds/objects.ts';
import type { InstanceRecord, NamespaceRecord, OperationRecord, ServiceRecord } from '../model.ts';
import { INSTANCES, KIND_LABEL, OPERATIONS, RECORD, SERVICE_ID_LABEL } from './names.ts';

export type ObjectKind = 'namespace' | 'service' | 'instances' | 'derived' | 'operations';

/** An instance as its slice has it. When it is in two, as between two writes of a move, the higher stamp counts. */
export interface KeptInstance {
  readonly record: InstanceRecord;
  readonly stamp: number;
}

export interface HeldObject {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly uid: string;
  /** Comparable between versions of one object. */
  readonly version: number;
  /** The object as the server said it, but for its managed fields. */
  readonly raw: Fields;
  readonly namespace?: NamespaceRecord;
  readonly service?: ServiceRecord;
  /** instances and derived: the Cloud Map service. */
  readonly serviceId?: string;
  readonly instances?: ReadonlyMap<string, KeptInstance>;
  readonly operations: readonly OperationRecord[];
}

const KINDS: readonly string[] = ['namespace', 'service', 'instances', 'derived', 'operations'] satisfies ObjectKind[];

/** Throws MalformedObject: somebody else wrote it, or a newer healthdns. */
export function readHeldObject(object: Fields): HeldObject {
  const meta = metadata(object);
  const kind = text(meta.labels[KIND_LABEL], `label ${KIND_LABEL}`);
  if (!KINDS.includes(kind)) throw new MalformedObject(`label ${KIND_LABEL} is ${kind}`);
  const { managedFields: _, ...ownMetadata } = fields(object.metadata, 'metadata');
  const base = {
    kind: kind as ObjectKind,
    name: meta.name,
    uid: optionalText(ownMetadata.uid, 'metadata.uid') ?? '',
    version: Number(meta.resourceVersion),
    raw: { ...object, metadata: ownMetadata },
    operations: operationsOf(meta.annotations),
  };
  switch (base.kind) {
    case 'namespace':
      return { ...base, namespace: recordOf<NamespaceRecord>(meta.annotations) };
    case 'service':
      return { ...base, service: recordOf<ServiceRecord>(meta.annotations) };
    case 'instances':
      return { ...base, serviceId: serviceIdOf(meta.labels), instances: instancesOf(meta.annotations) };
    case 'derived':
      return { ...base, serviceId: serviceIdOf(meta.labels) };
    case 'operations':
      return base;
  }
}

const serviceIdOf = (labels: Fields): string => text(labels[SERVICE_ID_LABEL], `label ${SERVICE_ID_LABEL}`);

/** What healthdns wrote there itself; it is checked as far as a broken one would break others. */
function recordOf<Value extends { readonly id: string; readonly name: string }>(annotations: Fields): Value {
  const value = fields(parse(annotations[RECORD], RECORD), RECORD);
  text(value.id, `${RECORD}.id`);
  text(value.name, `${RECORD}.name`);
  return value as unknown as Value;
}

function instancesOf(annotations: Fields): Map<string, KeptInstance> {
  const entries = list(annotations[INSTANCES] === undefined ? [] : parse(annotations[INSTANCES], INSTANCES), INSTANCES);
  return new Map(
    entries.map((value) => {
      const { stamp, ...record } = fields(value, INSTANCES);
      const id = text(record.id, `id in ${INSTANCES}`);
      for (const [key, attribute] of Object.entries(fields(record.attributes, 'attributes'))) text(attribute, key);
      return [id, { record: record as unknown as InstanceRecord, stamp: Number(stamp) || 0 }];
    }),
  );
}

function operationsOf(annotations: Fields): OperationRecord[] {
  if (annotations[OPERATIONS] === undefined) return [];
  return list(parse(annotations[OPERATIONS], OPERATIONS), OPERATIONS).map((value) => {
    const operation = fields(value, OPERATIONS);
    text(operation.id, `id in ${OPERATIONS}`);
    optionalFields(operation.targets, `targets in ${OPERATIONS}`);
    return operation as unknown as OperationRecord;
  });
}

function parse(annotation: unknown, name: string): unknown {
  try {
    return JSON.parse(text(annotation, `annotation ${name}`));
  } catch (error) {
    if (error instanceof MalformedObject) throw error;
    throw new MalformedObject(`annotation ${name} is not JSON: ${(error as Error).message}`);
  }
}
