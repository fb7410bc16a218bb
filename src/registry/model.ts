// Services, instances and facts about them, in the terms of Cloud Map. Every value is immutable: sources replace complete
// objects and never patch them (invariant 5 in src/README.md).
import type { WhenAllUnhealthy } from '../plane/records.ts';

/** UNKNOWN is answered, as for a new ECS task, unless the service has `unknown: exclude`. */
export type Status = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';

export type FactSource =
  | 'endpointslice' // conditions of the EndpointSlice endpoint
  | 'endpoints' // addresses / notReadyAddresses of a legacy Endpoints object
  | 'pod' // the pod's Ready condition, phase and deletionTimestamp
  | 'node' // the readiness of the pod's node
  | 'task' // ECS task health: the aggregate over essential containers
  | 'check' // an active check made by healthdns
  | 'custom' // UpdateInstanceCustomHealthStatus
  | 'external' // an external health source
  | 'operator'; // forced by a person

/** One report about the health of an instance, kept separate from those of other sources. */
export interface Fact {
  readonly source: FactSource;
  /** Distinguishes facts of one source (the name of an external source or of a check). */
  readonly name?: string;
  readonly status: Status;
  /** For people: "container app: CrashLoopBackOff", "connect ECONNREFUSED 127.0.0.1:9 (3 of 3)". */
  readonly reason: string;
  /** Wall-clock milliseconds since which this has been so. */
  readonly sinceMs: number;
  /** This fact only repeats that source, which decides instead if it is known. */
  readonly repeats?: FactSource;
  /** Of a repeating fact: `sinceMs` is the time of the reported change, not only of the object that repeats it. */
  readonly isDated?: boolean;
  /** The instance is going away (deleted, finished): no policy may answer it. */
  readonly gone?: boolean;
  /** Wall-clock milliseconds of the last report; only for external sources, whose reports expire. */
  readonly reportedMs?: number;
  /** Wall-clock milliseconds from which on it no longer counts; only for operators. */
  readonly untilMs?: number;
  /** Concerns only the subject's instances with these addresses; absent: all. */
  readonly addresses?: readonly string[];
  /**
   * Wall-clock milliseconds since which the fact's source has been silent. Set by the registry when it is read
   * (`setStale`), never by a source.
   */
  readonly staleSinceMs?: number;
}

/** The decision made from an instance's facts, with its reason; `explain` prints it. */
export interface Verdict {
  readonly status: Status;
  /** Whether the instance may be answered: the value of its slot. */
  readonly answered: boolean;
  /** The name of the rule that decided, as docs/health.md lists them: "unhealthy", "operator", "grace". */
  readonly rule: string;
  /** For people; the reason of the deciding fact, if one fact decided. */
  readonly reason: string;
  /** Wall-clock milliseconds since which this has been so; 0 if unknown. */
  readonly sinceMs: number;
  /** The deciding fact, if one fact decided. */
  readonly fact?: Fact;
}

export interface ServicePort {
  /** Lower case; '' if the port has no name (then it has no SRV name). */
  readonly name: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
}

/** Which instances of a service are answered. Each file in health/policies/ adds a key. */
export interface ServicePolicy {
  readonly whenAllUnhealthy: WhenAllUnhealthy;
  readonly unknown: 'answer' | 'exclude';
  /** Kubernetes publishNotReadyAddresses: health is ignored. */
  readonly publishNotReady: boolean;
  /** Maximum number of records in an answer; 0: all. */
  readonly maxAnswers: number;
  readonly routing: 'multivalue' | 'weighted';
}

/** ECS HealthCheck semantics; all times in seconds, as in ECS (milliseconds never appear in a configuration). */
export interface HealthCheck {
  readonly type: 'http' | 'https' | 'tcp' | 'exec';
  /** http(s): path with leading slash. */
  readonly path?: string;
  /** http(s): the Host header; default the address. */
  readonly host?: string;
  /** http(s), tcp: checked instead of the instance's first address; canonical form. */
  readonly address?: string;
  /** http(s), tcp: default the instance's port. */
  readonly port?: number;
  /** http(s): inclusive range of expected status codes; default 200 to 399. */
  readonly expectedStatus?: readonly [number, number];
  /** http(s): follow redirects, at most 5 and always to the instance's own address; default no. */
  readonly followRedirects?: boolean;
  /** https: whether the certificate must be valid for `host`; default no, as probes of kubelet and Route 53 do. */
  readonly verifyCertificate?: boolean;
  /** exec: ["CMD", argv…], ["CMD-SHELL", line] as in ECS, or the argv alone. */
  readonly command?: readonly string[];
  /** Consecutive passes before HEALTHY; default 1, as in ECS. */
  readonly successes?: number;
  readonly interval: number;
  readonly timeout: number;
  readonly retries: number;
  readonly startPeriod: number;
}

