// `hosts`, `templates`, `dns64`, `rebindingFilter`: local answers for external names, and changes to those of upstream servers.
import { resolve } from 'node:path';
import * as v from 'valibot';
import { parseIp } from '../../dns/ip.ts';
import { patternProblem, unknownGroup } from '../../dns/pattern.ts';
import { composeRdata } from '../../dns/rdata/rdata.ts';
import { parseType, RCODE, TYPE } from '../../dns/types.ts';
import type { Dns64Settings, ForwardSettings, HostsSettings, TemplateSettings } from '../../plane/forward-settings.ts';
import { type Reporter, show } from '../../reading/problem.ts';
import { choice, expecting, flag, list, mapping, oneOrMany, text, ttlSeconds, whichever } from '../../reading/shape.ts';
import { absoluteName, canonical, domainName, ipAddress } from './names.ts';

const hostsSchema = mapping(
  {
    files: v.optional(
      list(text('a path', 'A path.'), 'Files in the format of /etc/hosts, reread when they change.'),
      [],
    ),
    entries: v.optional(
      list(
        mapping(
          {
            address: ipAddress('any', 'The address.'),
            names: oneOrMany(domainName('a name', 'An absolute name.'), 'Names of this address.'),
          },
          'An address and its names.',
        ),
        'Addresses and their names.',
      ),
      [],
    ),
    zones: v.optional(
      list(domainName('a zone', 'A zone.'), 'Only names at or below these, and PTR records of them; empty means all.'),
      [],
    ),
    ttlSeconds: v.optional(ttlSeconds('TTL of these answers.'), 3600),
    reverse: v.optional(flag('Also answer PTR queries for the addresses.'), true),
  },
  'Static addresses for names that are not in `zones`.',
);

const templateSchema = mapping(
  {
    zone: v.optional(domainName('a zone', 'Applies to names at or below it.'), '.'),
    type: v.optional(
      text('a record type, or ANY', 'Record type, or ANY for all.', (value) =>
        parseType(value) === undefined ? `expected a record type such as A, got ${show(value)}` : undefined,
      ),
      'ANY',
    ),
    match: v.optional(
      text(
        'a regular expression',
        'Regular expression (RE2) for the whole name, in lower case, with the trailing dot.',
        (value) => {
          const problem = patternProblem(value);
          return problem && `pattern ${show(value)}: ${problem}`;
        },
      ),
    ),
    rcode: v.optional(choice(['NOERROR', 'NXDOMAIN', 'REFUSED', 'SERVFAIL'], 'Response code.'), 'NOERROR'),
    values: v.optional(
      list(
        text('record data', 'Value as in a zone file.'),
        'Record values; $1 … $9 are replaced with the groups of `match`.',
      ),
      [],
    ),
    ttlSeconds: v.optional(ttlSeconds('TTL of these answers.'), 60),
  },
  'An answer generated from the queried name.',
);

const PREFIX_BITS = [32, 40, 48, 56, 64, 96] as const;
const DEFAULT_PREFIX = '64:ff9b::/96';

const dns64Schema = mapping(
  {
    prefix: v.optional(
      text(
        `an IPv6 prefix such as ${DEFAULT_PREFIX}`,
        'NAT64 prefix of 32, 40, 48, 56, 64 or 96 bits (RFC 6052).',
        (value) =>
          parsePrefix(value) === undefined
            ? `expected an IPv6 prefix of ${PREFIX_BITS.join(', ')} bits such as ${DEFAULT_PREFIX}, got ${show(value)}`
            : undefined,
      ),
      DEFAULT_PREFIX,
    ),
    translateAll: v.optional(flag('Also synthesize for names that have AAAA records.'), false),
  },
  'Synthesizes AAAA records from A records, also for own zones (RFC 6147).',
);

const boolean = v.boolean(expecting('true, false or a mapping'));
const isBoolean = (input: unknown) => typeof input === 'boolean';

const rebindingSchema = mapping(
  {
    allow: v.optional(list(domainName('a zone', 'A zone.'), 'Names at or below these may have private addresses.'), []),
  },
  'Removes private addresses from upstream answers.',
);

