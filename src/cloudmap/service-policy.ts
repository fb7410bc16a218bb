// Policies of a Cloud Map service, for which the API has no member: the service attribute `healthdns.policy`, a JSON object
// with the policy keys of zones.yaml.
import type * as v from 'valibot';
import { policyEntries, servicePolicy } from '../config/sections/policy.ts';
import { mapping } from '../reading/shape.ts';
import { validate } from '../reading/validate.ts';
import type { ServicePolicy } from '../registry/model.ts';
import { AwsError } from './aws-error.ts';

const POLICY_ATTRIBUTE = 'healthdns.policy';

/**
 * Routing comes from the DnsConfig. External sources come from the configuration, so that API clients cannot make healthdns
 * send requests to arbitrary addresses.
 */
const { routing: _routing, externalHealth: _externalHealth, ...allowed } = policyEntries;
const schema = mapping(allowed, 'A policy.');

/** @throws AwsError InvalidInput with the problem of an invalid attribute */
export function checkPolicyAttribute(attributes: Readonly<Record<string, string>>): void {
  const problem = readPolicy(attributes).problem;
  if (problem !== undefined) throw new AwsError('InvalidInput', `attribute ${POLICY_ATTRIBUTE}: ${problem}`);
}

/** The attribute's policies over the defaults; the defaults alone if the attribute is missing or invalid. */
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
