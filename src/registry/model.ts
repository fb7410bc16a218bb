// What exists and what is said about it, in Cloud Map's words. Every value here is immutable: a source states
// whole objects and replaces them, it never patches (invariant 5 in src/README.md).
import type { WhenAllUnhealthy } from '../plane/records.ts';

/** UNKNOWN is answered, as a new ECS task is, unless the service says `unknown: exclude`. */
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

/** One statement about the health of one instance, kept apart from those of other sources. */
export interface Fact {
  readonly source: FactSource;
  /** Tells facts of one source apart (the name of an external source, of a check). */
  readonly name?: string;
  readonly status: Status;
  /** For people: "container app: CrashLoopBackOff", "connect ECONNREFUSED 127.0.0.1:9 (3 of 3)". */
  readonly reason: string;
  /** Wall-clock milliseconds since which this has been so. */
  readonly sinceMs: number;
  /** This fact only repeats what that source said earlier, so that source, where it is known, decides instead. */
  readonly repeats?: FactSource;
  /** Of a repeating fact: `sinceMs` is the time of the reported change, not only of the object that repeats it. */
  readonly isDated?: boolean;
  /** The instance is being taken away (deleted, finished): no policy answers it in spite of this fact. */
  readonly gone?: boolean;
  /** Wall-clock milliseconds at which this was last said; external sources only, whose word grows old. */
  readonly reportedMs?: number;
  /** Of the subject's instances this concerns those at these addresses alone; absent: all. */
  readonly addresses?: readonly string[];
  /**
   * Wall-clock milliseconds since which nothing has been heard from the fact's source. Set on reading by the registry
   * (`setStale`); a source never states it.
   */
  readonly staleSinceMs?: number;
}

/** What was made of an instance's facts, and why: `explain` prints it. */
export interface Verdict {
  readonly status: Status;
  /** Whether the instance may be answered: what its slot says. */
  readonly answered: boolean;
  /** The name of the rule that decided, as docs/health.md lists them: "unhealthy", "operator", "grace". */
  readonly rule: string;
  /** For people; the deciding fact's reason where one fact decided. */
  readonly reason: string;
  /** Wall-clock milliseconds since which this has been so; 0 where no fact says. */
  readonly sinceMs: number;
  /** The deciding fact, where one fact decided. */
  readonly fact?: Fact;
}

export interface ServicePort {
  /** Lower case; '' where the port has no name (then it has no SRV name). */
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
  /** At most so many records an answer; 0 is all. */
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
  /** http(s), tcp: checked in place of the instance's first one; canonical form. */
  readonly address?: string;
  /** http(s), tcp: default the instance's port. */
  readonly port?: number;
  /** http(s): inclusive range of good status codes; default 200 to 399. */
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
  /** The source that states it: "static", "cloudmap", "kubernetes/CONTEXT". */
  readonly source: string;
  /** The zone it is published in, absolute, lower case, with the trailing dot: "cluster.local.". */
  readonly zone: string;
  readonly namespace: string;
  readonly name: string;
  /** Name templates relative to the zone: "{service}.{namespace}.svc". Never empty. */
  readonly names: readonly string[];
  readonly ttlSeconds: number;
  /** Of AAAA records at the service's own name, where it is another one (Cloud Map has one for each type). */
  readonly ttlSecondsOfAaaa?: number;
  readonly policy: ServicePolicy;
  /**
   * instances: its name answers its instances (headless, static, Cloud Map). clusterIp: its name answers `clusterIps`,
   * and its instances, where stated, have names of their own below it (as CoreDNS does). namespace: not a service but
   * that a namespace exists: `names` is ["{namespace}.svc"], `name` is ''; see `podNames`.
   */
  readonly kind: 'instances' | 'clusterIp' | 'externalName' | 'namespace';
  /**
   * namespace only: whether "<dashed address>.<namespace>.pod" is answered. insecure: for any address; verified: for
   * the addresses of its instances, which are the namespace's pods (state them with publishNotReady).
   */
  readonly podNames?: 'disabled' | 'insecure' | 'verified';
  /** clusterIp only, CoreDNS's `ignore empty_service`: the names do not exist while no instance may be answered. */
  readonly ignoreEmpty?: boolean;
  /** clusterIp only: its instances have no names of their own (multi-cluster DNS specification 2.3.4). */
  readonly hidesInstances?: boolean;
  /** clusterIp: IPv4 and IPv6 text, canonical form. */
  readonly clusterIps?: readonly string[];
  /** externalName: absolute, with the trailing dot. */
  readonly externalName?: string;
  readonly ports: readonly ServicePort[];
  /** The active check for its instances, if any. */
  readonly healthCheck?: HealthCheck;
  /** Which record types are published; undefined is all that apply. */
  readonly recordTypes?: readonly ('A' | 'AAAA' | 'SRV' | 'CNAME')[];
  /** The place of its source in the zone's list: of services that claim one name, the one with the lowest keeps it. */
  readonly rank?: number;
  /** Wall-clock milliseconds of creation: of equal rank, the older service keeps the name. */
  readonly createdMs?: number;
  /** Of kind `instances`: shares its names with other such services that claim them, in place of competing. */
  readonly merge?: boolean;
}

