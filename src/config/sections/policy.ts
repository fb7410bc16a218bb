// Which instances of a service are answered: keys of a service, with defaults that its zone may set.
import * as v from 'valibot';
import { overlaid, type PolicyKey, policyKeys, type WrittenPolicies } from '../../health/policies/policies.ts';
import { choice, flag, integer } from '../../reading/shape.ts';
import type { ServicePolicy } from '../../registry/model.ts';

export const policyEntries = {
  whenAllUnhealthy: v.optional(
    choice(
      ['nodata', 'nxdomain', 'servfail', 'all'],
      'Answer if no instance is eligible: nodata (the default), nxdomain (the default of zones with `kubernetes`), servfail, or all (as Route 53: as if all were healthy).',
    ),
  ),
  unknown: v.optional(
    choice(
      ['answer', 'exclude'],
      'What to do with instances whose health is not known yet: answer (as ECS) or exclude.',
    ),
  ),
  maxAnswers: v.optional(
    integer(0, 65_535, 'Maximum number of addresses in an answer, chosen at random; 0: all. Cloud Map uses 8.'),
  ),
  routing: v.optional(
    choice(['multivalue', 'weighted'], 'multivalue: all live instances; weighted: one of them, chosen by weight.'),
  ),
  ...policyKeys,
};

/** Keys that only a service has. */
export const servicePolicyEntries = {
  publishNotReady: v.optional(
    flag('Answer all instances regardless of health (Kubernetes publishNotReadyAddresses).'),
    false,
  ),
};

type PolicyInput = Partial<Omit<ServicePolicy, 'publishNotReady' | PolicyKey>> & WrittenPolicies;

const DEFAULTS: ServicePolicy = {
  whenAllUnhealthy: 'nodata',
  unknown: 'answer',
  publishNotReady: false,
  maxAnswers: 0,
  routing: 'multivalue',
};

export function zonePolicy(zone: PolicyInput): ServicePolicy {
  return overlay(DEFAULTS, zone);
}

/** Kubernetes DNS specification 2.4.1: a headless service without ready endpoints is NXDOMAIN. */
export function clusterZonePolicy(zone: PolicyInput): ServicePolicy {
  return overlay({ ...DEFAULTS, whenAllUnhealthy: 'nxdomain' }, zone);
}

export function servicePolicy(zone: ServicePolicy, service: PolicyInput & { publishNotReady: boolean }): ServicePolicy {
  return { ...overlay(zone, service), publishNotReady: service.publishNotReady };
}

function overlay(base: ServicePolicy, over: PolicyInput): ServicePolicy {
  return {
    whenAllUnhealthy: over.whenAllUnhealthy ?? base.whenAllUnhealthy,
    unknown: over.unknown ?? base.unknown,
    publishNotReady: base.publishNotReady,
    maxAnswers: over.maxAnswers ?? base.maxAnswers,
    routing: over.routing ?? base.routing,
    ...overlaid(base, over),
  };
}
