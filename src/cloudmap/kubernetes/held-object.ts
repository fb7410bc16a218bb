// Objects of the cluster that hold Cloud Map: their names, labels and annotations, and reading them with every field checked.
// Object names are derived from what must be unique, so that the API server itself rejects the second of two replicas that
// create the same thing at the same time.
import { createHash } from 'node:crypto';
import {
  type Fields,
  fields,
  list,
  MalformedObject,
  metadata,
  optionalFields,
  optionalText,
  text,
} from '../../sources/kubernetes/api/objects.ts';
import {
  canonicalName,
  type InstanceRecord,
  type NamespaceRecord,
  type OperationRecord,
  type ServiceRecord,
} from '../records.ts';

export type ObjectKind = 'namespace' | 'service' | 'instances' | 'derived' | 'operations';

/** An instance in its slice. If two slices hold it, as between the two writes of a move, the higher stamp counts. */
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
  /** The object as received, without its managed fields. */
  readonly raw: Fields;
  readonly namespace?: NamespaceRecord;
  readonly service?: ServiceRecord;
  /** instances and derived: the Cloud Map service. */
  readonly serviceId?: string;
  readonly instances?: ReadonlyMap<string, KeptInstance>;
  readonly operations: readonly OperationRecord[];
}

const KINDS: readonly string[] = ['namespace', 'service', 'instances', 'derived', 'operations'] satisfies ObjectKind[];

/** @throws MalformedObject where another program, or a newer healthdns, wrote it */
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

/** A record that healthdns wrote. The checks cover what a broken record would break elsewhere. */
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

/** On every object of healthdns. Its value is the kind: namespace, service, instances, derived, operations. */
export const KIND_LABEL = 'healthdns.dev/cloud-map';
export const SERVICE_ID_LABEL = 'healthdns.dev/service-id';
export const RECORD = 'healthdns.dev/record';
export const INSTANCES = 'healthdns.dev/instances';
export const OPERATIONS = 'healthdns.dev/operations';
/** On an object that is about to be deleted: nothing may be added to it. */
export const DELETING = 'healthdns.dev/deleting';

export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'healthdns' };
export const SLICE_MANAGED_BY = { 'endpointslice.kubernetes.io/managed-by': 'healthdns' };
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** The ConfigMap for operations whose object is gone. */
export const OPERATIONS_CONFIG_MAP = 'cloudmap-operations';

const MAX_LABEL = 63;
const HASH_LETTERS = 10;

export const namespaceObjectName = (namespace: string): string =>
  objectName('cloudmap-namespace', canonicalName(namespace));

/** "api" in "shop.local" is the Service "api-shop-local"; if another program has that name, one with a hash. */
export function serviceObjectNames(namespace: string, service: string): readonly [string, string] {
  const whole = `${service.toLowerCase()}.${canonicalName(namespace)}`;
  const plain = label(whole);
  const unlike = withHash(plain, whole);
  const isFaithful = /^[a-z][a-z0-9-]*$/.test(plain) && plain.length <= MAX_LABEL && /^[a-z0-9.-]+$/.test(whole);
  return [isFaithful ? plain : unlike, unlike];
}

/** A name of Kubernetes for any text: readable, and different for different texts. */
export const objectName = (prefix: string, name: string): string => withHash(`${prefix}-${label(name)}`, name);

function withHash(text: string, of: string): string {
  const hash = createHash('sha256').update(of).digest('hex').slice(0, HASH_LETTERS);
  const start = /^[a-z]/.test(text) ? text : `s-${text}`;
  return `${start.slice(0, MAX_LABEL - HASH_LETTERS - 1).replace(/-+$/, '')}-${hash}`;
}

const label = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');

/** Only the last ones: clients ask for an operation's result right after the request. */
const MAX_OPERATIONS = 120;

export function operationsAnnotation(
  before: readonly OperationRecord[],
  more: readonly OperationRecord[],
): Record<string, string> {
  if (before.length + more.length === 0) return {};
  return { [OPERATIONS]: JSON.stringify([...before, ...more].slice(-MAX_OPERATIONS)) };
}
