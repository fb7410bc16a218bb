// An explanation as text for a terminal.
import type { ServicePolicy } from '../registry/model.ts';
import type { OwnerExplanation } from '../zone/explain.ts';
import type { Explanation, FactExplanation, InstanceExplanation, ServiceExplanation } from './explanation.ts';

export function explanationText(explanation: Explanation): string {
  return linesOf(explanation).map(printable).join('\n');
}

function linesOf({ name, summary, claims, services, target }: Explanation): string[] {
  return [
    name,
    `  ${summary}`,
    ...(claims.length > 1 ? ['', 'Claimed by', ...claims.map(claimLine)] : []),
    ...services.flatMap((service) => ['', ...serviceLines(service)]),
    ...(target === undefined ? [] : ['', ...linesOf(target)]),
  ];
}

const claimLine = ({ owner, types, answered, reason }: OwnerExplanation) =>
  `  ${owner} (${types.join(', ')}): ${answered.length === 0 ? 'not answered' : `answers ${answered.join(', ')}`}; ${reason}`;

function serviceLines(service: ServiceExplanation): string[] {
  const { key, kind, clusterIps, externalName, policy, instances, more } = service;
  const answered = instances.filter((instance) => instance.answered).length;
  return [
    `Service ${key}`,
    ...(kind === 'clusterIp'
      ? [`  answers its cluster IPs ${(clusterIps ?? []).join(', ')}, whatever the health behind`]
      : []),
    ...(externalName === undefined ? [] : [`  is an alias of ${externalName}`]),
    `  policy: ${policyText(policy)}`,
    ...(instances.length === 0 ? [] : [`  ${answered} of ${instances.length} instances may be answered`]),
    ...instances.flatMap(instanceLines),
    ...(more === 0 ? [] : [`  … and ${more} more`]),
  ];
}

function policyText(policy: ServicePolicy): string {
  return [
    `unknown is ${policy.unknown === 'answer' ? 'answered' : 'excluded'}`,
    `when none may be answered: ${policy.whenAllUnhealthy}`,
    ...(policy.maxAnswers === 0 ? [] : [`at most ${policy.maxAnswers} answers`]),
    ...(policy.routing === 'weighted' ? ['one answer, by weight'] : []),
    ...(policy.publishNotReady ? ['published whatever the health'] : []),
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

const factLine = ({ source, name, status, reason, since, counted }: FactExplanation) =>
  `      fact ${source}${name === undefined ? '' : ` ${name}`} ${since} ${status}: ${reason}${counted ? '' : ' (repeats another source; not counted)'}`;

/** Reasons come from outside; nothing in them may steer a terminal. */
const printable = (line: string) => line.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
