// Validated settings of the forwarder. Sent to the data threads as they are, so plain data only.

export interface ForwardSettings {
  /** The longest matching zone wins. Empty: nothing is forwarded. */
  readonly routes: readonly RouteSettings[];
  readonly cache: CacheSettings;
  /** Clients waiting for upstreams of all routes, in one data thread; beyond it SERVFAIL. */
  readonly maxConcurrent: number;
  readonly clients: ClientLimits;
  /** Removes private addresses from answers, unless the name is at or below one of `allow`. */
  readonly rebinding: { readonly allow: readonly string[] } | undefined;
  readonly loopDetection: boolean;
  /** Rotate the addresses of cached answers. */
  readonly loadbalance: boolean;
  readonly hosts: HostsSettings | undefined;
  readonly templates: readonly TemplateSettings[];
  readonly dns64: Dns64Settings | undefined;
  /** Extended errors have a text that says why: `server.errorText`. */
  readonly errorText: boolean;
}

/** Whether the routing of names depends on files that must be read first. */
export const readsFiles = ({ hosts, routes }: ForwardSettings): boolean =>
  (hosts?.files.length ?? 0) > 0 || routes.some(({ resolvConf }) => resolvConf.length > 0);

/** For one client (an IPv4 address, or the /64 of an IPv6 address) in one data thread. */
export interface ClientLimits {
  /** Queries that wait for upstreams; beyond it SERVFAIL. */
  readonly maxWaiting: number;
  /** Replies to a client with many waiting queries are discarded after this; 0: never. Not over TCP. */
  readonly discardMs: number;
  /** Error responses to forwarded queries; beyond it they are dropped or truncated. 0: no limit. Not over TCP. */
  readonly errorsPerSecond: number;
}

/** Static addresses for external names. */
export interface HostsSettings {
  /** Absolute paths of files in the format of hosts(5); reread when they change. */
  readonly files: readonly string[];
  readonly entries: readonly { readonly address: string; readonly names: readonly string[] }[];
  readonly ttlSeconds: number;
  /** Only names at or below these, absolute; undefined: all. */
  readonly zones?: readonly string[];
  /** Also answer PTR queries for the addresses. */
  readonly reverse: boolean;
}

/** Answers generated from the queried name. */
export interface TemplateSettings {
  /** Absolute. */
  readonly zone: string;
  /** 0: every type. */
  readonly type: number;
  /** Regular expression for the whole name, lower case, with the trailing dot; undefined: every name in the zone. */
  readonly match: string | undefined;
  readonly rcode: number;
  /** Rdata in presentation format, with $1 … $9 for the groups and $0 for the name. Empty: no records. */
  readonly values: readonly string[];
  readonly ttlSeconds: number;
}

/** Synthesis of AAAA records for IPv6-only clients (RFC 6147). */
export interface Dns64Settings {
  /** IPv6 text. */
  readonly prefix: string;
  readonly prefixBits: 32 | 40 | 48 | 56 | 64 | 96;
  /** Also for names that have AAAA records. */
  readonly translateAll: boolean;
}

export type Policy = 'random' | 'round-robin' | 'sequential';

/** One zone and its upstream servers; CoreDNS's `forward` block. */
export interface RouteSettings {
  /** Absolute, lower case, trailing dot; "." for everything. */
  readonly zone: string;
  /** Names at or below these do not use this route. */
  readonly except: readonly string[];
  readonly upstreams: readonly UpstreamSettings[];
  /** After these outcomes the next route of the same zone is asked; undefined: after none. */
  readonly next?: readonly ('NXDOMAIN' | 'NODATA' | 'SERVFAIL')[];
  /** Absolute paths of resolv.conf files whose nameservers are also used; reread when they change. */
  readonly resolvConf: readonly string[];
  readonly policy: Policy;
  /** Consecutive failures after which a server is taken out of use; 0: never. */
  readonly maxFails: number;
  readonly probe: ProbeSettings;
  /** If all servers are down: false tries them anyway, true answers SERVFAIL at once. */
  readonly failFast: boolean;
  /** Maximum time until an answer or SERVFAIL. */
  readonly deadlineMs: number;
  /** The longest time between two attempts; the earlier one may still be answered. */
  readonly attemptTimeoutMs: number;
  readonly attempts: number;
  /** Clients waiting for this route's upstreams, in one data thread; undefined: what ForwardSettings.maxConcurrent leaves it. */
  readonly maxConcurrent: number | undefined;
  readonly forceTcp: boolean;
  /** Randomize the case of qnames (draft-vixie-dnsext-dns0x20) and require it in replies. */
  readonly randomCase: boolean;
  /** Idle TCP and TLS connections are closed after this time. */
  readonly idleMs: number;
}

