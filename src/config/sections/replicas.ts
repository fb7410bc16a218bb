// `replicas` and `hold` of the file of `healthdns node`: where its zones come from, and how much of them it holds.
import { resolve } from 'node:path';
import * as v from 'valibot';
import type { Reporter } from '../../reading/problem.ts';
import { flag, integer, mapping, oneOrMany, seconds, text } from '../../reading/shape.ts';
import type { HoldConfig, ReplicasConfig } from '../node-config.ts';
import { targets, upstreamsOf } from './forward.ts';
import { parseListenAddress, pushAddress } from './listen.ts';
import { domainName } from './names.ts';
import { checkTlsFiles } from './upstream-tls.ts';

export const replicasEntry = mapping(
  {
    push: oneOrMany(
      pushAddress,
      'Addresses of `push.listen` of the replicas, or of a Service in front of them. One has the session, the next is used when it is lost.',
    ),
    dns: v.optional(targets, []),
    ca: v.optional(
      text(
        'a path',
        'PEM file with the authority of their certificates, read for each session; default: those of Node.js.',
      ),
    ),
    serverName: v.optional(domainName('a name', 'Expected name in the certificates; default: the address.')),
    plaintext: v.optional(flag('Sessions without TLS, which RFC 8765 forbids: for tests.'), false),
  },
  'Where the zones come from: DNS Push (RFC 8765) for names in use, and `dns`, ordinary servers of the same zones that are asked while there is no session.',
);

export const holdEntry = v.optional(
  mapping(
    {
      rrsets: v.optional(
        integer(
          16,
          50_000,
          'Maximum number of held RRsets, each with a subscription; the least recently used one makes room for a new one.',
        ),
        10_000,
      ),
      bytes: v.optional(integer(65_536, 1_073_741_824, 'The same in bytes.'), 8_388_608),
      unusedSeconds: v.optional(seconds(1, 86_400, 'An RRset that is not queried for this time is dropped.'), 300),
      negativeSeconds: v.optional(
        seconds(0, 5, 'How long negative answers are cached; they have no subscriptions.'),
        5,
      ),
    },
    'Limits of the records held.',
  ),
  {},
);

type ReplicasInput = v.InferOutput<typeof replicasEntry>;

export function checkReplicas(input: ReplicasInput, folder: string, reporter: Reporter): void {
  if ([input.push].flat().length === 0)
    reporter.problem(['replicas', 'push'], '`replicas.push`: expected at least one ADDRESS:PORT');
  checkTlsFiles({ ...(input.ca !== undefined && { ca: input.ca }) }, ['replicas'], folder, reporter);
  for (const server of [input.dns].flat())
    if (upstreamsOf(server).length === 0)
      reporter.problem(['replicas', 'dns'], `\`replicas.dns\`: expected addresses, got the path of a file`);
}

export function buildReplicas(input: ReplicasInput, folder: string): ReplicasConfig {
  const ca = input.ca && resolve(folder, input.ca);
  const serverName = input.serverName?.replace(/\.$/, '');
  return {
    push: [input.push].flat().map(parseListenAddress),
    dns: [input.dns].flat().flatMap((target) => upstreamsOf(target)),
    tls: input.plaintext ? undefined : { ca, serverName },
  };
}

export const buildHold = (input: v.InferOutput<typeof holdEntry>): HoldConfig => input;
