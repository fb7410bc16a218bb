// An explanation as text for a terminal.
import { describePolicies } from '../health/policies/policies.ts';
import type { ServicePolicy } from '../registry/model.ts';
import type { RRsetAnswer } from '../zone/explain/answers.ts';
import type { Explanation, FactExplanation, InstanceExplanation, ServiceExplanation } from './explanation.ts';

export function explanationText(explanation: Explanation): string {
  return printableLines(linesOf(explanation));
}

export const printableLines = (lines: readonly string[]): string => lines.map(printable).join('\n');

function linesOf({ name, summary, answers, claims, services, target }: Explanation): string[] {
  return [
    name,
    `  ${summary}`,
    ...answers.map(answerLine),
    ...(claims.length > 1 ? ['', 'Claimed by', ...claims.map(claimLine)] : []),
    ...services.filter(isShown).flatMap((service) => ['', ...serviceLines(service)]),
    ...(target === undefined ? [] : ['', ...linesOf(target)]),
  ];
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
  const { key, kind, namespace, isWhole, clusterIps, externalName, policy, instances, more, problems } = service;
  const answered = instances.filter((instance) => instance.answered).length;
  return [
    kind === 'namespace' ? `Pods of the namespace ${namespace}` : `Service ${key}`,
    ...(kind === 'clusterIp' && isWhole
      ? [`  answers its cluster IPs ${(clusterIps ?? []).join(', ')}, regardless of health`]
      : []),
    ...(externalName === undefined ? [] : [`  is an alias of ${externalName}`]),
    `  policy: ${policyText(policy)}`,
    ...problems.map((problem) => `  left out: ${problem}`),
    ...(instances.length === 0 || !isWhole ? [] : [`  ${answered} of ${instances.length} instances may be answered`]),
    ...instances.flatMap(instanceLines),
    ...(more === 0 ? [] : [`  … and ${more} more`]),
  ];
}

function policyText(policy: ServicePolicy): string {
  return [
    `unknown is ${policy.unknown === 'answer' ? 'answered' : 'excluded'}`,
    `if none may be answered: ${policy.whenAllUnhealthy}`,
    ...(policy.maxAnswers === 0 ? [] : [`at most ${policy.maxAnswers} answers`]),
    ...(policy.routing === 'weighted' ? ['one answer, by weight'] : []),
    ...(policy.publishNotReady ? ['published regardless of health'] : []),
    ...describePolicies(policy),
  ].join('; ');
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
