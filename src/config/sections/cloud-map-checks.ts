// `cloudMap.healthChecks`: checks of registered instances that the API cannot express. Of any type, including commands,
// because they come from this file and never from a client.
import * as v from 'valibot';
import { type Reporter, shown } from '../../reading/problem.ts';
import { list, mapping, text } from '../../reading/shape.ts';
import type { Soundness } from '../../reading/validate.ts';
import type { CloudMapCheck } from '../config.ts';
import { buildHealthCheck, checkHealthCheck, healthCheckEntry } from './health-check.ts';
import { label } from './names.ts';

const checkSchema = mapping(
  {
    namespace: text('the name of a namespace such as shop.local', 'Name of the Cloud Map namespace.', (value) =>
      value === '' ? 'expected the name of a namespace' : undefined,
    ),
    service: label('a service', 'Name of the Cloud Map service.'),
    healthCheck: healthCheckEntry.wrapped,
  },
  'The check of one service.',
);

export const cloudMapChecksEntry = v.optional(
  list(checkSchema, 'Checks that healthdns runs for the instances of a service, instead of its HealthCheckConfig.'),
  [],
);

type ChecksInput = v.InferOutput<typeof cloudMapChecksEntry>;

export function checkCloudMapChecks(checks: ChecksInput, soundness: Soundness, reporter: Reporter): void {
  const seen = new Set<string>();
  for (const [i, entry] of checks.entries()) {
    const path = ['cloudMap', 'healthChecks', i];
    if (!soundness.isSound(path)) continue;
    const { namespace, service } = canonical(entry);
    if (seen.has(`${service}.${namespace}`))
      reporter.problem(path, `duplicate: service ${shown(service)} of ${shown(namespace)} has a check already`);
    seen.add(`${service}.${namespace}`);
    checkHealthCheck(entry.healthCheck, [...path, 'healthCheck'], reporter);
  }
}

export const buildCloudMapChecks = (checks: ChecksInput): CloudMapCheck[] =>
  checks.map((entry) => ({ ...canonical(entry), healthCheck: buildHealthCheck(entry.healthCheck) }));

const canonical = ({ namespace, service }: ChecksInput[number]) => ({
  namespace: namespace.toLowerCase().replace(/\.$/, ''),
  service: service.toLowerCase(),
});
