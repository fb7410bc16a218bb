// `acl`, `rewrite`, `autopath`, `queryLog`: applied to queries before they are answered, for our own and external names.
import * as v from 'valibot';
import { MAX_TTL_SECONDS } from '../../dns/limits.ts';
import { NameError, parseName } from '../../dns/name.ts';
import { patternProblem, unknownGroup } from '../../dns/pattern.ts';
import { parseType, RCODE } from '../../dns/types.ts';
import type { AclRule, Dns64Settings, FrontSettings, RewriteRule } from '../../plane/forward-settings.ts';
import { type Path, type Reporter, show } from '../../reading/problem.ts';
import { choice, flag, list, mapping, text, ttlSeconds, whichever } from '../../reading/shape.ts';
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

const KINDS = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const;

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'] as const;
const PATTERN = 'Regular expression (RE2) for the whole name, in lower case, with the trailing dot.';

const answerSchema = mapping(
  {
    part: choice(
      ['name', 'value'],
      'name: the names of records; value: the names in the data of CNAME, DNAME, MX, NS, SOA and SRV records.',
    ),
    from: text('a regular expression', PATTERN),
    to: text('a replacement', 'The replacement; $1 … $9 are replaced with the groups of the regular expression.'),
  },
  'Replaces names in the answer.',
);

