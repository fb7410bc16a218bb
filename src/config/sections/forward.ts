// `forward`: the upstream servers for external names. Keys are named as in CoreDNS's `forward`.
import { resolve } from 'node:path';
import * as v from 'valibot';
import { canonicalIp } from '../../dns/ip.ts';
import { readRegularFileSync } from '../../native/regular-file.ts';
import {
  ROUTE_DEFAULTS,
  type RouteSettings,
  type TlsSettings,
  type UpstreamSettings,
} from '../../plane/forward-settings.ts';
import { type Reporter, show, shown } from '../../reading/problem.ts';
import { choice, flag, integer, list, mapping, oneOrMany, seconds, text, whichever } from '../../reading/shape.ts';
import { absoluteName, domainName } from './names.ts';
import { checkTlsFiles } from './upstream-tls.ts';

const DNS_PORT = 53;
const DNS_OVER_TLS_PORT = 853;
const EXPECTED = 'ADDRESS, ADDRESS:PORT, tls://ADDRESS[%NAME][:PORT] or the path of a resolv.conf';

const target = text(
  EXPECTED,
  'ADDRESS or ADDRESS:PORT (IPv6 with a port in brackets), tls:// in front for DNS over TLS (with %NAME after the address for the name in its certificate), or the path of a file like /etc/resolv.conf (with a slash in it, relative to this file), which is reread when it changes.',
  (value) => (parseTarget(value) === undefined ? `expected ${EXPECTED}, got ${show(value)}` : undefined),
);

export const targets = oneOrMany(target, 'Upstream servers, or files that list them.');

const path = (description: string) => v.optional(text('a path', description));

const routeSchema = mapping(
  {
    zone: v.optional(
      domainName('a zone', 'Applies to names at or below it; the longest match wins. ".": all names.'),
      '.',
    ),
    to: targets,
    except: v.optional(
      list(domainName('a zone', 'A zone.'), 'Names at or below these are not forwarded by this entry.'),
      [],
    ),
    next: v.optional(
      list(
        choice(['NXDOMAIN', 'NODATA', 'SERVFAIL'], 'An outcome; SERVFAIL: no server has answered.'),
        'After these outcomes the next entry for the same zone is asked.',
      ),
      [],
    ),
    policy: v.optional(
      choice(['random', 'round-robin', 'sequential'], 'Order in which servers are tried.'),
      ROUTE_DEFAULTS.policy,
    ),
    maxFails: v.optional(
      integer(0, 1000, 'Consecutive failures after which a server is used only if all are down; 0: never.'),
      ROUTE_DEFAULTS.maxFails,
    ),
    healthCheck: v.optional(
      mapping(
        {
          interval: v.optional(
            seconds(0, 3600, 'Interval between probes of a failed server; 0: no probes, only regular queries.'),
            ROUTE_DEFAULTS.probe.intervalMs / 1000,
          ),
          timeout: v.optional(seconds(0.05, 60, 'Timeout of a probe.'), ROUTE_DEFAULTS.probe.timeoutMs / 1000),
          name: v.optional(
            domainName('a name', 'Name whose NS records are queried; any reply counts as success.'),
            '.',
          ),
          recursionDesired: v.optional(flag('RD bit of the probe.'), true),
        },
        'How failed servers are probed.',
      ),
      {},
    ),
    failFast: v.optional(
      flag('If all servers are down, answer SERVFAIL at once instead of trying them anyway.'),
      false,
    ),
    deadlineSeconds: v.optional(
      seconds(0.1, 60, 'Maximum time until the client gets an answer or SERVFAIL.'),
      ROUTE_DEFAULTS.deadlineMs / 1000,
    ),
    attemptSeconds: v.optional(
      seconds(
        0.05,
        30,
        "Longest interval between two attempts; the first ones are shorter, according to the server's usual response time.",
      ),
      ROUTE_DEFAULTS.attemptTimeoutMs / 1000,
    ),
    attempts: v.optional(
      integer(1, 10, 'Maximum number of attempts per query; at least one per server.'),
      ROUTE_DEFAULTS.attempts,
    ),
    maxConcurrent: v.optional(
      integer(
        1,
        1_000_000,
        'Maximum clients waiting for these servers, per thread; others get SERVFAIL. Default: as many as `limits.forwardedQueries` leaves free.',
      ),
    ),
    forceTcp: v.optional(flag('Use TCP only.'), false),
    randomCase: v.optional(flag('Randomize the case of names and require the same in replies (0x20).'), false),
    idleSeconds: v.optional(
      seconds(0, 3600, 'Idle TCP and TLS connections are closed after this time.'),
      ROUTE_DEFAULTS.idleMs / 1000,
    ),
    tls: v.optional(
      mapping(
        {
          serverName: v.optional(
            domainName('a name', 'Expected name in the certificates; default: the address of the server.'),
          ),
          ca: path('PEM file with trusted authorities; default: those of Node.js.'),
          cert: path('PEM file with the client certificate.'),
          key: path('PEM file with its private key.'),
        },
        'Settings for tls:// servers.',
      ),
      {},
    ),
  },
  'A zone and its upstream servers.',
);

export type RouteInput = v.InferOutput<typeof routeSchema>;

export const forwardEntry = v.optional(
  v.pipe(
    whichever((input) => typeof input === 'string', target, list(routeSchema, 'Zones and their upstream servers.')),
    v.description(
      'Upstream servers for external names: a list of zones, or one target for all names. Without it external names are REFUSED.',
    ),
  ),
);

export type ForwardInput = v.InferOutput<typeof forwardEntry>;

