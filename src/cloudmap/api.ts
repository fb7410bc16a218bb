// Shared by all operations of the Cloud Map API: the state, ids, and lookups that fail with the API's errors.
import type { Clock, Random } from '../clock.ts';
import type { Status } from '../registry/model.ts';
import { AwsError } from './aws-error.ts';
import type { State } from './cloud-map-state.ts';
import type { NamespaceNames } from './namespace-names.ts';
import { canonicalName, type InstanceRecord, idOf, type NamespaceRecord, type ServiceRecord } from './records.ts';

export interface Api {
  readonly state: State;
  readonly clock: Clock;
  readonly random: Random;
  readonly region: string;
  readonly account: string;
  readonly limits: CloudMapLimits;
  readonly namespaceNames: NamespaceNames;
  readonly health: HealthView;
  /** The reason why requests cannot be answered yet: the store has not been read. */
  readonly notReady?: () => string | undefined;
  /** Fetches recent writes of other replicas. Rejects if that is impossible. */
  readonly catchUp?: () => Promise<void>;
}

export interface CloudMapLimits {
  readonly namespaces: number;
  readonly servicesPerNamespace: number;
  readonly instancesPerService: number;
}

/** The verdicts that DNS answers by, and the instances found in clusters. */
export interface HealthView {
  /** By instance id; an instance that is absent is UNKNOWN. */
  statusesOf(service: ServiceRecord): ReadonlyMap<string, Status>;
  /** Whether the service's instances have a health check, or custom health. */
  isChecked(service: ServiceRecord): boolean;
  /** Instances of the service that nobody registered: tasks in a cluster. */
  discovered(service: ServiceRecord): Iterable<DiscoveredInstance>;
  /** Grows whenever the service's instances or their health change. */
  revision(service: ServiceRecord): number;
}

export interface DiscoveredInstance {
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly creatorRequestId?: string;
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

function letters(random: Random, count: number): string {
  return Array.from({ length: count }, () => ALPHABET[Math.floor(random() * ALPHABET.length)]).join('');
}

export const newNamespaceId = ({ random }: Api): string => `ns-${letters(random, 17)}`;
export const newServiceId = ({ random }: Api): string => `srv-${letters(random, 17)}`;
/** Random letters, then the time in milliseconds, which has eight digits in base 36 until 2059. */
export const newOperationId = ({ random }: Api, nowMs: number): string =>
  `${letters(random, 32)}-${nowMs.toString(36).padStart(8, '0')}`;

export const namespaceArn = (api: Api, id: string): string => arn(api, `namespace/${id}`);
export const serviceArn = (api: Api, id: string): string => arn(api, `service/${id}`);
const arn = ({ region, account }: Api, resource: string): string =>
  `arn:aws:servicediscovery:${region}:${account}:${resource}`;

/** @throws AwsError NamespaceNotFound; as in AWS, the message is the id */
export function namespaceOf({ state }: Api, idOrArn: string): NamespaceRecord {
  const namespace = state.namespaces.get(idOf(idOrArn));
  if (namespace === undefined) throw new AwsError('NamespaceNotFound', idOrArn);
  return namespace;
}

/** @throws AwsError ServiceNotFound */
export function serviceOf({ state }: Api, idOrArn: string): ServiceRecord {
  const service = state.services.get(idOf(idOrArn));
  if (service === undefined) throw new AwsError('ServiceNotFound', idOrArn);
  return service;
}

/** A service by its own and its namespace's name. @throws AwsError NamespaceNotFound, ServiceNotFound */
export function serviceByName(
  { state }: Api,
  namespaceName: string,
  serviceName: string,
): [NamespaceRecord, ServiceRecord] {
  const wanted = canonicalName(namespaceName);
  const namespaces = [...state.namespaces.values()].filter(({ name }) => canonicalName(name) === wanted);
  if (namespaces.length === 0) throw new AwsError('NamespaceNotFound', `no namespace named ${namespaceName}`);
  for (const namespace of namespaces) {
    const service = state.serviceNamed(namespace.id, serviceName);
    if (service !== undefined) return [namespace, service];
  }
  throw new AwsError('ServiceNotFound', `no service named ${serviceName} in namespace ${namespaceName}`);
}

/** A registered instance. @throws AwsError InstanceNotFound */
export function instanceOf({ state }: Api, service: ServiceRecord, instanceId: string): InstanceRecord {
  const instance = state.instancesOf(service.id).get(instanceId);
  if (instance === undefined) throw noInstance(instanceId);
  return instance;
}

export const noInstance = (instanceId: string): AwsError => new AwsError('InstanceNotFound', instanceId);

/** Every instance of a service: the registered ones, then those found in clusters under other ids. */
export function* allInstances({ state, health }: Api, service: ServiceRecord): Iterable<DiscoveredInstance> {
  const registered = state.instancesOf(service.id);
  yield* registered.values();
  for (const instance of health.discovered(service)) if (!registered.has(instance.id)) yield instance;
}
