// The policy of a service, for people.
import { describePolicies } from '../health/policies/policies.ts';
import type { ServicePolicy } from '../registry/model.ts';

export function policyText(policy: ServicePolicy): string {
  return [
    `unknown is ${policy.unknown === 'answer' ? 'answered' : 'excluded'}`,
    `if none may be answered: ${policy.whenAllUnhealthy}`,
    ...(policy.maxAnswers === 0 ? [] : [`at most ${policy.maxAnswers} answers`]),
    ...(policy.routing === 'weighted' ? ['one answer, by weight'] : []),
    ...(policy.publishNotReady ? ['published regardless of health'] : []),
    ...describePolicies(policy),
  ].join('; ');
}
