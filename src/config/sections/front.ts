// `acl`, `rewrite`, `autopath`, `queryLog`: applied to queries before they are answered, for our own and external names.
import * as v from 'valibot';
import { NameError, parseName } from '../../dns/name.ts';
import { patternProblem, unknownGroup } from '../../dns/pattern.ts';
import { parseType } from '../../dns/types.ts';
import type { AclRule, Dns64Settings, FrontSettings, RewriteRule } from '../../plane/forward-settings.ts';
import { type Path, type Reporter, show } from '../../reading/problem.ts';
import { choice, list, mapping, text } from '../../reading/shape.ts';
import type { ZoneConfig } from '../config.ts';
import { absoluteName, domainName } from './names.ts';
import { clientNetwork } from './network.ts';
import { buildQueryLog, queryLogEntry } from './query-log.ts';

const recordType = text('a record type', 'A record type.', (value) =>
  parseType(value) === undefined ? `expected a record type such as A, got ${show(value)}` : undefined,
);

const aclSchema = mapping(
  {
    action: choice(
      ['allow', 'block', 'filter', 'drop'],
      'allow; block: REFUSED; filter: an empty answer; drop: no answer.',
    ),
    zones: v.optional(
      list(domainName('a zone', 'A zone.'), 'Applies to names at or below these; empty means all.'),
      [],
    ),
    types: v.optional(list(recordType, 'Applies to these record types; empty means all.'), []),
    clients: v.optional(list(clientNetwork, 'Applies to clients in these networks; empty means all.'), []),
  },
  'A rule; the first match wins, and queries that match none are allowed.',
);

const KINDS = ['exact', 'prefix', 'suffix', 'regex'] as const;

const rewriteSchema = mapping(
  {
    kind: v.optional(choice(KINDS, 'How `from` is matched.'), 'exact'),
    from: text(
      'a name, part of one, or a regular expression',
      'What to replace. A suffix with a leading dot (.example.com) matches only names below it. A regular expression (RE2) applies to the whole name, in lower case, with the trailing dot.',
    ),
    to: text('a replacement', 'The replacement; $1 … $9 are replaced with the groups of a regular expression.'),
  },
  'Replaces the queried name; the answer shows the original name. The first match wins.',
);

const autopathSchema = mapping(
  {
    zone: domainName('a zone', "The cluster's zone, which must have `pods: verified`."),
    search: v.optional(
      list(domainName('a domain', 'A search domain.'), "The nodes' own search domains, tried last."),
      [],
    ),
  },
  'Resolves the search path of pods on the server.',
);

export const frontEntries = {
  acl: v.optional(list(aclSchema, 'Access control list.'), []),
  rewrite: v.optional(list(rewriteSchema, 'Rewrites names in queries.'), []),
  autopath: v.optional(autopathSchema),
  queryLog: queryLogEntry,
};

const inputSchema = v.object(frontEntries);
export type FrontInput = v.InferOutput<typeof inputSchema>;

export function checkRewrites(input: FrontInput, reporter: Reporter): void {
  for (const [i, rule] of input.rewrite.entries()) checkRewrite(rule, ['rewrite', i], reporter);
}

function checkRewrite({ kind, from, to }: FrontInput['rewrite'][number], path: Path, reporter: Reporter): void {
  const dotted = kind === 'suffix' && [from, to].some(hasLeadingDot);
  if (dotted && from !== '.' && to !== '.' && !(hasLeadingDot(from) && hasLeadingDot(to)))
    reporter.problem(path, '`from` and `to` of a suffix: both begin with a dot, or neither does');
  const [first, second] = dotted ? [from, to].map(withoutLeadingDot) : [from, to];
  const problem = kind === 'regex' ? patternProblem(from) : kind === 'prefix' ? undefined : nameProblem(first);
  if (problem !== undefined) reporter.problem([...path, 'from'], `\`from\` ${show(from)}: ${problem}`);
  const group = kind === 'regex' && problem === undefined ? unknownGroup(from, to) : undefined;
  if (group !== undefined) reporter.problem([...path, 'to'], `\`to\` ${show(to)}: \`from\` has no group ${group}`);
  // The groups are not known yet; each stands for at least one character.
  const example = kind === 'regex' ? to.replace(/\$\d/g, 'x') : kind === 'prefix' ? `${to}x` : second;
  const wrong = nameProblem(example);
  if (wrong !== undefined) reporter.problem([...path, 'to'], `\`to\` ${show(to)}: ${wrong}`);
}

/** undefined: nothing is configured. */
export function buildFront(
  input: FrontInput,
  dns64: Dns64Settings | undefined,
  zones: readonly ZoneConfig[],
  reporter: Reporter,
): FrontSettings | undefined {
  const { acl, rewrite, autopath, queryLog } = input;
  const isEmpty = acl.length === 0 && rewrite.length === 0 && autopath === undefined && queryLog === false;
  if (isEmpty && dns64 === undefined) return undefined;
  if (autopath !== undefined) warnOfPods(absoluteName(autopath.zone), zones, reporter);
  return {
    acl: acl.map(buildAcl),
    rewrites: rewrite.map(buildRewrite),
    autopath: autopath && {
      zone: absoluteName(autopath.zone),
      search: autopath.search.map((domain) => absoluteName(domain)),
    },
    dns64,
    queryLog: buildQueryLog(queryLog),
  };
}

function warnOfPods(name: string, zones: readonly ZoneConfig[], reporter: Reporter): void {
  const clusters = zones.filter((zone) => zone.name === name).flatMap((zone) => zone.kubernetes);
  if (clusters.some(({ pods }) => pods === 'verified')) return;
  reporter.warning(['autopath'], `\`autopath\` does nothing: no cluster of zone ${name} has \`pods: verified\``);
}

function buildAcl(input: FrontInput['acl'][number]): AclRule {
  return {
    action: input.action,
    zones: input.zones.map((zone) => absoluteName(zone)),
    types: input.types.map((type) => parseType(type)!),
    networks: input.clients,
  };
}

function buildRewrite({ kind, from, to }: FrontInput['rewrite'][number]): RewriteRule {
  if (kind === 'regex') return { kind, from, to };
  if (kind === 'prefix') return { kind, from: from.toLowerCase(), to: to.toLowerCase() };
  if (kind === 'suffix') return { kind, from: absoluteSuffix(from), to: absoluteSuffix(to) };
  return { kind, from: absoluteName(from), to: absoluteName(to) };
}

const hasLeadingDot = (value: string) => value.length > 1 && value[0] === '.';
const withoutLeadingDot = (value: string) => (hasLeadingDot(value) ? value.slice(1) : value);
const absoluteSuffix = (value: string) => `${hasLeadingDot(value) ? '.' : ''}${absoluteName(withoutLeadingDot(value))}`;

function nameProblem(value: string): string | undefined {
  try {
    parseName(value);
    return undefined;
  } catch (error) {
    if (error instanceof NameError) return error.message;
    throw error;
  }
}