export const forwardLocalEntries = {
  hosts: v.optional(hostsSchema),
  templates: v.optional(list(templateSchema, 'Answers generated from the queried name; the first match wins.'), []),
  dns64: v.optional(
    v.pipe(whichever(isBoolean, boolean, dns64Schema), v.description('DNS64 (RFC 6147): true, or settings.')),
    false,
  ),
  rebindingFilter: v.optional(
    v.pipe(
      whichever(isBoolean, boolean, rebindingSchema),
      v.description('Remove private addresses from upstream answers: true, or exceptions.'),
    ),
    false,
  ),
  loopDetection: v.optional(
    flag('Detect upstream servers that forward back to this server, and do not use them.'),
    true,
  ),
  loadbalance: v.optional(flag('Rotate addresses in cached answers.'), true),
};

const inputSchema = v.object(forwardLocalEntries);
export type ForwardLocalInput = v.InferOutput<typeof inputSchema>;

export function checkForwardLocal(input: ForwardLocalInput, reporter: Reporter): void {
  for (const [i, template] of input.templates.entries()) {
    const type = parseType(template.type) ?? TYPE.ANY;
    if (type === TYPE.ANY && template.values.length > 0)
      reporter.problem(['templates', i], '`values` need a `type` other than ANY');
    for (const [j, value] of template.values.entries())
      checkValue(type, value, template.match ?? '', ['templates', i, 'values', j], reporter);
  }
}

/** Values with groups depend on the name; others can be checked. */
function checkValue(
  type: number,
  value: string,
  match: string,
  path: readonly (string | number)[],
  reporter: Reporter,
): void {
  const group = unknownGroup(match, value);
  if (group !== undefined) reporter.problem(path, `${show(value)}: \`match\` has no group ${group}`);
  if (type === TYPE.ANY || /\$\d/.test(value)) return;
  try {
    composeRdata(type, value);
  } catch (error) {
    reporter.problem(path, (error as Error).message);
  }
}

export function buildForwardLocal(
  input: ForwardLocalInput,
  folder: string,
): Pick<ForwardSettings, 'hosts' | 'templates' | 'dns64' | 'rebinding' | 'loopDetection' | 'loadbalance'> {
  const { rebindingFilter } = input;
  const allow = typeof rebindingFilter === 'object' ? rebindingFilter.allow : [];
  return {
    hosts: input.hosts && hasHosts(input.hosts) ? buildHosts(input.hosts, folder) : undefined,
    templates: input.templates.map(buildTemplate),
    dns64: buildDns64(input),
    rebinding: rebindingFilter === false ? undefined : { allow: allow.map((zone) => absoluteName(zone)) },
    loopDetection: input.loopDetection,
    loadbalance: input.loadbalance,
  };
}

export function buildDns64({ dns64 }: Pick<ForwardLocalInput, 'dns64'>): Dns64Settings | undefined {
  if (dns64 === false) return undefined;
  const { prefix, translateAll } = dns64 === true ? { prefix: DEFAULT_PREFIX, translateAll: false } : dns64;
  return { ...parsePrefix(prefix)!, translateAll };
}

const hasHosts = ({ files, entries }: v.InferOutput<typeof hostsSchema>) => files.length + entries.length > 0;

function buildHosts(input: v.InferOutput<typeof hostsSchema>, folder: string): HostsSettings {
  return {
    files: input.files.map((file) => resolve(folder, file)),
    entries: input.entries.map(({ address, names }) => ({
      address: canonical(address),
      names: [names].flat().map((name) => absoluteName(name)),
    })),
    ttlSeconds: input.ttlSeconds,
    ...(input.zones.length > 0 && { zones: input.zones.map((zone) => absoluteName(zone)) }),
    reverse: input.reverse,
  };
}

function buildTemplate(input: v.InferOutput<typeof templateSchema>): TemplateSettings {
  const type = parseType(input.type) ?? TYPE.ANY;
  return {
    zone: absoluteName(input.zone),
    type: type === TYPE.ANY ? 0 : type,
    match: input.match,
    rcode: RCODE[input.rcode],
    values: input.values,
    ttlSeconds: input.ttlSeconds,
  };
}

function parsePrefix(value: string): Pick<Dns64Settings, 'prefix' | 'prefixBits'> | undefined {
  const [address, bits] = value.split('/');
  const prefixBits = PREFIX_BITS.find((known) => String(known) === bits);
  return prefixBits !== undefined && parseIp(address)?.length === 16 ? { prefix: address, prefixBits } : undefined;
}