export interface Service {
  /** Unique in the registry: `${source}/${zone}/${namespace}/${name}`. */
  readonly key: string;
  /** Its source: "static", "cloudmap", "kubernetes/CONTEXT". */
  readonly source: string;
  /** The zone it is published in, absolute, lower case, with the trailing dot: "cluster.local.". */
  readonly zone: string;
  readonly namespace: string;
  readonly name: string;
  /** Name templates relative to the zone: "{service}.{namespace}.svc". Never empty. */
  readonly names: readonly string[];
  readonly ttlSeconds: number;
  /** TTL of AAAA records at the service's own name, if different (Cloud Map has one per type). */
  readonly ttlSecondsOfAaaa?: number;
  readonly policy: ServicePolicy;
  /**
   * instances: the name resolves to the instances (headless, static, Cloud Map). clusterIp: the name resolves to
   * `clusterIps`, and instances have names below it, as in CoreDNS. namespace: not a service, but the existence of a
   * namespace: `names` is ["{namespace}.svc"], `name` is ''; see `podNames`. It has no instances.
   */
  readonly kind: 'instances' | 'clusterIp' | 'externalName' | 'namespace';
  /**
   * namespace only: whether "<dashed address>.<namespace>.pod" is answered. insecure: for any address; verified: for
   * those of Registry.replacePodAddresses.
   */
  readonly podNames?: 'disabled' | 'insecure' | 'verified';
  /** clusterIp only, CoreDNS's `ignore empty_service`: the names do not exist while no instance is eligible. */
  readonly ignoreEmpty?: boolean;
  /** clusterIp only: instances have no names (multi-cluster DNS specification 2.3.4). */
  readonly hidesInstances?: boolean;
  /** clusterIp: IPv4 and IPv6 text, canonical form. */
  readonly clusterIps?: readonly string[];
  /** externalName: absolute, with the trailing dot. */
  readonly externalName?: string;
  readonly ports: readonly ServicePort[];
  /** The active check for its instances, if any. */
  readonly healthCheck?: HealthCheck;
  /** The record types to publish; undefined: all that apply. */
  readonly recordTypes?: readonly ('A' | 'AAAA' | 'SRV' | 'CNAME')[];
  /** Position of its source in the zone's list: of services that claim one name, the lowest rank wins. */
  readonly rank?: number;
  /** Wall-clock milliseconds of creation: with equal rank, the older service wins the name. */
  readonly createdMs?: number;
  /** For kind `instances`: shares its names with other such services instead of competing for them. */
  readonly merge?: boolean;
}

export interface Instance {
  /** Cloud Map's instance id, or the name of a pod. Id and addresses identify an instance within its service. */
  readonly id: string;
  /** IPv4 and IPv6 text in canonical form (RFC 5952). */
  readonly addresses: readonly string[];
  /** Empty: the service's ports apply. */
  readonly ports: readonly ServicePort[];
  /** The label of `<hostname>.<service>`; undefined: the dashed address. */
  readonly hostname?: string;
  /** The id of its cluster in a cluster set, a label between hostname and service: `<hostname>.<cluster>.<service>`. */
  readonly cluster?: string;
  /** For weighted routing and SRV; 1 by default. */
  readonly weight: number;
  readonly attributes: Readonly<Record<string, string>>;
  /** Overrides the active check of the service. */
  readonly healthCheck?: HealthCheck;
  /** Subjects whose facts also apply to this instance: "pod/CONTEXT/NAMESPACE/NAME", "node/CONTEXT/NAME". */
  readonly subjects: readonly string[];
  /** Health reported by the object that lists the instance. */
  readonly facts: readonly Fact[];
}

/** An instance as the registry holds it. */
export interface InstanceState {
  readonly service: ServiceState;
  /** Assembled on every read, unlike some of its properties. */
  readonly instance: Instance;
  readonly id: string;
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  readonly hostname: string | undefined;
  readonly cluster: string | undefined;
  /** `instance.weight`. */
  readonly ownWeight: number;
  /** Number of subjects that it depends on. */
  readonly subjectCount: number;
  /** The same object as long as nothing but id and addresses of the instance changes. */
  readonly statement: object;
  /** Its byte in the shared memory. Records of an address use `service.slotFor(state, address)` instead. */
  readonly slot: number;
  /** Written by health/sync.ts only. */
  verdict: Verdict;
  /** For weighted routing: the instance's own weight, unless setWeight was called. SRV uses the instance's own weight. */
  readonly weight: number;
  /** The instance's own facts, those of its subjects, and those of `instance/<serviceKey>/<id>`. */
  facts(): readonly Fact[];
  /** False once no group lists it. */
  isKnown(): boolean;
}

export interface ServiceState {
  readonly key: string;
  /** undefined while only its instances are known. */
  readonly service: Service | undefined;
  readonly instances: { readonly size: number; values(): IterableIterator<InstanceState> };
  /**
   * The slot for records of one address of an instance. If several instances have the address (for example, two ports of
   * one host), it is shared: A and AAAA are answered if any of them is healthy, and each has its own slot for SRV.
   */
  slotFor(state: InstanceState, address: string): number;
  readonly sharedAddresses: ReadonlyMap<
    string,
    { readonly slot: number; readonly instances: readonly InstanceState[] }
  >;
}

/** `concerned`: the instances that are new, changed or gone; undefined: possibly all of the service. */
export type ChangeListener = (
  serviceKey: string,
  what: 'structure' | 'facts',
  concerned?: readonly InstanceState[],
) => void;
