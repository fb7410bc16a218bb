// What Cloud Map's objects are called in the cluster. A name follows from what may exist only once, so that the API
// server itself refuses the second of two replicas that create the same thing at the same time.
import { createHash } from 'node:crypto';
import { canonicalName } from '../lookup.ts';

/** On every object of ours; its value is the kind: namespace, service, instances, derived, operations. */
export const KIND_LABEL = 'healthdns.dev/cloud-map';
export const SERVICE_ID_LABEL = 'healthdns.dev/service-id';
export const RECORD = 'healthdns.dev/record';
export const INSTANCES = 'healthdns.dev/instances';
export const OPERATIONS = 'healthdns.dev/operations';
/** On what is about to be deleted: nothing new may be put into it. */
export const DELETING = 'healthdns.dev/deleting';

export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'healthdns' };
export const SLICE_MANAGED_BY = { 'endpointslice.kubernetes.io/managed-by': 'healthdns' };
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** ConfigMap of operations whose own object is gone. */
export const OPERATIONS_CONFIG_MAP = 'cloudmap-operations';

const MAX_LABEL = 63;
const HASH_LETTERS = 10;

export const namespaceObjectName = (namespace: string): string => named('cloudmap-namespace', canonicalName(namespace));

/** "api" in "shop.local" is the Service "api-shop-local", or where somebody else has that, one with a hash. */
export function serviceObjectNames(namespace: string, service: string): readonly [string, string] {
  const whole = `${service.toLowerCase()}.${canonicalName(namespace)}`;
  const plain = label(whole);
  const unlike = withHash(plain, whole);
  const isFaithful = /^[a-z][a-z0-9-]*$/.test(plain) && plain.length <= MAX_LABEL && /^[a-z0-9.-]+$/.test(whole);
  return [isFaithful ? plain : unlike, unlike];
}

const named = (prefix: string, name: string): string => withHash(`${prefix}-${label(name)}`, name);

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
