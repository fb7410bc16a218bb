// External health sources: reports of other systems about an instance, combined into one fact.
import * as v from 'valibot';
import { show } from '../../reading/problem.ts';
import { choice, integer, list, mapping, seconds, text } from '../../reading/shape.ts';
import type { Fact, Status } from '../../registry/model.ts';
import { healthPolicy } from './policy.ts';

/** Other systems that report the health of instances, and how their reports are combined. */
export interface ExternalHealth {
  readonly sources: readonly ExternalSource[];
  /** HEALTHY if any, all or `quorum` of them report it (by default more than half). */
  readonly combine: 'any' | 'all' | 'quorum';
  readonly quorum?: number;
  /** Older reports do not count. */
  readonly maxAgeSeconds: number;
}

export interface ExternalSource {
  readonly name: string;
  /** Polled for each instance, with {service}, {namespace}, {instance} and {address} replaced. undefined: pushed. */
  readonly url?: string;
  /** Seconds. */
  readonly interval: number;
  readonly timeout: number;
}

declare module '../../registry/model.ts' {
  interface ServicePolicy {
    readonly externalHealth?: ExternalHealth;
  }
}

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

export const externalHealth = healthPolicy({
  key: 'externalHealth',
  schema: v.pipe(
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
      'expected `maxAgeSeconds` to be at least the `interval` of each source, otherwise its reports expire before the next poll',
    ),
  ),
  setting: (written): ExternalHealth | undefined =>
    written.sources.length === 0 ? undefined : (written as ExternalHealth),
  describe: ({ sources, combine }) => `${combine} of ${sources.map(({ name }) => name).join(', ')} (external)`,
  rules: () => ({
    facts(setting, facts, { nowMs, wake }) {
      const combined = combineExternal(facts, setting, nowMs);
      wake(combined.untilMs);
      return combined.facts;
    },
  }),
});

function isHttpUrl(value: string): boolean {
  const filled = value.replace(/\{(service|namespace|instance|address)\}/g, 'x');
  return /^https?:\/\//.test(value) && URL.canParse(filled) && !/[{}]/.test(filled);
}

/**
 * The facts with those of all external sources combined into one, or removed if no report is recent enough. Sources that
 * are not in the policy do not count.
 * - any: HEALTHY if one source reports it, else UNHEALTHY if one does, else UNKNOWN;
 * - all: UNHEALTHY if one source reports it, else HEALTHY if one does, else UNKNOWN;
 * - quorum: HEALTHY if `quorum` sources report it (by default more than half of those that count), UNHEALTHY if so many
 *   do that the quorum cannot be reached, else UNKNOWN.
 * `untilMs` is the time at which the next report expires.
 */
export function combineExternal(
  facts: readonly Fact[],
  policy: ExternalHealth,
  nowMs: number,
): { readonly facts: readonly Fact[]; readonly untilMs?: number } {
  const said = facts.filter((fact) => fact.source === 'external');
  if (said.length === 0) return { facts };
  const others = facts.filter((fact) => fact.source !== 'external');
  const fresh = said.filter((fact) => isConfigured(fact, policy) && nowMs < endOf(fact, policy));
  if (fresh.length === 0) return { facts: others };
  const status = combined(fresh, policy);
  const deciding = fresh.filter((fact) => fact.status === status);
  const fact: Fact = {
    source: 'external',
    status,
    reason: `${policy.combine} of ${fresh.map((one) => `${one.name}: ${one.status} (${one.reason})`).join(', ')}`,
    sinceMs: Math.max(...(deciding.length > 0 ? deciding : fresh).map((one) => one.sinceMs)),
  };
  return { facts: [...others, fact], untilMs: Math.min(...fresh.map((one) => endOf(one, policy))) };
}

const isConfigured = (fact: Fact, policy: ExternalHealth): boolean =>
  policy.sources.some((source) => source.name === fact.name);

/** When a fact expires. */
const endOf = (fact: Fact, policy: ExternalHealth): number =>
  (fact.reportedMs ?? fact.sinceMs) + policy.maxAgeSeconds * 1000;

function combined(fresh: readonly Fact[], policy: ExternalHealth): Status {
  const healthy = fresh.filter((fact) => fact.status === 'HEALTHY').length;
  const unhealthy = fresh.filter((fact) => fact.status === 'UNHEALTHY').length;
  if (policy.combine === 'any') return healthy > 0 ? 'HEALTHY' : unhealthy > 0 ? 'UNHEALTHY' : 'UNKNOWN';
  if (policy.combine === 'all') return unhealthy > 0 ? 'UNHEALTHY' : healthy > 0 ? 'HEALTHY' : 'UNKNOWN';
  // Sources that do not count must not make a quorum unreachable: fewer are enough then.
  const needed = Math.min(policy.quorum ?? Math.floor(fresh.length / 2) + 1, fresh.length);
  if (healthy >= needed) return 'HEALTHY';
  return unhealthy > fresh.length - needed ? 'UNHEALTHY' : 'UNKNOWN';
}
