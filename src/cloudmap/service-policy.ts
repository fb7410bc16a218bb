// Policies of one Cloud Map service, which the API has no member for: the service attribute `healthdns.policy`, a JSON
// object with the keys that a service has in zones.yaml.
import type * as v from 'valibot';
import { mapping } from '../config/reading/shape.ts';
import { validate } from '../config/reading/validate.ts';
import { policyEntries, servicePolicy } from '../config/sections/policy.ts';
import type { ServicePolicy } from '../registry/model.ts';
import { AwsError } from './aws-error.ts';

export const POLICY_ATTRIBUTE = 'healthdns.policy';

/**
 * Routing is the DnsConfig's. External sources are the configuration's: a client of the API must not have healthdns ask
 * any address it likes.
 */
const { routing: _routing, externalHealth: _externalHealth, ...allowed } = policyEntries;
const schema = mapping(allowed, 'A policy.');

/** @throws AwsError InvalidInput saying what is wrong with the attribute, where there is one */
export function checkPolicyAttribute(attributes: Readonly<Record<string, string>>): void {
  const problem = readPolicy(attributes).problem;
  if (problem !== undefined) throw new AwsError('InvalidInput', `attribute ${POLICY_ATTRIBUTE}: ${problem}`);
}

/** The defaults, where the attribute says nothing, or what it says cannot be read. */
export function policyOf(attributes: Readonly<Record<string, string>>, defaults: ServicePolicy): ServicePolicy {
  const { policy } = readPolicy(attributes);
  return policy === undefined ? defaults : servicePolicy(defaults, { ...policy, publishNotReady: false });
}

function readPolicy(attributes: Readonly<Record<string, string>>): {
  readonly policy?: v.InferOutput<typeof schema>;
  readonly problem?: string;
} {
  const text = attributes[POLICY_ATTRIBUTE];
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `not JSON: ${(error as Error).message}` };
  }
  const { output, problems } = validate(schema, value);
  return problems.length > 0 ? { problem: problems[0]!.message } : { policy: output };
}
