// Policies beyond those of ECS and Cloud Map: docs/health.md says what each one does. All are off unless written.
import * as v from 'valibot';
import type { ExternalHealth, ServicePolicy } from '../../registry/model.ts';
import { show } from '../reading/problem.ts';
import { choice, integer, list, mapping, seconds, text } from '../reading/shape.ts';

const percent = (description: string) => integer(0, 100, description);

const panic = v.pipe(
  mapping(
    {
      belowPercent: percent('All instances are answered while the healthy share is below this percentage; 0: never.'),
      untilPercent: v.optional(percent('Ends when this percentage is healthy again; default: belowPercent plus 10.')),
    },
    'If too many instances are unhealthy at once, answer all of them, because a fault in the checks is more likely.',
  ),
  v.check(
    ({ belowPercent, untilPercent = 100 }) => untilPercent >= belowPercent,
    'expected `untilPercent` to be at least `belowPercent`',
  ),
);

const flapDamping = mapping(
  {
    falls: integer(1, 100, 'An instance is held back after this many falls within about one half-life.'),
    halfLifeSeconds: v.optional(
      seconds(
        1,
        86_400,
        'Time after which a fall counts half; three half-lives without a fall always end the damping.',
      ),
      60,
    ),
  },
  'Hold back instances that flap until they are stable.',
);

const source = mapping(
  {
    name: text('a name', 'Identifies the source in reasons and in pushed reports.', (value) =>
      /^[\w.-]{1,63}$/.test(value) ? undefined : `expected letters, digits, ".", "_" or "-", got ${show(value)}`,
    ),
    url: v.optional(
      text(
        'a URL',
        'Polled for each instance; {service}, {namespace}, {instance} and {address} are replaced. Without a URL the source pushes its status.',
        (value) => (isHttpUrl(value) ? undefined : `expected an http:// or https:// URL, got ${show(value)}`),
      ),
    ),
    interval: v.optional(seconds(1, 3600, 'Seconds between polls of one instance.'), 30),
    timeout: v.optional(seconds(0.1, 60, 'Seconds until a poll without a response is abandoned.'), 5),
  },
  'A system that reports the health of instances.',
);

const externalHealth = v.pipe(
  mapping(
    {
      sources: list(source, 'The reporting systems; an empty list means none.'),
      combine: v.optional(
        choice(['any', 'all', 'quorum'], 'HEALTHY if any source, all sources or a quorum of sources report it.'),
        'all',
      ),
      quorum: v.optional(
        integer(1, 100, 'With combine: quorum, how many sources must report HEALTHY; default: more than half.'),
      ),
      maxAgeSeconds: v.optional(seconds(1, 86_400, 'Reports older than this do not count.'), 120),
    },
    'Health reported by other systems, as an additional fact.',
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
      'How long failing checks do not exclude a new instance, unless it has been healthy before (as in ECS).',
    ),
  ),
  externalHealth: v.optional(externalHealth),
  panic: v.optional(panic),
  flapDamping: v.optional(flapDamping),
  slowStartSeconds: v.optional(
    seconds(0, 3600, 'With routing: weighted, how long a new or recovered instance takes to reach its full weight.'),
  ),
  maxEjectionPercent: v.optional(
    percent('At most this percentage of the instances, but at least one, is excluded for being unhealthy; 0: none.'),
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