export function checkForward(input: ForwardInput, folder: string, reporter: Reporter): void {
  if (typeof input !== 'object') return;
  const whole = new Set<string>();
  for (const [i, route] of input.entries()) {
    const zone = absoluteName(route.zone);
    if (whole.has(zone))
      reporter.problem(
        ['forward', i],
        `duplicate zone ${shown(zone)}: put all its servers in one \`to\`, or give the entry before it \`next\` or \`except\``,
      );
    // Only names excepted by another entry reach this one.
    if (route.next.length === 0 && route.except.length === 0) whole.add(zone);
    if ([route.to].flat().length === 0)
      reporter.problem(['forward', i, 'to'], `\`to\`: expected at least one ${EXPECTED}`);
    checkTlsFiles(route.tls, ['forward', i, 'tls'], folder, reporter);
  }
}

export function buildRoutes(input: ForwardInput, folder: string): RouteSettings[] {
  if (input === undefined) return [];
  if (typeof input === 'string') {
    const { upstream, file } = parseTarget(input)!;
    const upstreams = upstream === undefined ? [] : [withTls(upstream, NO_TLS)];
    return [{ ...ROUTE_DEFAULTS, zone: '.', upstreams, resolvConf: file === undefined ? [] : [resolve(folder, file)] }];
  }
  return input.map((route) => buildRoute(route, folder));
}

function buildRoute(input: RouteInput, folder: string): RouteSettings {
  const parsed = [input.to].flat().map((one) => parseTarget(one)!);
  const pem = (file: string | undefined) =>
    file === undefined ? undefined : readRegularFileSync(resolve(folder, file));
  const tls: TlsSettings = {
    serverName: input.tls.serverName?.replace(/\.$/, ''),
    ca: pem(input.tls.ca),
    cert: pem(input.tls.cert),
    key: pem(input.tls.key),
  };
  return {
    zone: absoluteName(input.zone),
    except: input.except.map((name) => absoluteName(name)),
    upstreams: parsed.flatMap(({ upstream }) => (upstream === undefined ? [] : [withTls(upstream, tls)])),
    resolvConf: parsed.flatMap(({ file }) => (file === undefined ? [] : [resolve(folder, file)])),
    ...(input.next.length > 0 && { next: input.next }),
    policy: input.policy,
    maxFails: input.maxFails,
    probe: {
      intervalMs: input.healthCheck.interval * 1000,
      timeoutMs: input.healthCheck.timeout * 1000,
      name: absoluteName(input.healthCheck.name),
      recursionDesired: input.healthCheck.recursionDesired,
    },
    failFast: input.failFast,
    deadlineMs: input.deadlineSeconds * 1000,
    attemptTimeoutMs: input.attemptSeconds * 1000,
    attempts: input.attempts,
    maxConcurrent: input.maxConcurrent,
    forceTcp: input.forceTcp,
    randomCase: input.randomCase,
    idleMs: input.idleSeconds * 1000,
  };
}

/** The server of a target; none where it is the path of a file. */
export function upstreamsOf(target: string): UpstreamSettings[] {
  const { upstream } = parseTarget(target)!;
  return upstream === undefined ? [] : [withTls(upstream, NO_TLS)];
}

const NO_TLS: TlsSettings = { serverName: undefined, ca: undefined, cert: undefined, key: undefined };

function withTls(upstream: ParsedUpstream, tls: TlsSettings): UpstreamSettings {
  const { address, port, secure, serverName = tls.serverName } = upstream;
  return { address, port, tls: secure ? { ...tls, serverName } : undefined };
}

interface ParsedUpstream {
  readonly address: string;
  readonly port: number;
  readonly secure: boolean;
  /** Of this server alone. */
  readonly serverName?: string;
}

/** undefined: neither a server nor a path. */
function parseTarget(value: string): { upstream?: ParsedUpstream; file?: string } | undefined {
  const named = /^tls:\/\/([^%]+)%([^:%]+)(:\d{1,5})?$/.exec(value);
  if (named !== null) {
    const [, server, serverName, at = ''] = named;
    const { upstream } = parseTarget(`tls://${server}${at}`) ?? {};
    return upstream && isServerName(serverName) ? { upstream: { ...upstream, serverName } } : undefined;
  }
  const match = /^(?:(dns|tls):\/\/)?(?:\[([^\]]+)\]|([^[\]]*?))(?::(\d{1,5}))?$/.exec(value);
  const [, scheme, bracketed, bare, port] = match ?? [];
  // A bare IPv6 address has colons of its own; its last group is not a port.
  const address = canonicalIp(bracketed ?? bare ?? '') ?? canonicalIp(value.replace(/^(dns|tls):\/\//, ''));
  if (address !== undefined) {
    const secure = scheme === 'tls';
    const isWhole = canonicalIp(bracketed ?? bare ?? '') !== undefined;
    const number = isWhole && port !== undefined ? Number(port) : secure ? DNS_OVER_TLS_PORT : DNS_PORT;
    return number > 0 && number <= 65_535 ? { upstream: { address, port: number, secure } } : undefined;
  }
  return scheme === undefined && isPath(value) ? { file: value } : undefined;
}

const isServerName = (name: string): boolean => /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(name);

/** Has a slash, and is not meant as a server: not a URL, nor an address with a port or a mask after the slash. */
function isPath(value: string): boolean {
  if (!value.includes('/') || value.includes('\0') || value.includes('://')) return false;
  const first = value.slice(0, value.indexOf('/'));
  return canonicalIp(first.replace(/^\[(.*)\]$/, '$1')) === undefined;
}
