// The addresses of the server: `listen` (DNS), `http` and `admin`.
import { resolve } from 'node:path';
import * as v from 'valibot';
import { canonicalIp, ipFamily } from '../../dns/ip.ts';
import { type Reporter, show, shown } from '../../reading/problem.ts';
import { expecting, mapping, oneOrMany, text, whichever } from '../../reading/shape.ts';
import type { AdminConfig, ListenAddress } from '../config.ts';
import { checkTlsFiles } from './upstream-tls.ts';

/**
 * Loopback and a port above 1023, as in the example: without these keys, no privilege is needed and nothing is open to
 * other machines. A server for a cluster has `listen: ["0.0.0.0:53", "[::]:53"]`.
 */
const DEFAULT_LISTEN = ['127.0.0.1:1053', '[::1]:1053'] as const;
const DEFAULT_HTTP = '127.0.0.1:8053';

const EXPECTED = 'ADDRESS:PORT such as "127.0.0.1:53" or "[::]:53"';

export const listenAddress = text(EXPECTED, 'ADDRESS:PORT; IPv6 addresses in brackets.', problemOf);

/** Of DNS Push, on the port of DNS over TLS. */
export const pushAddress = text(forPush(EXPECTED), 'ADDRESS:PORT; IPv6 addresses in brackets.', (value) => {
  const problem = problemOf(value);
  return problem === undefined ? undefined : forPush(problem);
});

