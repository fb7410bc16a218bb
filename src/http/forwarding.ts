// How a name is forwarded, for explanations: the rules that apply, the servers with their state, what is cached.
import { formatIp, parseIp } from '../dns/ip.ts';
import { parseName } from '../dns/name.ts';
import { rcodeName, TYPE } from '../dns/types.ts';
import type { CacheListing } from '../plane/cache-orders.ts';
import type { UpstreamCounters } from '../plane/forward-statistics.ts';
import type { RunningDataPlane } from '../plane/plane.ts';

export interface ForwardingExplanation {
  /** What the settings do to a query for this name: access lists, rewrites, hosts, templates, DNS64. */
  readonly rules: readonly string[];
  readonly rewritten?: string;
  /** The zone of the route; undefined: the name is not forwarded. */
  readonly route?: string;
  readonly upstreams: readonly UpstreamExplanation[];
  readonly cached: readonly CachedAnswer[];
}

export interface UpstreamExplanation {
  readonly upstream: string;
  /** False if any data thread does not use it. */
  readonly up: boolean;
  readonly loops: boolean;
  readonly lastError?: string;
  /** ISO 8601. */
  readonly lastErrorAt?: string;
  readonly requests: number;
  readonly failures: number;
}

export interface CachedAnswer {
  readonly type: string;
  readonly rcode: string;
  /** Below 0: expired, kept in case the servers fail. */
  readonly ttlSeconds: number;
  readonly why?: string;
}

const MAX_CACHED = 1_000;

/** `isForwarded` false: only the rules are of interest. */
export async function explainForwarding(
  plane: Pick<RunningDataPlane, 'explainQuery' | 'upstreams' | 'listCache'>,
  name: string,
  from: string | undefined,
  isForwarded: boolean,
): Promise<ForwardingExplanation> {
  const client = from === undefined ? undefined : parseIp(from);
  const wire = parseName(name);
  const type = /\.(in-addr|ip6)\.arpa\.?$/i.test(name) ? TYPE.PTR : TYPE.A;
  const { rules, rewritten, route } = await plane.explainQuery({ name: wire, type, ...(client && { client }) });
  const rest = rewritten === undefined ? {} : { rewritten };
  if (!isForwarded) return { rules, ...rest, upstreams: [], cached: [] };
  const asked = rewritten ?? name;
  const listed = await plane.listCache(MAX_CACHED, parseName(asked));
  return {
    rules,
    ...rest,
    ...(route && { route: route.zone }),
    upstreams: (route?.upstreams ?? []).map((label) =>
      upstreamOf(
        label,
        plane.upstreams().filter(({ upstream, zone }) => upstream === label && zone === route?.zone),
      ),
    ),
    cached: listed.filter((one) => one.name === asked).map(cachedAnswer),
  };
}

/** The outcome of a query for a name outside our zones, in a sentence. */
export function forwardingSummary({ rules, route, upstreams }: ForwardingExplanation): string {
  const denied = rules.find((rule) => /^acl rule \d+: (?!allow)/.test(rule));
  if (denied !== undefined) return `${DENIALS[denied.split(': ')[1]]} by ${denied.split(':')[0]}.`;
  const local = localRule({ rules });
  if (local !== undefined) return `A${local.slice(1)}.`;
  if (route === undefined) return 'REFUSED: not in a zone of this server, and no route of `forward` matches it.';
  const isDown = upstreams.length > 0 && upstreams.every(({ up, loops }) => !up || loops);
  const which = route === '.' ? 'default route' : `route for ${route.replace(/\.$/, '')}`;
  return `Forwarded by the ${which}${isDown ? ', whose servers are all down' : ''}.`;
}

const DENIALS: Readonly<Record<string, string>> = {
  block: 'REFUSED',
  filter: 'An empty answer',
  drop: 'No answer',
};
const ANSWERED_FROM = 'answered from';

/** The rule by which `hosts` or `templates` answer. */
export const localRule = ({ rules }: Pick<ForwardingExplanation, 'rules'>): string | undefined =>
  rules.find((rule) => rule.startsWith(ANSWERED_FROM));

/** Of all data threads together. */
function upstreamOf(upstream: string, counters: readonly UpstreamCounters[]): UpstreamExplanation {
  const last = counters.reduce<UpstreamCounters | undefined>(
    (newest, one) => (one.lastErrorMs > (newest?.lastErrorMs ?? 0) ? one : newest),
    undefined,
  );
  return {
    upstream,
    up: counters.every(({ up }) => up === 1),
    loops: counters.some(({ loops }) => loops),
    ...(last && { lastError: last.lastError, lastErrorAt: new Date(last.lastErrorMs).toISOString() }),
    requests: counters.reduce((sum, { requests }) => sum + requests, 0),
    failures: counters.reduce((sum, { failures }) => sum + failures, 0),
  };
}

const cachedAnswer = ({ type, rcode, ttlSeconds, why }: CacheListing): CachedAnswer => ({
  ...{ type, rcode: rcodeName(rcode), ttlSeconds },
  ...(why !== undefined && { why }),
});

/** Lines for a terminal. */
export function forwardingLines(
  { rules, route, upstreams, cached }: ForwardingExplanation,
  isForwarded: boolean,
): string[] {
  const isAsked = isForwarded && route !== undefined && localRule({ rules }) === undefined;
  return [
    ...rules.map((rule) => `  rule: ${rule}`),
    ...(isAsked
      ? [`  forwarded by the route for ${route}`, ...upstreams.map(upstreamLine), ...cachedLines(cached)]
      : []),
  ];
}

function upstreamLine({
  upstream,
  up,
  loops,
  lastError,
  lastErrorAt,
  requests,
  failures,
}: UpstreamExplanation): string {
  const state = loops ? 'LOOP: it forwards back to this server, and is not used' : up ? 'up  ' : 'DOWN';
  const last = lastError === undefined ? '' : `; last error at ${lastErrorAt}: ${lastError}`;
  return `    ${state} ${upstream}: ${failures} of ${requests} queries failed${last}`;
}

function cachedLines(cached: readonly CachedAnswer[]): string[] {
  if (cached.length === 0) return ['  nothing is cached for it'];
  return cached.map(({ type, rcode, ttlSeconds, why }) => {
    const age =
      ttlSeconds < 0 ? `expired ${-ttlSeconds} s ago, served if the servers fail` : `for another ${ttlSeconds} s`;
    return `  cached: ${type} ${rcode}, ${age}${why === undefined ? '' : `: ${why}`}`;
  });
}

/** Canonical text; undefined: not an address. */
export function addressText(text: string): string | undefined {
  const bytes = parseIp(text);
  return bytes && formatIp(bytes);
}
