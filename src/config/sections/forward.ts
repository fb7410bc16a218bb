// `forward`: who is asked for names that are not ours. Words are those of CoreDNS's `forward` where it has them.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { canonicalIp } from '../../dns/ip.ts';
import {
  ROUTE_DEFAULTS,
  type RouteSettings,
  type TlsSettings,
  type UpstreamSettings,
} from '../../plane/forward-settings.ts';
import { type Reporter, show, shown } from '../reading/problem.ts';
import { choice, flag, integer, list, mapping, oneOrMany, seconds, text, whichever } from '../reading/shape.ts';
import { absoluteName, domainName } from './names.ts';
import { checkUpstreamTls } from './upstream-tls.ts';

const DNS_PORT = 53;
const DNS_OVER_TLS_PORT = 853;
const EXPECTED = 'ADDRESS, ADDRESS:PORT, tls://ADDRESS[:PORT] or the path of a resolv.conf';

const target = text(
  EXPECTED,
  'ADDRESS or ADDRESS:PORT (IPv6 with a port in brackets), tls:// in front for DNS over TLS, or the path of a file like /etc/resolv.conf (with a slash in it, relative to this file), which is read again when it changes.',
  (value) => (parseTarget(value) === undefined ? `expected ${EXPECTED}, got ${show(value)}` : undefined),
);

const targets = oneOrMany(target, 'Servers to ask, or files that name them.');

const path = (description: string) => v.optional(text('a path', description));

const routeSchema = mapping(
  {
    zone: v.optional(domainName('a zone', 'Names at or below it; the longest match decides. ".": all.'), '.'),
    to: targets,
    except: v.optional(list(domainName('a zone', 'A zone.'), 'Names at or below these are not taken.'), []),
    policy: v.optional(choice(['random', 'round-robin', 'sequential'], 'Who is asked first.'), ROUTE_DEFAULTS.policy),
    maxFails: v.optional(
      integer(0, 1000, 'Failures in a row after which a server is asked only if all are down; 0: never.'),
      ROUTE_DEFAULTS.maxFails,
    ),
    healthCheck: v.optional(
      mapping(
        {
          interval: v.optional(
            seconds(0, 3600, 'How often a server that failed is asked; 0: only use shows that it is back.'),
            ROUTE_DEFAULTS.probe.intervalMs / 1000,
          ),
          timeout: v.optional(seconds(0.05, 60, 'How long to wait.'), ROUTE_DEFAULTS.probe.timeoutMs / 1000),
          name: v.optional(domainName('a name', 'Whose NS records are asked for; any reply will do.'), '.'),
          recursionDesired: v.optional(flag('The RD bit of the question.'), true),
        },
        'How servers that failed are asked whether they are back.',
      ),
      {},
    ),
    failFast: v.optional(flag('All servers down: SERVFAIL at once, rather than to try them anyway.'), false),
    deadlineSeconds: v.optional(
      seconds(0.1, 60, 'Clients have an answer or SERVFAIL after this.'),
      ROUTE_DEFAULTS.deadlineMs / 1000,
    ),
    attemptSeconds: v.optional(
      seconds(
        0.05,
        30,
        'Without a reply for so long the next server is asked as well; less where one is known to be fast.',
      ),
      ROUTE_DEFAULTS.attemptTimeoutMs / 1000,
    ),
    attempts: v.optional(
      integer(1, 10, 'How often a question is sent; each server once at least.'),
      ROUTE_DEFAULTS.attempts,
    ),
    maxConcurrent: v.optional(
      integer(
        1,
        1_000_000,
        'Clients that wait for these servers at one time, in each thread; others get SERVFAIL. By default as many as `limits.forwardedQueries` leaves free.',
      ),
    ),
    forceTcp: v.optional(flag('Ask over TCP only.'), false),
    randomCase: v.optional(flag('Spell names in random case and insist on it in replies (0x20).'), false),
    idleSeconds: v.optional(
      seconds(0, 3600, 'Unused TCP and TLS connections are closed after this.'),
      ROUTE_DEFAULTS.idleMs / 1000,
    ),
    tls: v.optional(
      mapping(
        {
          serverName: v.optional(
            domainName('a name', 'The name in the certificates of tls:// servers; default their address.'),
          ),
          ca: path('PEM file of the authorities to trust; default those of Node.js.'),
          cert: path('PEM file of our own certificate.'),
          key: path('PEM file of its key.'),
        },
        'For tls:// servers.',
      ),
      {},
    ),
  },
  'A zone and who is asked for it.',
);

export type RouteInput = v.InferOutput<typeof routeSchema>;

export const forwardEntry = v.optional(
  v.pipe(
    whichever((input) => typeof input === 'string', target, list(routeSchema, 'Zones and who is asked for them.')),
    v.description(
      'Who is asked for names that are not ours: a list of zones, or one target for all of them. Without it such names are REFUSED.',
    ),
  ),
);

export type ForwardInput = v.InferOutput<typeof forwardEntry>;

export function checkForward(input: ForwardInput, folder: string, reporter: Reporter): void {
  if (typeof input !== 'object') return;
  const seen = new Set<string>();
  for (const [i, route] of input.entries()) {
    const zone = absoluteName(route.zone);
    if (seen.has(zone))
      reporter.problem(['forward', i], `duplicate zone ${shown(zone)}: put all its servers in one \`to\``);
    seen.add(zone);
    if ([route.to].flat().length === 0)
      reporter.problem(['forward', i, 'to'], `\`to\`: expected at least one ${EXPECTED}`);
    checkUpstreamTls(route.tls, ['forward', i, 'tls'], folder, reporter);
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
    file === undefined ? undefined : readFileSync(resolve(folder, file), 'utf8');
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

const NO_TLS: TlsSettings = { serverName: undefined, ca: undefined, cert: undefined, key: undefined };

function withTls(upstream: ParsedUpstream, tls: TlsSettings): UpstreamSettings {
  return { address: upstream.address, port: upstream.port, tls: upstream.secure ? tls : undefined };
}

interface ParsedUpstream {
  readonly address: string;
  readonly port: number;
  readonly secure: boolean;
}

/** undefined: neither a server nor a path. */
function parseTarget(value: string): { upstream?: ParsedUpstream; file?: string } | undefined {
  const match = /^(?:(dns|tls):\/\/)?(?:\[([^\]]+)\]|([^[\]]*?))(?::(\d{1,5}))?$/.exec(value);
  const [, scheme, bracketed, bare, port] = match ?? [];
  // A bare IPv6 address has colons of its own; its last group is no port.
  const address = canonicalIp(bracketed ?? bare ?? '') ?? canonicalIp(value.replace(/^(dns|tls):\/\//, ''));
  if (address !== undefined) {
    const secure = scheme === 'tls';
    const isWhole = canonicalIp(bracketed ?? bare ?? '') !== undefined;
    const number = isWhole && port !== undefined ? Number(port) : secure ? DNS_OVER_TLS_PORT : DNS_PORT;
    return number > 0 && number <= 65_535 ? { upstream: { address, port: number, secure } } : undefined;
  }
  return scheme === undefined && isPath(value) ? { file: value } : undefined;
}

/** Whatever has a slash in it, but what was meant to be a server: a URL, or an address with a port or a mask after the slash. */
function isPath(value: string): boolean {
  if (!value.includes('/') || value.includes('\0') || value.includes('://')) return false;
  const first = value.slice(0, value.indexOf('/'));
  return canonicalIp(first.replace(/^\[(.*)\]$/, '$1')) === undefined;
}
