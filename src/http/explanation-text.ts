// An explanation as text for a terminal.
import type { RRsetAnswer } from '../zone/explain/answers.ts';
import type { AddressHolder } from './address-holders.ts';
import type {
  Explanation,
  FactExplanation,
  InstanceExplanation,
  ServiceExplanation,
  StaleSource,
} from './explanation.ts';
import { forwardingLines } from './forwarding.ts';

export function explanationText(explanation: Explanation): string {
  const { replica } = explanation;
  return printableLines([...linesOf(explanation), ...(replica === undefined ? [] : ['', `answered by ${replica}`])]);
}

export const printableLines = (lines: readonly string[]): string => lines.map(printable).join('\n');

function linesOf(explanation: Explanation): string[] {
  const { name, summary, answers, claims, services, target, stale = [], forwarding, suggestions = [] } = explanation;
  return [
    ...askedLines(explanation),
    name,
    `  ${summary}`,
    ...suggestions.map((one) => `  did you mean ${one}?`),
    ...stale.map(staleLine),
    ...(forwarding === undefined ? [] : forwardingLines(forwarding, forwarding.isForwarded)),
    ...(explanation.holders === undefined ? [] : holderLines(explanation.address!, explanation.holders)),
    ...answers.map(answerLine),
    ...(claims.length > 1 ? ['', 'Claimed by', ...claims.map(claimLine)] : []),
    ...services.filter(isShown).flatMap((service) => ['', ...serviceLines(service)]),
    ...(target === undefined ? [] : ['', ...linesOf(target)]),
  ];
}

/** What led to the name that is explained. */
function askedLines({ askedFor, search }: Explanation): string[] {
  const short = askedFor === undefined ? [] : [`${askedFor} is short for`];
  if (search === undefined) return short;
  return [
    `From ${search.from}: ${search.note}`,
    ...search.steps.map(({ name, outcome }) => `  asks for ${name} ${outcome}`),
    ...(search.steps.length > 0 ? [''] : []),
    ...short,
  ];
}

function staleLine({ source, ageSeconds, problems }: StaleSource): string {
  const age = ageSeconds === undefined ? `NOT READ ${source}` : `STALE ${source}: ${ageSeconds} s old`;
  return `  ${age}${problems.length > 0 ? ` (${problems.join('; ')})` : ''}`;
}

function holderLines(address: string, holders: readonly AddressHolder[]): string[] {
  if (holders.length === 0) return [`  no service, instance or pod has ${address}`];
  return holders.map(({ name, as, instance, answered, reason }) => {
    if (as === 'cluster IP') return `  cluster IP of ${name}`;
    return `  ${answered ? 'in ' : 'OUT'} ${as} ${instance} of ${name}: ${reason}`;
  });
}

/** Maximum number of records of a type that are listed; `--json` has more. */
const MAX_RECORDS = 8;

function answerLine({ type, ttlSeconds, outcome, answered, leftOut, atMost }: RRsetAnswer): string {
  if (outcome !== 'answered')
    return `  ${type}: ${outcome}${leftOut.length === 0 ? '' : `, without ${listed(leftOut)}`}`;
  const some = atMost > 0 && atMost < answered.length ? `, ${atMost} in an answer` : '';
  const without = leftOut.length === 0 ? '' : `; without ${listed(leftOut)}`;
  return `  ${type} ${listed(answered)} (TTL ${ttlSeconds}${some})${without}`;
}

function listed(records: readonly string[]): string {
  const more = records.length - MAX_RECORDS;
  return `${records.slice(0, MAX_RECORDS).join(' | ')}${more > 0 ? ` | … and ${more} more` : ''}`;
}

/** A namespace has nothing to show unless one of its pods is explained. */
const isShown = ({ kind, instances }: ServiceExplanation) => kind !== 'namespace' || instances.length > 0;

const claimLine = ({ owner, types, answered, reason }: Explanation['claims'][number]) =>
  `  ${owner} (${types.join(', ')}): ${answered.length === 0 ? 'not answered' : `answers ${answered.join(', ')}`}; ${reason}`;

function serviceLines(service: ServiceExplanation): string[] {
  const { key, kind, namespace, isWhole, clusterIps, externalName, policyText, instances, more, problems } = service;
  const answered = instances.filter((instance) => instance.answered).length;
  return [
    kind === 'namespace' ? `Pods of the namespace ${namespace}` : `Service ${key}`,
    ...(kind === 'clusterIp' && isWhole
      ? [`  answers its cluster IP ${(clusterIps ?? []).join(', ')}, regardless of health`]
      : []),
    ...(externalName === undefined ? [] : [`  is an alias of ${externalName}`]),
    `  policy: ${policyText}`,
    ...problems.map((problem) => `  left out: ${problem}`),
    ...(instances.length === 0 || !isWhole ? [] : [`  ${answered} of ${instances.length} instances may be answered`]),
    ...instances.flatMap(instanceLines),
    ...(more === 0 ? [] : [`  … and ${more} more`]),
  ];
}

function instanceLines(instance: InstanceExplanation): string[] {
  const { id, addresses, status, answered, rule, reason, since, weightPercent, facts } = instance;
  return [
    `  ${answered ? 'in ' : 'OUT'} ${id} (${addresses.join(', ')}) ${status}`,
    `      rule ${rule}: ${reason}${since === undefined ? '' : ` (since ${since})`}`,
    ...(weightPercent === undefined ? [] : [`      slow start: ${weightPercent} % of its weight by now`]),
    ...facts.map(factLine),
  ];
}

const factLine = ({ source, name, status, reason, since, uncounted }: FactExplanation) =>
  `      fact ${source}${name === undefined ? '' : ` ${name}`} ${since} ${status}: ${reason}${uncounted === undefined ? '' : ` (not counted: ${uncounted})`}`;

/** Reasons are external input and must not contain control sequences. */
const printable = (line: string) => line.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