export interface UpstreamSettings {
  /** IPv4 or IPv6 text. */
  readonly address: string;
  readonly port: number;
  readonly tls: TlsSettings | undefined;
}

export interface TlsSettings {
  /** Expected name in the certificate; undefined: the address. */
  readonly serverName: string | undefined;
  /** PEM text; undefined: the system's authorities. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface ProbeSettings {
  /** Interval between probes of a failed server; 0: no probes. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Any well-formed reply to NS of this name counts as success. */
  readonly name: string;
  readonly recursionDesired: boolean;
}

export interface CacheSettings {
  readonly enabled: boolean;
  /** Both limits apply per data thread. */
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly minNegativeTtlSeconds: number;
  readonly maxNegativeTtlSeconds: number;
  /** SERVFAIL and timeouts (RFC 9520: 1 s to 300 s). 0: not cached. */
  readonly servfailTtlSeconds: number;
  readonly serveStale: ServeStaleSettings | undefined;
  readonly prefetch: PrefetchSettings | undefined;
  /** Names at or below these are not cached. */
  readonly disabledZones: readonly string[];
  readonly disabledNegativeZones: readonly string[];
}

export interface ServeStaleSettings {
  /** How long after expiry an answer may be served. */
  readonly maxStaleSeconds: number;
  /** TTL of stale answers: 30 (RFC 8767 section 5). */
  readonly ttlSeconds: number;
  /** How long to wait for upstream servers before serving stale: 1800; 0: serve stale at once and refresh. */
  readonly clientTimeoutMs: number;
  /** How long after a failed refresh stale answers are served at once: 30 s. */
  readonly failureRecheckSeconds: number;
}

export interface PrefetchSettings {
  /** An entry requested at least this often within `windowSeconds`… */
  readonly hits: number;
  readonly windowSeconds: number;
  /** …is refreshed when less than this percentage of its TTL remains. */
  readonly percent: number;
}

/** Defaults of the configuration. */
export const ROUTE_DEFAULTS: Omit<RouteSettings, 'zone' | 'upstreams'> = {
  except: [],
  resolvConf: [],
  policy: 'random',
  maxFails: 2,
  probe: { intervalMs: 500, timeoutMs: 1000, name: '.', recursionDesired: true },
  failFast: false,
  // glibc retries after 5 s, so a later answer is useless.
  deadlineMs: 4500,
  // Maximum additional delay of an outage, as long as attempts are left.
  attemptTimeoutMs: 900,
  attempts: 8,
  maxConcurrent: undefined,
  forceTcp: false,
  randomCase: false,
  idleMs: 10_000,
};

export const CACHE_DEFAULTS: CacheSettings = {
  enabled: true,
  maxEntries: 30_000,
  maxBytes: 24 * 1024 * 1024,
  minTtlSeconds: 0,
  maxTtlSeconds: 3600,
  minNegativeTtlSeconds: 0,
  maxNegativeTtlSeconds: 1800,
  servfailTtlSeconds: 5,
  serveStale: undefined,
  prefetch: undefined,
  disabledZones: [],
  disabledNegativeZones: [],
};

/** RFC 8767 section 5. */
export const SERVE_STALE_DEFAULTS: ServeStaleSettings = {
  maxStaleSeconds: 86_400,
  ttlSeconds: 30,
  clientTimeoutMs: 1800,
  failureRecheckSeconds: 30,
};