function forPush(advice: string): string {
  return advice.replace(/:53(?="|$)/g, ':853');
}

export const listenEntry = v.optional(
  oneOrMany(
    listenAddress,
    'Addresses to serve DNS on, each over UDP and TCP. For all addresses: 0.0.0.0:53 and [::]:53.',
  ),
  [...DEFAULT_LISTEN],
);

export const httpEntry = v.optional(
  v.pipe(
    whichever(
      Array.isArray,
      v.array(listenAddress),
      v.union([v.literal(false), listenAddress], expecting(`${EXPECTED}, or false`)),
    ),
    v.description(
      'Address of /health, /ready and /metrics, or a list of them; a loopback address also serves the endpoints of `admin`; false: none.',
    ),
  ),
  DEFAULT_HTTP,
);

const adminTlsEntry = mapping(
  {
    cert: text('a path', 'PEM file with the certificate of this server, followed by intermediate certificates.'),
    key: text('a path', 'PEM file with its private key.'),
    clientCa: v.optional(
      text('a path', 'PEM file with the CAs of client certificates; requests without such a certificate are refused.'),
    ),
  },
  'HTTPS. The files are reread when they change.',
);

export const adminEntries = {
  admin: v.optional(
    v.pipe(
      whichever(
        (input) => typeof input === 'object' && input !== null && !Array.isArray(input),
        mapping(
          { address: text(EXPECTED, 'ADDRESS:PORT.', problemOf), tls: v.optional(adminTlsEntry) },
          'The address, and how it is protected.',
        ),
        text(EXPECTED, 'ADDRESS:PORT.', problemOf),
      ),
      v.description(
        'Address of the status page, /explain, /cache, /external-health and the Cloud Map API; default: that of `http`, if it is loopback.',
      ),
    ),
  ),
  adminToken: v.optional(
    text(
      'a path',
      'File with the bearer token that requests to `admin` need; required unless `admin` is loopback or has `tls.clientCa`.',
    ),
  ),
};

type AdminInput = NonNullable<v.InferOutput<typeof adminEntries.admin>>;

export const adminAddress = (admin: AdminInput): string => (typeof admin === 'string' ? admin : admin.address);

export function buildAdmin(admin: AdminInput, folder: string): AdminConfig {
  const address = parseListenAddress(adminAddress(admin));
  if (typeof admin === 'string' || admin.tls === undefined) return address;
  const { cert, key, clientCa } = admin.tls;
  return {
    ...address,
    tls: {
      cert: resolve(folder, cert),
      key: resolve(folder, key),
      clientCa: clientCa === undefined ? undefined : resolve(folder, clientCa),
    },
  };
}

export const buildHttp = (http: false | string | readonly string[]): ListenAddress[] =>
  http === false ? [] : [http].flat().map(parseListenAddress);

/**
 * "127.0.0.1:53" or "[::1]:53" → address and port; for the command line, too.
 * Throws RangeError with what was expected.
 */
export function parseListenAddress(value: string): ListenAddress {
  const problem = problemOf(value);
  if (problem !== undefined) throw new RangeError(problem);
  const { host, port } = split(value)!;
  return { address: canonicalIp(host)!, port: Number(port) };
}

/** The text `parseListenAddress` reads. */
export function formatListenAddress({ address, port }: ListenAddress): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** No address twice; DNS over TCP, HTTP and admin cannot share one. */
export function checkListen(
  values: string | readonly string[],
  http: string | readonly string[] | false,
  reporter: Reporter,
): void {
  const seen = new Set<string>();
  for (const [i, value] of [values].flat().entries()) {
    const path = Array.isArray(values) ? ['listen', i] : ['listen'];
    const address = formatListenAddress(parseListenAddress(value));
    if (seen.has(address) && !address.endsWith(':0')) reporter.problem(path, `duplicate address ${address}`);
    seen.add(address);
  }
  const taken = new Set(seen);
  for (const one of http === false ? [] : [http].flat()) {
    if (isTaken(one, seen))
      reporter.problem(
        ['http'],
        `\`http\`: ${shown(one)} already serves DNS over TCP (see \`listen\`): expected another port`,
      );
    else if (isTaken(one, taken)) reporter.problem(['http'], `\`http\`: duplicate address ${shown(one)}`);
    taken.add(formatListenAddress(parseListenAddress(one)));
  }
  if (seen.size === 0) reporter.problem(['listen'], `\`listen\`: expected at least one ${EXPECTED}`);
}

/** `others`: the valid addresses of `listen` and `http`. */
export function checkAdmin(
  input: AdminInput,
  token: string | undefined,
  others: readonly string[],
  folder: string,
  reporter: Reporter,
): void {
  const admin = adminAddress(input);
  const tls = typeof input === 'string' ? undefined : input.tls;
  if (tls !== undefined) checkTlsFiles(tls, ['admin', 'tls'], folder, reporter);
  const taken = new Set(others.map((value) => formatListenAddress(parseListenAddress(value))));
  if (isTaken(admin, taken))
    reporter.problem(
      ['admin'],
      `\`admin\`: ${shown(admin)} is an address of \`listen\` or \`http\`: expected another port`,
    );
  if (token === undefined && tls?.clientCa === undefined && !isLoopback(parseListenAddress(admin).address))
    reporter.problem(
      ['admin'],
      `\`admin\`: everyone who can reach ${shown(admin)} could read and write: use a loopback address, or set \`adminToken\` or \`tls.clientCa\``,
    );
}

const isTaken = (value: string, taken: ReadonlySet<string>): boolean =>
  Number(split(value)!.port) !== 0 && taken.has(formatListenAddress(parseListenAddress(value)));

function split(value: string): { host: string; port: string } | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,6})$/.exec(value);
  return match ? { host: match[1] ?? match[2], port: match[3] } : undefined;
}

function problemOf(value: string): string | undefined {
  const parts = split(value);
  const got = `expected ${EXPECTED}, got ${show(value)}`;
  if (!parts) return got + missingPart(value);
  const { host, port } = parts;
  if (host === '') return `${got}: for all addresses write 0.0.0.0:${port} and [::]:${port}`;
  if (Number(port) > 65535) return `${got}: a port is at most 65535`;
  const bracketed = value.startsWith('[');
  if (ipFamily(host) === (bracketed ? 6 : 4)) return undefined;
  if (bracketed) return `${got}: "${shown(host)}" is not an IPv6 address`;
  return `${got}: "${shown(host)}" is not an IPv4 address (names are not looked up)`;
}

/** The probable intention, as advice. */
function missingPart(value: string): string {
  const unbracketed = /^(.*):(\d+)$/.exec(value);
  if (unbracketed && ipFamily(unbracketed[1]) === 6) return `: write [${unbracketed[1]}]:${unbracketed[2]}`;
  if (ipFamily(value) === 6) return `: write [${value}]:53`;
  if (ipFamily(value) === 4) return `: write ${value}:53`;
  return /^\d{1,5}$/.test(value) ? `: write 127.0.0.1:${value}` : '';
}

export const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');
