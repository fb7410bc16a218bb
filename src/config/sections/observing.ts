// `metrics`, `topQueries` and `dnstap`: observing queries.
import { hostname } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import * as v from 'valibot';
import { parseIp } from '../../dns/ip.ts';
import type { DnstapSettings } from '../../plane/settings.ts';
import { show } from '../../reading/problem.ts';
import { choice, expecting, mapping, text } from '../../reading/shape.ts';
import { VERSION } from '../../version.ts';

const EXPECTED = 'the path of a unix socket, or tcp://ADDRESS:PORT';

const dnstapSchema = mapping(
  {
    to: text(EXPECTED, 'The path of a unix socket, or tcp://ADDRESS:PORT.', (value) => {
      if (!value.startsWith('tcp:'))
        return value.includes('://') ? `expected ${EXPECTED}, got ${show(value)}` : undefined;
      const [, address, port] = /^tcp:\/\/\[?([^\]]+?)\]?:(\d{1,5})$/.exec(value) ?? [];
      const fits = address !== undefined && parseIp(address) !== undefined && Number(port) > 0 && Number(port) < 65_536;
      return fits ? undefined : `expected ${EXPECTED}, got ${show(value)}`;
    }),
    identity: v.optional(text('a text', 'Identity of this server in the stream; default: its host name.')),
    version: v.optional(text('a text', 'Version in the stream; default: healthdns and its version.')),
  },
  'Copies every query and response to a program, as Frame Streams.',
);

export const observingEntries = {
  metrics: v.optional(
    choice(
      ['healthdns', 'coredns'],
      "Metrics at /metrics; coredns: CoreDNS's as well, for dashboards and alerts that were made for it.",
    ),
    'healthdns',
  ),
  topQueries: v.optional(
    v.pipe(
      v.boolean(expecting('true or false')),
      v.description('Count the most frequent names and clients, for `healthdns top`.'),
    ),
    true,
  ),
  dnstap: v.optional(dnstapSchema),
};

/** `folder`: base of relative paths. */
export function buildDnstap(
  input: v.InferOutput<typeof dnstapSchema> | undefined,
  folder: string,
): DnstapSettings | undefined {
  if (input === undefined) return undefined;
  const { to, identity = hostname(), version = `healthdns ${VERSION}` } = input;
  return { to: to.startsWith('tcp:') || isAbsolute(to) ? to : resolve(folder, to), identity, version };
}