const rewriteSchema = mapping(
  {
    kind: v.optional(choice(KINDS, 'How `from` is matched.'), 'exact'),
    from: v.optional(
      text(
        'a name, part of one, or a regular expression',
        'What to replace, or which names the rule is for; default: all. A suffix with a leading dot (.example.com) matches only names below it. A substring is replaced wherever it occurs. A regular expression (RE2) applies to the whole name, in lower case, with the trailing dot.',
      ),
    ),
    to: v.optional(
      text(
        'a replacement',
        'The replacement; $1 … $9 are replaced with the groups of a regular expression. Default: the name stays.',
      ),
    ),
    answer: v.optional(
      v.pipe(
        whichever(
          (input) => typeof input === 'string',
          choice(['name', 'auto'], ''),
          list(answerSchema, 'Rules for names in the answer, applied in order.'),
        ),
        v.description(
          'Names in the answer. name: records of the replacement show the original name; auto: names in record data as well, and with a suffix all names below it; or rules in addition to `name`.',
        ),
      ),
      'name',
    ),
    type: v.optional(
      mapping(
        { from: recordType, to: recordType },
        'Only queries of type `from`, which are looked up as type `to`; ANY is a type.',
      ),
    ),
    minTtlSeconds: v.optional(ttlSeconds('Lower bound for TTLs in the answer.')),
    maxTtlSeconds: v.optional(ttlSeconds('Upper bound for TTLs in the answer.')),
    rcode: v.optional(
      mapping(
        { from: choice(RCODES, 'A response code.'), to: choice(RCODES, 'The replacement.') },
        'Replaces a response code.',
      ),
    ),
    cname: v.optional(
      mapping(
        {
          from: domainName('a name', 'Target of a CNAME record.'),
          to: domainName('a name', 'The replacement, which is looked up.'),
        },
        'Replaces the target of an alias in the answer.',
      ),
    ),
    continue: v.optional(flag('Later rules apply as well, to the resulting name.'), false),
  },
  'Replaces the name or type of a query, and parts of its answer. The first match wins.',
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

const nsid = text(
  'a name of 1 to 128 bytes',
  'Identifier of this server for clients that ask for it (NSID, RFC 5001); false: none.',
  (value) =>
    value === '' || Buffer.byteLength(value) > 128
      ? `expected a name of 1 to 128 bytes, got ${show(value)}`
      : undefined,
);

export const frontEntries = {
  acl: v.optional(list(aclSchema, 'Access control list.'), []),
  rewrite: v.optional(list(rewriteSchema, 'Rewrites names in queries.'), []),
  autopath: v.optional(autopathSchema),
  nsid: v.optional(
    v.pipe(
      whichever((input) => input === false, v.literal(false), nsid),
      v.description('Identifier of this server for clients that ask for it (NSID, RFC 5001); false: none.'),
    ),
    false,
  ),
  queryLog: queryLogEntry,
};

const inputSchema = v.object(frontEntries);
export type FrontInput = v.InferOutput<typeof inputSchema>;

export function checkRewrites(input: FrontInput, reporter: Reporter): void {
  for (const [i, rule] of input.rewrite.entries()) checkRewrite(rule, ['rewrite', i], reporter);
}

function checkRewrite(rule: FrontInput['rewrite'][number], path: Path, reporter: Reporter): void {
  const { kind, from, to, answer, minTtlSeconds: least = 0, maxTtlSeconds: most = least } = rule;
  const changes = [to, rule.type, rule.minTtlSeconds, rule.maxTtlSeconds, rule.rcode, rule.cname];
  if (changes.every((change) => change === undefined) && !Array.isArray(answer))
    reporter.problem(
      path,
      'the rule changes nothing: it has neither `to`, `type`, `rcode`, `cname`, `answer` nor a TTL',
    );
  if (rule.maxTtlSeconds !== undefined && least > most)
    reporter.problem([...path, 'minTtlSeconds'], '`minTtlSeconds` is more than `maxTtlSeconds`');
  if (Array.isArray(answer))
    for (const [i, one] of answer.entries())
      checkReplacement('regex', one.from, one.to, [...path, 'answer', i], reporter);
  if (from !== undefined) checkReplacement(kind, from, to ?? from, path, reporter);
  else if (to !== undefined) checkReplacement('exact', '.', to, path, reporter);
}

function checkReplacement(
  kind: FrontInput['rewrite'][number]['kind'],
  from: string,
  to: string,
  path: Path,
  reporter: Reporter,
): void {
  const dotted = kind === 'suffix' && [from, to].some(hasLeadingDot);
  if (dotted && from !== '.' && to !== '.' && !(hasLeadingDot(from) && hasLeadingDot(to)))
    reporter.problem(path, '`from` and `to` of a suffix: both begin with a dot, or neither does');
  const [first, second] = dotted ? [from, to].map(withoutLeadingDot) : [from, to];
  const problem = fromProblem(kind, first);
  if (problem !== undefined) reporter.problem([...path, 'from'], `\`from\` ${show(from)}: ${problem}`);
  if (to === from) return;
  const group = kind === 'regex' && problem === undefined ? unknownGroup(from, to) : undefined;
  if (group !== undefined) reporter.problem([...path, 'to'], `\`to\` ${show(to)}: \`from\` has no group ${group}`);
  // The groups are not known yet; each stands for at least one character.
  const wrong = nameProblem(exampleOf(kind, second));
  if (wrong !== undefined) reporter.problem([...path, 'to'], `\`to\` ${show(to)}: ${wrong}`);
}

function fromProblem(kind: RewriteRule['kind'], from: string): string | undefined {
  if (kind === 'regex') return patternProblem(from);
  if (kind === 'substring') return from === '' ? 'it is empty' : undefined;
  return kind === 'prefix' ? undefined : nameProblem(from);
}

/** A name that `to` may lead to. */
function exampleOf(kind: RewriteRule['kind'], to: string): string {
  if (kind === 'regex') return to.replace(/\$\d/g, 'x');
  if (kind === 'substring') return `x${to}x`;
  return kind === 'prefix' ? `${to}x` : to;
}

/** undefined: nothing is configured. */
export function buildFront(
  input: FrontInput,
  dns64: Dns64Settings | undefined,
  zones: readonly ZoneConfig[],
  reporter: Reporter,
): FrontSettings | undefined {
  const { acl, rewrite, autopath, queryLog, nsid } = input;
  const isEmpty =
    acl.length === 0 && rewrite.length === 0 && autopath === undefined && queryLog === false && nsid === false;
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
    ...(nsid !== false && { nsid }),
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

function buildRewrite(input: FrontInput['rewrite'][number]): RewriteRule {
  const { kind, from, to, answer, type, rcode, cname } = input;
  const { minTtlSeconds: least = 0, maxTtlSeconds: most = MAX_TTL_SECONDS } = input;
  const isTtl = input.minTtlSeconds !== undefined || input.maxTtlSeconds !== undefined;
  return {
    kind,
    from: from && nameOf(kind, from),
    to: to && nameOf(from === undefined ? 'exact' : kind, to),
    ...(answer !== 'name' && { answer }),
    ...(type && { type: { from: parseType(type.from)!, to: parseType(type.to)! } }),
    ...(isTtl && { ttl: { least, most } }),
    ...(rcode && { rcode: { from: RCODE[rcode.from], to: RCODE[rcode.to] } }),
    ...(cname && { cname: { from: absoluteName(cname.from), to: absoluteName(cname.to) } }),
    ...(input.continue && { continues: true }),
  };
}

function nameOf(kind: RewriteRule['kind'], value: string): string {
  if (kind === 'regex') return value;
  if (kind === 'prefix' || kind === 'substring') return value.toLowerCase();
  return kind === 'suffix' ? absoluteSuffix(value) : absoluteName(value);
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
