// The records that the Cloud Map API creates, as stores keep them. Times are wall-clock milliseconds; on the wire, seconds.
import type { OperatorOrder } from '../health/operator-order.ts';

export interface NamespaceRecord {
  readonly id: string;
  readonly name: string;
  readonly type: 'DNS_PRIVATE' | 'DNS_PUBLIC' | 'HTTP';
  readonly description?: string;
  readonly creatorRequestId?: string;
  readonly createMs: number;
  /** DNS namespaces only. */
  readonly soaTtlSeconds?: number;
  readonly vpc?: string;
  readonly tags: Readonly<Record<string, string>>;
}

export type RecordType = 'A' | 'AAAA' | 'SRV' | 'CNAME';

export interface DnsConfig {
  readonly routingPolicy: 'MULTIVALUE' | 'WEIGHTED';
  readonly records: readonly { readonly type: RecordType; readonly ttlSeconds: number }[];
}

export interface HealthCheckConfig {
  readonly type: 'HTTP' | 'HTTPS' | 'TCP';
  /** HTTP(S) only. */
  readonly resourcePath?: string;
  readonly failureThreshold: number;
}

export interface ServiceRecord {
  readonly id: string;
  readonly namespaceId: string;
  readonly name: string;
  readonly description?: string;
  readonly creatorRequestId?: string;
  readonly createMs: number;
  /** undefined: found by DiscoverInstances only. */
  readonly dnsConfig?: DnsConfig;
  readonly healthCheckConfig?: HealthCheckConfig;
  /** True with HealthCheckCustomConfig (its FailureThreshold is always 1). */
  readonly customHealth: boolean;
  /** Equal for equal CreateService requests. */
  readonly fingerprint?: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

export interface InstanceRecord {
  readonly serviceId: string;
  readonly id: string;
  readonly creatorRequestId?: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** The last UpdateInstanceCustomHealthStatus, or AWS_INIT_HEALTH_STATUS. */
  readonly customStatus?: { readonly status: 'HEALTHY' | 'UNHEALTHY'; readonly sinceMs: number };
  /** An operator forced its health. */
  readonly operator?: OperatorOrder;
  readonly registeredMs: number;
}

export type OperationType =
  | 'CREATE_NAMESPACE'
  | 'DELETE_NAMESPACE'
  | 'UPDATE_NAMESPACE'
  | 'UPDATE_SERVICE'
  | 'REGISTER_INSTANCE'
  | 'DEREGISTER_INSTANCE';

export interface OperationRecord {
  readonly id: string;
  readonly type: OperationType;
  readonly status: 'SUCCESS' | 'FAIL';
  readonly createMs: number;
  readonly updateMs: number;
  /** NAMESPACE, SERVICE, INSTANCE → id. */
  readonly targets: Readonly<Partial<Record<'NAMESPACE' | 'SERVICE' | 'INSTANCE', string>>>;
  /** Identifies a retried request: the CreatorRequestId in its scope. */
  readonly requestKey?: string;
  /** Equal for equal requests. */
  readonly fingerprint?: string;
}

/** One value to store or delete. A list of changes is written whole or not at all. */
export type StoreChange =
  | { readonly collection: 'namespace'; readonly key: string; readonly value: NamespaceRecord | undefined }
  | { readonly collection: 'service'; readonly key: string; readonly value: ServiceRecord | undefined }
  | { readonly collection: 'instance'; readonly key: string; readonly value: InstanceRecord | undefined }
  | { readonly collection: 'operation'; readonly key: string; readonly value: OperationRecord | undefined };

export type Collection = StoreChange['collection'];

/** The key of an instance: ids of services never contain a slash. */
export const instanceKey = (serviceId: string, instanceId: string): string => `${serviceId}/${instanceId}`;

export function parseInstanceKey(key: string): { readonly serviceId: string; readonly instanceId: string } {
  const slash = key.indexOf('/');
  return { serviceId: key.slice(0, slash), instanceId: key.slice(slash + 1) };
}

/** The id in an ARN; anything else is returned as it is. */
export const idOf = (idOrArn: string): string =>
  idOrArn.startsWith('arn:') ? idOrArn.slice(idOrArn.lastIndexOf('/') + 1) : idOrArn;

/** Lower case without the trailing dot, so that equal domain names compare equal. */
export const canonicalName = (name: string): string => name.toLowerCase().replace(/\.$/, '');
