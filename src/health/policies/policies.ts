// The health policies, in the order in which their rules apply. To add one: a file beside this one, and a line here.
import * as v from 'valibot';
import type { ServicePolicy } from '../../registry/model.ts';
import { externalHealth } from './external-health.ts';
import { flapDamping } from './flap-damping.ts';
import { grace } from './grace.ts';
import { maxEjection } from './max-ejection.ts';
import { panic } from './panic.ts';
import type { HealthPolicy } from './policy.ts';
import { slowStart } from './slow-start.ts';

const LIST = [externalHealth, grace, flapDamping, maxEjection, panic, slowStart] as const;

type Listed = (typeof LIST)[number];
type OfKey<Key> = Extract<Listed, { readonly key: Key }>;
export type PolicyKey = Listed['key'];

/** Without the types of their settings, which are those of their keys. */
export const POLICIES = LIST as unknown as readonly HealthPolicy<PolicyKey, v.GenericSchema>[];

/** The keys of zones.yaml. */
export const policyKeys = Object.fromEntries(LIST.map(({ key, schema }) => [key, v.optional(schema)])) as unknown as {
  readonly [Key in PolicyKey]: v.OptionalSchema<OfKey<Key>['schema'], undefined>;
};

export type WrittenPolicies = { readonly [Key in PolicyKey]?: v.InferOutput<OfKey<Key>['schema']> | undefined };

/** The policies of a service: its own, else those of `base`. A policy that is explicitly off is off. */
export function overlaid(base: Pick<ServicePolicy, PolicyKey>, over: WrittenPolicies): Pick<ServicePolicy, PolicyKey> {
  const settings = POLICIES.map(({ key, setting }) => [key, over[key] === undefined ? base[key] : setting(over[key])]);
  return Object.fromEntries(settings.filter(([, setting]) => setting !== undefined));
}

export const hasPolicies = (policy: ServicePolicy): boolean => POLICIES.some(({ key }) => policy[key] !== undefined);

/** The policies of a service in words. */
export const describePolicies = (policy: ServicePolicy): string[] =>
  POLICIES.flatMap(({ key, describe }) => {
    const setting = policy[key];
    return setting === undefined ? [] : [describe(setting)];
  });
