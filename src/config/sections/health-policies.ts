// Policies beyond those of ECS and Cloud Map: docs/health.md says what each one does. All are off unless written.
import * as v from 'valibot';
import type { ExternalHealth, ServicePolicy } from '../../registry/model.ts';
import { show } from '../reading/problem.ts';
import { choice, integer, list, mapping, seconds, text } from '../reading/shape.ts';

const percent = (description: string) => integer(0, 100, description);

const panic = v.pipe(
  mapping(
    {
      belowPercent: percent('All instances are answered while fewer than this share of them is healthy; 0: never.'),
      untilPercent: v.optional(percent('… until this share is healthy again; default 10 more than belowPercent.')),
    },
    'Too many unhealthy at once: answer all of them, for the checks are likelier wrong than the instances.',
  ),
  v.check(
    ({ belowPercent, untilPercent = 100 }) => untilPercent >= belowPercent,
    'expected `untilPercent` to be at least `belowPercent`',
  ),
);

const flapDamping = mapping(
  {
    falls: integer(1, 100, 'So many falls within about a half-life, and the instance is held back.'),
    halfLifeSeconds: v.optional(
      seconds(1, 86_400, 'The time in which a fall counts half; three calm half-lives are always enough.'),
      60,
    ),
  },
  'Hold back instances that go up and down, until they have been calm.',
);

const source = mapping(
  {
    name: text('a name', 'Names the source in reasons and for pushes.', (value) =>
      /^[\w.-]{1,63}$/.test(value) ? undefined : `expected letters, digits, ".", "_" or "-", got ${show(value)}`,
    ),
    url: v.optional(
      text(
        'a URL',
        'Asked about each instance: {service}, {namespace}, {instance}, {address} are filled in. Without it, status is pushed.',
        (value) => (isHttpUrl(value) ? undefined : `expected an http:// or https:// URL, got ${show(value)}`),
      ),
    ),
    interval: v.optional(seconds(1, 3600, 'Seconds between questions about one instance.'), 30),
    timeout: v.optional(seconds(0.1, 60, 'Seconds until a question without an answer is given up.'), 5),
  },
  'A system that knows of the health of instances.',
);

const externalHealth = v.pipe(
  mapping(
    {
      sources: list(source, 'The systems; an empty list: none.'),
      combine: v.optional(
        choice(['any', 'all', 'quorum'], 'HEALTHY if any source says so, if all do, or if a quorum does.'),
        'all',
      ),
      quorum: v.optional(integer(1, 100, 'combine: quorum: how many must say HEALTHY; default more than half.')),
      maxAgeSeconds: v.optional(seconds(1, 86_400, 'What was said longer ago than this does not count.'), 120),
    },
    'What other systems say of the instances, as one more fact.',
  ),
  v.check(
    ({ sources }) => new Set(sources.map(({ name }) => name)).size === sources.length,
    'expected each source in `sources` to have a name of its own',
  ),
  v.check(
    ({ sources, quorum = 0 }) => sources.length === 0 || quorum <= sources.length,
    'expected `quorum` to be at most the number of `sources`',
  ),
  v.check(
    ({ sources, maxAgeSeconds }) =>
      sources.every(({ url, interval }) => url === undefined || interval <= maxAgeSeconds),
    'expected `maxAgeSeconds` to be at least the `interval` of each source, or its word is too old before it is asked again',
  ),
);

export const healthPolicyEntries = {
  gracePeriodSeconds: v.optional(
    seconds(
      0,
      3600,
      'How long failing checks do not take out a new instance, unless it was healthy before (as in ECS).',
    ),
  ),
  externalHealth: v.optional(externalHealth),
  panic: v.optional(panic),
  flapDamping: v.optional(flapDamping),
  slowStartSeconds: v.optional(
    seconds(0, 3600, 'routing: weighted: how long a new or recovered instance takes to get its whole weight.'),
  ),
  maxEjectionPercent: v.optional(
    percent('At most this share of the instances is left out for being unhealthy, and always one; 0: none.'),
  ),
};

const schema = v.object(healthPolicyEntries);
export type HealthPolicyInput = v.InferOutput<typeof schema>;

type HealthPolicies = Pick<ServicePolicy, keyof HealthPolicyInput>;

/** What the service says, else its zone; what is written as off (0, no sources, 100 %) is left out. */
export function healthPolicies(base: HealthPolicies, over: HealthPolicyInput): HealthPolicies {
  const { gracePeriodSeconds, externalHealth, panic, flapDamping, slowStartSeconds, maxEjectionPercent } = {
    ...base,
    ...withoutUndefined(over),
  };
  return withoutUndefined({
    gracePeriodSeconds: gracePeriodSeconds === 0 ? undefined : gracePeriodSeconds,
    externalHealth: externalHealth?.sources.length === 0 ? undefined : (externalHealth as ExternalHealth | undefined),
    panic: panic === undefined || panic.belowPercent === 0 ? undefined : withUntil(panic),
    flapDamping,
    slowStartSeconds: slowStartSeconds === 0 ? undefined : slowStartSeconds,
    maxEjectionPercent: maxEjectionPercent === 100 ? undefined : maxEjectionPercent,
  });
}

const HYSTERESIS_PERCENT = 10;

const withUntil = ({ belowPercent, untilPercent }: NonNullable<HealthPolicyInput['panic']>) => ({
  belowPercent,
  untilPercent: untilPercent ?? Math.min(100, belowPercent + HYSTERESIS_PERCENT),
});

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

function isHttpUrl(value: string): boolean {
  const filled = value.replace(/\{(service|namespace|instance|address)\}/g, 'x');
  return /^https?:\/\//.test(value) && URL.canParse(filled) && !/[{}]/.test(filled);
}
