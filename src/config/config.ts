// The content of zones.yaml after validation: every default filled in, every path absolute, every name absolute and
// lower case with the trailing dot. Other rooms read these types and never the YAML.
import type { ForwardSettings, FrontSettings } from '../plane/forward-settings.ts';
import type { DnstapSettings, PushSettings } from '../plane/settings.ts';
import type { ViewSettings } from '../plane/view-settings.ts';
import type { HealthCheck, ServicePolicy, ServicePort } from '../registry/model.ts';
import type { StaticRecords } from './static-records.ts';

export interface Config {
  /** Absolute path of the file. */
  readonly file: string;
  /** Of its text. */
  readonly hash: string;
  readonly listen: readonly ListenAddress[];
  /** Empty: no HTTP. */
  readonly http: readonly ListenAddress[];
  /** Where explain, the status page, the cache and the Cloud Map API are served; undefined: on `http`, if that is loopback. */
  readonly admin: AdminConfig | undefined;
  /** Absolute path of the file with the token that admin requests must have; undefined: no token. */
  readonly adminToken: string | undefined;
  /** Absolute path of the file that keeps operators' orders for instances that are not pods; undefined: memory. */
  readonly operatorFile?: string | undefined;
  readonly threads: number | 'auto';
  readonly server: ServerConfig;
  readonly limits: LimitsConfig;
  /** coredns: its metrics beside ours. */
  readonly metrics: 'healthdns' | 'coredns';
  /** Counts the most frequent names and clients. */
  readonly topQueries: boolean;
  readonly dnstap?: DnstapSettings | undefined;
  /** undefined: no DNS Push. */
  readonly push?: PushConfig | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly zones: readonly ZoneConfig[];
  /** undefined: neither the Cloud Map API nor ECS tasks. */
  readonly cloudMap?: CloudMapConfig | undefined;
  readonly ecs?: EcsConfig | undefined;
  /** undefined: external names are REFUSED. */
  readonly forward: ForwardSettings | undefined;
  /** undefined: no access lists, rewrites, autopath or query log. */
  readonly front?: FrontSettings | undefined;
  /** For some of the queries, instead of `forward` and `front`. */
  readonly views?: readonly ViewSettings[];
  readonly history: HistoryConfig;
}

export interface PushConfig extends PushSettings {
  /** Absolute; undefined: the first name server of each zone. */
  readonly name?: string;
}

export interface HistoryConfig {
  readonly perService: number;
  readonly inAll: number;
  /** Absolute; undefined: in memory only. */
  readonly file: string | undefined;
}

export interface AdminConfig extends ListenAddress {
  /** Absolute paths of PEM files; undefined: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa: string | undefined };
}

export interface CloudMapConfig {
  /** Who may write: nobody, anyone who reaches the loopback address, or requests signed with one of `keys`. */
  readonly writes: 'off' | 'loopback' | 'signed';
  /** Each has a secret or the absolute path of a file that contains it. */
  readonly keys: readonly {
    readonly accessKeyId: string;
    readonly secretAccessKey: string | undefined;
    readonly secretAccessKeyFile: string | undefined;
  }[];
  /** In ARNs. */
  readonly region: string;
  readonly account: string;
  readonly store: CloudMapStore;
  /** Suffixes of the names of DNS namespaces; undefined: no public suffixes and no names that overlap a zone. */
  readonly namespaces?: readonly string[];
  /** Clusters whose pods are ECS tasks. */
  readonly tasks: readonly TaskCluster[];
  /** routing and maxAnswers follow each service's DnsConfig instead. */
  readonly policy: ServicePolicy;
  readonly healthCheckIntervalSeconds: number;
  /** These replace the HealthCheckConfig of the services. */
  readonly healthChecks: readonly CloudMapCheck[];
  readonly limits: {
    readonly namespaces: number;
    readonly servicesPerNamespace: number;
    readonly instancesPerService: number;
  };
}

export type EcsConfig = ProcessesConfig | EcsClusterConfig;

export interface ProcessesConfig {
  readonly engine: 'processes';
  /** Absolute. */
  readonly directory: string;
  /** undefined: the TTL of the service's records. */
  readonly drainSeconds?: number;
  /** Whether POST /reset exists. */
  readonly reset: boolean;
}

/** In the cluster of the Cloud Map store. */
export interface EcsClusterConfig {
  readonly engine: 'kubernetes';
  /** Of Deployments, pods and records. */
  readonly namespace: string;
  readonly drainSeconds?: number;
}

export interface CloudMapCheck {
  /** Names in lower case, the namespace's without a trailing dot. */
  readonly namespace: string;
  readonly service: string;
  readonly healthCheck: HealthCheck;
}

export type CloudMapStore =
  | { readonly kind: 'memory' }
  /** An embedded database in the folder; absolute. */
  | { readonly kind: 'folder'; readonly path: string }
  | ({
      readonly kind: 'kubernetes';
      /** Kubernetes namespace of all objects. */
      readonly namespace: string;
      readonly legacyEndpoints: boolean;
      readonly snapshot?: { readonly file: string; readonly maxAgeSeconds: number };
    } & ClusterAccess);