export const PREFETCH_DEFAULTS: PrefetchSettings = { hits: 3, windowSeconds: 60, percent: 10 };

export const FORWARD_DEFAULTS: ForwardSettings = {
  routes: [],
  cache: CACHE_DEFAULTS,
  maxConcurrent: 4096,
  errorText: true,
  clients: { maxWaiting: 256, discardMs: 1900, errorsPerSecond: 200 },
  rebinding: undefined,
  loopDetection: true,
  loadbalance: true,
  hosts: undefined,
  templates: [],
  dns64: undefined,
};

/** Processing of queries before, and of responses after, they are answered; for own zones and external names. */
export interface FrontSettings {
  /** The first matching rule wins; none: allowed. */
  readonly acl: readonly AclRule[];
  /** The first matching rule wins. */
  readonly rewrites: readonly RewriteRule[];
  readonly autopath: AutopathSettings | undefined;
  /** For own names; external names use ForwardSettings. */
  readonly dns64: Dns64Settings | undefined;
  readonly queryLog: QueryLogSettings | undefined;
  /** Sent to clients that ask for it (RFC 5001); at most 128 bytes. */
  readonly nsid?: string | undefined;
}

export interface AclRule {
  readonly action: 'allow' | 'block' | 'filter' | 'drop';
  /** Absolute. Empty: all. */
  readonly zones: readonly string[];
  /** Empty: all. */
  readonly types: readonly number[];
  /** "10.0.0.0/8", "2001:db8::/32"; empty: all clients. */
  readonly networks: readonly string[];
}

export interface RewriteRule {
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'substring' | 'regex';
  /**
   * Which names: exact: an absolute name; suffix: one, perhaps with a dot in front (names below it alone); prefix: text; regex:
   * for the whole name, lower case, with the trailing dot. undefined: all.
   */
  readonly from: string | undefined;
  /** The replacement; for a regex the whole name, with $1 … $9 for groups. undefined: the name stays. */
  readonly to: string | undefined;
  /** Only queries of a type, which becomes another. */
  readonly type?: { readonly from: number; readonly to: number };
  /** auto: names in record data that belong to the replacement are restored, too; or rules for names of the answer. */
  readonly answer?: 'auto' | readonly AnswerNameRule[];
  /** Bounds of the TTLs in the answer. */
  readonly ttl?: { readonly least: number; readonly most: number };
  readonly rcode?: { readonly from: number; readonly to: number };
  /** An alias to a target, absolute, leads to another. */
  readonly cname?: { readonly from: string; readonly to: string };
  /** Later rules are applied, too. */
  readonly continues?: boolean;
}

export interface AnswerNameRule {
  /** name: owners; value: the names in the data of CNAME, DNAME, MX, NS, SOA and SRV records. */
  readonly part: 'name' | 'value';
  /** For the whole name, lower case, with the trailing dot. */
  readonly from: string;
  readonly to: string;
}

export interface AutopathSettings {
  /** The cluster's zone, absolute. It has `pods: verified`. */
  readonly zone: string;
  /** Search domains of the nodes, absolute, tried after the cluster's. */
  readonly search: readonly string[];
}

/** Classes of responses as in CoreDNS's `log`: denial is NXDOMAIN or no records, error any other code. */
export type LogClass = 'success' | 'denial' | 'error';

export interface QueryLogSettings {
  /** Log one of this many queries; 1: all. */
  readonly every: number;
  /** Only responses with these codes; empty: all. */
  readonly rcodes: readonly number[];
  /** Only responses of these classes; empty: all. */
  readonly classes: readonly LogClass[];
  /** Only names at or below these, absolute; empty: all. */
  readonly names: readonly string[];
  /** Only clients in these networks; empty: all. */
  readonly networks: readonly string[];
  /** A line with the fields of CoreDNS's `log`; undefined: structured fields. */
  readonly format: string | undefined;
}

/** In place of all configured query logs; undefined: as configured. */
export type QueryLogInstead = QueryLogSettings | 'off' | undefined;
