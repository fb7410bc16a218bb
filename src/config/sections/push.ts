// `push`: DNS Push Notifications (RFC 8765) for caches that must not be stale.
import { resolve } from 'node:path';
import * as v from 'valibot';
import type { PushSettings } from '../../plane/settings.ts';
import { type Reporter, shown } from '../../reading/problem.ts';
import { flag, integer, mapping, oneOrMany, text } from '../../reading/shape.ts';
import type { PushConfig } from '../config.ts';
import { formatListenAddress, parseListenAddress, pushAddress } from './listen.ts';
import { absoluteName, domainName } from './names.ts';
import { checkTlsFiles } from './upstream-tls.ts';

const MAX_SESSIONS = 65_535;

const tlsEntry = mapping(
  {
    cert: text('a path', 'PEM file with the certificate of this server, followed by intermediate certificates.'),
    key: text('a path', 'PEM file with its private key.'),
    clientCa: v.optional(
      text('a path', 'PEM file with the CAs of client certificates; clients without such a certificate are refused.'),
    ),
  },
  'Certificates. The files are reread when they change.',
);

export const pushEntry = v.optional(
  mapping(
    {
      listen: oneOrMany(pushAddress, 'Addresses to serve DNS Push on, over TLS.'),
      tls: v.optional(tlsEntry),
      plaintext: v.optional(
        flag('Plain TCP instead of `tls`. For tests: RFC 8765 forbids it, and other clients refuse it.'),
        false,
      ),
      name: v.optional(
        domainName(
          'the name of this server',
          'Name of this server in its certificate: the target of _dns-push-tls._tcp.ZONE in every zone, by which clients find it; default: the first name server of each zone.',
        ),
      ),
      sessions: v.optional(integer(1, MAX_SESSIONS, 'Maximum number of sessions.'), 8_192),
      sessionsPerClient: v.optional(integer(1, MAX_SESSIONS, 'Maximum number of sessions of one client address.'), 64),
      subscriptionsPerSession: v.optional(
        integer(1, 65_535, 'Maximum number of subscriptions of one session.'),
        20_000,
      ),
      subscriptions: v.optional(
        integer(1, 100_000_000, 'Maximum number of subscriptions of all sessions, each some 200 bytes.'),
        4_000_000,
      ),
    },
    'DNS Push Notifications (RFC 8765): clients subscribe to names and learn of each change in milliseconds. See docs/push.md.',
  ),
);

type PushInput = NonNullable<v.InferOutput<typeof pushEntry>>;

/** `others`: the valid addresses of `listen` and `http`. */
export function checkPush(input: PushInput, others: readonly string[], folder: string, reporter: Reporter): void {
  const taken = new Set(others.map((value) => formatListenAddress(parseListenAddress(value))));
  for (const value of [input.listen].flat()) {
    const address = formatListenAddress(parseListenAddress(value));
    if (!address.endsWith(':0') && taken.has(address))
      reporter.problem(
        ['push', 'listen'],
        `\`push.listen\`: ${shown(value)} is already in use by \`listen\` or \`http\`: expected another port`,
      );
    taken.add(address);
  }
  if (input.tls !== undefined) checkTlsFiles(input.tls, ['push', 'tls'], folder, reporter);
  if ((input.tls === undefined) !== input.plaintext)
    reporter.problem(
      ['push'],
      input.plaintext
        ? '`push`: `tls` and `plaintext` exclude each other'
        : '`push`: `tls` is missing: RFC 8765 requires TLS (for tests, set `plaintext: true`)',
    );
}

/** Paths are relative to `folder`. */
export function buildPush(input: PushInput, folder: string): PushConfig {
  const { tls, name, listen, plaintext: _plaintext, ...limits } = input;
  const settings: PushSettings = {
    ...limits,
    listen: [listen].flat().map(parseListenAddress),
    tls: tls && {
      cert: resolve(folder, tls.cert),
      key: resolve(folder, tls.key),
      clientCa: tls.clientCa && resolve(folder, tls.clientCa),
    },
  };
  return { ...settings, ...(name !== undefined && { name: absoluteName(name) }) };
}