export interface TaskCluster extends ClusterAccess {
  /** Name of the source: "ecs/LABEL", with a number if that is taken. */
  readonly name: string;
  /** Empty: all. */
  readonly namespaces: readonly string[];
}

/** How an API server is reached; `label` names the cluster. */
export type ClusterAccess = Pick<KubernetesConfig, 'kubeconfig' | 'context' | 'label'>;

export interface ListenAddress {
  /** IPv4 or IPv6 text, no brackets. */
  readonly address: string;
  readonly port: number;
}

export interface ServerConfig {
  /** batched: recvmmsg/sendmmsg; plain: dgram; auto: batched where it works. */
  readonly udp: 'auto' | 'batched' | 'plain';
  /** CH TXT version.bind and id.server; undefined: REFUSED. */
  readonly versionBind: string | undefined;
  readonly idServer: string | undefined;
  /** Maximum size of a UDP response: 1232 (RFC 9715). */
  readonly udpPayloadBytes: number;
  /** How long /health and /ready report "stopping" before sockets close; 0: not at all. */
  readonly reusePort: boolean;
  /** Extended errors (RFC 8914) have a text that says why. */
  readonly errorText: boolean;
  readonly lameduckSeconds: number;
}

export interface LimitsConfig {
  readonly tcpConnections: number;
  readonly tcpIdleSeconds: number;
  readonly tcpTotalSeconds: number;
  readonly tcpUnreadBytes: number;
  readonly tcpUnreadTotalBytes: number;
  /** Maximum clients waiting for upstream servers, per data thread; others get SERVFAIL. */
  readonly forwardedQueries: number;
  readonly forwardedQueriesPerClient: number;
  readonly discardSeconds: number;
  readonly errorsPerSecond: number;
  readonly concurrentChecks: number;
  readonly httpBodyBytes: number;
  readonly httpConnections: number;
}

export interface ZoneConfig {
  readonly name: string;
  readonly soa: SoaConfig;
  /** Absolute names of the zone's name servers. */
  readonly nameServers: readonly string[];
  /** Where clients find DNS Push; undefined: it is not offered. */
  readonly push?: { readonly name: string | undefined; readonly port: number };
  readonly ttlSeconds: number;
  readonly names: readonly string[];
  readonly policy: ServicePolicy;
  readonly records: StaticRecords;
  readonly services: readonly StaticService[];
  readonly kubernetes: readonly KubernetesConfig[];
  /**
   * Absolute names of the reverse zones that get PTR records for this zone's addresses. undefined: in-addr.arpa. and
   * ip6.arpa. for a zone with a kubernetes source, else none. A zone that is not in `zones` is served as if it were, and
   * names not found in it are forwarded if forwarding is configured.
   */
  readonly reverse?: readonly string[];
}

export interface SoaConfig {
  readonly mname: string;
  readonly rname: string;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  /** Negative TTL (RFC 2308). */
  readonly minimumSeconds: number;
}

export interface StaticService {
  readonly name: string;
  readonly namespace: string;
  readonly names: readonly string[];
  readonly ttlSeconds: number;
  readonly policy: ServicePolicy;
  readonly ports: readonly ServicePort[];
  readonly healthCheck: HealthCheck | undefined;
  readonly instances: readonly StaticInstance[];
}

export interface StaticInstance {
  readonly id: string;
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  readonly port: number | undefined;
  readonly weight: number;
  readonly attributes: Readonly<Record<string, string>>;
  /** The service's check with the overrides of this instance; undefined: the service's. */
  readonly healthCheck?: HealthCheck;
}

/** One cluster. Option names are those of CoreDNS's `kubernetes` plugin where it has them. */
export interface KubernetesConfig {
  /** Absolute path; undefined with no `context` means in-cluster, or the default kubeconfig outside one. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Names the cluster: the context, or "in-cluster". */
  readonly label: string;
  /** Name of the source in logs, metrics and /ready: "kubernetes/LABEL", or "kubernetes/LABEL/ZONE" if that is taken. */
  readonly name: string;
  readonly ttlSeconds: number;
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly namespaceLabels: string | undefined;
  readonly labels: string | undefined;
  readonly ignoreEmptyService: boolean;
  readonly fallthrough: readonly string[];
  readonly endpointPodNames: boolean;
  /** Serves the ServiceImports of the Multi-Cluster Services API instead of Services. */
  readonly multicluster: boolean;
  /** Serves the external addresses of Services: externalIPs and those of load balancers. */
  readonly externalAddresses?: boolean;
  /** Its position in the zone's list: of clusters with the same service name, the first wins. */
  readonly rank: number;
  /** Headless services share their names with those of other clusters of the zone that have `merge`. */
  readonly merge: boolean;
  /** Answers carry EDE 3 while the API server has not confirmed the data for longer; 0: never. */
  readonly staleAfterSeconds: number;
  readonly snapshot: { readonly file: string; readonly maxAgeSeconds: number } | undefined;
  /** Events are created on Pods that are left out, and on Services that have nothing to answer. */
  readonly events?: boolean;
}
