// External health sources: what several systems say of an instance, put together into one fact.
import type { ExternalHealth, Fact, Status } from '../registry/model.ts';

/**
 * The facts with all those of external sources replaced by the one that they amount to; none where nothing that is
 * said is young enough. Sources that are not in the policy do not count.
 * - any: HEALTHY if one says so, else UNHEALTHY if one says so, else UNKNOWN;
 * - all: UNHEALTHY if one says so, else HEALTHY if one says so, else UNKNOWN;
 * - quorum: HEALTHY if `quorum` say so (by default more than half of those that count), UNHEALTHY once so many say
 *   UNHEALTHY that the quorum is out of reach, else UNKNOWN.
 * `untilMs` is the time at which the next one grows too old.
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

/** When a fact grows too old to count. */
const endOf = (fact: Fact, policy: ExternalHealth): number =>
  (fact.reportedMs ?? fact.sinceMs) + policy.maxAgeSeconds * 1000;

function combined(fresh: readonly Fact[], policy: ExternalHealth): Status {
  const healthy = fresh.filter((fact) => fact.status === 'HEALTHY').length;
  const unhealthy = fresh.filter((fact) => fact.status === 'UNHEALTHY').length;
  if (policy.combine === 'any') return healthy > 0 ? 'HEALTHY' : unhealthy > 0 ? 'UNHEALTHY' : 'UNKNOWN';
  if (policy.combine === 'all') return unhealthy > 0 ? 'UNHEALTHY' : healthy > 0 ? 'HEALTHY' : 'UNKNOWN';
  // Sources that do not count must not make a quorum unreachable: fewer are then enough.
  const needed = Math.min(policy.quorum ?? Math.floor(fresh.length / 2) + 1, fresh.length);
  if (healthy >= needed) return 'HEALTHY';
  return unhealthy > fresh.length - needed ? 'UNHEALTHY' : 'UNKNOWN';
}