export interface Instance {
  /** Cloud Map's instance id; the pod's name for pods. Instances of one service are told apart by id + addresses. */
  readonly id: string;
  /** IPv4 and IPv6 text in canonical form (RFC 5952). */
  readonly addresses: readonly string[];
  /** Empty: the service's ports apply. */
  readonly ports: readonly ServicePort[];
  /** The label of `<hostname>.<service>`; undefined: the dashed address. */
  readonly hostname?: string;
  /** The id of its cluster in a cluster set, a label between that one and the service's: `<hostname>.<cluster>.<service>`. */
  readonly cluster?: string;
  /** For weighted routing and SRV; 1 by default. */
  readonly weight: number;
  readonly attributes: Readonly<Record<string, string>>;
  /** Taken in place of the service's active check. */
  readonly healthCheck?: HealthCheck;
  /** Things whose facts are also this instance's: "pod/CONTEXT/NAMESPACE/NAME", "node/CONTEXT/NAME". */
  readonly subjects: readonly string[];
  /** What the object that listed the instance said of its health. */
  readonly facts: readonly Fact[];
}

/** An instance as the registry holds it. */
export interface InstanceState {
  readonly service: ServiceState;
  /** Put together anew each time it is asked for. */
  readonly instance: Instance;
  readonly addresses: readonly string[];
  readonly addressCount: number;
  /** The same object for as long as the instance is stated the same, id and addresses aside. */
  readonly statement: object;
  /** Its byte in the shared memory. Records of an address use `service.slotFor(state, address)` instead. */
  readonly slot: number;
  /** Written by health/sync.ts only. */
  verdict: Verdict;
  /** For weighted routing: what the instance states, unless setWeight was called. Its SRV weight is the stated one. */
  readonly weight: number;
  /** Its own, then those of its subjects, then those of `instance/<serviceKey>/<id>`. */
  facts(): readonly Fact[];
  /** False once no group states it any more. */
  isKnown(): boolean;
}

export interface ServiceState {
  readonly key: string;
  /** undefined while only its instances are known. */
  readonly service: Service | undefined;
  readonly instances: { readonly size: number; values(): IterableIterator<InstanceState> };
  /**
   * The slot for records of one address of an instance. Where several instances state the address (two ports of one
   * host, say) it is shared: A and AAAA are answered if any of them is healthy, and each has its own slot for SRV.
   */
  slotFor(state: InstanceState, address: string): number;
  readonly sharedAddresses: ReadonlyMap<
    string,
    { readonly slot: number; readonly instances: readonly InstanceState[] }
  >;
}

/** `concerned`: the instances that are new or otherwise than before; undefined: any of the service's may be. */
export type ChangeListener = (
  serviceKey: string,
  what: 'structure' | 'facts',
  concerned?: readonly InstanceState[],
) => void;
